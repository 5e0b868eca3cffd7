//! Damaged and hostile images: errors are fine, panics, endless loops and runaway memory are not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "each test file uses its own part")]
#[path = "support/made.rs"]
mod made;
#[expect(dead_code, reason = "each test file uses its own part")]
#[path = "support/patch.rs"]
mod patch;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use std::sync::{Arc, OnceLock};

use ext4::read::FileSystem;
use ext4::{Journal, Options, Profile};
use image::{Content, Kind, Node, ReadAt, Tree};
use made::Made;
use patch::{BLOCK, POINTERS, Patched, SUPERBLOCK};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use support::{add_specials, add_xattrs, bytes, options, zoo};

const RO_COMPAT: u64 = SUPERBLOCK + 100;
const GDT_CSUM: u8 = 0x10;

/// A tree with everything, and little data in it: a directory with a hash tree, a file in many pieces.
fn tree() -> Tree {
    let mut tree = zoo(4096);
    add_specials(&mut tree);
    add_xattrs(&mut tree);
    let many = tree.make_directory(b"/many").unwrap();
    for number in 0..300 {
        let name = format!("name-of-file-{number}");
        tree.add(many, name.as_bytes(), Node::symlink("short")).unwrap();
    }
    let piece = |number| [bytes(9, number), vec![0; 160 << 10]].concat();
    let pieces: Vec<u8> = (1..9).flat_map(piece).collect();
    tree.add_at(b"/pieces", Node::file(pieces)).unwrap();
    tree
}

fn plan(profile: Profile) -> Patched {
    let options = Options {
        journal: Journal::None,
        ..options(profile)
    };
    let image = ext4::plan(&tree(), &options).unwrap().image;
    let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
    image.read_exact_at(&mut bytes, 0).unwrap();
    Patched::new(bytes)
}

/// An image without any checksums, so that every change of a byte is seen by what reads it.
fn plain() -> Patched {
    images()[0].clone()
}

fn images() -> &'static Vec<Patched> {
    static IMAGES: OnceLock<Vec<Patched>> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let plain = plan(Profile::UbootLegacy);
        let [features] = plain.bytes(RO_COMPAT);
        let plain = plain.put(RO_COMPAT, &[features & !GDT_CSUM]);
        assert!(plain.open().unwrap().check().is_ok());
        let mut images = vec![plain, plan(Profile::Portable)];
        if made::have_tools() {
            for arguments in [&["-t", "ext2", "-b", "1024"][..], &["-t", "ext2", "-r", "0"]] {
                let made = Made::small(arguments);
                let file = made.dir.path().join("file");
                std::fs::write(&file, bytes(300_000, 3)).unwrap();
                let target = "t".repeat(99);
                made.debugfs(&format!(
                    "mkdir d\nwrite {} d/f\nsymlink l {target}\n",
                    file.display()
                ));
                images.push(Patched::new(std::fs::read(&made.path).unwrap()));
            }
        }
        images
    })
}

/// One of the images, and the places of its bytes that are not zeros, and of some zeros beside them.
fn choose(which: usize) -> (&'static Patched, &'static Vec<u64>) {
    static PLACES: OnceLock<Vec<Vec<u64>>> = OnceLock::new();
    let places = |image: &Patched| {
        let groups = (0..image.size()).step_by(8);
        let used = groups.filter(|start| image.bytes::<8>(*start) != [0; 8]);
        used.flat_map(|start| start..start + 8).collect()
    };
    let which = which % images().len();
    let places = PLACES.get_or_init(|| images().iter().map(places).collect());
    (&images()[which], &places[which])
}

/// Reads everything that can be read, but at most 64 KiB of a file.
fn read_all(image: &Patched) {
    let Ok(found) = image.open() else { return };
    let _ = found.info();
    let _ = found.check();
    let _ = found.list(b"/many");
    let _ = found.find(b"/pieces");
    let Ok(tree) = found.tree() else { return };
    for (_, node) in tree.nodes() {
        if let Kind::File(content) = &node.kind {
            let mut buffer = vec![0; usize::try_from(content.len().min(64 << 10)).unwrap()];
            content.read_exact_at(&mut buffer, 0).unwrap();
        }
    }
}

