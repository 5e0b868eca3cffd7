//! Files that are called in place of others: `AtomicNix`'s four, and nixpkgs' make-ext4-fs.nix and make-squashfs.nix.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::demo::{demo, kiln};
use crate::nix_world::{gpt, names, world};
use crate::tools::{installed, run, sha256, tool};

/// The SHA-256 of a part of a file.
fn sha256_of(file: &Path, start: u64, len: u64, dir: &Path) -> String {
    let part = dir.join("part");
    run(tool("dd")
        .arg(format!("if={}", file.display()))
        .arg(format!("of={}", part.display()))
        .args(["bs=1MiB", "iflag=skip_bytes,count_bytes", "status=none"])
        .args([format!("skip={start}"), format!("count={len}")]));
    sha256(&part)
}

#[test]
fn the_four_files_of_atomicnix() {
    if !installed(&["unsquashfs", "mkimage", "sfdisk", "mdir", "mcopy", "rauc"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [squashfs, script, image, bundle] = world.built([
        "atomicnix.squashfs",
        "atomicnix.boot-script",
        "atomicnix.image",
        "atomicnix.rauc-bundle",
    ]);
    let toplevel = world.evaluated("t.atomicnix.squashfs.specification.closure.toplevel");
    let toplevel = toplevel.as_str().unwrap();
    let rootfs = squashfs.join("rootfs.squashfs");
    check_root(&rootfs, toplevel);

    assert_eq!(names(&script), ["boot.cmd", "boot.scr"]);
    let commands = fs::read_to_string(script.join("boot.cmd")).unwrap();
    assert!(
        commands.starts_with("echo \"Kiln demo build: 0123456789abcdef\"\n"),
        "{commands}"
    );
    assert!(commands.contains(&format!("init={toplevel}/init")), "{commands}");

    let disk = image.join("atomicnix-25.11.img");
    check_disk(&disk);
    check_bundle(&bundle.join("rock64.raucb"), &disk, &rootfs);
}

/// What the kernel and the first process find.
fn check_root(rootfs: &Path, toplevel: &str) {
    let listing = run(tool("unsquashfs").args(["-lln"]).arg(rootfs));
    for line in [
        format!(" squashfs-root/init -> {toplevel}/init"),
        format!(" squashfs-root/sbin/init -> {toplevel}/init"),
        " squashfs-root/usr/bin".into(),
        " squashfs-root/root".into(),
        format!(" squashfs-root{toplevel}/nixos-version"),
    ] {
        assert!(listing.contains(&format!("{line}\n")), "{line} in {listing}");
    }
    assert!(!listing.contains("nix-path-registration"), "{listing}");
}

/// The factory's image: 1170 MiB, the boot loader where the ROM looks for it, and two partitions.
fn check_disk(disk: &Path) {
    assert_eq!(fs::metadata(disk).unwrap().len(), 1170 << 20);
    assert!(
        fs::metadata(disk).unwrap().blocks() < (1170 << 20) / 512 / 4,
        "it is sparse"
    );
    let (entries, partitions) = gpt(disk, 512);
    assert_eq!(entries, 2);
    let places: Vec<_> = partitions
        .iter()
        .map(|partition| {
            (
                &*partition.name,
                partition.first,
                partition.last,
                &*partition.kind,
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            ("boot-a", 32768, 294_911, "bc13c2ff-59e6-4262-a352-b275fd6f7172"),
            (
                "rootfs-a",
                294_912,
                2_392_063,
                "b921b045-1df0-41c3-af44-4c6f280d3fae"
            ),
        ]
    );
    let dir = tempfile::tempdir().unwrap();
    let loader = demo().join("out/loader");
    for (name, start) in [("idbloader.img", 64 * 512), ("u-boot.itb", 16384 * 512)] {
        let len = fs::metadata(loader.join(name)).unwrap().len();
        assert_eq!(
            sha256_of(disk, start, len, dir.path()),
            sha256(&loader.join(name)),
            "{name}"
        );
    }
    let slot = format!("{}@@16M", disk.display());
    let files = run(tool("mdir").args(["-/", "-b", "-i", &slot, "::"]));
    let mut files: Vec<&str> = files.lines().collect();
    files.sort_unstable();
    assert_eq!(
        files,
        [
            "::/Image",
            "::/boot.scr",
            "::/dtbs/",
            "::/dtbs/rockchip/",
            "::/dtbs/rockchip/rk3328-rock64.dtb",
            "::/initrd"
        ]
    );
}

/// The update brings what the factory has written.
fn check_bundle(bundle: &Path, disk: &Path, rootfs: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let keyring = demo().join("out/keys/ca.pem");
    let info = run(tool("rauc")
        .arg("info")
        .arg("--keyring")
        .arg(&keyring)
        .arg(bundle));
    for line in [
        "Compatible: \t'rock64'",
        "Version:    \t'25.11.20261121.abc'",
        "[boot]",
        "[rootfs]",
    ] {
        assert!(info.contains(line), "{line} in {info}");
    }
    run(kiln()
        .args(["bundle", "verify"])
        .arg(bundle)
        .arg("--keyring")
        .arg(&keyring));
    let unpacked = dir.path().join("bundle");
    run(tool("unsquashfs").arg("-d").arg(&unpacked).arg(bundle));
    assert_eq!(
        sha256(&unpacked.join("boot.vfat")),
        sha256_of(disk, 16 << 20, 128 << 20, dir.path())
    );
    assert_eq!(sha256(&unpacked.join("rootfs.squashfs")), sha256(rootfs));
    let len = fs::metadata(rootfs).unwrap().len();
    assert_eq!(sha256(rootfs), sha256_of(disk, 144 << 20, len, dir.path()));
}

#[test]
fn a_root_larger_than_its_slot_fails_with_numbers() {
    let Some(world) = world() else { return };
    let said = world.failure("atomicnix.too-small");
    assert!(
        said.contains("more than the 65536 of max-size") && said.contains("busybox-static"),
        "{said}"
    );
}

#[test]
fn what_sd_image_calls_for_its_root() {
    if !installed(&["e2fsck", "debugfs", "dumpe2fs", "zstd"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [image, compressed] = world.built(["nixpkgs.ext4", "nixpkgs.ext4-zst"]);
    assert!(image.is_file() && image.to_str().unwrap().ends_with("-ext4-fs.img"));
    assert!(compressed.is_file() && compressed.to_str().unwrap().ends_with("-ext4-fs.img.zst"));
    run(tool("e2fsck").arg("-fn").arg(&image));
    let header = run(tool("dumpe2fs").arg("-h").arg(&image));
    for line in [
        "Filesystem volume name:   NIXOS_SD\n",
        "Filesystem UUID:          14e19a7b-0ae0-484d-9d54-43bd6fdc20c7\n",
    ] {
        assert!(header.contains(line), "{header}");
    }
    let debugfs = |command: &str| run(tool("debugfs").args(["-R", command]).arg(&image));
    assert_eq!(debugfs("cat /boot/menu"), "menu\n");
    assert_eq!(debugfs("cat /run"), "#!/bin/sh\n");
    let of = |path: &str| debugfs(&format!("stat {path}"));
    assert!(of("/run").contains("Mode:  0755") && of("/run").contains("User:     0"));
    assert!(
        of("/link").contains("Fast link dest: \"boot/menu\""),
        "{}",
        of("/link")
    );
    let registration = debugfs("cat /nix-path-registration");
    let paths = registration
        .lines()
        .filter(|line| line.contains("-nixos-system-board-25.11"));
    assert_eq!(paths.count(), 1, "{registration}");

    let dir = tempfile::tempdir().unwrap();
    let unpacked = dir.path().join("image");
    run(tool("zstd")
        .args(["-q", "-d"])
        .arg(&compressed)
        .arg("-o")
        .arg(&unpacked));
    assert_eq!(sha256(&unpacked), sha256(&image));
}

#[test]
fn what_an_iso_calls_for_its_store() {
    if !installed(&["unsquashfs"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [plain, hydra] = world.built(["nixpkgs.squashfs", "nixpkgs.squashfs-hydra"]);
    assert!(plain.is_file() && plain.to_str().unwrap().ends_with("-squashfs.img"));
    let listing = run(tool("unsquashfs").arg("-lln").arg(&plain));
    let coreutils = world.evaluated("t.nixpkgs.squashfs.specification.closure.toplevel");
    let coreutils = coreutils.as_str().unwrap().trim_start_matches("/nix/store");
    for line in [
        format!(" squashfs-root{coreutils}/bin/true"),
        " squashfs-root/nix-path-registration".into(),
        " squashfs-root/var".into(),
        " squashfs-root/current -> /run/current-system".into(),
    ] {
        assert!(listing.contains(&format!("{line}\n")), "{line} in {listing}");
    }
    for (begin, end) in [
        ("drwxrwxrwt 0/7 ", "/var"),
        ("crw-rw-rw- 0/0 ", "/null"),
        ("prw--w---- 5/6 ", "/queue"),
    ] {
        let mut lines = listing.lines();
        let found = lines.any(|line| line.starts_with(begin) && line.ends_with(end));
        assert!(found, "{begin} {end} in {listing}");
    }
    assert!(!listing.contains(" squashfs-root/nix\n"), "{listing}");

    assert_eq!(names(&hydra), ["nix-support", "store.squashfs"]);
    let said = run(tool("unsquashfs").arg("-s").arg(hydra.join("store.squashfs")));
    assert!(said.contains("Compression gzip"), "{said}");
}
