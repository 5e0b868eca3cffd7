//! What we say of the tools' disks.

use std::fs::File;
use std::process::Command;

use disk::read::{Disk, Problem};
use disk::{Attributes, type_guid};
use image::Content;

use crate::{MIB, installed, run};

/// Our reader on a disk that sfdisk made.
#[test]
fn disks_of_sfdisk_are_read() {
    if !installed("sfdisk") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("theirs.img");
    File::create(&path).unwrap().set_len(64 * MIB).unwrap();
    let script = "label: gpt\nlabel-id: 7D9D2B2E-6C1F-4A55-9D36-6A6E2A0B1C01\nfirst-lba: 34\n\
        3 : start=2048, size=4096, type=uefi, name=\"böot\", uuid=7D9D2B2E-6C1F-4A55-9D36-6A6E2A0B1C0A, attrs=\"GUID:60\"\n\
        1 : start=8192, size=1, type=linux\n";
    let text = dir.path().join("script");
    std::fs::write(&text, script).unwrap();
    let made = Command::new("sfdisk")
        .arg(&path)
        .stdin(File::open(&text).unwrap())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let file = File::open(&path).unwrap();
    let disk = Disk::open(&file, 64 * MIB).unwrap();
    assert_eq!(disk.problems, []);
    assert_eq!(disk.disk_guid.to_string(), "7d9d2b2e-6c1f-4a55-9d36-6a6e2a0b1c01");
    assert_eq!(disk.partitions.len(), 2);
    let boot = disk.partition(3).unwrap();
    assert_eq!((boot.name.as_str(), boot.start, boot.end), ("böot", MIB, 3 * MIB));
    assert_eq!(boot.type_guid, type_guid("esp").unwrap());
    assert_eq!(boot.guid.to_string(), "7d9d2b2e-6c1f-4a55-9d36-6a6e2a0b1c0a");
    assert_eq!(boot.attributes, Attributes::named("read-only").unwrap());
    assert_eq!(disk.partition(1).unwrap().size(), 512);
}

/// Our reader on a disk that sgdisk made: moved entries, and then a lost copy.
#[test]
fn disks_of_sgdisk_are_read() {
    if !installed("sgdisk") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("theirs.img");
    let file = File::create_new(&path).unwrap();
    file.set_len(64 * MIB).unwrap();
    run(
        "sgdisk",
        &[
            "-o",
            "-j",
            "1000",
            "-n",
            "5:2048:+4M",
            "-t",
            "5:8305",
            "-c",
            "5:root",
        ],
        &path,
    );
    let file = File::open(&path).unwrap();
    let disk = Disk::open(&file, 64 * MIB).unwrap();
    assert_eq!(disk.problems, []);
    assert_eq!(disk.entries.start, 1000 * 512);
    let root = disk.partition_named("root").unwrap();
    assert_eq!((root.number, root.start, root.size()), (5, MIB, 4 * MIB));
    assert_eq!(root.type_guid, type_guid("root-arm64").unwrap());

    // sgdisk, too, reads what is left when the first header is gone.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[512..1024].fill(0);
    let disk = Disk::open(&Content::from(bytes), 64 * MIB).unwrap();
    assert_eq!(
        disk.problems,
        [Problem::PrimaryDamaged("its header is missing".into())]
    );
    assert_eq!(disk.partitions[0], *root);
}
