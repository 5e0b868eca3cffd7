//! Images, mounted by the Linux that the tests run on.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Whether images can be mounted here. That takes more than a program: root's rights and loop devices. Where they are
/// missing, the boots show the same in a guest.
pub(crate) fn is_possible() -> bool {
    let script = "test \"$(id -u)\" = 0 && test -e /dev/loop-control && grep -qw squashfs /proc/filesystems";
    let possible = Command::new("sh")
        .args(["-c", script])
        .status()
        .unwrap()
        .success();
    if !possible {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: SquashFS images cannot be mounted here"
        );
    }
    possible
}

/// Mounts an image, and answers with what is read from it; what cannot be mounted or read is an error.
pub(crate) fn with<T>(
    image: &[u8],
    dir: &Path,
    read: impl FnOnce(&Path) -> std::io::Result<T>,
) -> Result<T, String> {
    let (path, folder) = (dir.join("image"), dir.join("mounted"));
    std::fs::write(&path, image).unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    let mut mount = Command::new("mount");
    mount
        .args(["-t", "squashfs", "-o", "loop,ro"])
        .arg(&path)
        .arg(&folder);
    let output = mount.output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let read = read(&folder);
    let unmounted = Command::new("umount").arg(&folder).status().unwrap();
    assert!(unmounted.success());
    read.map_err(|error| error.to_string())
}
