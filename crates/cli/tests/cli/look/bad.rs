//! Paths that lead nowhere, and images that cannot be read: one error each, with the way out and the right exit code.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use insta::assert_snapshot;

use super::{built, shell};
use crate::oracle::installed;
use crate::world::World;

#[test]
fn a_path_that_is_not_there() {
    let Some(world) = built() else { return };
    let refused = |args: &[&str]| world.refused(3, args);
    assert_snapshot!(refused(&["ls", "out/demo-25.11.img", "/rotfs/init"]), @r#"
    error: out/demo-25.11.img: /rotfs/init: there is no "rotfs" in /
    hint: there is "rootfs"
    "#);
    assert_snapshot!(refused(&["cat", "out/demo-25.11.raucb", "/rootfs/nix/stor"]), @r#"
    error: out/demo-25.11.raucb: /rootfs/nix/stor: there is no "stor" in /rootfs/nix
    hint: there is "store"
    "#);
    assert_snapshot!(refused(&["ls", "out/boot.vfat", "/Image/x"]), @"error: out/boot.vfat: /Image/x: /Image is no folder, and no image that can be looked into");
    assert_snapshot!(refused(&["ls", "out/boot.vfat", "/xyz"]), @r#"error: out/boot.vfat: /xyz: there is no "xyz" in /"#);
    assert_snapshot!(refused(&["cat", "out/rootfs.squashfs", "/nix"]), @"error: out/rootfs.squashfs: /nix: is no file");
    assert_snapshot!(refused(&["extract", "out/rootfs.squashfs", "/init", "--out", "x"]), @r"
    error: out/rootfs.squashfs: /init: is neither a file nor a folder
    hint: extract the folder that it is in, or, for a link, what it leads to
    ");
    assert_snapshot!(refused(&["ls", "out/none.img"]), @"error: out/none.img: cannot be read: No such file or directory (os error 2)");
    assert_snapshot!(refused(&["info", "spec.toml", "/disc"]), @r#"
    error: spec.toml: /disc: there is no "disc" in /
    "#);
}

#[test]
fn links_that_lead_in_circles_or_nowhere() {
    let world = World::new();
    shell(
        &world,
        "mkdir d; ln -s b d/a; ln -s a d/b; ln -s ../../../etc/passwd d/up; ln -s /none d/gap",
    );
    world.done(&["ext4", "--tree", "d", "--out", "x.ext4"]);
    assert_snapshot!(world.refused(3, &["cat", "x.ext4", "/a"]), @"error: x.ext4: /a: more than 40 links on the way");
    assert_snapshot!(world.refused(3, &["cat", "x.ext4", "/up"]), @r#"error: x.ext4: /up: there is no "etc" in /"#);
    assert_snapshot!(world.refused(3, &["cat", "x.ext4", "/gap"]), @r#"error: x.ext4: /gap: there is no "none" in /"#);
}

#[test]
fn partitions_of_one_name() {
    if !installed("sgdisk") {
        return;
    }
    let world = World::new();
    shell(
        &world,
        "truncate -s 8M x.img; sgdisk -n 1:2048:4095 -c 1:data -n 2:4096:6143 -c 2:data -n 3:6144:8191 -c 3:4 x.img; \
         printf one | dd of=x.img bs=512 seek=4096 conv=notrunc 2>/dev/null",
    );
    assert_snapshot!(world.refused(2, &["cat", "x.img", "/data"]), @"error: x.img: data: partitions 1, 2 have this name; say which one by its number");
    assert_snapshot!(world.done(&["ls", "x.img"]), @r"
    1
    2
    3
    ");
    assert!(world.done(&["cat", "x.img", "/2"]).starts_with("one\0"));
    assert_snapshot!(world.refused(3, &["cat", "x.img", "/4"]), @r#"error: x.img: /4: there is no "4" in /"#);
}

#[test]
fn what_nobody_knows() {
    let world = World::new();
    world.write("program", b"\x7fELF\x02\x01\x01\0 and so on");
    world.write("empty", b"");
    world.write("zeros", &[0; 9000]);
    assert_snapshot!(world.refused(3, &["ls", "program"]), @r"
    error: program: is nothing that can be looked into: it begins with 7f 45 4c 46 02 01 01 00 20 61 6e 64 20 73 6f 20, as an ELF program does
    hint: what can be looked into: disks with GPT or MBR, squashfs, ext2 to ext4, FAT16, FAT32, btrfs, erofs, RAUC bundles (plain and verity), boot scripts and environments of U-Boot, programs that UEFI starts, tar archives, and all of these in qcow2, VHD, VHDX, VDI or VMDK, or compressed with zstd, xz, gzip or bzip2
    ");
    let first = |text: String| text.lines().next().unwrap().to_string();
    assert_snapshot!(first(world.refused(3, &["info", "empty"])), @"error: empty: is nothing that can be looked into: it is empty");
    assert_snapshot!(first(world.refused(3, &["ls", "zeros"])), @"error: zeros: is nothing that can be looked into: its first 9000 bytes are zeros");
    shell(&world, "mkfifo pipe");
    assert_snapshot!(world.refused(3, &["ls", "pipe"]), @"error: pipe: is neither a file, a folder nor a block device");
}

#[test]
fn what_is_encrypted_is_named() {
    let world = World::new();
    let mut luks = b"LUKS\xba\xbe\0\x02".to_vec();
    luks.resize(1 << 20, 7);
    world.write("luks.img", &luks);
    assert_snapshot!(world.refused(3, &["ls", "luks.img"]), @"error: luks.img: is encrypted: a LUKS volume; it can be looked into once it is decrypted");
    assert_eq!(super::checked(&world, &["luks.img"]), ["/ luks unknown"]);
    if !installed("rauc") {
        return;
    }
    let Some(world) = built() else { return };
    shell(
        &world,
        "mkdir in; head -c 100000 /dev/urandom >in/a.img; \
         printf '[update]\\ncompatible=x\\nversion=1\\n[bundle]\\nformat=crypt\\n[image.a]\\nfilename=a.img\\n' >in/manifest.raucm; \
         rauc bundle --cert=keys/leaf.pem --key=keys/leaf.key in open.raucb >log 2>&1; \
         rauc encrypt --keyring=keys/root.pem --to=keys/leaf.pem open.raucb crypt.raucb >>log 2>&1",
    );
    // Before it is encrypted for somebody, its files are already.
    for file in ["open.raucb", "crypt.raucb"] {
        assert_eq!(super::checked(&world, &[file]), ["/ crypt-bundle unknown"]);
    }
    assert_snapshot!(world.refused(3, &["ls", "crypt.raucb"]), @"error: crypt.raucb: is encrypted: a RAUC bundle of the format crypt; it can be looked into once it is decrypted");
}

#[test]
fn what_is_cut_off_is_damaged() {
    let Some(world) = built() else { return };
    world.done(&["ext4", "--tree", "out", "--out", "x.ext4"]);
    for (file, keep) in [
        ("out/demo-25.11.img", 20 << 20),
        ("out/rootfs.squashfs", 4096),
        ("out/boot.vfat", 1 << 20),
        ("x.ext4", 1 << 20),
    ] {
        let bytes = fs::read(world.path(file)).unwrap();
        world.write("cut", &bytes[..keep]);
        for verb in ["check", "ls"] {
            let said = world.run(&[verb, "cut"]);
            assert_eq!(
                said.code,
                Some(6),
                "{verb} {file}: {}{}",
                said.stdout,
                said.stderr
            );
            assert_eq!(said.stderr.matches("error: cut: ").count(), 1, "{}", said.stderr);
        }
    }
    // Nothing tells where a bundle should end but its end; the squashfs before it knows how long it is.
    let bytes = fs::read(world.path("out/demo-25.11.raucb")).unwrap();
    world.write("cut", &bytes[..bytes.len() / 2]);
    assert_eq!(world.run(&["check", "cut"]).code, Some(6));
    shell(&world, "gzip -c out/boot.vfat | head -c 3000 >cut");
    assert_eq!(world.run(&["ls", "cut"]).code, Some(6));
}

#[test]
fn a_device_that_may_not_be_read() {
    let world = World::new();
    world.write("closed", b"text");
    fs::set_permissions(world.path("closed"), fs::Permissions::from_mode(0o0)).unwrap();
    let said = world.run(&["ls", "closed"]);
    // Root may read everything.
    if said.stderr.contains("nothing that can be looked into") {
        if !installed("setpriv") {
            return;
        }
        let mut open = world.path(".");
        while open.pop() && open != std::path::Path::new("/tmp") {}
        shell(&world, "chmod 755 .; touch closed");
        let kiln = env!("CARGO_BIN_EXE_kiln");
        let folder = world.path(".");
        let reachable = shell(
            &world,
            &format!(
                "cp {kiln} ./kiln; chmod 755 kiln; cd {}; setpriv --reuid 65534 --clear-groups ./kiln ls closed 2>&1 || echo $?",
                folder.display()
            ),
        );
        assert!(
            reachable.contains("closed: cannot be read: Permission denied"),
            "{reachable}"
        );
        assert!(
            reachable.contains("hint: this user may not read it"),
            "{reachable}"
        );
        assert!(reachable.ends_with("\n3\n"), "{reachable}");
        return;
    }
    assert_eq!(said.code, Some(3));
    assert!(
        said.stderr.contains("hint: this user may not read it"),
        "{}",
        said.stderr
    );
}
