//! Segments that were compressed before never change a byte, whatever has become of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use btrfs::{Compression, EqualFiles, Metadata, Options, Planned, Profile, Work};
use cache::{Cache, Earlier, Places, Reuse, Segments};
use image::{Kind, Node, NodeId, Progress, ReadAt, Silent, Spool, Tree, Unit};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::support::{self, add_units, compressible, noise, subvolumes, with_subvolumes, words};

pub(crate) fn options(compression: Compression) -> Options {
    Options {
        compression,
        ..support::options(Profile::Portable, Metadata::Single)
    }
}

const COMPRESSING: [Compression; 4] = [
    Compression::Zlib { level: 6 },
    Compression::Lzo,
    Compression::Zstd { level: 3 },
    Compression::Zstd { level: 11 },
];
pub(crate) const ZSTD: Compression = Compression::Zstd { level: 3 };

/// As a NAR's hash: over all names, bytes and links of a unit.
pub(crate) fn unit_hashes(tree: &Tree) -> BTreeMap<NodeId, [u8; 32]> {
    let hash = |(root, _): (NodeId, &Unit)| {
        let mut hasher = Sha256::new();
        for entry in tree.walk_from(root) {
            let bytes = match &tree.node(entry.id).kind {
                Kind::File(content) => content.to_vec().unwrap(),
                kind => format!("{kind:?}").chars().take(9).collect::<String>().into(),
            };
            for bytes in [&entry.path, &bytes] {
                hasher.update((bytes.len() as u64).to_le_bytes());
                hasher.update(bytes);
            }
        }
        (root, hasher.finalize().into())
    };
    tree.units().map(hash).collect()
}

pub(crate) fn with_work<T>(
    tree: &Tree,
    threads: usize,
    places: Places,
    progress: &dyn Progress,
    act: impl FnOnce(&Work) -> T,
) -> T {
    let spool = Spool::create(&std::env::temp_dir()).unwrap();
    let units = unit_hashes(tree);
    act(&Work {
        spool: &spool,
        threads,
        digests: &[],
        progress,
        reuse: Some(Reuse {
            units: &units,
            places,
            confirm: None,
        }),
    })
}

pub(crate) fn plan_with(tree: &Tree, options: &Options, threads: usize, places: Places) -> Planned {
    with_work(tree, threads, places, &Silent, |work| {
        btrfs::plan(tree, options, work).unwrap()
    })
}

/// An image made with places that are near.
pub(crate) fn plan(tree: &Tree, options: &Options, threads: usize, near: &[&dyn Segments]) -> Planned {
    plan_with(tree, options, threads, Places { near, shared: &[] })
}

pub(crate) fn bytes(planned: &Planned) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(planned.image.size()).unwrap()];
    planned.image.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// What a build from nothing makes.
pub(crate) fn cold(tree: &Tree, options: &Options) -> Vec<u8> {
    bytes(&support::plan(tree, options))
}

/// Units with all kinds of files, some of which other units have, too, and files of no unit.
pub(crate) fn tree() -> Tree {
    let mut tree = Tree::default();
    for name in ["first", "second"] {
        tree.graft(NodeId::ROOT, name.as_bytes(), compressible()).unwrap();
        let path = format!("/{name}/name");
        tree.add_at(path.as_bytes(), Node::file(name.as_bytes())).unwrap();
    }
    for unit in 0..8_usize {
        for (file, bytes) in [
            words(9000 + 13_000 * unit),
            vec![b'7'; 150_000 + unit % 3],
            noise(20_000 + unit as u64).to_vec().unwrap(),
            [vec![0; 70_000], words(70_000), vec![0; 20_000]].concat(),
        ]
        .into_iter()
        .enumerate()
        {
            let path = format!("/u{unit}/{file}");
            tree.add_at(path.as_bytes(), Node::file(bytes)).unwrap();
        }
    }
    add_units(&mut tree);
    // Not everything is a unit's.
    tree.add_at(b"/etc/own", Node::file(words(50_000))).unwrap();
    tree.add_at(b"/etc/other", Node::file(words(9000))).unwrap();
    tree
}