/// The plain image after a change says this.
fn assert_error(change: impl FnOnce(Patched) -> Patched, wanted: &str) {
    let changed = change(plain());
    read_all(&changed);
    let error = changed.open().and_then(|found| found.tree()).unwrap_err();
    assert!(error.to_string().contains(wanted), "{error}");
}

#[test]
fn every_field_of_the_superblock_is_checked() {
    for image in images() {
        for place in (SUPERBLOCK..SUPERBLOCK + 0x280).step_by(4) {
            for value in [
                [0; 4],
                [0xff; 4],
                [0xff, 0xff, 0, 0],
                [0, 0, 0, 0x80],
                [1, 0, 0, 0],
            ] {
                read_all(&image.clone().put(place, &value));
            }
        }
    }
}

#[test]
fn every_field_of_a_group_and_of_an_inode_is_checked() {
    let image = plain();
    let inode = |path| image.inode(path);
    for (start, len) in [
        (BLOCK, 32),
        (inode("/"), 160),
        (inode("/many"), 160),
        (inode("/pieces"), 160),
        (inode("/links/4095"), 160),
        (inode("/hard/a"), 256),
        (image.block(inode("/many")), 80),
        (image.block(inode("/pieces")), 80),
        (image.block(inode("/hard")), 80),
        (image.number(inode("/names/case") + 104) * BLOCK, 80),
    ] {
        for place in (start..start + len).step_by(2) {
            for value in [&[0xff, 0xff][..], &[0, 0], &[0, 0x80], &[1]] {
                read_all(&image.clone().put(place, value));
            }
        }
    }
}

#[test]
fn loops_in_extent_trees_are_found() {
    let image = plain();
    let file = image.inode("/pieces");
    let (root, node) = (file + POINTERS, image.block(file));
    let own = u32::try_from(node / BLOCK).unwrap().to_le_bytes();
    let entry: [u8; 12] = image.bytes(root + 12);
    assert_eq!(image.bytes(root + 6), [1], "a tree of two levels");
    let deeper = |image: Patched| image.put(root + 6, &[2]).put(node + 6, &[1]);
    // The node leads to itself, and all levels are right.
    assert_error(
        |image| deeper(image).put(node + 16, &own).put(node + 20, &[0; 2]),
        "is in use twice, the other time by inode ",
    );
    // Many entries lead to the same node.
    assert_error(
        |image| deeper(image).put(node + 12, &entry).put(node + 24, &entry),
        "is in use twice, the other time by inode ",
    );
    assert_error(
        |image| image.put(root + 6, &[0xff; 2]),
        "its extent tree has 65535 levels",
    );
    assert_error(
        |image| image.put(node + 2, &[0xff; 4]),
        "has 65535 entries of 65535, the limit is 340",
    );
}

#[test]
fn loops_in_hash_trees_are_found() {
    let root = plain().block(plain().inode("/many"));
    let entry = root + 40;
    let leaf = |number: u32| move |image: Patched| image.put(entry + 4, &number.to_le_bytes());
    let put = |place, bytes: &'static [u8]| move |image: Patched| image.put(place, bytes);
    assert_error(
        leaf(0),
        "block 0 of the directory): the hash tree leads to it twice",
    );
    assert_error(
        leaf(1),
        "block 1 of the directory): the hash tree leads to it twice",
    );
    assert_error(leaf(u32::MAX), "does not exist, and the hash tree leads to it");
    assert_error(put(root + 34, &[1, 0]), "nothing in the hash tree leads to it");
    assert_error(
        put(root + 32, &[0xff; 4]),
        "has 65535 entries of 65535 here, the limit is ",
    );
    assert_error(put(entry, &[0xff; 4]), "is out of order");
    assert_error(put(entry, &[0; 4]), "is out of order");
    assert_error(put(entry, &[2, 0, 0, 0]), "which does not belong here");
    assert_error(put(root + 30, &[2]), "its hash tree has 2 levels");
    assert_error(put(root + 28, &[6]), "its hash is of the kind 6");
}

