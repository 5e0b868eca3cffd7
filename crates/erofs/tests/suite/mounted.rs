//! Linux mounts our images, and finds in them what the trees have.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use image::{NodeId, Tree};

use crate::support::{
    EVERYTHING, all_options, assert_same, compressible, everything, odd, options, plan, run, write,
};

/// Whether images can be mounted here. That takes more than a program: root's rights, loop devices and a Linux with erofs.
fn is_possible() -> bool {
    let script = "test \"$(id -u)\" = 0 && test -e /dev/loop-control && grep -qw erofs /proc/filesystems";
    let possible = Command::new("sh")
        .args(["-c", script])
        .status()
        .unwrap()
        .success();
    if !possible {
        let _ = writeln!(std::io::stderr(), "skipped: erofs cannot be mounted here");
    }
    possible
}

/// A mounted image.
struct Mounted<'a>(&'a Path);

impl Mounted<'_> {
    fn new<'a>(image: &Path, folder: &'a Path) -> Mounted<'a> {
        std::fs::create_dir_all(folder).unwrap();
        let mut mount = Command::new("mount");
        run(mount
            .args(["-t", "erofs", "-o", "loop,ro"])
            .arg(image)
            .arg(folder));
        Mounted(folder)
    }
}

impl Drop for Mounted<'_> {
    /// Whoever looks around on the machine can keep it busy for a moment.
    fn drop(&mut self) {
        let unmount = |_| {
            let status = Command::new("umount").arg(self.0).status();
            let done = status.is_ok_and(|status| status.success());
            if !done {
                std::thread::sleep(Duration::from_millis(300));
            }
            done
        };
        assert!((0..100).any(unmount) || std::thread::panicking());
    }
}

#[test]
fn linux_reads_the_same() {
    if !is_possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (name, tree) in [("none", Tree::default()), ("odd", odd()), ("all", everything())] {
        let [path, folder] = ["image", "folder"].map(|kind| dir.path().join(format!("{name}-{kind}")));
        write(&plan(&tree, &options()).image, &path);
        let mounted = Mounted::new(&path, &folder);
        assert_same(&image::scan(mounted.0, EVERYTHING).unwrap(), &tree);
    }
}

/// What Linux decompresses is what was compressed.
#[test]
fn linux_decompresses_the_same() {
    if !is_possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut tree = odd();
    tree.graft(NodeId::ROOT, b"compressible", compressible()).unwrap();
    for options in all_options() {
        let name = format!("{:?}-{}", options.compression, options.cluster);
        let [path, folder] = ["image", "folder"].map(|kind| dir.path().join(format!("{name}-{kind}")));
        write(&plan(&tree, &options).image, &path);
        let mounted = Mounted::new(&path, &folder);
        let found = image::scan(mounted.0, EVERYTHING).unwrap();
        assert_same(&found, &tree);
    }
}
