//! What the tests of btrfs share: the zoo of all formats, how an image is made, and how it is checked.

#[path = "../../../../tests/zoo/mod.rs"]
mod shared;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use btrfs::{Error, Metadata, Options, Planned, Profile, Work};
use image::{Content, Image, NodeId, ReadAt, Seed, Silent, Spool, Tree};
pub(crate) use shared::*;

pub(crate) const PROFILES: [Profile; 2] = [Profile::Portable, Profile::Modern];
pub(crate) const METADATA: [Metadata; 2] = [Metadata::Dup, Metadata::Single];

pub(crate) fn options(profile: Profile, metadata: Metadata) -> Options {
    let seed = Seed::new(b"test");
    Options {
        profile,
        metadata,
        ..Options::new(seed.uuid("fs"), seed)
    }
}

pub(crate) fn try_plan(tree: &Tree, options: &Options, threads: usize) -> Result<Planned, Error> {
    let spool = Spool::create(&std::env::temp_dir()).unwrap();
    let work = Work {
        spool: &spool,
        threads,
        digests: &[],
        progress: &Silent,
    };
    btrfs::plan(tree, options, &work)
}

pub(crate) fn plan(tree: &Tree, options: &Options) -> Planned {
    try_plan(tree, options, 2).unwrap()
}

/// Bytes without a hole that take no memory: each eight say where they are.
#[derive(Debug)]
struct Noise;

impl ReadAt for Noise {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> std::io::Result<()> {
        for (byte, place) in buffer.iter_mut().zip(start..) {
            let word = (place / 8 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            *byte = word.to_le_bytes()[usize::try_from(place % 8).unwrap()];
        }
        Ok(())
    }
}

pub(crate) fn noise(len: u64) -> Content {
    Content::Span {
        source: std::sync::Arc::new(Noise),
        start: 0,
        len,
    }
}

/// The zoo with all that it has, but without its giants.
pub(crate) fn odd() -> Tree {
    let mut tree = zoo(128 << 10);
    add_specials(&mut tree);
    add_xattrs(&mut tree);
    add_units(&mut tree);
    tree
}

/// The whole zoo.
pub(crate) fn everything() -> Tree {
    let mut tree = odd();
    tree.graft(NodeId::ROOT, b"giants", giants()).unwrap();
    tree
}

/// The image as a sparse file. Zeros that matter are holes, which saves these tests hours.
pub(crate) fn write(image: &Image, path: &Path) {
    let file = File::create(path).unwrap();
    file.set_len(image.size()).unwrap();
    for extent in image.extents() {
        for run in extent.content.data_runs().unwrap() {
            let mut bytes = vec![0; usize::try_from(run.end - run.start).unwrap()];
            extent.content.read_exact_at(&mut bytes, run.start).unwrap();
            file.write_all_at(&bytes, extent.start + run.start).unwrap();
        }
    }
}

/// What `btrfs check` says when there is nothing to say.
const USUAL: [&str; 12] = [
    "Opening filesystem to check...",
    "Checking filesystem on ",
    "UUID: ",
    "[",
    "found ",
    "total csum bytes: ",
    "total tree bytes: ",
    "total fs tree bytes: ",
    "total extent tree bytes: ",
    "btree space waste bytes: ",
    "file data blocks allocated: ",
    " referenced ",
];

/// `btrfs check` reads everything and finds nothing, and says nothing else either.
pub(crate) fn check(path: &Path) {
    check_with(path, &["--check-data-csum"]);
}

/// The same in the mode that takes little memory, which goes another way. It does not know what an inode with very many
/// names in one directory is.
pub(crate) fn check_both(path: &Path) {
    check(path);
    check_with(path, &["--mode=lowmem"]);
}

fn check_with(path: &Path, arguments: &[&str]) {
    let said = run(Command::new("btrfs").arg("check").args(arguments).arg(path));
    let is_usual = |line: &str| line.is_empty() || USUAL.iter().any(|usual| line.starts_with(usual));
    assert!(said.lines().all(is_usual), "{said}");
    assert!(said.contains("no error found"), "{said}");
}
