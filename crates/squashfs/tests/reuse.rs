//! Segments that were compressed before never change a byte, whatever has become of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/segments.rs"]
mod segments;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cache::{Cache, Earlier, Places, Segments};
use image::{Kind, Node, NodeId, Silent, Spool, Tree, Unit};
use proptest::prelude::*;
use segments::{bytes, cold, entries, plan, tree, unit_hashes};
use squashfs::{Compression, Options, Reuse, Work};
use support::{add_units, options};

const ZSTD: Compression = Compression::Zstd { level: 5 };

fn cache(dir: &Path) -> Cache {
    Cache::open(dir, 1 << 30).unwrap()
}

/// Counts what it is asked.
#[derive(Default)]
struct Counting {
    asked: std::sync::atomic::AtomicUsize,
    kept: std::sync::atomic::AtomicUsize,
}

impl Segments for Counting {
    fn find(&self, _: &cache::Key) -> Option<cache::Found> {
        self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        None
    }
    fn reject(&self, _: &cache::Key, _: &str) {}
    fn keep(&self, _: &cache::Key, _: &cache::Made) {
        self.kept.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn cold_is_warm_for_every_compressor_and_number_of_threads() {
    let tree = tree();
    for compression in [
        Compression::Gzip { level: 6 },
        Compression::Xz { level: 3 },
        ZSTD,
        Compression::None,
    ] {
        let options = options(compression, 4096);
        let wanted = cold(&tree, &options);
        for threads in [1, 8] {
            let dir = tempfile::tempdir().unwrap();
            for _ in ["cold", "warm"] {
                let cache = cache(dir.path());
                assert!(bytes(&plan(&tree, &options, threads, &[&cache])) == wanted);
                assert_eq!(cache.warnings(), Vec::<String>::new());
            }
            let count = plan(&tree, &options, threads, &[]).segments.len();
            assert_eq!(entries(dir.path()).len(), count);
            assert_eq!(count > 3, compression != Compression::None);
            // A place behind one that has everything is asked for nothing.
            let (behind, cache) = (Counting::default(), cache(dir.path()));
            plan(&tree, &options, threads, &[&cache, &behind]);
            assert_eq!(behind.asked.into_inner() + behind.kept.into_inner(), 0);
        }
    }
}

#[test]
fn a_part_of_the_segments_is_enough() {
    let (tree, options) = (tree(), options(ZSTD, 4096));
    let wanted = cold(&tree, &options);
    let dir = tempfile::tempdir().unwrap();
    plan(&tree, &options, 2, &[&cache(dir.path())]);
    let all = entries(dir.path());
    for step in 2..5 {
        for (number, path) in all.iter().enumerate() {
            if number % step == 0 && path.exists() {
                fs::remove_file(path).unwrap();
            }
        }
        let before = entries(dir.path());
        assert!(before.len() < all.len());
        assert!(bytes(&plan(&tree, &options, step, &[&cache(dir.path())])) == wanted);
        assert_eq!(entries(dir.path()), all);
    }
}

#[test]
fn what_is_damaged_is_found_and_made_anew() {
    let (tree, options) = (tree(), options(ZSTD, 4096));
    let wanted = cold(&tree, &options);
    let dir = tempfile::tempdir().unwrap();
    plan(&tree, &options, 2, &[&cache(dir.path())]);
    let all = entries(dir.path());
    let sound: Vec<Vec<u8>> = all.iter().map(|path| fs::read(path).unwrap()).collect();
    let other = tempfile::tempdir().unwrap();
    plan(
        &tree,
        &support::options(Compression::Zstd { level: 1 }, 4096),
        2,
        &[&cache(other.path())],
    );
    let other: Vec<Vec<u8>> = entries(other.path())
        .iter()
        .map(|path| fs::read(path).unwrap())
        .collect();
    // Whole lists of entries that a disk, a crash or an enemy could leave.
    let flipped = |place: fn(usize) -> usize| -> Vec<Vec<u8>> {
        let flip = |bytes: &Vec<u8>| {
            let mut bytes = bytes.clone();
            let place = place(bytes.len());
            bytes[place] ^= 0x10;
            bytes
        };
        sound.iter().map(flip).collect()
    };
    let cut = |len: fn(usize) -> usize| {
        sound
            .iter()
            .map(|bytes| bytes[..len(bytes.len())].to_vec())
            .collect()
    };
    let mut swapped = sound.clone();
    swapped.rotate_left(1);
    let damages: Vec<Vec<Vec<u8>>> = vec![
        flipped(|_| 0),
        flipped(|len| len / 2),
        flipped(|len| len - 1),
        flipped(|len| len - 33),
        flipped(|len| len - 66),
        flipped(|len| len - 75),
        flipped(|len| len - 85),
        flipped(|len| len - 90),
        cut(|_| 0),
        cut(|len| len / 2),
        cut(|len| len - 1),
        sound
            .iter()
            .map(|bytes| [bytes.as_slice(), &[0]].concat())
            .collect(),
        sound.iter().map(|bytes| vec![0; bytes.len()]).collect(),
        swapped,
        other,
    ];
    for (number, damaged) in damages.iter().enumerate() {
        for (path, bytes) in all.iter().zip(damaged) {
            fs::write(path, bytes).unwrap();
        }
        let cache = cache(dir.path());
        let threads = if number % 2 == 0 { 1 } else { 8 };
        assert!(
            bytes(&plan(&tree, &options, threads, &[&cache])) == wanted,
            "damage {number}"
        );
        let warnings = cache.warnings();
        assert_eq!(warnings.len(), all.len(), "damage {number}: {warnings:?}");
        assert!(
            warnings
                .iter()
                .all(|warning| warning.contains("damaged, and made anew"))
        );
        for (path, bytes) in all.iter().zip(&sound) {
            assert!(&fs::read(path).unwrap() == bytes, "damage {number}");
        }
    }
}

#[test]
fn an_entry_that_is_no_file_is_no_entry() {
    let (tree, options) = (tree(), options(ZSTD, 4096));
    let wanted = cold(&tree, &options);
    let dir = tempfile::tempdir().unwrap();
    plan(&tree, &options, 2, &[&cache(dir.path())]);
    for (number, path) in entries(dir.path()).iter().enumerate() {
        fs::remove_file(path).unwrap();
        if number % 2 == 0 {
            fs::create_dir(path).unwrap();
        } else {
            std::os::unix::fs::symlink("/dev/zero", path).unwrap();
        }
    }
    let cache = cache(dir.path());
    assert!(bytes(&plan(&tree, &options, 2, &[&cache])) == wanted);
    assert!(cache.warnings().len() > 3);
}

#[test]
fn a_cache_that_takes_nothing_is_no_failure() {
    let (tree, options) = (tree(), options(ZSTD, 4096));
    let wanted = cold(&tree, &options);
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path());
    fs::remove_dir(dir.path().join("growing")).unwrap();
    fs::write(dir.path().join("growing"), b"").unwrap();
    assert!(bytes(&plan(&tree, &options, 2, &[&cache])) == wanted);
    let warnings = cache.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("nothing more is kept"), "{warnings:?}");
}

