//! The demo's system for amd64: where its store lies on this machine, and machines with its kernel.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::boots::console_lines;
use crate::demo::{demo, followed, is_made, toplevel_of};
use crate::tools::{given, run, tool};

/// Where the demo's store lies, with what is beside it.
pub(crate) fn store() -> PathBuf {
    demo().join("out/store-amd64")
}

/// Whether all that the demo has for arm64 was made, and the store for amd64, too.
pub(crate) fn is_made_for_amd64() -> bool {
    let stamp = store().join("stamp");
    is_made()
        && given(
            stamp.exists(),
            &format!("{} is there (tests/run store makes it)", stamp.display()),
        )
}

/// The store path of the system.
pub(crate) fn toplevel() -> String {
    toplevel_of(&store())
}

/// Where a store path lies on this machine.
pub(crate) fn host(path: &str) -> PathBuf {
    store().join("root").join(path.trim_start_matches('/'))
}

/// Where a path of the store's file system lies on this machine, when all links on the way are followed.
pub(crate) fn place(path: &str) -> PathBuf {
    followed(&store().join("root"), path)
}

/// Where something that the system consists of lies on this machine.
pub(crate) fn of_system(name: &str) -> PathBuf {
    place(&format!("{}/{name}", toplevel()))
}

/// A machine with the system's kernel, a first RAM disk and a console in a file. The caller gives it disks, and `boot` starts it.
pub(crate) fn machine(initrd: &Path, command_line: &str) -> Command {
    machine_of(&of_system("kernel"), initrd, command_line)
}

/// The same with another kernel.
pub(crate) fn machine_of(kernel: &Path, initrd: &Path, command_line: &str) -> Command {
    // It ends by itself, or fails before nextest gives up.
    let mut machine = tool("timeout");
    machine.args(["900", "qemu-system-x86_64", "-machine", "q35", "-cpu", "qemu64"]);
    machine.args(["-accel", "tcg", "-smp", "1", "-m", "1024", "-nic", "none"]);
    machine.args(["-display", "none", "-monitor", "none", "-no-reboot"]);
    machine.arg("-kernel").arg(kernel);
    machine.arg("-initrd").arg(initrd);
    // An emulator that waits for its processor looks like a broken timer.
    let common = "console=ttyS0 panic=-1 no_timer_check";
    machine.args(["-append", &format!("{common} {command_line}")]);
    machine
}

/// Has a machine run until it ends, and answers what its console, which is kept in a file, has said.
pub(crate) fn boot(machine: &mut Command, console: &Path) -> Vec<String> {
    run(machine.arg("-serial").arg(format!("file:{}", console.display())));
    console_lines(console)
}

/// A disk for a machine, of which nothing is written.
pub(crate) fn unchanged(disk: &Path) -> String {
    format!("if=virtio,format=raw,snapshot=on,file={}", disk.display())
}
