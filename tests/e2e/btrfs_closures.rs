//! Closures as btrfs: btrfs-progs of two Debians find nothing, show all trees, and a reader that others wrote finds every file.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use fs_btrfs::Filesystem;
use fs_core::FileDevice;
use image::Kind;

use crate::demo::{demo, is_made, kiln, target};
use crate::tools::{given, installed, run, tool};

const PROGS: [&str; 2] = ["btrfs", "btrfs-newer"];

/// The closure of a store as btrfs.
fn closure(store: &str, how: &[&str], out: &Path) {
    let store = demo().join("out").join(store);
    let mut command = kiln();
    command
        .arg("btrfs")
        .arg("--closure")
        .arg(store.join("closure-info"))
        .arg("--store-root")
        .arg(store.join("root"));
    run(command.args(how).arg("--out").arg(out));
}

fn progs_agree(image: &Path) {
    for program in PROGS {
        for arguments in [&["--check-data-csum"][..], &["--mode=lowmem"]] {
            let said = run(tool(program).arg("check").args(arguments).arg(image));
            assert!(said.contains("no error found"), "{program}: {said}");
            assert!(
                !said.contains("rror:") && !said.contains("ERROR"),
                "{program}: {said}"
            );
        }
        let said = run(tool(program).args(["inspect-internal", "dump-tree"]).arg(image));
        let said = said.replace("(0 UNKNOWN.0 0)", "");
        let complaint = said
            .lines()
            .find(|line| line.contains("ERROR") || line.contains("UNKNOWN"));
        assert_eq!(complaint, None, "{program}");
    }
}

/// A reader that others wrote finds every file, as our own reader does.
fn all_is_read_back(image: &Path) {
    let len = fs::metadata(image).unwrap().len();
    let source = Arc::new(fs::File::open(image).unwrap());
    let ours = btrfs::read::FileSystem::open(source, len).unwrap();
    ours.check().unwrap();
    let ours = ours.tree().unwrap();
    let theirs = Filesystem::mount(Arc::new(FileDevice::open(image).unwrap())).unwrap();
    let mut files = 0;
    let mut waiting = vec![(256, image::NodeId::ROOT)];
    while let Some((number, id)) = waiting.pop() {
        let mut entries = theirs.read_dir(number).unwrap();
        entries.retain(|entry| entry.name != b"." && entry.name != b"..");
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(entries.len(), ours.children(id).count());
        for (entry, (name, id)) in entries.iter().zip(ours.children(id)) {
            assert_eq!(entry.name, name);
            match &ours.node(id).kind {
                Kind::Directory(_) => waiting.push((entry.ino, id)),
                Kind::File(content) => {
                    let found = theirs.read_file(entry.ino).unwrap();
                    assert!(content.to_vec().unwrap() == found, "{}", image::show(name));
                    files += 1;
                }
                Kind::Symlink(wanted) => assert_eq!(theirs.read_link(entry.ino).unwrap(), **wanted),
                _ => {}
            }
        }
    }
    assert!(files > 5000, "{files}");
}

#[test]
fn btrfs_progs_and_other_readers_agree_on_closures() {
    let made = ["store", "store-amd64"].iter().all(|store| {
        let stamp = demo().join("out").join(store).join("stamp");
        let condition = format!("{} is there (tests/run store makes it)", stamp.display());
        given(stamp.exists(), &condition)
    });
    if !made || !is_made() || !installed(&PROGS) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    for (store, how) in [
        ("store", &["--compression", "zstd", "--level", "3"][..]),
        ("store-amd64", &["--profile", "modern", "--metadata", "single"]),
    ] {
        let image = dir.path().join(store);
        closure(store, how, &image);
        progs_agree(&image);
        all_is_read_back(&image);
    }
}
