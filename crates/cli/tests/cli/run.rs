//! `kiln run`, with a QEMU that only says what it is told: real ones boot in the tests from end to end.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use crate::oracle::installed;
use crate::world::{Said, World};

/// A world with firmware, and with programs that are called like QEMU's.
fn world() -> World {
    let world = World::new();
    let script = "#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 3\n";
    for program in ["bin/qemu-system-aarch64", "bin/qemu-system-x86_64"] {
        world.write(program, script.as_bytes());
        fs::set_permissions(world.path(program), PermissionsExt::from_mode(0o755)).unwrap();
    }
    for file in [
        "u-boot.bin",
        "OVMF_CODE.fd",
        "OVMF_VARS.fd",
        "AAVMF_CODE.fd",
        "AAVMF_VARS.fd",
    ] {
        world.write(&format!("firmware, all/{file}"), b"firmware");
    }
    world
}

/// With their folders in the environment.
fn run(world: &World, args: &[&str]) -> Said {
    let mut kiln = world.kiln(&[&["run"], args].concat());
    kiln.env("PATH", format!("{}:/usr/bin:/bin", world.path("bin").display()));
    kiln.env(
        "KILN_FIRMWARE",
        format!("/nowhere:{}", world.path("firmware, all").display()),
    );
    kiln.output().unwrap().into()
}

/// What QEMU is told, with a line for each option, and without what differs from run to run.
fn told(world: &World, args: &[&str]) -> String {
    let said = run(world, args);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    let folder = world.path("");
    let text = said
        .stdout
        .replace("\n-", "\t-")
        .replace('\n', " ")
        .replace('\t', "\n");
    let text = text.replace(folder.to_str().unwrap().trim_end_matches('/'), "WORLD");
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = match line.split_once("/kiln-") {
            Some((before, rest)) => {
                let end = rest.find('/').unwrap();
                format!(
                    "{}TMP{}",
                    &before[..=before.rfind(['=', '"']).unwrap()],
                    &rest[end..]
                )
            }
            None => line.to_string(),
        };
        lines.push(line.trim_end().to_string());
    }
    lines.join("\n")
}

