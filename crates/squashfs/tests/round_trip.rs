//! What is planned is what is read, the same bytes every time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use std::sync::Arc;

use image::{Node, NodeId, ReadAt, Tree, Xattr};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use squashfs::read::Archive;
use squashfs::{Compression, Options, Planned};
use support::{add_specials, add_units, add_xattrs, assert_same, dump, giants, options, plan, zoo};

const ALL: [Compression; 4] = [
    Compression::None,
    Compression::Gzip { level: 6 },
    Compression::Xz { level: 6 },
    Compression::Zstd { level: 5 },
];

fn read(planned: Planned) -> Tree {
    let size = planned.image.size();
    Archive::open(Arc::new(planned.image), size)
        .unwrap()
        .tree()
        .unwrap()
}

fn digest(planned: &Planned) -> String {
    let mut bytes = vec![0; usize::try_from(planned.image.size()).unwrap()];
    planned.image.read_exact_at(&mut bytes, 0).unwrap();
    support::hex(&Sha256::digest(&bytes))
}

fn full_zoo(block: usize) -> Tree {
    let mut tree = zoo(block);
    add_specials(&mut tree);
    add_xattrs(&mut tree);
    add_units(&mut tree);
    tree
}

#[test]
fn the_zoo_comes_back_with_every_compressor_and_block_size() {
    for block_size in [4096, 1 << 17, 1 << 20] {
        let tree = full_zoo(block_size as usize);
        for compression in ALL {
            assert_same(&read(plan(&tree, &options(compression, block_size), 2)), &tree);
        }
    }
}

#[test]
fn nothing_passes_the_bound() {
    for block_size in [4096, 1 << 20] {
        let options = options(Compression::None, block_size);
        for tree in [full_zoo(block_size as usize), Tree::default()] {
            let size = plan(&tree, &options, 2).image.size();
            let bound = squashfs::at_most(&tree, &options).unwrap();
            assert!(size <= bound, "{size} and {bound}");
        }
    }
}

#[test]
fn giants_come_back() {
    let tree = giants();
    let planned = plan(
        &tree,
        &Options {
            compression: Compression::Zstd { level: 1 },
            ..Options::default()
        },
        2,
    );
    assert!(planned.used < 1 << 20, "{} bytes", planned.used);
    assert_same(&read(planned), &tree);
}

#[test]
fn an_empty_tree_comes_back() {
    assert_same(
        &read(plan(&Tree::default(), &Options::default(), 1)),
        &Tree::default(),
    );
}

#[test]
fn threads_and_the_order_of_adding_do_not_show() {
    let tree = full_zoo(4096);
    let options = options(Compression::Zstd { level: 3 }, 4096);
    let one = digest(&plan(&tree, &options, 1));
    assert_eq!(one, digest(&plan(&tree, &options, 8)));
    // The same tree, its nodes added in the order of a walk from the back.
    let mut shuffled = Tree::new(Node {
        meta: tree.node(NodeId::ROOT).meta.clone(),
        ..Node::directory()
    });
    let mut seen = std::collections::BTreeMap::new();
    let mut entries: Vec<_> = tree.walk().skip(1).collect();
    entries.reverse();
    entries.sort_by_key(|entry| entry.path.split(|byte| *byte == b'/').count());
    for entry in entries {
        let (parent, name) = entry
            .path
            .split_at(entry.path.iter().rposition(|byte| *byte == b'/').unwrap());
        let parent = shuffled.lookup(parent).unwrap();
        let mut node = tree.node(entry.id).clone();
        if let image::Kind::Directory(directory) = &mut node.kind {
            *directory = image::Directory::default();
        }
        match seen.get(&entry.id) {
            Some(id) => shuffled.link(parent, &name[1..], *id).unwrap(),
            None => drop(seen.insert(entry.id, shuffled.add(parent, &name[1..], node).unwrap())),
        }
    }
    add_units(&mut shuffled);
    assert_eq!(dump(&shuffled).len(), dump(&tree).len());
    assert_eq!(one, digest(&plan(&shuffled, &options, 3)));
}