#[test]
fn segments_are_lifted_out_of_an_earlier_image_and_kept() {
    let (tree, options) = (tree(), options(ZSTD, 4096));
    let wanted = cold(&tree, &options);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old.squashfs");
    let mut old = tree.clone();
    let file = old.lookup(b"/u02/1").unwrap();
    old.node_mut(file).kind = Kind::File(support::bytes(3900, 99).into());
    let planned = plan(&old, &options, 2, &[]);
    support::write(&planned, &path);
    let earlier = || {
        Earlier::new(
            &path,
            Arc::new(fs::File::open(&path).unwrap()),
            planned.segments.clone(),
        )
    };
    let kept = Counting::default();
    let lifted = plan(&tree, &options, 2, &[&kept, &earlier()]);
    assert!(bytes(&lifted) == wanted);
    // Everything is kept that the first place does not have: what was lifted, and what was made.
    assert_eq!(kept.kept.into_inner(), lifted.segments.len());
    let made = Counting::default();
    plan(&tree, &options, 2, &[&earlier(), &made]);
    let (asked, kept) = (made.asked.into_inner(), made.kept.into_inner());
    assert_eq!(asked, kept, "what nobody has is made");
    assert_eq!(kept, 1, "of {}", lifted.segments.len());
    // The file is cut, and its records lie: segments are made anew.
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(20_000)
        .unwrap();
    let cut = earlier();
    assert!(bytes(&plan(&tree, &options, 2, &[&cut])) == wanted);
    assert!(cut.warnings().len() > 1);
    support::write(&planned, &path);
    let mut lies = planned.segments.clone();
    for (number, record) in lies.iter_mut().enumerate() {
        match number % 5 {
            0 => record.start = u64::MAX - 5,
            1 => record.len += 1,
            2 => record.sizes.push(3),
            3 => record.sizes[0] = u32::MAX,
            _ => record.start += 1,
        }
    }
    let liar = Earlier::new(&path, Arc::new(fs::File::open(&path).unwrap()), lies);
    assert!(bytes(&plan(&tree, &options, 2, &[&liar])) == wanted);
    assert!(liar.warnings().len() > 3);
}

