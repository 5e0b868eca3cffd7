//! What a made-up system says of its disks.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use flash::{Device, Host, MARK};
use tempfile::TempDir;

/// A folder with `sys`, `proc` and `dev`.
struct System(TempDir);

impl System {
    fn new() -> System {
        let system = System(tempfile::tempdir().unwrap());
        system.write("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n");
        system.write("proc/self/mountinfo", "");
        fs::create_dir_all(system.0.path().join("sys/class/block")).unwrap();
        system
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A block device in a folder of `sys/devices`, with these files.
    fn node(&self, folder: &str, number: &str, files: &[(&str, &str)]) {
        let name = folder.rsplit('/').next().unwrap();
        let place = format!("sys/devices/{folder}");
        self.write(&format!("{place}/dev"), &format!("{number}\n"));
        fs::create_dir_all(self.0.path().join(&place).join("holders")).unwrap();
        for (file, text) in files {
            self.write(&format!("{place}/{file}"), &format!("{text}\n"));
        }
        let link = self.0.path().join("sys/class/block").join(name);
        symlink(format!("../../devices/{folder}"), link).unwrap();
    }

    /// One is made of another, which lies in a folder of `sys/devices`.
    fn hold(&self, folder: &str, by: &str) {
        let holders = self.0.path().join("sys/devices").join(folder).join("holders");
        symlink(format!("../../../../virtual/block/{by}"), holders.join(by)).unwrap();
    }

    fn mount(&self, lines: &[&str]) {
        self.write("proc/self/mountinfo", &(lines.join("\n") + "\n"));
    }

    fn devices(&self) -> Vec<Device> {
        Host::at(self.0.path()).devices().unwrap()
    }

    /// What speaks against one.
    fn refused(&self, path: &str) -> Option<String> {
        let devices = self.devices();
        let device = devices.iter().find(|device| device.path == Path::new(path));
        device.unwrap().obstacle.as_ref().map(ToString::to_string)
    }
}

const USB: &str = "pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:0/block/sdb";
const NVME: &str = "pci0000:00/0000:02:00.0/nvme/nvme0/nvme0n1";
const CARD: &str = "platform/fe320000.mmc/mmc_host/mmc1/mmc1:aaaa/block/mmcblk1";

/// A laptop: a disk with the system in an encrypted volume group, a stick, and a card.
fn laptop() -> System {
    let system = System::new();
    system.node(
        NVME,
        "259:0",
        &[
            ("size", "1000215216"),
            ("device/model", "Samsung SSD 980 "),
            ("device/serial", "S64D"),
            ("removable", "0"),
            ("ro", "0"),
        ],
    );
    system.node(
        &format!("{NVME}/nvme0n1p1"),
        "259:1",
        &[("partition", "1"), ("size", "2048")],
    );
    system.node(
        &format!("{NVME}/nvme0n1p2"),
        "259:2",
        &[("partition", "2"), ("size", "900000")],
    );
    system.node(
        "virtual/block/dm-0",
        "254:0",
        &[
            ("size", "900000"),
            ("dm/name", "cryptroot"),
            ("dm/uuid", "CRYPT-LUKS2-1"),
        ],
    );
    system.node(
        "virtual/block/dm-1",
        "254:1",
        &[("size", "900000"), ("dm/name", "vg-root"), ("dm/uuid", "LVM-1")],
    );
    system.hold(&format!("{NVME}/nvme0n1p2"), "dm-0");
    system.hold("virtual/block/dm-0", "dm-1");
    removable(&system);
    // Of these, nobody flashes any, or they have no bytes.
    system.node("virtual/block/loop0", "7:0", &[("size", "0")]);
    system.node("virtual/block/zram0", "252:0", &[("size", "1000")]);
    system.node(
        "virtual/block/md0",
        "9:0",
        &[("size", "1000"), ("md/level", "raid1")],
    );
    system.mount(&[
        "22 1 0:20 / /proc rw - proc proc rw",
        "24 1 254:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw",
        "25 24 259:1 / /boot rw - vfat /dev/nvme0n1p1 rw",
    ]);
    system
}

/// A stick and a card.
fn removable(system: &System) {
    system.node(
        USB,
        "8:16",
        &[
            ("size", "61079552"),
            ("removable", "1"),
            ("ro", "0"),
            ("device/vendor", "SanDisk "),
            ("device/model", "Ultra Fit       "),
        ],
    );
    system.write(
        "sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/serial",
        "4C530001\n",
    );
    system.write("sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/idVendor", "0781\n");
    system.node(
        &format!("{USB}/sdb1"),
        "8:17",
        &[("partition", "1"), ("size", "2048")],
    );
    system.node(
        CARD,
        "179:0",
        &[
            ("size", "62333952"),
            ("removable", "0"),
            ("ro", "0"),
            ("device/name", "SD32G"),
            ("device/serial", "0x1234abcd"),
            ("device/type", "SD"),
        ],
    );
}

#[test]
fn disks_are_described() {
    let system = laptop();
    let said: Vec<String> = system
        .devices()
        .iter()
        .map(|device| {
            let (path, bus) = (device.path.display(), device.bus.unwrap_or("-"));
            let (size, removable, partitions) = (device.size, device.removable, device.partitions.join(" "));
            format!(
                "{path} {size} {bus} {removable} {} [{partitions}]",
                device.title()
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            "/dev/mmcblk1 31914983424 mmc true SD32G, serial 0x1234abcd []",
            "/dev/nvme0n1 512110190592 nvme false Samsung SSD 980, serial S64D [nvme0n1p1 nvme0n1p2]",
            "/dev/sdb 31272730624 usb true SanDisk Ultra Fit, serial 4C530001 [sdb1]",
        ]
    );
}

#[test]
fn what_is_in_use_is_refused() {
    let system = laptop();
    // Through encryption and a logical volume.
    assert_eq!(
        system.refused("/dev/nvme0n1").unwrap(),
        "the running system is on it: mapper/vg-root is mounted at /"
    );
    assert_eq!(system.refused("/dev/sdb"), None);
    assert_eq!(system.refused("/dev/mmcblk1"), None);

    system.mount(&[
        r"30 1 8:17 / /media/my\040stick rw - vfat /dev/sdb1 rw",
        "31 1 8:17 /sub /srv rw - vfat /dev/sdb1 rw",
        // A btrfs has a number of its own.
        "32 1 0:50 / /mnt rw - btrfs /dev/mmcblk1 rw",
    ]);
    assert_eq!(
        system.refused("/dev/sdb").unwrap(),
        "sdb1 is mounted at /media/my stick, and something of it at 1 more places"
    );
    assert_eq!(
        system.refused("/dev/mmcblk1").unwrap(),
        "mmcblk1 is mounted at /mnt"
    );
    assert_eq!(
        system.refused("/dev/nvme0n1").unwrap(),
        "nvme0n1p2 is part of cryptroot (encryption)"
    );

    system.mount(&[]);
    system.write(
        "proc/swaps",
        "Filename Type Size Used Priority\n/dev/sdb1 partition 1 0 -2\n/dev/mapper/vg-root partition 1 0 -2\n",
    );
    assert_eq!(system.refused("/dev/sdb").unwrap(), "sdb1 is swap that is in use");
    assert_eq!(
        system.refused("/dev/nvme0n1").unwrap(),
        "mapper/vg-root is swap that is in use"
    );

    system.write("proc/swaps", "Filename Type Size Used Priority\n");
    system.hold(USB, "md0");
    assert_eq!(system.refused("/dev/sdb").unwrap(), "sdb is part of md0 (raid1)");
    system.write(&format!("sys/devices/{CARD}/ro"), "1\n");
    assert_eq!(system.refused("/dev/mmcblk1").unwrap(), "it is write-protected");
}

#[test]
fn a_device_that_was_left_partly_written_says_so() {
    let system = laptop();
    system.write("dev/sdb", &(String::from_utf8_lossy(MARK) + "\0\0"));
    system.write("dev/mmcblk1", "something else");
    let marked: Vec<bool> = system
        .devices()
        .iter()
        .map(|device| device.is_partly_written)
        .collect();
    assert_eq!(marked, [false, false, true]);
}

#[test]
fn a_system_that_says_nothing_is_an_error() {
    let system = laptop();
    fs::remove_file(system.0.path().join("proc/self/mountinfo")).unwrap();
    let error = Host::at(system.0.path()).devices().unwrap_err();
    assert!(error.to_string().contains("mountinfo: cannot be read"), "{error}");
    // A kernel can be without swap, and a device can go between two looks.
    let system = laptop();
    fs::remove_file(system.0.path().join("proc/swaps")).unwrap();
    fs::remove_file(system.0.path().join("sys/devices").join(USB).join("dev")).unwrap();
    assert_eq!(system.devices().len(), 2);
}

/// A partition has bytes of its disk, and none of another partition; a volume has those of what it is made of.
#[test]
fn what_has_bytes_in_common() {
    let system = laptop();
    let array = "platform/block/cciss!c0d1";
    system.node(array, "104:16", &[("size", "4096")]);
    system.node(&format!("{array}/cciss!c0d1p1"), "104:17", &[("partition", "1")]);
    let host = Host::at(system.0.path());
    let device = |name: &str| Device {
        path: Path::new("/dev").join(name),
        ..system.devices().remove(0)
    };
    for (one, other) in [
        ("nvme0n1", "nvme0n1"),
        ("nvme0n1p1", "nvme0n1"),
        ("nvme0n1p2", "nvme0n1"),
        ("dm-1", "nvme0n1"),
        ("dm-1", "nvme0n1p2"),
        ("cciss/c0d1p1", "cciss/c0d1"),
    ] {
        let (one, other) = (device(one), device(other));
        assert!(host.overlaps(&one, &other).unwrap(), "{one:?} {other:?}");
        assert!(host.overlaps(&other, &one).unwrap(), "{one:?} {other:?}");
    }
    for (one, other) in [
        ("nvme0n1p1", "nvme0n1p2"),
        ("dm-1", "nvme0n1p1"),
        ("sdb", "nvme0n1"),
        ("cciss/c0d1p1", "nvme0n1"),
    ] {
        let (one, other) = (device(one), device(other));
        assert!(!host.overlaps(&one, &other).unwrap(), "{one:?} {other:?}");
        assert!(!host.overlaps(&other, &one).unwrap(), "{one:?} {other:?}");
    }
}

/// The bytes of a loop device, and of its partitions, are those of a file.
#[test]
fn what_is_on_a_file() {
    let system = System::new();
    system.write("image", "bytes");
    system.write("other", "bytes");
    let file = system.0.path().join("image");
    let backing = ("loop/backing_file", file.to_str().unwrap());
    system.node("virtual/block/loop0", "7:0", &[("size", "8"), backing]);
    system.node("virtual/block/loop0/loop0p1", "259:9", &[("partition", "1")]);
    system.node("virtual/block/loop1", "7:1", &[("size", "8")]);
    let host = Host::at(system.0.path());
    let is_on = |name: &str, file: &str| {
        let device = Device {
            path: Path::new("/dev").join(name),
            ..system.devices().remove(0)
        };
        host.is_on_file(&device, &system.0.path().join(file)).unwrap()
    };
    assert!(is_on("loop0", "image") && is_on("loop0p1", "image"));
    assert!(!is_on("loop0", "other") && !is_on("loop1", "image") && !is_on("loop0", "none"));
}
