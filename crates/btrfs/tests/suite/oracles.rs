//! btrfs-progs accept our images.

use std::process::Command;

use btrfs::{Metadata, Profile};
use image::Tree;

use crate::support::oracle::installed;
use crate::support::{METADATA, PROFILES, check, check_both, everything, odd, options, plan, run, write};

#[test]
fn btrfs_check_finds_nothing() {
    if !installed("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    for profile in PROFILES {
        for metadata in METADATA {
            for tree in [Tree::default(), odd()] {
                write(&plan(&tree, &options(profile, metadata)).image, &path);
                check_both(&path);
            }
        }
    }
}

#[test]
fn btrfs_check_finds_nothing_in_giants() {
    if !installed("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    for profile in PROFILES {
        write(&plan(&everything(), &options(profile, Metadata::Dup)).image, &path);
        check(&path);
    }
}

#[test]
fn dump_tree_understands_everything() {
    if !installed("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    write(&plan(&odd(), &options(Profile::Modern, Metadata::Dup)).image, &path);
    let said = run(Command::new("btrfs").args(["inspect-internal", "dump-tree"]).arg(&path));
    assert!(!said.contains("UNKNOWN") && !said.contains("ERROR"), "{said}");
    assert!(said.contains("block group tree"), "{said}");
    assert!(said.contains("name: latin1-"), "{said}");
}
