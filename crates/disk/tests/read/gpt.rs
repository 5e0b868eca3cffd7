//! GPTs.

use std::sync::Arc;

use disk::read::{Disk, Problem};
use disk::{
    Attributes, Error, Gpt, Kind, Options, Partition, PartitionType, Planned, Region, SectorSize, Table, plan,
};
use image::{Content, ReadAt, Seed};
use proptest::prelude::*;
use uuid::Uuid;

use crate::{MIB, bytes, open, region};

/// A small disk: three partitions, two of them side by side.
fn small(sector_size: SectorSize) -> Planned {
    let options = Options {
        sector_size,
        align: 4096,
        ..Options::new(Seed::new(b"small"))
    };
    let linux = Partition::new(PartitionType::parse("linux").unwrap());
    let names = ["boot", "root", "data"];
    plan(
        &options,
        &names.map(|name| region(name, 8, linux.clone(), sector_size)),
    )
    .unwrap()
}

fn assert_same(planned: &Planned, disk: &Disk) {
    assert_eq!(disk.sector_size, planned.sector_size);
    assert_eq!(Some(disk.id()), planned.id);
    let mut ours: Vec<_> = planned
        .map
        .iter()
        .filter(|entry| entry.kind == Kind::Partition)
        .collect();
    ours.sort_by_key(|entry| entry.partition.unwrap().number);
    assert_eq!(disk.partitions.len(), ours.len());
    for (read, entry) in disk.partitions.iter().zip(ours) {
        let partition = entry.partition.unwrap();
        assert_eq!(
            (&read.name, read.start, read.end, read.entry),
            (&entry.name, entry.start, entry.end, partition)
        );
    }
}

