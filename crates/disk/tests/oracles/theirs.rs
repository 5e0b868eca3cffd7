//! What we say of the tools' disks.

use std::fs::File;
use std::process::Command;

use disk::read::{Disk, Problem, Table};
use disk::{Attributes, MbrType, PartitionType, SectorSize, TypeId};
use image::Content;

use crate::mbr::made_by_sfdisk;
use crate::oracle::installed;
use crate::{MIB, run};

fn id(name: &str) -> TypeId {
    TypeId::Guid(PartitionType::parse(name).unwrap().guid().unwrap())
}

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
    assert_eq!(disk.id().to_string(), "7d9d2b2e-6c1f-4a55-9d36-6a6e2a0b1c01");
    assert_eq!(disk.partitions.len(), 2);
    let boot = disk.partition(3).unwrap();
    assert_eq!((boot.name.as_str(), boot.start, boot.end), ("böot", MIB, 3 * MIB));
    assert_eq!(boot.entry.kind, id("esp"));
    assert_eq!(
        boot.entry.partuuid.to_string(),
        "7d9d2b2e-6c1f-4a55-9d36-6a6e2a0b1c0a"
    );
    assert_eq!(boot.entry.attributes, Attributes::named("read-only").unwrap());
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
    assert_eq!(disk.gpt().unwrap().entries.start, 1000 * 512);
    let root = disk.partition_named("root").unwrap();
    assert_eq!((root.entry.number, root.start, root.size()), (5, MIB, 4 * MIB));
    assert_eq!(root.entry.kind, id("root-arm64"));

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

/// Our reader on an MBR that sfdisk made: numbers in another order than places, logical partitions, and none.
#[test]
fn mbrs_of_sfdisk_are_read() {
    if !installed("sfdisk") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("theirs.img");
    let script = "label: dos\nlabel-id: 0x00c0ffee\n\n\
        1 : start=16384, size=8192, type=b\n\
        2 : start=2048, size=8192, type=83, bootable\n\
        4 : start=24576, size=81920, type=5\n\
        5 : size=6144, type=82\n\
        6 : size=100, type=83\n\
        7 : size=6144, type=ef, bootable\n";
    let file = made_by_sfdisk(&path, 64 * MIB, script);
    let disk = Disk::open(&file, 64 * MIB).unwrap();
    assert_eq!(disk.problems, []);
    assert_eq!(disk.id().to_string(), "00c0ffee");
    let found: Vec<String> = disk
        .partitions
        .iter()
        .map(|part| format!("{} at {}, {} bytes", part.entry, part.start / 512, part.size()))
        .collect();
    insta::assert_snapshot!(found.join("\n"), @r"
    number 1, 0x0b, PARTUUID 00c0ffee-01 at 16384, 4194304 bytes
    number 2, linux, bootable, PARTUUID 00c0ffee-02 at 2048, 4194304 bytes
    number 5, swap, PARTUUID 00c0ffee-05 at 26624, 3145728 bytes
    number 6, linux, PARTUUID 00c0ffee-06 at 34816, 51200 bytes
    number 7, esp, bootable, PARTUUID 00c0ffee-07 at 38912, 3145728 bytes
    ");
    let dump = run("sfdisk", &["--dump"], &path);
    for part in &disk.partitions {
        let device = format!("theirs.img{} : start={:>12}", part.entry.number, part.start / 512);
        assert!(dump.contains(&device), "{device} is not in {dump}");
    }

    let empty = "label: dos\n\n1 : size=4M, type=b\n2 : size=40M, type=f\n";
    let file = made_by_sfdisk(&path, 64 * MIB, empty);
    let disk = Disk::open(&file, 64 * MIB).unwrap();
    assert_eq!((disk.partitions.len(), &disk.problems[..]), (1, &[][..]));

    let none = made_by_sfdisk(&path, 64 * MIB, "label: dos\n");
    let disk = Disk::open(&none, 64 * MIB).unwrap();
    assert_eq!((disk.partitions.len(), &disk.problems[..]), (0, &[][..]));
}

/// Our reader on an MBR of 4096-byte sectors that fdisk made.
#[test]
fn mbrs_of_fdisk_are_read() {
    if !installed("fdisk") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("theirs.img");
    File::create_new(&path).unwrap().set_len(64 * MIB).unwrap();
    let keys = dir.path().join("keys");
    std::fs::write(&keys, "o\nn\np\n1\n\n+4M\nn\ne\n2\n\n\nn\n\n+2M\nn\n\n+3M\nw\n").unwrap();
    let made = Command::new("fdisk")
        .args(["-b", "4096"])
        .arg(&path)
        .stdin(File::open(&keys).unwrap())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let file = File::open(&path).unwrap();
    let disk = Disk::open_with_sectors(&file, 64 * MIB, SectorSize::B4096).unwrap();
    assert_eq!(disk.problems, []);
    let found: Vec<_> = disk
        .partitions
        .iter()
        .map(|part| (part.entry.number, part.start / 4096, part.size() / 4096))
        .collect();
    assert_eq!(found, [(1, 256, 1024), (5, 1536, 512), (6, 2304, 768)]);
}

/// Our reader on hybrids that sgdisk made, with the record of the GPT first or last.
#[test]
fn hybrids_of_sgdisk_are_read() {
    if !installed("sgdisk") {
        return;
    }
    for (numbers, types) in [
        ("1", [Some(0x0c), None, None]),
        ("1:EE", [Some(0x0c), None, None]),
        ("3:2", [None, Some(0x83), Some(0x82)]),
        ("1:2:3", [Some(0x0c), Some(0x83), Some(0x82)]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("theirs.img");
        File::create_new(&path).unwrap().set_len(64 * MIB).unwrap();
        let new = [
            "-o",
            "-n",
            "1:2048:+4M",
            "-t",
            "1:0c01",
            "-n",
            "2:0:+8M",
            "-n",
            "3:0:+1M",
            "-t",
            "3:8200",
        ];
        run("sgdisk", &new, &path);
        run("sgdisk", &["--hybrid", numbers], &path);
        let file = File::open(&path).unwrap();
        let disk = Disk::open(&file, 64 * MIB).unwrap();
        assert_eq!(disk.problems, []);
        assert!(matches!(disk.table, Table::Hybrid(..)));
        let found: Vec<_> = disk.partitions.iter().map(|part| part.entry.mbr_type).collect();
        assert_eq!(found, types.map(|kind| kind.map(MbrType)), "{numbers}");
    }
}
