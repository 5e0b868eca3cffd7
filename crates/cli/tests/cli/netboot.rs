//! `[netboot]`: kernel, initrd and scripts, and what is refused.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;

use crate::world::World;

const NETBOOT: &str = "[netboot]\nstore = \"fs.rootfs\"\ninitrd = \"idbloader.img\"\n\
    cmdline = \"init={toplevel}/init it='s quiet\"\n\n[disk]\n";

fn world() -> World {
    World::with("[disk]\n", NETBOOT)
}

#[test]
fn what_is_made() {
    let world = world();
    world.done(&["build", "spec.toml", "--out", "out", "--no-cache"]);
    let read = |name: &str| fs::read(world.path(name)).unwrap();
    let text = |name: &str| String::from_utf8(read(name)).unwrap();
    assert_eq!(
        read("out/bzImage"),
        fs::read(world.store(crate::world::LINUX).join("Image")).unwrap()
    );
    assert_snapshot!(text("out/kernel-params"), @"init=/nix/store/ssssssssssssssssssssssssssssssss-system/init it='s quiet");
    assert_snapshot!(text("out/netboot.ipxe"), @r"
    #!ipxe
    # demo-25.11
    # More for the kernel: set cmdline before this script is chained.
    kernel bzImage init=/nix/store/ssssssssssssssssssssssssssssssss-system/init it='s quiet initrd=initrd ${cmdline}
    initrd initrd
    boot
    ");
    // The initrd as it was, up to a multiple of 4, and the store as its output is.
    let (initrd, before, store) = (
        read("out/initrd"),
        read("idbloader.img"),
        read("out/rootfs.squashfs"),
    );
    assert!(initrd.starts_with(&before));
    let archive = &initrd[before.len().next_multiple_of(4)..];
    assert!(archive.starts_with(b"070701"));
    let name = b"nix-store.squashfs\0";
    assert_eq!(archive[110..110 + name.len()], *name);
    let start = (110 + name.len()).next_multiple_of(4);
    assert!(archive[start..].starts_with(&store));
    let end = (start + store.len()).next_multiple_of(4);
    assert_eq!(archive[end + 110..end + 121], *b"TRAILER!!!\0");
    assert_eq!(archive.len(), (end + 121).next_multiple_of(4));
    // The script tells kexec what the kernel is told, in one word.
    let stub = "#!/bin/sh\nprintf '%s\\n' \"$@\"\n";
    world.write("bin/kexec", stub.as_bytes());
    fs::set_permissions(
        world.path("bin/kexec"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let mut script = Command::new("sh");
    script.arg(world.path("out/kexec-boot")).arg("--more");
    script.env("PATH", format!("{}:/usr/bin:/bin", world.path("bin").display()));
    let said = String::from_utf8(script.output().unwrap().stdout).unwrap();
    let folder = fs::canonicalize(world.path("out")).unwrap();
    assert_snapshot!(said.replace(&folder.display().to_string(), "OUT"), @r"
    --load
    OUT/bzImage
    --initrd=OUT/initrd
    --command-line=init=/nix/store/ssssssssssssssssssssssssssssssss-system/init it='s quiet
    --more
    -e
    ");
}

#[test]
fn alone() {
    let world = world();
    world.done(&[
        "build",
        "spec.toml",
        "--out",
        "alone",
        "--only",
        "netboot",
        "--no-cache",
    ]);
    let files = world.files();
    let made: Vec<&str> = files
        .keys()
        .filter_map(|name| name.strip_prefix("/alone/"))
        .collect();
    assert_eq!(
        made,
        ["bzImage", "initrd", "kernel-params", "kexec-boot", "netboot.ipxe"]
    );
}

#[test]
fn what_is_refused() {
    let refused = |from: &str, to: &str| {
        let world = world();
        world.edit("spec.toml", from, to);
        world.build_refused(2)
    };
    let store = "store = \"fs.rootfs\"";
    assert_snapshot!(refused(store, "store = \"fs.root\""), @r#"
    error: netboot.store: there is no part "fs.root"
    hint: did you mean fs.rootfs?
    "#);
    assert_snapshot!(refused(store, "store = \"fs.rootfs\"\nat = \"store\""), @r#"error: netboot: "store": must be a path from /, without . and .., of less than 4096 bytes"#);
    assert_snapshot!(refused(store, "store = \"fs.rootfs\"\nkernel-file = \"a b\""), @r#"error: netboot.kernel-file: "a b": must be a name of letters, digits and ._-+"#);
    assert_snapshot!(refused(store, "store = \"fs.rootfs\"\nkernel-file = \"initrd\""), @r"
    error: initrd: netboot.kernel and netboot.initrd both make a file of this name
    hint: give one of them another name with the key `file`
    ");
    assert_snapshot!(refused("quiet", "quiet\\nx"), @"error: netboot.cmdline: has more than one line");
}
