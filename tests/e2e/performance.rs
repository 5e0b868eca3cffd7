//! Size and memory against mksquashfs. Times depend on the machine: `bench/run` shows them.

use std::fs;
use std::path::Path;

use crate::demo::{is_made, kiln, with_level};
use crate::rock64::Rock64;
use crate::tools::{installed, is_root, peak_kib, tool};

/// What mksquashfs makes of the closure that is in the Rock64's image, beside Kiln's squashfs and the most memory that it
/// held, in KiB.
fn compare(ours: &Path, our_peak_kib: u64, level: u32) {
    let tree = Rock64::build().unpacked();
    let dir = tempfile::tempdir().unwrap();
    let theirs = dir.path().join("squashfs");
    let mut command = tool("mksquashfs");
    command.arg(&tree.path).arg(&theirs);
    command.args(["-comp", "zstd", "-b", "1M", "-Xcompression-level"]);
    command.arg(level.to_string());
    command.args(["-no-xattrs", "-all-root", "-noappend", "-no-progress", "-quiet"]);
    let their_peak_kib = peak_kib(&command);
    let size = |path: &Path| fs::metadata(path).unwrap().len();
    let (ours, theirs) = (size(ours), size(&theirs));
    eprintln!("bytes {ours} to {theirs}, memory {our_peak_kib} to {their_peak_kib} KiB");
    assert!(
        ours * 1000 <= theirs * 1003,
        "{ours} bytes, mksquashfs needs {theirs}"
    );
    assert!(
        our_peak_kib * 4 <= their_peak_kib,
        "{our_peak_kib} KiB of memory, mksquashfs takes {their_peak_kib}"
    );
}

fn is_comparable() -> bool {
    is_made() && installed(&["mksquashfs", "unsquashfs", "/usr/bin/time"]) && is_root()
}

#[test]
fn as_small_as_mksquashfs_in_a_quarter_of_its_memory() {
    if !is_comparable() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let spec = with_level("rock64.toml", 3, dir.path());
    let mut command = kiln();
    command
        .arg("build")
        .arg(spec)
        .args(["--only", "fs.rootfs", "--no-cache"]);
    let peak = peak_kib(command.arg("--out").arg(dir.path()));
    compare(&dir.path().join("rootfs.squashfs"), peak, 3);
}

#[test]
#[ignore = "long: tests/long runs it"]
fn as_small_as_mksquashfs_at_the_highest_level() {
    if !is_comparable() {
        return;
    }
    let rock64 = Rock64::build();
    compare(&rock64.path("rootfs.squashfs"), rock64.peak_kib(), 19);
}