/// Trees in which files repeat, within units and across them, under one name or several.
/// Units of every kind: some share a segment, some have one, and some of these have each other's large files.
fn units(numbers: impl IntoIterator<Item = u32>) -> Tree {
    let mut tree = Tree::default();
    for number in numbers {
        let mut add = |name: &str, len: usize, step: u32| {
            let path = format!("/unit-{number:02}/{name}");
            let node = Node::file(support::bytes(len, step));
            tree.add_at(path.as_bytes(), node).unwrap();
        };
        add("small", 300, 50 + number % 7);
        if number.is_multiple_of(3) {
            add("own", 5000, 70 + number);
        }
        if number.is_multiple_of(4) {
            add("shared", 9000, 3);
        }
        if number.is_multiple_of(6) {
            add("other", 9000, 4);
        }
    }
    add_units(&mut tree);
    tree
}

fn make_segments(tree: &Tree, options: &Options, wanted: &[NodeId], dir: &Path) -> usize {
    let (spool, cache) = (Spool::create(&std::env::temp_dir()).unwrap(), cache(dir));
    let units = unit_hashes(tree);
    let work = Work {
        spool: &spool,
        threads: 2,
        digests: &[],
        progress: &Silent,
        reuse: Some(Reuse {
            units: &units,
            places: Places {
                near: &[&cache],
                shared: &[],
            },
            confirm: None,
        }),
    };
    let wanted: BTreeSet<NodeId> = wanted.iter().copied().collect();
    squashfs::make_segments(tree, options, &wanted, &work)
        .unwrap()
        .len()
}

#[test]
fn segments_made_alone_are_those_of_the_image() {
    let options = options(ZSTD, 4096);
    let whole = units(0..60);
    let [image, alone, together] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    plan(&whole, &options, 2, &[&cache(image.path())]);
    let spool = Spool::create(&std::env::temp_dir()).unwrap();
    let work = Work {
        spool: &spool,
        threads: 2,
        digests: &[],
        progress: &Silent,
        reuse: None,
    };
    let outlines = squashfs::outlines(&whole, &options, &work).unwrap();
    let held = outlines.iter().filter(|outline| !outline.originals.is_empty());
    assert!(outlines.len() > 20 && held.count() > 10, "{outlines:?}");
    for outline in &outlines {
        let number = |root: &NodeId| -> u32 {
            let name = &whole.unit(*root).unwrap().name;
            str::from_utf8(&name[5..]).unwrap().parse().unwrap()
        };
        let tree = units(outline.units.iter().chain(&outline.originals).map(number));
        let root = |unit: &NodeId| {
            tree.lookup(format!("/unit-{:02}", number(unit)).as_bytes())
                .unwrap()
        };
        let wanted: Vec<NodeId> = outline.units.iter().map(root).collect();
        let made = make_segments(&tree, &options, &wanted, alone.path());
        assert_eq!(made, 1, "{outline:?}");
    }
    let made = make_segments(&whole, &options, &[], together.path());
    assert_eq!(made, outlines.len());
    let found = |dir: &Path| -> Vec<(PathBuf, Vec<u8>)> {
        let entry = |path: PathBuf| (path.strip_prefix(dir).unwrap().into(), fs::read(&path).unwrap());
        entries(dir).into_iter().map(entry).collect()
    };
    assert!(found(image.path()) == found(alone.path()));
    assert!(found(image.path()) == found(together.path()));
}

fn trees() -> impl Strategy<Value = Vec<Tree>> {
    // Few contents, so that most of them come more than once: 0 to 3 blocks, some of them zeros.
    let file = (0usize..6, 0u32..4);
    let files = proptest::collection::btree_map((0u8..5, 0u8..6), file, 0..14);
    let links = proptest::collection::vec((any::<prop::sample::Index>(), 0u8..5, 6u8..8), 0..3);
    let tree = (files, links).prop_map(|(files, links)| {
        let mut tree = Tree::default();
        let mut ids = Vec::new();
        for ((unit, name), (size, step)) in files {
            let len = [1, 700, 4095, 4096, 5000, 12_288][size];
            let content = if step == 3 {
                vec![0; len]
            } else {
                support::bytes(len, step)
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
                tree.mark_unit(
                    root,
                    Unit {
                        order: name.clone(),
                        name,
                    },
                );
            }
        }
        tree
    });
    proptest::collection::vec(tree, 2..6)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    /// One cache for trees that have much in common: whatever is taken from it, every image is what it is without one.
    #[test]
    fn nothing_leaks_from_one_tree_into_another(trees in trees(), stored in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        for (number, tree) in trees.iter().enumerate() {
            let mut options = options(Compression::Zstd { level: 1 + i32::from(number % 3 == 2) }, 4096);
            if stored && number % 2 == 1 {
                let files = tree.nodes().filter(|(_, node)| matches!(node.kind, Kind::File(_)));
                options.stored = files.map(|(id, _)| id).step_by(3).collect();
            }
            let cache = cache(dir.path());
            let threads = if number % 2 == 0 { 1 } else { 8 };
            prop_assert!(bytes(&plan(tree, &options, threads, &[&cache])) == cold(tree, &options));
            prop_assert_eq!(cache.warnings(), Vec::<String>::new());
        }
    }
}
