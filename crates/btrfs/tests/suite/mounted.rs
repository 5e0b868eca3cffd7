//! Linux mounts our images, finds in them what the trees have, and goes on from there.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use btrfs::Metadata;
use image::Keep;

use crate::support::{PROFILES, assert_same, everything, options, plan, run, write};

const EVERYTHING: Keep = Keep {
    modes: true,
    owners: true,
    times: true,
    xattrs: true,
    hard_links: true,
    follow_links: false,
};

/// Whether images can be mounted here. That takes more than a program: root's rights, loop devices and a Linux with btrfs.
fn is_possible() -> bool {
    let script = "test \"$(id -u)\" = 0 && test -e /dev/loop-control && grep -qw btrfs /proc/filesystems";
    let possible = Command::new("sh").args(["-c", script]).status().unwrap().success();
    if !possible {
        let _ = writeln!(std::io::stderr(), "skipped: btrfs cannot be mounted here");
    }
    possible
}

/// A mounted image.
struct Mounted<'a>(&'a Path);

impl Mounted<'_> {
    fn new<'a>(image: &Path, folder: &'a Path, how: &str) -> Mounted<'a> {
        std::fs::create_dir_all(folder).unwrap();
        run(Command::new("mount").args(["-t", "btrfs", "-o", how]).arg(image).arg(folder));
        Mounted(folder)
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn linux_reads_the_same() {
    if !is_possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (path, folder) = (dir.path().join("image"), dir.path().join("mounted"));
    let tree = everything();
    for profile in PROFILES {
        write(&plan(&tree, &options(profile, Metadata::Dup)).image, &path);
        let mounted = Mounted::new(&path, &folder, "loop,ro");
        assert_same(&image::scan(mounted.0, EVERYTHING).unwrap(), &tree);
    }
}