#[test]
fn directories_with_two_names_are_found() {
    let directory = plain().block(plain().inode("/empty"));
    // The third entry, behind . and .., is `directory`.
    let entry = directory + 24;
    let outer: [u8; 4] = plain().bytes(directory);
    assert_error(
        |image| image.put(entry, &outer),
        "a directory cannot have two names",
    );
    assert_error(
        |image| image.put(entry, &2_u32.to_le_bytes()),
        "is inode 2, which no name can lead to",
    );
    assert_error(
        |image| image.put(entry, &[0xff; 4]),
        "is inode 4294967295, which no name can lead to",
    );
}

#[test]
fn endless_depth_is_refused() {
    let mut tree = Tree::default();
    tree.make_directory("/d".repeat(3000).as_bytes()).unwrap();
    let image = ext4::plan(&tree, &options(Profile::Readonly)).unwrap().image;
    let size = image.size();
    let error = FileSystem::open(Arc::new(image), size).unwrap().tree();
    let error = error.unwrap_err().to_string();
    assert!(error.contains("more than 2048 deep"), "{error}");
}

#[test]
fn files_that_claim_terabytes_cost_nothing() {
    let size = plain().inode("/pieces") + 108;
    let image = plain().put(size, &[0, 0x10, 0, 0]).put(size - 104, &[0; 4]);
    let node = image.open().unwrap().find(b"/pieces").unwrap().unwrap();
    let Kind::File(content) = node.kind else {
        panic!("no file");
    };
    assert_eq!(content.len(), 16 << 40);
    let mut end = [1; 8];
    content.read_exact_at(&mut end, (16 << 40) - 8).unwrap();
    assert_eq!(end, [0; 8]);
    assert_error(|image| image.put(size, &[0xff; 4]), "its size is 184467440");
}

#[test]
fn groups_without_end_are_refused() {
    assert_error(
        |image| image.put(SUPERBLOCK + 4, &[0xff; 4]),
        "superblock: 4294967295 blocks in groups of 32768",
    );
    // Groups of eight blocks and inodes.
    let few = |image: Patched| {
        let groups = u32::try_from(image.size() / BLOCK).unwrap().div_ceil(8);
        let image = image.put(SUPERBLOCK, &(groups * 8).to_le_bytes());
        [32, 36, 40].into_iter().fold(image, |image, field| {
            image.put(SUPERBLOCK + field, &8_u32.to_le_bytes())
        })
    };
    assert_error(few, "superblock: the superblock and its descriptors need ");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn flipped_bytes(which in 0usize..4, flips in vec((any::<Index>(), any::<u8>()), 1..6)) {
        let (image, places) = choose(which);
        let flip = |image: Patched, (index, value): (Index, u8)| image.put(places[index.index(places.len())], &[value]);
        read_all(&flips.into_iter().fold(image.clone(), flip));
    }

    #[test]
    fn moved_blocks(which in 0usize..4, moves in vec((any::<Index>(), any::<Index>()), 1..4)) {
        let (image, places) = choose(which);
        let step = |changed: Patched, (from, to): (Index, Index)| {
            let [from, to] = [from, to].map(|index| places[index.index(places.len())] / 1024 * 1024);
            changed.put(to, &image.bytes::<1024>(from))
        };
        read_all(&moves.into_iter().fold(image.clone(), step));
    }

    #[test]
    fn cut_off(which in 0usize..4, index in any::<Index>()) {
        let (image, places) = choose(which);
        read_all(&image.clone().cut(places[index.index(places.len())]));
    }

    #[test]
    fn noise_behind_a_superblock(noise in vec(any::<u8>(), 4096..20_000)) {
        read_all(&plain().put(BLOCK, &noise));
    }

    #[test]
    fn noise(noise in vec(any::<u8>(), 2048..6000)) {
        read_all(&Patched::new(Content::from(noise)).put(SUPERBLOCK + 56, &[0x53, 0xef]));
    }
}