#[test]
fn what_linux_cannot_read_is_refused() {
    let mut tree = Tree::default();
    tree.add_at(b"/link", Node::symlink("t".repeat(4096))).unwrap();
    assert_eq!(
        refused(&tree),
        "/link: the link's target is 4096 bytes long, the limit is 4095"
    );
    let mut tree = Tree::default();
    tree.add_at(b"/link", Node::symlink(*b"to\0where")).unwrap();
    assert_eq!(refused(&tree), "/link: the link's target has a zero byte");
    let mut tree = Tree::default();
    let mut file = Node::file(b"text".to_vec());
    file.meta.xattrs = [1, 2]
        .map(|value| Xattr {
            name: (*b"user.note").into(),
            value: [value].into(),
        })
        .into();
    tree.add_at(b"/file", file).unwrap();
    let said = refused(&tree);
    assert!(said.ends_with("the name is there twice"), "{said}");
    let mut tree = Tree::default();
    for uid in 0..65_536 {
        let mut node = Node::symlink("x");
        node.meta.uid = uid;
        tree.add(NodeId::ROOT, uid.to_string().as_bytes(), node).unwrap();
    }
    assert_eq!(
        refused(&tree),
        "65536 different user and group numbers, the limit is 65535"
    );
}

fn refused(tree: &Tree) -> String {
    let spool = image::Spool::create(&std::env::temp_dir()).unwrap();
    let work = squashfs::Work {
        spool: &spool,
        threads: 1,
        digests: &[],
        progress: &image::Silent,
        reuse: None,
    };
    squashfs::plan(tree, &Options::default(), &work)
        .unwrap_err()
        .to_string()
}

/// These change when the layout or a compressor changes: then every user's image changes, so it is a decision.
#[test]
fn digests_are_pinned() {
    let tree = full_zoo(1 << 17);
    let digests: Vec<String> = ALL
        .map(|compression| digest(&plan(&tree, &options(compression, 1 << 17), 2)))
        .to_vec();
    insta::assert_debug_snapshot!(digests);
}

#[test]
fn the_map_names_everything() {
    let mut tree = zoo(4096);
    add_xattrs(&mut tree);
    add_units(&mut tree);
    let planned = plan(&tree, &options(Compression::None, 4096), 2);
    let map: Vec<String> = planned
        .image
        .map()
        .into_iter()
        .map(|line| format!("{:>8} {:>8} {}", line.start, line.end, line.label))
        .collect();
    insta::assert_snapshot!(map.join("\n"));
}

#[test]
fn a_changed_unit_changes_its_own_segment_only() {
    let mut tree = zoo(4096);
    add_units(&mut tree);
    let options = options(Compression::Zstd { level: 3 }, 4096);
    let before = segments(&plan(&tree, &options, 2));
    let id = tree.lookup(b"/duplicates/small-0").unwrap();
    tree.node_mut(id).kind = image::Kind::File(b"changed".as_slice().into());
    let after = segments(&plan(&tree, &options, 2));
    let changed: Vec<&String> = before
        .iter()
        .filter(|(label, bytes)| after.get(*label) != Some(*bytes))
        .map(|(label, _)| label)
        .collect();
    assert_eq!(changed, ["segment duplicates"]);
}

fn segments(planned: &Planned) -> std::collections::BTreeMap<String, Vec<u8>> {
    let extents = planned
        .image
        .extents()
        .iter()
        .filter(|extent| extent.label.starts_with("segment"));
    extents
        .map(|extent| (extent.label.to_string(), extent.content.to_vec().unwrap()))
        .collect()
}

fn arbitrary_tree() -> impl Strategy<Value = Tree> {
    let name = prop_oneof![proptest::collection::vec(1u8..=255, 1..12), Just(vec![b'n'; 255])];
    let path = proptest::collection::vec(name, 1..5);
    let node = prop_oneof![
        (0usize..20_000, any::<u32>()).prop_map(|(len, step)| Node::file(support::bytes(len, step))),
        (0usize..20_000).prop_map(|len| Node::file(vec![0; len])),
        proptest::collection::vec(1u8..=255, 1..70).prop_map(Node::symlink),
        Just(Node::directory()),
    ];
    let mode = 0u16..0o10000;
    proptest::collection::vec((path, node, mode, 0u32..4, any::<bool>()), 0..60).prop_map(|entries| {
        let mut tree = Tree::default();
        for (names, node, mode, uid, unit) in entries {
            let mut node = node.mode(mode);
            node.meta.uid = uid;
            // Names that are no names, or taken, are other tests' business.
            let Ok(id) = tree.add_at(&names.join(&b'/'), node) else {
                continue;
            };
            if unit && names.len() == 1 {
                let name: Box<[u8]> = names[0].as_slice().into();
                tree.mark_unit(
                    id,
                    image::Unit {
                        order: name.clone(),
                        name,
                    },
                );
            }
        }
        tree
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn any_tree_comes_back(tree in arbitrary_tree(), which in 0usize..4, log in 12u32..15) {
        let options = options(ALL[which], 1 << log);
        let planned = plan(&tree, &options, 2);
        prop_assert!(planned.image.size() <= squashfs::at_most(&tree, &options).unwrap());
        assert_same(&read(planned), &tree);
    }
}