#[test]
fn a_disk_says_what_boots_it() {
    let world = world();
    let args = ["spec.toml", "--no-cache", "--accel", "tcg", "--jobs", "2", "--"];
    assert_snapshot!(told(&world, &args), @r"
    -machine virt
    -accel tcg
    -cpu cortex-a57
    -smp 2
    -m 2048M
    -bios WORLD/firmware, all/u-boot.bin
    -drive if=none,id=disk,format=raw,snapshot=on,discard=unmap,detect-zeroes=unmap,file=nbd+unix:///disk?socket=TMP/disk
    -device virtio-blk-pci,drive=disk,bootindex=0
    -device virtio-rng-pci
    -nic user,model=virtio-net-pci
    -display none
    -serial mon:stdio
    --jobs 2
    ");
}

#[test]
fn what_is_said_goes_before() {
    let world = world();
    let args = [
        "spec.toml",
        "--no-cache",
        "--accel",
        "tcg",
        "--arch",
        "amd64",
        "--firmware",
        "uefi",
        "--memory",
        "1GiB",
        "--cores",
        "1",
        "--ssh",
        "22022",
        "--",
        "-snapshot",
        "-m",
        "77",
    ];
    assert_snapshot!(told(&world, &args), @r"
    -machine q35
    -accel tcg
    -cpu qemu64
    -smp 1
    -m 1024M
    -drive if=pflash,format=raw,unit=0,readonly=on,file=WORLD/firmware,, all/OVMF_CODE.fd
    -drive if=pflash,format=raw,unit=1,snapshot=on,file=WORLD/firmware,, all/OVMF_VARS.fd
    -drive if=none,id=disk,format=raw,snapshot=on,discard=unmap,detect-zeroes=unmap,file=nbd+unix:///disk?socket=TMP/disk
    -device virtio-blk-pci,drive=disk,bootindex=0
    -device virtio-rng-pci
    -nic user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:22022-:22
    -display none
    -serial mon:stdio
    -snapshot
    -m 77
    --jobs 2
    ");
    let bios = [
        "spec.toml",
        "--no-cache",
        "--accel",
        "tcg",
        "--firmware",
        "bios",
        "--arch",
        "amd64",
        "--",
    ];
    assert!(!told(&world, &bios).contains("firmware"));
    let file = [
        "spec.toml",
        "--no-cache",
        "--accel",
        "tcg",
        "--firmware",
        "idbloader.img",
        "--",
    ];
    assert!(told(&world, &file).contains("\n-bios idbloader.img\n"));
}

/// A loader for removable media goes before a boot script.
#[test]
fn a_loader_for_uefi() {
    let world = world();
    world.edit(
        "spec.toml",
        "\"/Image\" = \"{kernel}\"",
        "\"/efi/boot/bootaa64.efi\" = \"{kernel}\"",
    );
    let args = ["spec.toml", "--no-cache", "--accel", "tcg", "--"];
    let text = told(&world, &args);
    assert!(
        text.contains("unit=0,readonly=on,file=WORLD/firmware,, all/AAVMF_CODE.fd"),
        "{text}"
    );
    assert!(
        text.contains("unit=1,snapshot=on,file=WORLD/firmware,, all/AAVMF_VARS.fd"),
        "{text}"
    );
}

#[test]
fn what_is_written_is_kept_for_one_image() {
    if !installed("qemu-img") {
        return;
    }
    let world = world();
    let args = [
        "spec.toml",
        "--no-cache",
        "--accel",
        "tcg",
        "--persist",
        "kept.qcow2",
        "--",
    ];
    let first = told(&world, &args);
    let kept = fs::read(world.path("kept.qcow2")).unwrap();
    // Once more: the same file.
    assert_eq!(told(&world, &args), first);
    assert_eq!(fs::read(world.path("kept.qcow2")).unwrap(), kept);
    assert_snapshot!(first.lines().filter(|line| line.contains("block")).collect::<Vec<_>>().join("\n"), @r#"
    -blockdev {"driver":"nbd","export":"disk","node-name":"image","read-only":true,"server":{"path":"TMP/disk","type":"unix"}}
    -blockdev {"backing":"image","detect-zeroes":"unmap","discard":"unmap","driver":"qcow2","file":{"driver":"file","filename":"kept.qcow2"},"node-name":"disk"}
    "#);
    // Another image.
    world.edit("spec.toml", "label = \"BOOT\"", "label = \"BOOT2\"");
    let before = world.files();
    let said = run(&world, &args);
    assert_snapshot!(world.check_refusal(3, &before, said), @r"
    error: kept.qcow2: holds what a machine with another image has written
    hint: give another file, or remove this one: what is in it fits no other image
    ");
    world.write("other", &[7; 4096]);
    let before = world.files();
    let said = run(&world, &["spec.toml", "--no-cache", "--persist", "other", "--"]);
    assert_snapshot!(world.check_refusal(3, &before, said), @"error: other: is no qcow2 of `kiln run`");
}

#[test]
fn what_is_missing_is_named() {
    let world = world();
    let refused = |code: i32, path: &str, firmware: &str, args: &[&str]| {
        let before = world.files();
        let mut kiln = world.kiln(&[&["run", "spec.toml", "--no-cache"], args].concat());
        kiln.env("PATH", path).env("KILN_FIRMWARE", firmware);
        world.check_refusal(code, &before, kiln.output().unwrap().into())
    };
    let bin = world.path("bin").display().to_string();
    assert_snapshot!(refused(3, "/nowhere", "", &[]), @r"
    error: qemu-system-aarch64: is not on the PATH
    hint: install qemu-system-arm (Debian) or qemu (Nix), or name the program with --qemu
    ");
    assert_snapshot!(refused(3, "/nowhere", "", &["--arch", "amd64"]), @r"
    error: qemu-system-x86_64: is not on the PATH
    hint: install qemu-system-x86 (Debian) or qemu (Nix), or name the program with --qemu
    ");
    assert_snapshot!(refused(3, &bin, "", &["--qemu", "./boot.cmd"]), @r"
    error: ./boot.cmd: is no program
    hint: install qemu-system-arm (Debian) or qemu (Nix), or name the program with --qemu
    ");
    assert_snapshot!(refused(3, &bin, "", &["--firmware", "nothing.fd"]), @r"
    error: nothing.fd: is no file
    hint: --firmware takes uefi, u-boot, bios, or a file
    ");
    assert_snapshot!(refused(2, &bin, "", &["--firmware", "u-boot", "--arch", "amd64"]), @r"
    error: there is no U-Boot for an amd64 machine of QEMU
    hint: say --firmware uefi, --firmware bios, or name a file
    ");
    assert_snapshot!(refused(2, &bin, "", &["--firmware", "bios", "--arch", "arm64"]), @r"
    error: an arm64 machine has no BIOS
    hint: say --firmware uefi or --firmware u-boot
    ");
    let other = if std::env::consts::ARCH == "aarch64" {
        "amd64"
    } else {
        "arm64"
    };
    assert!(
        refused(
            2,
            &bin,
            "",
            &["--accel", "kvm", "--arch", other, "--firmware", "boot.cmd"]
        )
        .contains("cannot run")
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert_snapshot!(refused(5, &bin, "", &["--ssh", &port]).replace(&port, "PORT"), @r"
    error: --ssh PORT: cannot be listened on: Address already in use (os error 98)
    hint: choose another port, such as 2222
    ");
    world.edit("spec.toml", "\"/boot.scr\" = \"{script.boot}\"", "");
    let said = run(&world, &["spec.toml", "--no-cache", "--"]);
    assert_eq!(said.code, Some(3));
    assert_snapshot!(said.stderr[said.stderr.find("error:").unwrap()..], @r"
    error: spec.toml: nothing on it boots: there is no EFI/BOOT/BOOTX64.EFI or BOOTAA64.EFI on a FAT, no boot.scr and no extlinux.conf, and no boot code
    hint: say it with --firmware, and the machine with --arch
    ");
}
