//! Size and memory against mksquashfs. Times depend on the machine: `bench/run` shows them.

use std::fs;

use crate::demo::is_made;
use crate::rock64::Rock64;
use crate::tools::{installed, is_root, peak_kib, tool};

#[test]
fn as_small_as_mksquashfs_in_a_quarter_of_its_memory() {
    let tools = ["mksquashfs", "unsquashfs", "/usr/bin/time"];
    if !is_made() || !installed(&tools) || !is_root() {
        return;
    }
    let rock64 = Rock64::build();
    let tree = rock64.unpacked();
    let dir = tempfile::tempdir().unwrap();
    let theirs = dir.path().join("squashfs");
    let mut command = tool("mksquashfs");
    command.arg(&tree.path).arg(&theirs);
    command.args(["-comp", "zstd", "-Xcompression-level", "19", "-b", "1M"]);
    command.args(["-no-xattrs", "-all-root", "-noappend", "-no-progress", "-quiet"]);
    let their_peak_kib = peak_kib(&command);
    let our_peak_kib = rock64.peak_kib();
    let size = |path| fs::metadata(path).unwrap().len();
    let (ours, theirs) = (size(rock64.path("rootfs.squashfs")), size(theirs));
    println!("bytes {ours} to {theirs}, memory {our_peak_kib} to {their_peak_kib} KiB");
    assert!(
        ours * 1000 <= theirs * 1003,
        "{ours} bytes, mksquashfs needs {theirs}"
    );
    assert!(
        our_peak_kib * 4 <= their_peak_kib,
        "{our_peak_kib} KiB of memory, mksquashfs takes {their_peak_kib}"
    );
}
