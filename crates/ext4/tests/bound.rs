//! What is known of a file system without reading its files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "other tests use what these do not")]
mod support;

use image::{Content, Node, NodeId, Tree};
use proptest::prelude::*;

use ext4::{Options, Size};
use support::{PROFILES, options};

/// A tree of files on the host, each of these pieces of data, zeros in between.
fn tree(folder: &std::path::Path, files: &[Vec<(usize, usize)>]) -> Tree {
    let mut tree = Tree::default();
    for (number, pieces) in files.iter().enumerate() {
        let mut bytes = Vec::new();
        for (zeros, data) in pieces {
            bytes.resize(bytes.len() + zeros, 0);
            bytes.resize(bytes.len() + data, 7);
        }
        let path = folder.join(number.to_string());
        std::fs::write(&path, bytes).unwrap();
        let name = format!("file {number}");
        let node = Node::file(Content::host_file(&path).unwrap());
        tree.add(NodeId::ROOT, name.as_bytes(), node).unwrap();
    }
    tree
}

#[test]
fn files_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(
        dir.path(),
        &[vec![(0, 10_000)], vec![(500_000, 1)], vec![(0, 4096)]],
    );
    for number in 0..3 {
        std::fs::remove_file(dir.path().join(number.to_string())).unwrap();
    }
    let options = options(PROFILES[0]);
    assert!(ext4::plan(&tree, &options).is_err());
    assert!(ext4::bound(&tree, &options).unwrap().is_bound);
}

#[test]
fn what_needs_no_reading_is_exact() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path(), &[vec![(0, 4096)], vec![(500_000, 1)]]);
    let options = options(PROFILES[0]);
    assert!(ext4::bound(&tree, &options).unwrap().is_bound);
    // Whoever has read a file knows its holes.
    let exact = ext4::plan(&tree, &options).unwrap();
    let again = ext4::bound(&tree, &options).unwrap();
    assert!(!again.is_bound);
    assert_eq!(again.image.size(), exact.image.size());
    let mut estimated = Tree::default();
    let part = Node::file(Content::Zeros(1 << 20));
    estimated.add(NodeId::ROOT, b"part", part).unwrap();
    let bound = ext4::bound(&estimated, &options).unwrap();
    assert!(bound.is_bound);
    assert_eq!(
        bound.usage.data_blocks - ext4::plan(&estimated, &options).unwrap().usage.data_blocks,
        256
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    /// Sizes are never smaller than what will be made, and what is free never more.
    #[test]
    fn bounds_are_bounds(
        files in prop::collection::vec(prop::collection::vec((0usize..400_000, 0usize..70_000), 0..12), 0..12),
        profile in 0usize..3,
        free in prop::sample::select(vec![0u64, 1 << 20, 100 << 20, 130 << 20]),
        exactly in prop::sample::select(vec![Size::Fit, Size::Exactly(300 << 20)]),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let tree = tree(dir.path(), &files);
        let options = Options { free, size: exactly, ..options(PROFILES[profile]) };
        let bound = ext4::bound(&tree, &options).unwrap();
        let exact = ext4::plan(&tree, &options).unwrap();
        prop_assert!(bound.image.size() >= exact.image.size());
        prop_assert!(bound.usage.journal_blocks >= exact.usage.journal_blocks);
        prop_assert!(bound.usage.free >= options.free);
        if let Size::Exactly(size) = exactly {
            prop_assert_eq!(bound.image.size(), size);
            prop_assert!(bound.usage.free <= exact.usage.free);
        }
        if !bound.is_bound {
            prop_assert_eq!(bound.image.size(), exact.image.size());
        }
    }
}
