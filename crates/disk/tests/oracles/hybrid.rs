//! What the tools say of our hybrid tables.

use std::fs::File;

use disk::read::{Disk, Table as ReadTable};
use disk::{
    Attributes, Board, Gpt, Mbr, MbrType, Options, PartitionType, Planned, Region, Size, Table, plan,
};
use image::ReadAt;

use crate::oracle::installed;
use crate::{MIB, assert_read_back, options, partition, partitions, run, written};

fn hybrid() -> Options {
    Options {
        table: Table::Hybrid(
            Gpt::default(),
            Mbr {
                signature: Some(0x2178_694e),
            },
        ),
        ..options()
    }
}

fn shown(name: &str, kind: &str, mbr_type: &str, place: Option<u64>, size: u64) -> Region {
    let mut region = partition(name, kind, place, size);
    region.partition.as_mut().unwrap().mbr_type = Some(PartitionType::parse(mbr_type).unwrap());
    region
}

fn first_sector(planned: &Planned) -> [u8; 512] {
    let mut bytes = [0; 512];
    planned.image.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// The MBR has the bytes that sgdisk writes for the same partitions, apart from the signature.
#[test]
fn hybrids_are_those_of_sgdisk() {
    let tool = installed("sgdisk");
    let cases: [(Vec<Region>, &str); 4] = [
        (
            vec![
                shown("firmware", "ntfs", "0x07", None, 30 * MIB),
                partition("root", "root-arm64", None, 64 * MIB),
            ],
            "1:EE",
        ),
        (
            vec![
                partition("esp", "esp", None, 33 * MIB),
                shown("firmware", "ntfs", "0x07", None, 30 * MIB),
                shown("root", "linux", "linux", None, 64 * MIB),
            ],
            "2:3:EE",
        ),
        (
            vec![
                shown("a", "esp", "esp", None, MIB),
                shown("b", "swap", "swap", None, 9 << 30),
                shown("c", "linux", "0x83", None, 20 << 30),
                partition("d", "home", None, MIB),
            ],
            "1:2:3:EE",
        ),
        (
            vec![
                partition("a", "esp", None, 30 << 30),
                shown("b", "linux", "0x83", None, MIB),
            ],
            "2:EE",
        ),
    ];
    for (regions, numbers) in cases {
        let planned = plan(&hybrid(), &regions).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = written(&dir, &planned);
        assert_read_back(&path, &planned);
        if !tool {
            continue;
        }
        let text = run("sgdisk", &["-v"], &path);
        assert!(text.contains("No problems found"), "{text}");
        let ours = first_sector(&planned);
        run("sgdisk", &["--hybrid", numbers], &path);
        let mut theirs = [0; 512];
        ReadAt::read_exact_at(&File::open(&path).unwrap(), &mut theirs, 0).unwrap();
        assert_eq!(ours[444..], theirs[444..], "{numbers}");
        assert_eq!(ours[440..444], 0x2178_694e_u32.to_le_bytes());
        assert_read_back(&path, &planned);
    }
}

/// The tools that know both tables read the GPT; those that know only an MBR find the firmware first.
#[test]
fn a_raspberry_pi_finds_its_firmware() {
    let options = Options {
        board: Board::named("raspberrypi"),
        ..hybrid()
    };
    let mut firmware = shown("firmware", "esp", "fat32", None, 30 * MIB);
    firmware.partition.as_mut().unwrap().attributes = Attributes::BOOTABLE;
    let regions = [firmware, partition("root", "root-arm64", None, 64 * MIB)];
    let planned = plan(&options, &regions).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = written(&dir, &planned);
    assert_read_back(&path, &planned);
    let file = File::open(&path).unwrap();
    let disk = Disk::open(&file, planned.image.size()).unwrap();
    assert!(matches!(&disk.table, ReadTable::Hybrid(_, mbr) if mbr.signature == 0x2178_694e));
    let types = disk.partitions.iter().map(|partition| partition.entry.mbr_type);
    assert_eq!(types.collect::<Vec<_>>(), [Some(MbrType(0x0c)), None]);
    if installed("sfdisk") {
        assert!(run("sfdisk", &["--verify"], &path).contains("No errors detected"));
        let dump = run("sfdisk", &["--dump"], &path);
        assert!(
            dump.contains("label: gpt") && dump.contains("LegacyBIOSBootable"),
            "{dump}"
        );
        let guids = partitions(&planned).filter(|part| {
            let guid = part.partition.unwrap().partuuid.to_string().to_uppercase();
            dump.contains(&guid)
        });
        assert_eq!(guids.count(), 2, "{dump}");
    }
    if installed("fdisk") {
        let text = run(
            "fdisk",
            &["-t", "dos", "-o", "Device,Boot,Start,End,Id", "-l"],
            &path,
        );
        let lines: Vec<Vec<&str>> = text
            .lines()
            .filter(|line| line.contains("disk.img") && !line.starts_with("Disk "))
            .map(|line| line.split_whitespace().skip(1).collect())
            .collect();
        assert_eq!(
            lines,
            [vec!["*", "2048", "63487", "c"], vec!["1", "2047", "ee"]],
            "{text}"
        );
    }
}

/// What the MBR shows must be in its reach, the rest of the disk need not be.
#[test]
fn a_hybrid_can_be_larger_than_an_mbr() {
    let options = Options {
        size: Size::Exactly(5 << 40),
        ..hybrid()
    };
    let regions = [
        shown("firmware", "esp", "fat32", None, 30 * MIB),
        partition("data", "linux", Some(3 << 40), 1 << 40),
    ];
    let planned = plan(&options, &regions).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = written(&dir, &planned);
    assert_read_back(&path, &planned);
    if installed("sgdisk") {
        let text = run("sgdisk", &["-v"], &path);
        assert!(text.contains("No problems found"), "{text}");
    }
}
