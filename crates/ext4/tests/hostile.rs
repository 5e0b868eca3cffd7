//! Damaged and hostile images: errors are fine, panics, endless loops and runaway memory are not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "each test file uses its own part")]
#[path = "support/made.rs"]
mod made;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use std::sync::{Arc, OnceLock};

use ext4::read::FileSystem;
use ext4::{Journal, Options, Profile};
use image::{Content, Kind, Node, ReadAt, Tree};
use made::Made;
use proptest::prelude::*;
use support::{add_specials, add_xattrs, bytes, options, zoo};

const BLOCK: usize = 4096;
const INODE: usize = 256;
/// Where the superblock's fields lie in the image.
const SUPERBLOCK: usize = 1024;
const RO_COMPAT: usize = SUPERBLOCK + 100;
const GDT_CSUM: u8 = 0x10;
/// Where an inode's pointers begin.
const POINTERS: usize = 40;

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
    let piece = |number| [bytes(9, number), vec![0; 40 * BLOCK - 9]].concat();
    let pieces: Vec<u8> = (1..9).flat_map(piece).collect();
    tree.add_at(b"/pieces", Node::file(pieces)).unwrap();
    tree
}

fn plan(profile: Profile) -> Vec<u8> {
    let options = Options {
        journal: Journal::None,
        ..options(profile)
    };
    let image = ext4::plan(&tree(), &options).unwrap().image;
    let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
    image.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// An image without any checksums, so that every change of a byte is seen by what reads it.
fn plain() -> &'static Vec<u8> {
    &images()[0]
}

fn images() -> &'static Vec<Vec<u8>> {
    static IMAGES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let mut plain = plan(Profile::UbootLegacy);
        plain[RO_COMPAT] &= !GDT_CSUM;
        assert!(open(plain.clone()).unwrap().check().is_ok());
        let mut images = vec![plain, plan(Profile::Portable)];
        if made::have_tools() {
            for arguments in [&["-t", "ext2", "-b", "1024"][..], &["-t", "ext2", "-r", "0"]] {
                let made = Made::small(arguments);
                let file = made.dir.path().join("file");
                std::fs::write(&file, bytes(300_000, 3)).unwrap();
                made.debugfs(&format!(
                    "mkdir d\nwrite {} d/f\nsymlink l {}\n",
                    file.display(),
                    "t".repeat(99)
                ));
                images.push(std::fs::read(&made.path).unwrap());
            }
        }
        images
    })
}

/// The places of an image's bytes that are not zeros, and of some zeros beside them.
fn places(which: usize) -> &'static Vec<usize> {
    static PLACES: OnceLock<Vec<Vec<usize>>> = OnceLock::new();
    let places = |bytes: &Vec<u8>| {
        let is_used = |(index, chunk): (usize, &[u8])| {
            let start = index * 8;
            chunk.iter().any(|byte| *byte != 0).then_some(start..start + 8)
        };
        bytes
            .chunks(8)
            .enumerate()
            .filter_map(is_used)
            .flatten()
            .collect()
    };
    &PLACES.get_or_init(|| images().iter().map(places).collect())[which]
}

/// An image with some bytes in place of others.
#[derive(Debug)]
struct Patched {
    which: usize,
    patches: Vec<(usize, Vec<u8>)>,
}

