//! Tools that others wrote accept our images.

use std::process::Command;

use erofs::{Compression, Options, Profile};
use image::{Keep, NodeId, Tree};

use crate::support::oracle::installed;
use crate::support::{
    EVERYTHING, all_options, assert_same, check, check_with, compressible, everything, modern_options, odd,
    options, plan, run, write,
};

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

/// Debian 12's knows neither fragments nor other compressors than lz4.
#[test]
fn fsck_unpacks_what_is_compressed() {
    if !installed("fsck.erofs-newer") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [path, folder] = ["image", "folder"].map(|name| dir.path().join(name));
    let mut tree = odd();
    tree.graft(NodeId::ROOT, b"compressible", compressible()).unwrap();
    for options in all_options() {
        write(&plan(&tree, &options).image, &path);
        check_with("fsck.erofs-newer", &path);
        let mut fsck = Command::new("fsck.erofs-newer");
        run(fsck
            .arg(format!("--extract={}", folder.display()))
            .args(["--force", "--overwrite"])
            .arg(&path));
        // It changes owners after attributes, which costs files their capabilities.
        let keep = Keep {
            xattrs: false,
            ..EVERYTHING
        };
        let mut wanted = tree.clone();
        for entry in tree.walk() {
            wanted.node_mut(entry.id).meta.xattrs.clear();
        }
        assert_same(&image::scan(&folder, keep).unwrap(), &wanted);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

/// Without padding an image is smaller, the more so the smaller its clusters are.
#[test]
fn records_need_no_padding() {
    let mut tree = odd();
    tree.graft(NodeId::ROOT, b"compressible", compressible()).unwrap();
    for mut options in modern_options() {
        let modern = plan(&tree, &options).image.size();
        options.profile = Profile::Portable;
        let portable = plan(&tree, &options).image.size();
        let is_smaller = modern < portable || options.compression == Compression::None && modern == portable;
        assert!(is_smaller, "{options:?}: {modern} {portable}");
    }
}

/// What `dump.erofs` says of an image.
#[test]
fn dump_shows_what_was_asked_for() {
    if !installed("dump.erofs-newer") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let options = Options {
        label: Some("store".to_string()),
        compression: Compression::Zstd { level: 3 },
        ..options()
    };
    write(&plan(&odd(), &options).image, &path);
    let said = run(Command::new("dump.erofs-newer").arg("-s").arg(&path));
    for wanted in ["fragments", "zstd", &options.uuid.to_string()] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}
