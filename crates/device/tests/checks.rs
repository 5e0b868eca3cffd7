//! What does not fit together, and what is said about it.
#![expect(clippy::unwrap_used, reason = "functions of tests")]

mod support;

use device::{Device, Keep, Made, Medium, Mount, Region, Role, Size, Status, Version};
use disk::PartitionType;
use support::{MIB, device};

/// A change, and what the check says of it.
type Case = (&'static str, fn(&mut Device));

const CASES: &[Case] = &[
    ("compatible", |d| d.compatible = "two\nlines".into()),
    ("compatible is empty", |d| d.compatible.clear()),
    ("no attempts", |d| d.attempts = 0),
    ("ten attempts", |d| d.attempts = 10),
    ("no node", |d| d.disk.node = "mmcblk0".into()),
    ("a file", |d| d.disk.node = "/tmp/disk".into()),
    ("keyring", |d| d.keyring = "keyring.pem".into()),
    ("label is long", |d| d.partitions[4].name = "x".repeat(37)),
    ("label is odd", |d| d.partitions[4].name = "my data".into()),
    ("same name", |d| d.partitions[4].name = "boot-b".into()),
    ("same number", |d| d.partitions[4].number = 4),
    ("numbers in no order", |d| d.partitions.swap(2, 3)),
    ("number left out", |d| d.partitions[4].number = 6),
    ("number zero", |d| d.partitions[0].number = 0),
    ("type of an MBR", |d| {
        d.partitions[4].kind = PartitionType::parse("0x83").unwrap();
    }),
    ("odd size", |d| {
        d.partitions[4].size = Size::AtLeast(16 * MIB + 512);
    }),
    ("B is smaller", |d| d.partitions[2].size = Size::Exactly(19 * MIB)),
    ("B has another type", |d| {
        d.partitions[3].kind = PartitionType::parse("linux").unwrap();
    }),
    ("B grows", |d| d.partitions[2].size = Size::AtLeast(20 * MIB)),
    ("no such partition", |d| {
        d.slots[0].partitions[1] = "boot-c".into();
    }),
    ("a partition twice", |d| {
        d.slots[1].partitions = vec!["boot-a".into(), "boot-b".into()];
    }),
    ("a class twice", |d| d.slots[1].name = "boot".into()),
    ("a dot", |d| d.slots[1].name = "root.fs".into()),
    ("one slot only", |d| {
        d.slots[0].partitions.pop();
        d.slots[0].role = Role::Boots(vec!["A".into()]);
    }),
    ("three followers", |d| d.slots[1].partitions.push("data".into())),
    ("bootname is odd", |d| {
        d.slots[0].role = Role::Boots(vec!["A".into(), "B-2".into()]);
    }),
    ("bootname twice", |d| {
        d.slots[0].role = Role::Boots(vec!["A".into(), "A".into()]);
    }),
    ("nothing boots", |d| {
        d.slots[0].role = Role::Follows("rootfs".into());
    }),
    ("follows nothing", |d| {
        d.slots[1].role = Role::Follows("bot".into());
    }),
    ("image is large", |d| d.slots[1].image_len = Some(24 * MIB + 1)),
    ("environment on a partition", |d| {
        d.disk.regions[1].range = 15 * MIB..17 * MIB;
        d.environment.start = 16 * MIB - 4096;
    }),
    ("environment over a loader", |d| {
        d.disk.regions[1].range = 0..MIB;
        d.environment.start = 0x1_0000;
    }),
    ("environment behind its region", |d| d.environment.size = 0x9000),
    ("environment in no region", |d| {
        d.environment.medium = Medium::Disk("env".into());
    }),
    ("environment between sectors", |d| d.environment.start += 1),
    ("copies overlap", |d| {
        d.chooser.keep = Keep::Saveenv;
        d.environment.second = Some(0x3f_9000);
    }),
    ("counters do not fit", |d| {
        d.environment.medium = Medium::Other {
            node: "/dev/mtd0".into(),
            erase_size: None,
        };
        d.environment.size = 40;
    }),
    ("behind the disk", |d| d.disk.size = 59 * MIB),
    ("loader on a partition", |d| {
        d.disk.regions[0].range.end = 17 * MIB;
    }),
    ("data fits before the slots", |d| {
        d.partitions[4].size = Size::AtLeast(8 * MIB);
    }),
    ("a region behind the slots", |d| {
        d.disk.regions.push(Region {
            name: "logo".into(),
            range: 60 * MIB..60 * MIB + 512,
        });
    }),
    ("the script needs the disk", |d| {
        d.environment.medium = Medium::Other {
            node: "/dev/mtd0".into(),
            erase_size: None,
        };
    }),
    ("the script keeps one copy", |d| {
        d.environment.second = Some(0x3f_a000);
    }),
    ("address is two words", |d| d.chooser.address = "${a} ${b}".into()),
    ("no such root", |d| d.chooser.root = Some("root".into())),
    ("a slot is mounted", |d| {
        d.mounts.push(Mount {
            partition: "boot-a".into(),
            at: "/boot".into(),
            ..d.mounts[0].clone()
        });
    }),
    ("status on the root", |d| {
        d.status = Status::Directory("/var/lib/rauc".into());
    }),
    ("status beside the mount", |d| {
        d.status = Status::File("/database/rauc".into());
    }),
    ("per-slot status", |d| d.status = Status::File("per-slot".into())),
    ("old RAUC", |d| d.rauc = Version { major: 1, minor: 7 }),
    ("older RAUC", |d| d.rauc = Version { major: 1, minor: 5 }),
    ("new setting", |d| {
        set(d, "system", "prevent-late-fallback", "true");
    }),
    ("no setting", |d| set(d, "system", "bootname", "A")),
    ("derived setting", |d| set(d, "system", "compatible", "other")),
    ("setting of two lines", |d| {
        set(d, "handlers", "post-install", "/a\n[slot.x.0]");
    }),
];

fn set(device: &mut Device, section: &str, key: &str, value: &str) {
    let section = device.settings.entry(section.into()).or_default();
    section.insert(key.into(), value.into());
}

#[test]
fn contradictions_are_told_with_both_places() {
    assert_eq!(device().check(), Ok(()));
    let told = CASES.iter().map(|(name, change)| {
        let mut device = device();
        change(&mut device);
        match device.check() {
            Ok(()) => panic!("{name}: nothing is told"),
            Err(error) => format!("{name}\n    {error}"),
        }
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"));
}

#[test]
fn what_fits_is_fine() {
    let mut fine = device();
    // A slot may be mounted by hand.
    let mount = Mount {
        partition: "boot-a".into(),
        at: "/boot".into(),
        ..fine.mounts[0].clone()
    };
    fine.mounts.push(Mount {
        options: vec!["noauto".into()],
        ..mount
    });
    assert_eq!(fine.check(), Ok(()));
    // All slots may come from the factory, and then nothing fits anywhere.
    let mut start = 16 * MIB;
    for partition in &mut fine.partitions {
        partition.made = Made::Factory(start);
        start += partition.size.min();
    }
    fine.disk.size = start;
    fine.partitions[4].size = Size::AtLeast(4096);
    assert_eq!(fine.check(), Ok(()));
    let version: Version = "1.15.2".parse().unwrap();
    assert_eq!(version, Version { major: 1, minor: 15 });
    for text in ["", "1", "1.", "1.x", "1.8.y", "v1.8"] {
        assert!(text.parse::<Version>().is_err(), "{text}");
    }
}
