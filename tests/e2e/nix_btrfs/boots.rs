//! A card whose root is a btrfs with subvolumes boots, and grows at its first boot.

use std::fs;

use super::{Btrfs, second};
use crate::btrfs::initrd;
use crate::demo::{is_made, target};
use crate::nix_image_boots::{boot, built, number, says};
use crate::nix_world::world;
use crate::tools::installed;

/// `sdImage` with `kiln.rootFormat = "btrfs"`, for arm64, made on this machine out of a binary cache.
#[test]
fn a_card_boots_from_subvolumes_and_grows() {
    let tools = [
        "qemu-system-aarch64",
        "/usr/lib/u-boot/qemu_arm64/u-boot.bin",
        "nginx",
        "btrfs",
        "partx",
    ];
    if !cfg!(target_arch = "x86_64") || !is_made() || !installed(&tools) {
        return;
    }
    let Some(world) = world() else { return };
    let dir = tempfile::tempdir_in(target()).unwrap();
    fs::write(dir.path().join("initrd"), initrd()).unwrap();
    let made = built(&world, "btrfs-card", dir.path());
    let image = made.join("sd-image/board.img");
    let root = Btrfs::checked(&image, Some(second(&image)));
    assert_eq!(root.subvolumes(), ["home", "nix"]);

    let (log, disk) = (dir.path().join("log"), dir.path().join("disk"));
    let more = ["--disk-size", "4G", "--keep", disk.to_str().unwrap()];
    let console = boot(&image, &log, &more);
    for wanted in [
        "STAGE1 root=LABEL=NIXOS_SD device=/dev/vda2 type=btrfs",
        "the root grows to the size of /dev/vda",
        "PROFILE /nix/store/",
        "NIXOS is there",
        "ROOT /dev/vda2 / btrfs rw,",
        "DEVICES 3",
        "WRITTEN",
    ] {
        assert!(says(&console, wanted), "{wanted:?} is not in {console:#?}");
    }
    let mounted = console.iter().find(|line| line.starts_with("ROOT ")).unwrap();
    assert!(mounted.contains("compress=zstd:3"), "{mounted}");
    assert!(!says(&console, "REGISTRATION is there"), "{console:#?}");
    let (before, after) = (number(&console, "BEFORE "), number(&console, "AFTER "));
    assert!(before < 1 << 20 && after > 3 << 20, "{before} to {after} KiB");

    // What the system leaves is whole, as large as the card, and what it wrote is compressed.
    let (start, len) = second(&disk);
    let left = Btrfs::checked(&disk, Some((start, len)));
    assert_eq!(left.superblock("total_bytes").parse::<u64>().unwrap(), len);
    assert_eq!(left.subvolumes(), ["home", "nix"]);
}
