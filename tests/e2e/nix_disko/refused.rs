//! What disko can say and Kiln does not do: each is an error that names the key.

use crate::nix_world::world;

const ROOT: &str = "disko.devices.disk.main.content.partitions.root";

/// What is refused, and words of what is said; `@` stands for the only partition.
const REFUSED: [(&str, &str); 50] = [
    ("luks", "@.content: type = \"luks\": an image would hold its key"),
    ("lvm", "@.content: type = \"lvm_pv\": Kiln makes no LVM"),
    ("zfs", "@.content: type = \"zfs\": Kiln makes no ZFS"),
    ("mdraid", "@.content: type = \"mdraid\": Kiln makes no RAID"),
    (
        "bcache",
        "@.content: type = \"bcache_backing\": Kiln makes no bcache",
    ),
    (
        "bcachefs",
        "@.content: type = \"bcachefs\": Kiln makes no bcachefs",
    ),
    (
        "table-inside",
        "@.content: type = \"gpt\": Kiln makes no table in a partition",
    ),
    (
        "typo",
        "@.content: type = \"filesytem\": Kiln knows btrfs filesystem swap",
    ),
    (
        "zpool",
        "disko.devices.zpool.zroot: Kiln makes neither LVM, RAID, ZFS nor bcachefs",
    ),
    ("lvm-vg", "disko.devices.lvm_vg.pool: Kiln makes neither"),
    ("mdadm", "disko.devices.mdadm.raid1: Kiln makes neither"),
    (
        "legacy",
        "disko.devices.disk.vdb.content: type = \"table\": Kiln makes disks of the type gpt; \"table\" is gone",
    ),
    (
        "bare",
        "disko.devices.disk.vdb.content: type = \"filesystem\": Kiln makes disks of the type gpt",
    ),
    (
        "two",
        "disko.devices.disk: an image is of one disk, and there are 2 main other: say disk = NAME",
    ),
    (
        "none",
        "disko.devices.disk: an image is of one disk, and there are 0",
    ),
    (
        "unknown-disk",
        "disko.devices.disk: there is no vdb; there are main",
    ),
    (
        "no-partitions",
        "disko.devices.disk.main.content.partitions: there are none",
    ),
    ("xfs", "@.content: format = \"xfs\": Kiln makes btrfs ext4 vfat"),
    (
        "key",
        "@.content: mountPoint: Kiln does not know what to do with it",
    ),
    ("hook", "@.content: postCreateHook: commands run on a disk"),
    ("partition-key", "@: sise: Kiln does not know what to do with it"),
    ("hybrid", "@: hybrid: not lowered; say disk.table = \"hybrid\""),
    ("type", "@: type = A505: Kiln knows of sgdisk's codes"),
    ("attribute", "@: attributes: bit 7 has no meaning"),
    ("no-size", "@: it has neither size nor end: say size = \"100%\""),
    ("size", "@: end = +1.5G: must be a place such as 512M"),
    ("start", "@: start = 1.5M: must be a whole number of sectors"),
    (
        "too-small",
        "@: it ends at byte 3222274048, behind those of a disk of 2147483648",
    ),
    (
        "backwards",
        "@: it ends at byte 10486272, and begins at byte 20971520",
    ),
    (
        "image-size",
        "disko.devices.disk.main: imageSize = 2 GiB: must be a whole number",
    ),
    (
        "auto-end",
        "disko.devices.disk.main.content.partitions.nix: end = -10M counts from the disk's end",
    ),
    (
        "auto-middle",
        "disko.devices.disk.main.content.partitions.home: it follows a partition whose size is not known",
    ),
    (
        "auto-empty",
        "@: it has no size and no content that would tell one",
    ),
    (
        "swap-file",
        "@.content: swap: Linux swaps to no file that an image brings",
    ),
    (
        "swap-file-old",
        "@.content: subvolumes.\"/swap\": swap: Linux swaps to no file",
    ),
    (
        "subvolume-arguments",
        "@.content: subvolumes.\"/x\": extraArgs: Kiln makes no quota groups",
    ),
    (
        "subvolume-root",
        "@.content: subvolumes.\"/\": is the file system itself",
    ),
    ("argument", "@.content: extraArgs: -O: not known of ext4"),
    ("argument-value", "@.content: extraArgs: -L has no value"),
    (
        "argument-only",
        "@.content: extraArgs: -b 1024: Kiln has -b 4096 alone",
    ),
    (
        "store-on-mount",
        "disko.devices.disk.main: nothing that is mounted of this disk has /nix/var/nix/db",
    ),
    (
        "no-root",
        "disko.devices.disk.main: nothing that is mounted of this disk has /nix/store",
    ),
    (
        "no-boot",
        "disko.devices.disk.main: nothing that is mounted of this disk has /boot/x",
    ),
    (
        "keys",
        "disko.devices.disk.main: keys for rot: there is no such file system",
    ),
    (
        "other-root",
        "the system would mount something else: fileSystems of /;",
    ),
    (
        "other-option",
        "the system would mount something else: fileSystems of /boot;",
    ),
    (
        "unmounted",
        "the system would mount something else: fileSystems of /boot;",
    ),
    (
        "grub",
        "disko.devices.disk.main.content.partitions: GRUB has no place on this disk: say a partition",
    ),
    (
        "no-disko",
        "kiln.disko: there are no disko.devices; import disko.nixosModules.disko",
    ),
    (
        "database",
        "the store's database would lie at /rootfs/nix/var/nix/db",
    ),
];

#[test]
fn what_is_not_made_is_an_error_that_names_the_key() {
    let Some(world) = world() else { return };
    let names = world.evaluated("builtins.attrNames t.disko.refused");
    let mut known: Vec<&str> = REFUSED.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(names, serde_json::json!(known));
    for (name, words) in REFUSED {
        let said = world.refused(&format!("t.disko.refused.{name}"));
        assert!(said.contains(&words.replace('@', ROOT)), "{name}: {said}");
    }
}
