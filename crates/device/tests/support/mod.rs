//! A device for tests: two slots, the second of which the first boot makes.

use std::collections::BTreeMap;

use device::{
    By, Chooser, Class, Device, Disk, Keep, Made, Medium, Mount, Partition, Place, Region, Role, Size,
    SlotKind, Status, Version,
};
use disk::PartitionType;

pub(crate) const MIB: u64 = 1 << 20;

fn partition(name: &str, number: u32, kind: &str, size: Size, made: Made) -> Partition {
    Partition {
        name: name.to_owned(),
        number,
        kind: PartitionType::parse(kind).unwrap(),
        size,
        made,
    }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

/// Two slots of 20 and 24 MiB behind loaders, and data.
pub(crate) fn device() -> Device {
    let (boot, rootfs) = (Size::Exactly(20 * MIB), Size::Exactly(24 * MIB));
    let first_boot = Made::FirstBoot(None);
    Device {
        compatible: "kiln-test".to_owned(),
        rauc: Version::DEBIAN_12,
        disk: Disk {
            node: "/dev/vda".to_owned(),
            by: By::Label,
            sector_size: 512,
            size: 61 * MIB,
            regions: vec![
                Region {
                    name: "idbloader".to_owned(),
                    range: 0x8000..0x2_8000,
                },
                Region {
                    name: "uboot-env".to_owned(),
                    range: 0x3f_8000..0x40_0000,
                },
            ],
        },
        partitions: vec![
            partition("boot-a", 1, "xbootldr", boot, Made::Factory(16 * MIB)),
            partition("rootfs-a", 2, "root-arm64", rootfs, Made::Factory(36 * MIB)),
            partition("boot-b", 3, "xbootldr", boot, first_boot.clone()),
            partition("rootfs-b", 4, "root-arm64", rootfs, first_boot.clone()),
            partition("data", 5, "linux", Size::AtLeast(16 * MIB), first_boot),
        ],
        slots: vec![
            Class {
                name: "boot".to_owned(),
                partitions: words(&["boot-a", "boot-b"]),
                kind: SlotKind::Vfat,
                role: Role::Boots(words(&["A", "B"])),
                image_len: Some(20 * MIB),
            },
            Class {
                name: "rootfs".to_owned(),
                partitions: words(&["rootfs-a", "rootfs-b"]),
                kind: SlotKind::Raw,
                role: Role::Follows("boot".to_owned()),
                image_len: Some(3 * MIB),
            },
        ],
        attempts: 3,
        environment: Place {
            medium: Medium::Disk("uboot-env".to_owned()),
            start: 0x3f_8000,
            size: 0x2000,
            second: None,
        },
        chooser: Chooser {
            device_type: "virtio".to_owned(),
            device_number: 0,
            prepare: words(&["virtio scan"]),
            address: "${scriptaddr}".to_owned(),
            script: "/boot.scr".to_owned(),
            root: Some("rootfs".to_owned()),
            keep: Keep::Region,
        },
        keyring: "/etc/rauc/keyring.pem".to_owned(),
        status: Status::Directory("/data/rauc".to_owned()),
        settings: BTreeMap::new(),
        mounts: vec![Mount {
            partition: "data".to_owned(),
            at: "/data".to_owned(),
            format: "ext4".to_owned(),
            options: words(&["noatime"]),
            pass: 2,
        }],
    }
}
