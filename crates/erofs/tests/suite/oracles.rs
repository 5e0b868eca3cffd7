//! Tools that others wrote accept our images.

use std::process::Command;

use image::{Keep, Node, Tree};

use crate::support::oracle::installed;
use crate::support::{assert_same, bytes, check, everything, odd, options, plan, run, write};

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
