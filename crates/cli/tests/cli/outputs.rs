//! Outputs that cannot be written: exit code 5.

use std::fs::File;
use std::process::Command;

use insta::assert_snapshot;

use crate::world::{LINUX, Said, World, noise};

const BUILD: [&str; 4] = ["build", "spec.toml", "--out", "out"];

#[test]
fn an_output_folder_that_does_not_exist() {
    let world = World::new();
    assert_snapshot!(world.refused(5, &["build", "spec.toml", "--out", "new/out"]), @r"
    error: new/out: there is no such folder
    hint: make it first: mkdir -p new/out
    ");
    let args = ["script", "boot.cmd", "--out", "new/boot.scr"];
    assert_snapshot!(world.refused(5, &args), @r"
    error: new: there is no such folder
    hint: make it first: mkdir -p new
    ");
}

#[test]
fn an_output_folder_that_is_a_file() {
    let world = World::new();
    assert_snapshot!(world.refused(5, &["build", "spec.toml", "--out", "boot.cmd"]), @"error: boot.cmd: is not a folder");
}

#[test]
fn an_output_that_is_a_folder() {
    let world = World::new();
    world.write("out/boot.vfat/x", b"");
    assert_snapshot!(world.build_refused(5), @"error: out/boot.vfat: cannot be written: it is there, and no regular file; a device is written with dd");
}

#[test]
fn a_second_build_into_the_same_folder() {
    let world = World::new();
    let folder = File::open(world.path("out")).unwrap();
    // A build needs the folder for itself, so even the weakest lock of another keeps it out.
    folder.try_lock_shared().unwrap();
    assert_snapshot!(world.build_refused(5), @r"
    error: out: another kiln is building into this folder
    hint: wait for it, or choose another --out
    ");
    drop(folder);
    world.done(&BUILD);
}

/// A shell's answer to a build on a full disk: 2 MiB of memory, in a namespace where that needs no root.
fn on_a_full_disk(world: &World) -> Option<String> {
    let may_mount = Command::new("unshare").args(["-rm", "true"]).output();
    if !may_mount.is_ok_and(|output| output.status.success()) {
        crate::world::missing("user namespaces");
        return None;
    }
    let kiln = world.kiln(&BUILD);
    let script = "mount -t tmpfs -o size=2m none out && echo old >out/old || exit 99\n\
        \"$@\" 2>error; code=$?\n\
        echo \"left: $(ls -A out)\" >>error; cat error >&2; rm error; exit $code";
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script, "sh"]);
    command.arg(kiln.get_program()).args(kiln.get_args());
    let before = world.files();
    let said = Said::from(command.current_dir(world.path("")).output().unwrap());
    Some(world.check_refusal(5, &before, said))
}

/// Compressed data is on the same disk before it is in an image.
#[test]
fn a_disk_that_is_full_while_compressing() {
    let world = World::new();
    world.write_store(LINUX, "modules", &noise(3 << 20));
    world.register(&world.hashed());
    if let Some(error) = on_a_full_disk(&world) {
        assert_snapshot!(error, @r"
        error: fs.rootfs: out: cannot be written: No space left on device (os error 28)
        hint: nothing was left behind; make room on that disk, or choose another --out
        left: old
        ");
    }
}

#[test]
fn a_disk_that_is_full_while_writing() {
    let world = World::new();
    world.write("firmware.bin", &noise(3 << 20));
    world.edit(
        "spec.toml",
        "[fs.boot.files]",
        "[fs.boot.files]\n\"/firmware.bin\" = \"firmware.bin\"",
    );
    if let Some(error) = on_a_full_disk(&world) {
        assert_snapshot!(error, @r"
        error: out/boot.vfat: cannot be written: No space left on device (os error 28)
        hint: nothing was left behind; make room on that disk, or choose another --out
        left: old
        ");
    }
}

#[test]
fn a_file_larger_than_the_shell_allows() {
    let world = World::new();
    let kiln = world.kiln(&BUILD);
    let mut command = Command::new("sh");
    // In blocks of 512 bytes, or of 1024: less than the FAT's 16 MiB either way.
    command.args(["-c", "ulimit -f 8000; \"$@\"", "sh"]);
    command.arg(kiln.get_program()).args(kiln.get_args());
    let before = world.files();
    let said = command.current_dir(world.path("")).output().unwrap().into();
    assert_snapshot!(world.check_refusal(5, &before, said), @r"
    error: out/boot.vfat: cannot be written: File too large (os error 27)
    hint: nothing was left behind; that disk's file system, or the limit that `ulimit -f` shows, allows no file this large
    ");
}