impl ReadAt for Patched {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> std::io::Result<()> {
        let start = usize::try_from(start).unwrap();
        let end = start + buffer.len();
        let bytes = images()[self.which].get(start..end);
        buffer.copy_from_slice(bytes.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        for (place, patch) in &self.patches {
            let (first, last) = ((*place).max(start), (place + patch.len()).min(end));
            if first < last {
                buffer[first - start..last - start].copy_from_slice(&patch[first - place..last - place]);
            }
        }
        Ok(())
    }
}

fn open(bytes: Vec<u8>) -> Result<FileSystem, ext4::Error> {
    let size = bytes.len() as u64;
    FileSystem::open(Arc::new(Content::from(bytes)), size)
}

/// Reads everything that can be read, but at most 64 KiB of a file.
fn read_all(source: impl ReadAt + 'static, size: usize) {
    let Ok(found) = FileSystem::open(Arc::new(source), size as u64) else {
        return;
    };
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

/// Reads an image after changes.
fn read_patched(which: usize, patches: Vec<(usize, Vec<u8>)>) {
    read_all(Patched { which, patches }, images()[which].len());
}

/// Reads bytes.
fn read_bytes(bytes: Vec<u8>) {
    let len = bytes.len();
    read_all(Content::from(bytes), len);
}

fn number(bytes: &[u8], place: usize) -> usize {
    u32::from_le_bytes(bytes[place..place + 4].try_into().unwrap()) as usize
}

/// Where an inode lies; all that these tests need are in the first group.
fn inode(bytes: &[u8], path: &str) -> usize {
    let number_in = |directory: usize, name: &str| {
        // The first extent of a directory has its first block, or all.
        let start = number(bytes, directory + POINTERS + 20) * BLOCK;
        let len = number(bytes, directory + 4);
        let found = (0..len)
            .step_by(4)
            .map(|at| start + at)
            .find(|at| bytes[at + 6] as usize == name.len() && bytes[at + 8..].starts_with(name.as_bytes()));
        number(bytes, found.unwrap())
    };
    let place = |inode: usize| number(bytes, BLOCK + 8) * BLOCK + (inode - 1) * INODE;
    let names = path.split('/').filter(|name| !name.is_empty());
    names.fold(place(2), |directory, name| place(number_in(directory, name)))
}

/// Where the first block of a directory lies, or the first node of an extent tree.
fn block(bytes: &[u8], inode: usize) -> usize {
    let depth = bytes[inode + POINTERS + 6];
    let pointer = if depth == 0 { 20 } else { 16 };
    number(bytes, inode + POINTERS + pointer) * BLOCK
}

fn put(bytes: &mut [u8], place: usize, value: &[u8]) {
    bytes[place..place + value.len()].copy_from_slice(value);
}

/// The error after a change.
fn error(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = plain().clone();
    change(&mut bytes);
    read_bytes(bytes.clone());
    let found = open(bytes).and_then(|found| found.tree());
    found.unwrap_err().to_string()
}

fn assert_error(change: impl FnOnce(&mut Vec<u8>), wanted: &str) {
    let error = error(change);
    assert!(error.contains(wanted), "{error}");
}

#[test]
fn every_field_of_the_superblock_is_checked() {
    for which in 0..images().len() {
        for place in (SUPERBLOCK..SUPERBLOCK + 0x280).step_by(4) {
            for value in [
                [0; 4],
                [0xff; 4],
                [0xff, 0xff, 0, 0],
                [0, 0, 0, 0x80],
                [1, 0, 0, 0],
            ] {
                read_patched(which, vec![(place, value.to_vec())]);
            }
        }
    }
}

#[test]
fn every_field_of_a_group_and_of_an_inode_is_checked() {
    let bytes = plain();
    let ranges = [
        (BLOCK, 32),
        (inode(bytes, "/"), 160),
        (inode(bytes, "/many"), 160),
        (inode(bytes, "/pieces"), 160),
        (inode(bytes, "/links/4095"), 160),
        (inode(bytes, "/hard/a"), 256),
        (block(bytes, inode(bytes, "/many")), 80),
        (block(bytes, inode(bytes, "/pieces")), 80),
        (block(bytes, inode(bytes, "/hard")), 80),
    ];
    for (start, len) in ranges {
        for place in (start..start + len).step_by(2) {
            for value in [&[0xff, 0xff][..], &[0, 0], &[0, 0x80], &[1]] {
                read_patched(0, vec![(place, value.to_vec())]);
            }
        }
    }
}

#[test]
fn loops_in_extent_trees_are_found() {
    let file = inode(plain(), "/pieces");
    let node = block(plain(), file);
    let own = u32::try_from(node / BLOCK).unwrap().to_le_bytes();
    assert_eq!(plain()[file + POINTERS + 6], 1, "a tree of two levels");
    // The node leads to itself, and all levels are right.
    let change = |bytes: &mut Vec<u8>| {
        bytes[file + POINTERS + 6] = 2;
        bytes[node + 6] = 1;
        put(bytes, node + 16, &own);
        put(bytes, node + 20, &[0; 2]);
    };
    assert_error(change, "is in use twice, the other time by inode ");
    // Thousands of entries lead to the same node.
    let change = |bytes: &mut Vec<u8>| {
        bytes[file + POINTERS + 6] = 2;
        bytes[node + 6] = 1;
        bytes.copy_within(file + POINTERS + 12..file + POINTERS + 24, node + 12);
        bytes.copy_within(file + POINTERS + 12..file + POINTERS + 24, node + 24);
    };
    assert_error(change, "is in use twice, the other time by inode ");
    let change = |bytes: &mut Vec<u8>| put(bytes, file + POINTERS + 6, &[0xff, 0xff]);
    assert_error(change, "its extent tree has 65535 levels");
    let change = |bytes: &mut Vec<u8>| put(bytes, node + 2, &[0xff; 4]);
    assert_error(change, "has 65535 entries of 65535, the limit is 340");
}

#[test]
fn loops_in_hash_trees_are_found() {
    let root = block(plain(), inode(plain(), "/many"));
    let entry = root + 40;
    let leaf = |number: u32| move |bytes: &mut Vec<u8>| put(bytes, entry + 4, &number.to_le_bytes());
    assert_error(
        leaf(0),
        "block 0 of the directory): the hash tree leads to it twice",
    );
    assert_error(
        leaf(1),
        "block 1 of the directory): the hash tree leads to it twice",
    );
    assert_error(leaf(u32::MAX), "does not exist, and the hash tree leads to it");
    let change = |bytes: &mut Vec<u8>| put(bytes, root + 34, &[1, 0]);
    assert_error(change, "nothing in the hash tree leads to it");
    let change = |bytes: &mut Vec<u8>| put(bytes, root + 32, &[0xff; 4]);
    assert_error(change, "has 65535 entries of 65535 here, the limit is ");
    let change = |bytes: &mut Vec<u8>| put(bytes, entry, &[0xff; 4]);
    assert_error(change, "is out of order");
    let change = |bytes: &mut Vec<u8>| put(bytes, entry, &[2, 0, 0, 0]);
    assert_error(change, "which does not belong here");
    let change = |bytes: &mut Vec<u8>| bytes[root + 30] = 2;
    assert_error(change, "its hash tree has 2 levels");
}

#[test]
fn directories_with_two_names_are_found() {
    let directory = block(plain(), inode(plain(), "/empty"));
    // The third entry, behind . and .., is `directory`.
    let entry = directory + 24;
    let outer = number(plain(), directory)
        .try_into()
        .map(u32::to_le_bytes)
        .unwrap();
    let change = |bytes: &mut Vec<u8>| put(bytes, entry, &outer);
    assert_error(change, "a directory cannot have two names");
    let change = |bytes: &mut Vec<u8>| put(bytes, entry, &2_u32.to_le_bytes());
    assert_error(change, "is inode 2, which no name can lead to");
    let change = |bytes: &mut Vec<u8>| put(bytes, entry, &[0xff; 4]);
    assert_error(change, "is inode 4294967295, which no name can lead to");
}

#[test]
fn endless_depth_is_refused() {
    let mut tree = Tree::default();
    tree.make_directory("/d".repeat(3000).as_bytes()).unwrap();
    let image = ext4::plan(&tree, &options(Profile::Readonly)).unwrap().image;
    let size = image.size();
    let error = FileSystem::open(Arc::new(image), size)
        .unwrap()
        .tree()
        .unwrap_err();
    assert!(
        error.to_string().contains("more than 2048 deep"),
        "{}",
        &error.to_string()[6000..]
    );
}

#[test]
fn files_that_claim_terabytes_cost_nothing() {
    let mut bytes = plain().clone();
    let file = inode(&bytes, "/pieces");
    put(&mut bytes, file + 108, &[0, 0x10, 0, 0]);
    put(&mut bytes, file + 4, &[0; 4]);
    let found = open(bytes).unwrap();
    let Kind::File(content) = found.find(b"/pieces").unwrap().unwrap().kind else {
        panic!("no file");
    };
    assert_eq!(content.len(), 16 << 40);
    let mut end = [1; 8];
    content.read_exact_at(&mut end, (16 << 40) - 8).unwrap();
    assert_eq!(end, [0; 8]);
    let change = |bytes: &mut Vec<u8>| put(bytes, file + 108, &[0xff; 4]);
    assert_error(change, "its size is 184467440");
}

#[test]
fn groups_without_end_are_refused() {
    let change = |bytes: &mut Vec<u8>| put(bytes, SUPERBLOCK + 4, &[0xff; 4]);
    assert_error(change, "superblock: ");
    // Groups of eight blocks and inodes.
    let change = |bytes: &mut Vec<u8>| {
        put(bytes, SUPERBLOCK + 32, &[8, 0, 0, 0]);
        put(bytes, SUPERBLOCK + 36, &[8, 0, 0, 0]);
        put(bytes, SUPERBLOCK + 40, &[8, 0, 0, 0]);
        let groups = u32::try_from(bytes.len() / BLOCK).unwrap().div_ceil(8);
        put(bytes, SUPERBLOCK, &(groups * 8).to_le_bytes());
    };
    assert_error(change, "superblock: ");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn flipped_bytes(which in 0usize..4, flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let which = which % images().len();
        let places = places(which);
        let patch = |(index, value): (prop::sample::Index, u8)| (places[index.index(places.len())], vec![value]);
        read_patched(which, flips.into_iter().map(patch).collect());
    }

    #[test]
    fn moved_blocks(which in 0usize..4, moves in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4)) {
        let which = which % images().len();
        let places = places(which);
        let patch = |(from, to): (prop::sample::Index, prop::sample::Index)| {
            let [from, to] = [from, to].map(|index| places[index.index(places.len())] / 1024 * 1024);
            (to, images()[which][from..from + 1024].to_vec())
        };
        read_patched(which, moves.into_iter().map(patch).collect());
    }

    #[test]
    fn cut_off(which in 0usize..4, index in any::<prop::sample::Index>()) {
        let which = which % images().len();
        let patched = Patched { which, patches: Vec::new() };
        read_all(patched, index.index(images()[which].len()));
    }

    #[test]
    fn noise_behind_a_superblock(noise in proptest::collection::vec(any::<u8>(), 4096..20_000)) {
        read_patched(0, vec![(BLOCK, noise)]);
    }

    #[test]
    fn noise(mut noise in proptest::collection::vec(any::<u8>(), 2048..6000)) {
        put(&mut noise, SUPERBLOCK + 56, &[0x53, 0xef]);
        read_bytes(noise);
    }
}
