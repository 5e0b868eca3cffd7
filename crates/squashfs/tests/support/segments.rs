//! Images whose segments may come from elsewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cache::{Places, Segments};
use image::{Kind, Node, NodeId, ReadAt, Silent, Spool, Tree, Unit};
use sha2::{Digest, Sha256};
use squashfs::{Options, Planned, Reuse, Work};

use crate::support::{self, add_units, zoo};

/// As a NAR's hash: over all names, bytes and links of a unit.
pub(crate) fn unit_hashes(tree: &Tree) -> BTreeMap<NodeId, [u8; 32]> {
    let hash = |(root, _): (NodeId, &Unit)| {
        let mut hasher = Sha256::new();
        for entry in tree.walk_from(root) {
            let bytes = match &tree.node(entry.id).kind {
                Kind::File(content) => content.to_vec().unwrap(),
                kind => format!("{kind:?}").chars().take(9).collect::<String>().into(),
            };
            hasher.update((entry.path.len() as u64).to_le_bytes());
            hasher.update(&entry.path);
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(&bytes);
        }
        (root, hasher.finalize().into())
    };
    tree.units().map(hash).collect()
}

/// An image made with places that are near.
pub(crate) fn plan(tree: &Tree, options: &Options, threads: usize, near: &[&dyn Segments]) -> Planned {
    plan_with(tree, options, threads, Places { near, shared: &[] })
}

/// An image made with any places.
pub(crate) fn plan_with(tree: &Tree, options: &Options, threads: usize, places: Places) -> Planned {
    let spool = Spool::create(&std::env::temp_dir()).unwrap();
    let units = unit_hashes(tree);
    let work = Work {
        spool: &spool,
        threads,
        digests: &[],
        progress: &Silent,
        reuse: Some(Reuse {
            units: &units,
            places,
            confirm: None,
        }),
    };
    squashfs::plan(tree, options, &work).unwrap()
}

/// An image's bytes.
pub(crate) fn bytes(planned: &Planned) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(planned.image.size()).unwrap()];
    planned.image.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// What a build from nothing makes.
pub(crate) fn cold(tree: &Tree, options: &Options) -> Vec<u8> {
    bytes(&support::plan(tree, options, 2))
}

/// The zoo as units, and many more that are segments of their own.
pub(crate) fn tree() -> Tree {
    let mut tree = zoo(4096);
    for unit in 0..20 {
        for file in 0..3 {
            let path = format!("/u{unit:02}/{file}");
            let content = support::bytes(900 + 3000 * file, 7 + unit);
            tree.add_at(path.as_bytes(), Node::file(content)).unwrap();
        }
    }
    add_units(&mut tree);
    tree
}

/// The cache's entries, sorted by their names.
pub(crate) fn entries(dir: &Path) -> Vec<PathBuf> {
    let tree = image::scan(&dir.join("segments"), image::Keep::default()).unwrap();
    let files = tree
        .walk()
        .filter(|entry| matches!(tree.node(entry.id).kind, Kind::File(_)));
    files
        .map(|entry| dir.join(format!("segments{}", String::from_utf8(entry.path).unwrap())))
        .collect()
}
