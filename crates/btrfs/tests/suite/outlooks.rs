//! What is said of an image before it is made: its size where that can be known, and a bound elsewhere.

use std::io;
use std::sync::Arc;

use btrfs::{Compression, EqualFiles, Error, Looking, Options, Outlook, Size};
use image::{Content, Node, ReadAt, Silent, Tree};

use crate::support::{
    COMPRESSIONS, METADATA, PROFILES, compressible, everything, noise, odd, options, plan, subvolumes,
    with_subvolumes, words,
};

/// What bounds leave out besides what is in the tree: a MiB for each chunk.
const ROOM: u64 = 8 << 20;

fn outlook(tree: &Tree, options: &Options) -> Outlook {
    let looking = Looking {
        threads: 2,
        digests: &[],
        progress: &Silent,
    };
    btrfs::outlook(tree, options, &looking).unwrap()
}

/// A file that nobody can read.
#[derive(Debug)]
struct FarAway;

impl ReadAt for FarAway {
    fn read_exact_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
        Err(io::Error::other("far away"))
    }

    fn is_at_hand(&self) -> bool {
        false
    }
}

fn of(contents: impl IntoIterator<Item = Content>) -> Tree {
    let mut tree = Tree::default();
    for (number, content) in contents.into_iter().enumerate() {
        let path = format!("/{number}");
        tree.add_at(path.as_bytes(), Node::file(content)).unwrap();
    }
    tree
}

/// Files that end around the copy of the superblock, equal ones, and holes.
fn trees() -> Vec<Tree> {
    let holes = |count: usize| [words(5000), vec![0; count], words(70_000)].concat();
    vec![
        Tree::default(),
        odd(),
        everything(),
        compressible(),
        of([noise(62 << 20), noise((1 << 20) + 1), noise(900_000)]),
        of((0..70).map(|_| holes(500_000).into())),
        of((0..3000).map(|number| words(2000 + number).into())),
    ]
}

#[test]
fn what_is_not_compressed_has_the_size_that_was_said() {
    for (number, tree) in trees().into_iter().enumerate() {
        for equal_files in [EqualFiles::Shared, EqualFiles::Apart] {
            let options = Options {
                equal_files,
                free: [0, 5 << 20][number % 2],
                ..options(PROFILES[number % 2], METADATA[number / 2 % 2])
            };
            let planned = plan(&tree, &options);
            let wanted = Outlook {
                size: planned.image.size(),
                usage: Some(planned.usage),
            };
            assert_eq!(outlook(&tree, &options), wanted, "tree {number}");
        }
    }
    let tree = with_subvolumes();
    let options = subvolumes(&tree, options(PROFILES[0], METADATA[0]));
    assert_eq!(outlook(&tree, &options).size, plan(&tree, &options).image.size());
}

#[test]
fn what_is_compressed_is_not_larger_than_was_said() {
    for (number, tree) in trees().into_iter().enumerate() {
        for compression in COMPRESSIONS.into_iter().skip(1) {
            let plain = Options {
                equal_files: EqualFiles::Apart,
                free: [0, 5 << 20][number % 2],
                ..options(PROFILES[number % 2], METADATA[number / 2 % 2])
            };
            let most = plan(&tree, &plain).image.size();
            let options = Options {
                compression,
                equal_files: [EqualFiles::Shared, EqualFiles::Apart][number % 2],
                ..plain
            };
            let said = outlook(&tree, &options);
            assert_eq!(said.usage, None);
            let size = plan(&tree, &options).image.size();
            assert!(
                size <= said.size,
                "tree {number}, {compression:?}: {size} {}",
                said.size
            );
            // Holes are not known.
            assert!(
                said.size < most + most / 20 + tree.content_len() + ROOM,
                "tree {number}: {most} {}",
                said.size
            );
        }
    }
}

/// Of what is far away, lengths are known.
#[test]
fn nothing_is_read_that_is_not_at_hand() {
    let far = |len: u64| Content::Span {
        source: Arc::new(FarAway),
        start: 0,
        len,
    };
    let lens = [1, 2048, 2049, 5_000_000, 5_000_000];
    let options = options(PROFILES[0], METADATA[0]);
    for compression in [Compression::None, Compression::Lzo] {
        let options = Options {
            compression,
            ..options.clone()
        };
        let said = outlook(&of(lens.map(far)), &options);
        assert_eq!(said.usage, None);
        let size = plan(&of(lens.map(noise)), &options).image.size();
        assert!(
            size <= said.size && said.size < size + 5_000_000 + ROOM,
            "{size} {}",
            said.size
        );
    }
    let exactly = |size: u64| Options {
        size: Size::Exactly(size),
        ..options.clone()
    };
    assert_eq!(outlook(&of(lens.map(far)), &exactly(50 << 20)).size, 50 << 20);
    btrfs::check_tree(&of(lens.map(far)), &exactly(50 << 20)).unwrap();
    let error = btrfs::check_tree(&of(lens.map(far)), &exactly(1 << 20)).unwrap_err();
    let needed = match error {
        Error::Full { needed, size, .. } if size == 1 << 20 => needed,
        _ => 0,
    };
    plan(&of(lens.map(noise)), &exactly(needed));
}