pub(crate) fn cache(dir: &Path) -> Cache {
    Cache::open(dir, 1 << 30).unwrap()
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

/// Counts what it is asked.
#[derive(Default)]
struct Counting {
    asked: AtomicUsize,
    kept: AtomicUsize,
}

impl Segments for Counting {
    fn find(&self, _: &cache::Key) -> Option<cache::Found> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        None
    }
    fn reject(&self, _: &cache::Key, _: &str) {}
    fn keep(&self, _: &cache::Key, _: &cache::Made) {
        self.kept.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts the bytes that are made.
#[derive(Default)]
struct Made(AtomicUsize);

impl Progress for Made {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, bytes: u64) -> Result<(), image::Cancelled> {
        self.0
            .fetch_add(usize::try_from(bytes).unwrap(), Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn cold_is_warm_for_every_compressor_and_number_of_threads() {
    let tree = tree();
    for compression in COMPRESSING {
        for equal_files in [EqualFiles::Shared, EqualFiles::Apart] {
            let options = Options {
                equal_files,
                ..options(compression)
            };
            let wanted = cold(&tree, &options);
            for threads in [1, 8] {
                let dir = tempfile::tempdir().unwrap();
                for round in ["cold", "warm"] {
                    let (cache, made) = (cache(dir.path()), Made::default());
                    let near: [&dyn Segments; 1] = [&cache];
                    let places = Places {
                        near: &near,
                        shared: &[],
                    };
                    let planned = with_work(&tree, threads, places, &made, |work| {
                        btrfs::plan(&tree, &options, work).unwrap()
                    });
                    assert!(bytes(&planned) == wanted, "{compression:?} {round}");
                    assert_eq!(cache.warnings(), Vec::<String>::new());
                    assert_eq!(made.0.into_inner() == 0, round == "warm");
                    assert_eq!(entries(dir.path()).len(), planned.segments.len());
                }
                // A place behind one that has everything is asked for nothing.
                let (behind, cache) = (Counting::default(), cache(dir.path()));
                plan(&tree, &options, threads, &[&cache, &behind]);
                assert_eq!(behind.asked.into_inner() + behind.kept.into_inner(), 0);
            }
        }
    }
    assert!(
        plan(&tree, &options(Compression::None), 2, &[])
            .segments
            .is_empty()
    );
}

#[test]
fn subvolumes_and_sizes_are_no_part_of_keys() {
    let mut tree = with_subvolumes();
    add_units(&mut tree);
    let plain = options(ZSTD);
    let dir = tempfile::tempdir().unwrap();
    let count = plan(&tree, &plain, 2, &[&cache(dir.path())]).segments.len();
    let others = Options {
        profile: Profile::Modern,
        metadata: Metadata::Dup,
        free: 5 << 20,
        ..subvolumes(&tree, plain)
    };
    let behind = Counting::default();
    let lifted = plan(&tree, &others, 2, &[&cache(dir.path()), &behind]);
    assert!(bytes(&lifted) == cold(&tree, &others));
    assert_eq!(behind.asked.into_inner(), 0);
    assert!(count > 2 && entries(dir.path()).len() == count);
}

#[test]
fn a_unit_keeps_its_key_whatever_is_beside_it() {
    let options = options(ZSTD);
    let whole = tree();
    let keys = |tree: &Tree| -> BTreeSet<cache::Key> {
        let planned = plan(tree, &options, 2, &[]);
        planned.segments.iter().map(|record| record.key).collect()
    };
    let all = keys(&whole);
    for name in ["u0", "u5", "second"] {
        let mut alone = Tree::default();
        let root = whole.lookup(name.as_bytes()).unwrap();
        for entry in whole.walk_from(root) {
            if let Kind::File(content) = &whole.node(entry.id).kind {
                let path = format!("/elsewhere/{name}{}", String::from_utf8(entry.path).unwrap());
                let node = Node::file(content.to_vec().unwrap());
                alone.add_at(path.as_bytes(), node).unwrap();
            }
        }
        let unit = whole.unit(root).unwrap().clone();
        alone.mark_unit(
            alone.lookup(format!("/elsewhere/{name}").as_bytes()).unwrap(),
            unit,
        );
        let own = keys(&alone);
        assert!(own.len() == 1 && own.is_subset(&all), "{name}");
    }
}

#[test]
fn what_is_damaged_is_found_and_made_anew() {
    let (tree, options) = (tree(), options(ZSTD));
    let wanted = cold(&tree, &options);
    let dir = tempfile::tempdir().unwrap();
    plan(&tree, &options, 2, &[&cache(dir.path())]);
    let all = entries(dir.path());
    let sound: Vec<Vec<u8>> = all.iter().map(|path| fs::read(path).unwrap()).collect();
    let changed = |change: fn(&mut Vec<u8>)| -> Vec<Vec<u8>> {
        let change = |bytes: &Vec<u8>| {
            let mut bytes = bytes.clone();
            change(&mut bytes);
            bytes
        };
        sound.iter().map(change).collect()
    };
    let mut swapped = sound.clone();
    swapped.rotate_left(1);
    let damages: Vec<Vec<Vec<u8>>> = vec![
        changed(|bytes| bytes[0] ^= 0x10),
        changed(|bytes| *bytes.last_mut().unwrap() ^= 1),
        changed(|bytes| {
            let word = bytes.len() - 89;
            bytes[word] ^= 0x10;
        }),
        changed(|bytes| bytes.truncate(bytes.len() / 2)),
        changed(Vec::clear),
        changed(|bytes| bytes.push(0)),
        swapped,
    ];
    for (number, damaged) in damages.iter().enumerate() {
        for (path, bytes) in all.iter().zip(damaged) {
            fs::write(path, bytes).unwrap();
        }
        let cache = cache(dir.path());
        assert!(
            bytes(&plan(&tree, &options, 1 + number, &[&cache])) == wanted,
            "damage {number}"
        );
        let warnings = cache.warnings();
        assert_eq!(warnings.len(), all.len(), "damage {number}: {warnings:?}");
        for (path, bytes) in all.iter().zip(&sound) {
            assert!(&fs::read(path).unwrap() == bytes, "damage {number}");
        }
    }
}

#[test]
fn segments_are_lifted_out_of_an_earlier_image_and_kept() {
    let (tree, options) = (tree(), options(ZSTD));
    let wanted = cold(&tree, &options);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old.btrfs");
    let mut old = tree.clone();
    let file = old.lookup(b"/u2/1").unwrap();
    old.node_mut(file).kind = Kind::File(words(39_000).into());
    let planned = plan(&old, &options, 2, &[]);
    support::write(&planned.image, &path);
    // What others have first, and what is not compressed, lies between a segment's blocks.
    assert!(planned.segments.iter().any(|record| record.parts.len() > 1));
    let open = |records| Earlier::new(&path, Arc::new(fs::File::open(&path).unwrap()), records);
    let earlier = || open(planned.segments.clone());
    let kept = Counting::default();
    let lifted = plan(&tree, &options, 2, &[&kept, &earlier()]);
    assert!(bytes(&lifted) == wanted);
    assert_eq!(kept.kept.into_inner(), lifted.segments.len());
    let made = Counting::default();
    let place = earlier();
    plan(&tree, &options, 2, &[&place, &made]);
    assert_eq!(place.warnings(), Vec::<String>::new());
    let (asked, kept) = (made.asked.into_inner(), made.kept.into_inner());
    assert_eq!((asked, kept), (1, 1), "of {}", lifted.segments.len());
    let mut lies = planned.segments.clone();
    for (number, record) in lies.iter_mut().enumerate() {
        match number % 6 {
            0 => record.start = u64::MAX - 5,
            1 => record.len += 1,
            2 => record.sizes.push(3),
            3 => record.sizes[0] = u32::MAX,
            4 => record.parts.push(std::ops::Range { start: 5, end: 2 }),
            _ => record.start += 1,
        }
        if let Some(part) = record.parts.first_mut() {
            part.start = part.start.wrapping_sub(4096);
        }
    }
    let liar = open(lies);
    assert!(bytes(&plan(&tree, &options, 2, &[&liar])) == wanted);
    assert!(liar.warnings().len() > 3);
    // The file is cut.
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(2 << 20).unwrap();
    let cut = earlier();
    assert!(bytes(&plan(&tree, &options, 2, &[&cut])) == wanted);
    assert!(cut.warnings().len() > 1);
}

#[test]
fn segments_made_alone_are_those_of_the_image() {
    let (tree, options) = (tree(), options(ZSTD));
    let [image, alone, together] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    plan(&tree, &options, 2, &[&cache(image.path())]);
    let make = |wanted: BTreeSet<NodeId>, dir: &Path| {
        let cache = cache(dir);
        let near: [&dyn Segments; 1] = [&cache];
        let places = Places {
            near: &near,
            shared: &[],
        };
        with_work(&tree, 2, places, &Silent, |work| {
            btrfs::make_segments(&tree, &options, &wanted, work)
                .unwrap()
                .len()
        })
    };
    let nowhere = Places {
        near: &[],
        shared: &[],
    };
    let outlines = with_work(&tree, 1, nowhere, &Silent, |work| {
        btrfs::outlines(&tree, &options, work).unwrap()
    });
    assert!(outlines.len() > 8 && outlines.iter().all(|outline| outline.originals.is_empty()));
    for outline in &outlines {
        if !outline.units.is_empty() {
            assert_eq!(make(outline.units.iter().copied().collect(), alone.path()), 1);
        }
    }
    assert_eq!(make(BTreeSet::new(), together.path()), outlines.len());
    let found = |dir: &Path| -> Vec<(PathBuf, Vec<u8>)> {
        let entry = |path: PathBuf| (path.strip_prefix(dir).unwrap().into(), fs::read(&path).unwrap());
        entries(dir).into_iter().map(entry).collect()
    };
    assert!(found(image.path()) == found(together.path()));
    // But for the files of no unit.
    assert_eq!(found(alone.path()).len() + 1, outlines.len());
    assert!(
        found(alone.path())
            .iter()
            .all(|entry| found(image.path()).contains(entry))
    );
}

fn trees() -> impl Strategy<Value = Vec<Tree>> {
    // Few contents, so that most of them come more than once.
    let file = (0usize..6, 0u8..4);
    let files = proptest::collection::btree_map((0u8..5, 0u8..6), file, 0..14);
    let links = proptest::collection::vec((any::<prop::sample::Index>(), 0u8..5, 6u8..8), 0..3);
    let tree = (files, links).prop_map(|(files, links)| {
        let mut tree = Tree::default();
        let mut ids = Vec::new();
        for ((unit, name), (size, kind)) in files {
            let len = [1, 2049, 8193, 131_072, 140_000, 300_000][size];
            let content = match kind {
                0 => words(len),
                1 => vec![0; len],
                2 => noise(len as u64).to_vec().unwrap(),
                _ => [words(len / 2), noise(len as u64).to_vec().unwrap()].concat(),
            };
            let path = format!("/u{unit}/{name}");
            ids.push(tree.add_at(path.as_bytes(), Node::file(content)).unwrap());
        }
        for (index, unit, name) in links {
            if let Some(folder) = tree.lookup(format!("/u{unit}").as_bytes())
                && !ids.is_empty()
            {
                let _ = tree.link(folder, &[name], *index.get(&ids));
            }
        }
        // The last folder is no unit.
        for unit in 0..4 {
            if let Some(root) = tree.lookup(format!("/u{unit}").as_bytes()) {
                let name: Box<[u8]> = format!("u{unit}").into_bytes().into();
                let order = name.clone();
                tree.mark_unit(root, Unit { order, name });
            }
        }
        tree
    });
    proptest::collection::vec(tree, 2..5)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

    /// One cache for trees that have much in common: whatever is taken from it, every image is what it is without one.
    #[test]
    fn nothing_leaks_from_one_tree_into_another(trees in trees(), apart in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        for (number, tree) in trees.iter().enumerate() {
            let equal_files = if apart && number % 2 == 1 { EqualFiles::Apart } else { EqualFiles::Shared };
            let options = Options { equal_files, ..options(COMPRESSING[number % 2]) };
            let cache = cache(dir.path());
            let planned = plan(tree, &options, 1 + number, &[&cache]);
            prop_assert!(bytes(&planned) == cold(tree, &options));
            prop_assert_eq!(cache.warnings(), Vec::<String>::new());
            // What is in the image is what the records say.
            let bytes: image::Content = bytes(&planned).into();
            let earlier = Earlier::new(Path::new("old"), Arc::new(bytes), planned.segments.clone());
            let behind = Counting::default();
            plan(tree, &options, 2, &[&earlier, &behind]);
            prop_assert_eq!(earlier.warnings(), Vec::<String>::new());
            prop_assert_eq!(behind.asked.into_inner(), 0);
        }
    }
}
