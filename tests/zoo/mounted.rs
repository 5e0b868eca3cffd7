//! Images, mounted by the Linux that the tests run on. The tests of formats that keep everything share it.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use image::Keep;

/// All that an image keeps.
pub(crate) const EVERYTHING: Keep = Keep {
    modes: true,
    owners: true,
    times: true,
    xattrs: true,
    hard_links: true,
    follow_links: false,
};

/// Whether images can be mounted here. That takes more than a program: root's rights, loop devices and a Linux with
/// that format.
pub(crate) fn is_possible(format: &str) -> bool {
    let script = "test \"$(id -u)\" = 0 && test -e /dev/loop-control && grep -qw \"$0\" /proc/filesystems";
    let possible = Command::new("sh")
        .args(["-c", script, format])
        .status()
        .unwrap()
        .success();
    if !possible {
        let _ = writeln!(std::io::stderr(), "skipped: {format} cannot be mounted here");
    }
    possible
}

/// A mounted image.
pub(crate) struct Mounted<'a>(pub(crate) &'a Path);

impl Mounted<'_> {
    pub(crate) fn new<'a>(format: &str, image: &Path, folder: &'a Path, how: &str) -> Mounted<'a> {
        std::fs::create_dir_all(folder).unwrap();
        let mut mount = Command::new("mount");
        super::run(mount.args(["-t", format, "-o", how]).arg(image).arg(folder));
        Mounted(folder)
    }
}

impl Drop for Mounted<'_> {
    /// Whoever looks around on the machine can keep it busy for a moment.
    fn drop(&mut self) {
        let unmount = || {
            Command::new("umount")
                .arg(self.0)
                .status()
                .is_ok_and(|status| status.success())
        };
        let wait = |_| std::thread::sleep(Duration::from_millis(300));
        let is_done = (0..100).any(|time| {
            unmount() || {
                wait(time);
                false
            }
        });
        assert!(is_done || std::thread::panicking());
    }
}
