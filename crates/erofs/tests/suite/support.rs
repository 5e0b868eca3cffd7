//! What the tests of erofs share: the zoo of all formats, how an image is made, and how it is checked.

#[path = "../../../../tests/zoo/mounted.rs"]
mod mounted;
#[path = "../../../../tests/zoo/mod.rs"]
mod shared;
#[path = "../../../../tests/zoo/sparse.rs"]
mod sparse;
#[path = "../../../../tests/zoo/streams.rs"]
mod streams;

use std::path::Path;
use std::process::Command;

use erofs::{Compression, Error, Options, Planned, Profile, Work};
use image::{Node, NodeId, Seed, Silent, Spool, Tree};
pub(crate) use mounted::{EVERYTHING, Mounted, is_possible};
pub(crate) use shared::*;
pub(crate) use sparse::write;
pub(crate) use streams::{noise, words};

pub(crate) const COMPRESSIONS: [Compression; 5] = [
    Compression::None,
    Compression::Lz4 { level: 1 },
    Compression::Lz4 { level: 12 },
    Compression::Deflate { level: 6 },
    Compression::Zstd { level: 3 },
];

pub(crate) const CLUSTERS: [u32; 3] = [8 << 10, 128 << 10, 1 << 20];

/// Every compressor with every size of clusters, and none, for which that is nothing.
pub(crate) fn all_options() -> Vec<Options> {
    let with = |compression: Compression| {
        CLUSTERS.map(|cluster| Options {
            compression,
            cluster,
            ..options()
        })
    };
    let mut all: Vec<Options> = COMPRESSIONS[1..].iter().copied().flat_map(with).collect();
    all.push(options());
    all.extend(modern_options());
    all
}

/// Every compressor, and none, for readers of records.
pub(crate) fn modern_options() -> Vec<Options> {
    let sizes = CLUSTERS.into_iter().cycle();
    let with = |(compression, cluster): (Compression, u32)| Options {
        profile: Profile::Modern,
        compression,
        cluster,
        ..options()
    };
    COMPRESSIONS.into_iter().zip(sizes).map(with).collect()
}

/// Files around every border of what is compressed together, some of which shrink only in parts.
pub(crate) fn compressible() -> Tree {
    let mut tree = around(&[
        1, 4064, 4065, 4095, 4096, 4097, 8191, 8192, 8193, 131_071, 131_072, 131_073, 1_048_576, 1_048_577,
    ]);
    let parts: Vec<Vec<u8>> = (1..40)
        .map(|part| match part % 3 {
            0 => noise(part * 9000).to_vec().unwrap(),
            1 => words(usize::try_from(part * 10_001).unwrap()),
            _ => vec![0; usize::try_from(part * 5000).unwrap()],
        })
        .collect();
    tree.add_at(b"/parts", Node::file(parts.concat())).unwrap();
    tree.add_at(b"/more", Node::file(words(2_100_000))).unwrap();
    tree
}

/// Files of these lengths of all kinds, the longest in pieces of all kinds, too; and many small ones.
pub(crate) fn around(lengths: &[usize]) -> Tree {
    let mut tree = Tree::default();
    let mut add = |name: String, bytes: Vec<u8>| {
        tree.add_at(name.as_bytes(), Node::file(bytes)).unwrap();
    };
    let noise = |len: usize| noise(len as u64).to_vec().unwrap();
    for &len in lengths {
        add(format!("/words-{len}"), words(len));
        add(format!("/ones-{len}"), vec![1; len]);
        add(format!("/noise-{len}"), noise(len));
        add(format!("/zeros-{len}"), vec![0; len]);
        let pieces = [words(len / 4), noise(len / 2), vec![0; len / 2], words(len / 5)];
        add(format!("/pieces-{len}"), pieces.concat());
    }
    for number in 0..300 {
        add(format!("/small/{number}"), words(number * 37 % 5000));
    }
    tree
}

pub(crate) fn options() -> Options {
    Options::new(Seed::new(b"test").uuid("fs"))
}

pub(crate) fn try_plan(tree: &Tree, options: &Options, threads: usize) -> Result<Planned, Error> {
    let spool = Spool::create(&std::env::temp_dir()).unwrap();
    let work = Work {
        spool: &spool,
        threads,
        digests: &[],
        progress: &Silent,
        reuse: None,
    };
    erofs::plan(tree, options, &work)
}

pub(crate) fn plan(tree: &Tree, options: &Options) -> Planned {
    try_plan(tree, options, 2).unwrap()
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

/// `fsck.erofs` reads everything and finds nothing. It says much without failing, so it may say nothing else.
pub(crate) fn check(path: &Path) {
    check_with("fsck.erofs", path);
}

pub(crate) fn check_with(tool: &str, path: &Path) {
    let output = Command::new(tool).arg(path).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}{complained}");
    // Older ones say nothing.
    let said = said.trim().trim_end_matches("No errors found");
    assert_eq!((said, complained.trim()), ("", ""));
}