prop_compose! {
    fn any_partition()(
        name in "\\PC{1,18}",
        sectors in 1_u64..5000,
        type_guid in 1_u128..,
        guid in proptest::option::of(1_u128..),
        attributes: u64,
    ) -> (String, u64, Partition) {
        let mut partition = Partition::new(PartitionType::Guid(Uuid::from_u128(type_guid)));
        partition.guid = guid.map(Uuid::from_u128);
        partition.attributes = Attributes(attributes);
        (name, sectors, partition)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn what_was_planned_comes_back(
        parts in proptest::collection::vec(any_partition(), 0..12),
        sector_size in prop_oneof![Just(SectorSize::B512), Just(SectorSize::B4096)],
        entries in 12_u32..200,
        hole in 0_u64..100,
    ) {
        let gpt = Gpt { entries, header_hole: hole * sector_size.bytes(), disk_guid: None };
        let options = Options {
            table: Table::Gpt(gpt),
            sector_size,
            align: 4096,
            ..Options::new(Seed::new(b"proptest"))
        };
        let regions: Vec<Region> = parts
            .into_iter()
            .enumerate()
            .map(|(index, (name, sectors, mut partition))| {
                // Different names and numbers, in another order than the places.
                partition.number = Some(12 - u32::try_from(index).unwrap());
                let name: String = name.chars().take(15).collect();
                region(&format!("{index} {name}"), sectors, partition, sector_size)
            })
            .collect();
        let planned = plan(&options, &regions).unwrap();
        let disk = Disk::open(&planned.image, planned.image.size()).unwrap();
        prop_assert_eq!(&disk.problems, &[]);
        assert_same(&planned, &disk);
        let source: Arc<dyn ReadAt> = Arc::new(planned.image.clone());
        for region in &regions {
            let content = disk.partition_named(&region.name).unwrap().content(source.clone());
            let mut start = vec![0; region.name.len().min(usize::try_from(content.len()).unwrap())];
            content.read_exact_at(&mut start, 0).unwrap();
            prop_assert_eq!(&start[..], region.name.as_bytes());
        }
    }

    #[test]
    fn random_bytes_are_no_disk(bytes in proptest::collection::vec(any::<u8>(), 0..20_000)) {
        prop_assert!(open(&bytes).is_err());
    }

    /// Headers whose checksum is right and whose numbers are anything.
    #[test]
    fn sealed_lies_do_no_harm(
        fields in proptest::collection::vec((0_usize..10, prop_oneof![
            Just(0_u64), 1_u64..100, Just(u64::MAX), Just(1 << 63), any::<u64>()
        ]), 1..4),
        entry in (0_usize..3, prop_oneof![Just(32_usize), Just(40)], prop_oneof![0_u64..400, any::<u64>()]),
        both: bool,
    ) {
        let mut bytes = bytes(&small(SectorSize::B512).image);
        let places = [(8, 4), (12, 4), (24, 8), (32, 8), (40, 8), (48, 8), (72, 8), (80, 4), (84, 4), (88, 4)];
        let (number, at, value) = entry;
        bytes[1024 + number * 128 + at..][..8].copy_from_slice(&value.to_le_bytes());
        let entries = crc32fast::hash(&bytes[1024..1024 + 16384]);
        bytes[512 + 88..512 + 92].copy_from_slice(&entries.to_le_bytes());
        let last = bytes.len() - 512;
        for header in [512].into_iter().chain(both.then_some(last)) {
            for (field, value) in &fields {
                let (at, len) = places[*field];
                bytes[header + at..][..len].copy_from_slice(&value.to_le_bytes()[..len]);
            }
            seal(&mut bytes, header);
        }
        if let Ok(disk) = open(&bytes) {
            prop_assert!(disk.partitions.iter().all(|part| part.start < part.end && part.end <= disk.size));
        }
    }
}

/// Sets the checksum of a header right.
fn seal(bytes: &mut [u8], header: usize) {
    let size = u32::from_le_bytes(bytes[header + 12..header + 16].try_into().unwrap());
    let size = usize::try_from(size).unwrap().min(bytes.len() - header);
    bytes[header + 16..header + 20].fill(0);
    let crc = crc32fast::hash(&bytes[header..header + size]);
    bytes[header + 16..header + 20].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn each_changed_byte_of_a_table_is_told() {
    for sector_size in [SectorSize::B512, SectorSize::B4096] {
        let planned = small(sector_size);
        let good = bytes(&planned.image);
        let sector = usize::try_from(sector_size.bytes()).unwrap();
        let tail = 16384 + sector;
        let first = (sector..sector + 92).chain(2 * sector..2 * sector + 16384);
        let second =
            (good.len() - tail..good.len() - sector).chain(good.len() - sector..good.len() - sector + 92);
        for at in first.chain(second) {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            let disk = open(&bad).unwrap();
            assert_same(&planned, &disk);
            let [problem] = &disk.problems[..] else {
                panic!("byte {at}: {:?}", disk.problems);
            };
            assert_eq!(
                matches!(problem, Problem::PrimaryDamaged(_)),
                at < tail + 2 * sector,
                "byte {at}"
            );
            assert!(matches!(
                problem,
                Problem::PrimaryDamaged(_) | Problem::BackupDamaged(_)
            ));
        }
    }
}

#[test]
fn cut_disks_are_told() {
    let planned = small(SectorSize::B512);
    let good = bytes(&planned.image);
    for len in 0..good.len() {
        match open(&good[..len]) {
            // What is usable must be there; the copy at the end need not be.
            Ok(disk) => {
                assert!(len as u64 >= disk.gpt().unwrap().usable.end);
                assert!(matches!(
                    disk.problems[..],
                    [Problem::BackupNotLast { .. }, Problem::BackupDamaged(_)]
                ));
            }
            Err(Error::NotPartitioned) => assert!(len < 1024),
            Err(Error::TableDamaged { .. }) => assert!(len >= 1024),
            Err(error) => panic!("{len}: {error}"),
        }
    }
    let mut longer = good.clone();
    longer.resize(good.len() + 5 * 512, 0);
    let disk = open(&longer).unwrap();
    let last = longer.len() as u64 / 512 - 1;
    assert_eq!(
        disk.problems,
        [Problem::BackupNotLast {
            sector: last - 5,
            last
        }]
    );
    assert_same(&planned, &disk);
}

#[test]
fn damage_has_words() {
    let good = bytes(&small(SectorSize::B512).image);
    let words = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        edit(&mut bytes);
        match open(&bytes) {
            Ok(disk) => disk
                .problems
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; "),
            Err(error) => format!("{error}"),
        }
    };
    let last = good.len() - 512;
    let reseal = |bytes: &mut Vec<u8>| {
        let crc = crc32fast::hash(&bytes[1024..1024 + 16384]).to_le_bytes();
        bytes[600..604].copy_from_slice(&crc);
        seal(bytes, 512);
    };
    let all = [
        words(&|bytes| bytes[510] = 0),
        words(&|bytes| bytes[512] = 0),
        words(&|bytes| bytes[600] = 0),
        words(&|bytes| bytes[last] = 0),
        words(&|bytes| bytes[last + 60] ^= 1),
        words(&|bytes| (bytes[600], bytes[last + 60]) = (0, 0)),
        words(&|bytes| (bytes[512], bytes[last]) = (0, 0)),
        words(&|bytes| {
            bytes[568] ^= 1;
            seal(bytes, 512);
        }),
        words(&|bytes| {
            bytes.copy_within(1040..1056, 1168);
            reseal(bytes);
        }),
        words(&|bytes| {
            bytes[1024 + 32] = 200;
            reseal(bytes);
        }),
        words(&|bytes| {
            bytes[1024 + 32] = 4;
            reseal(bytes);
        }),
        words(&|bytes| {
            bytes[1024 + 40] += 1;
            reseal(bytes);
        }),
        words(&|bytes| {
            bytes[1024 + 256 + 40] = 71;
            reseal(bytes);
        }),
        words(&|bytes| {
            bytes[512] = 0;
            bytes[last + 40] = 1;
            seal(bytes, last);
        }),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
    there is no protective MBR
    the partition table is damaged: its header is missing; its backup was read
    the partition table is damaged: its header has the checksum 0xc58b402e, not 0xfcec9751; its backup was read
    the backup of the partition table is damaged: its header is missing
    the backup of the partition table is damaged: its header has the checksum 0x2df23c99, not 0xdc283933
    the partition table is damaged: its header has the checksum 0xc58b402e, not 0xfcec9751; its backup: its header has the checksum 0x0161713b, not 0xdc283933
    the disk has no partition table
    the partition table and its backup differ in the disk's GUID
    the partition table and its backup differ in the entries; partitions 1 and 2 have the same GUID
    partition 1 is damaged: it starts in sector 200 and ends in sector 47
    partition 1 is damaged: its sectors 4 to 47 are not among the usable sectors 34 to 70
    partition 2 is damaged: it starts at byte 24576, partition 1 ends at byte 25088
    partition 3 is damaged: its sectors 56 to 71 are not among the usable sectors 34 to 70
    the partition table is damaged: its header is missing; its backup: its usable sectors are 1 to 70
    ");
}

#[test]
fn a_disk_of_another_kind_has_no_table() {
    assert!(matches!(open(&[]), Err(Error::NotPartitioned)));
    assert!(matches!(
        open(&vec![0; usize::try_from(MIB).unwrap()]),
        Err(Error::NotPartitioned)
    ));
    let error = Disk::open(&Content::from(vec![0; 4096]), 1 << 40).unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "{error}");
}
