//! Tools that others wrote accept our images.

use erofs::Compression;
use image::{NodeId, Tree};

use crate::support::oracle::installed;
use crate::support::{all_options, check, compressible, everything, odd, options, plan, write};

#[test]
fn fsck_finds_nothing() {
    if !installed("fsck.erofs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    for tree in [Tree::default(), odd(), everything()] {
        write(&plan(&tree, &options()).image, &path);
        check(&path);
    }
}

/// Of the compressors, Debian 12's knows lz4.
#[test]
fn fsck_finds_nothing_in_what_is_compressed() {
    if !installed("fsck.erofs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let mut tree = odd();
    tree.graft(NodeId::ROOT, b"compressible", compressible()).unwrap();
    let is_known = |options: &erofs::Options| matches!(options.compression, Compression::Lz4 { .. });
    for options in all_options().into_iter().filter(is_known) {
        write(&plan(&tree, &options).image, &path);
        check(&path);
    }
}
