//! MBRs, their chains, and hybrids.

use disk::read::{Disk, Problem, Table as ReadTable};
use disk::{
    Attributes, DiskId, Error, Gpt, Kind, MapEntry, Mbr, MbrType, Options, Partition, PartitionType, Planned,
    Region, SectorSize, Table, TypeId, plan,
};
use image::{Content, Seed};
use proptest::prelude::*;

use crate::{MIB, bytes, open, region};

fn options(sector_size: SectorSize) -> Options {
    Options {
        table: Table::Mbr(Mbr::default()),
        sector_size,
        align: 4096,
        ..Options::new(Seed::new(b"small"))
    }
}

/// A small disk with this many partitions.
fn small(count: usize, sector_size: SectorSize) -> Planned {
    let linux = Partition::new(PartitionType::parse("linux").unwrap());
    let regions: Vec<Region> = (0..count)
        .map(|index| region(&format!("p{index}"), 8, linux.clone(), sector_size))
        .collect();
    plan(&options(sector_size), &regions).unwrap()
}

fn partitions(planned: &Planned) -> Vec<&MapEntry> {
    let parts = planned.map.iter().filter(|part| part.kind == Kind::Partition);
    let mut parts: Vec<&MapEntry> = parts.collect();
    parts.sort_by_key(|part| part.partition.unwrap().number);
    parts
}

fn assert_same(planned: &Planned, disk: &Disk) {
    assert_eq!(Some(disk.id()), planned.id);
    let ours = partitions(planned);
    assert_eq!(disk.partitions.len(), ours.len());
    for (read, part) in disk.partitions.iter().zip(ours) {
        assert_eq!((read.start, read.end), (part.start, part.end));
        assert_eq!(read.entry, part.partition.unwrap());
    }
}

fn records(planned: &Planned) -> Vec<usize> {
    let records = planned
        .map
        .iter()
        .filter(|part| part.kind == Kind::ExtendedBootRecord);
    records.map(|part| usize::try_from(part.start).unwrap()).collect()
}

prop_compose! {
    fn any_partition()(
        sectors in 1_u64..5000,
        kind in (1_u8..).prop_filter("no number of our own", |kind| !matches!(kind, 5 | 0x0f | 0x85 | 0xee)),
        bootable: bool,
    ) -> (u64, Partition) {
        let mut partition = Partition::new(PartitionType::Mbr(MbrType(kind)));
        if bootable {
            partition.attributes = Attributes::BOOTABLE;
        }
        (sectors, partition)
    }
}

fn any_sector_size() -> impl Strategy<Value = SectorSize> {
    prop_oneof![Just(SectorSize::B512), Just(SectorSize::B4096)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn what_was_planned_comes_back(
        parts in proptest::collection::vec(any_partition(), 0..16),
        sector_size in any_sector_size(),
    ) {
        let regions: Vec<Region> = parts
            .into_iter()
            .enumerate()
            .map(|(index, (sectors, partition))| region(&format!("p{index}"), sectors, partition, sector_size))
            .collect();
        let planned = plan(&options(sector_size), &regions).unwrap();
        let disk = Disk::open_with_sectors(&planned.image, planned.image.size(), sector_size).unwrap();
        prop_assert_eq!(&disk.problems, &[]);
        assert_same(&planned, &disk);
    }

    #[test]
    fn hybrids_come_back(
        parts in proptest::collection::vec((any_partition(), any::<bool>()), 1..4),
        others in 0_usize..3,
        sector_size in any_sector_size(),
    ) {
        let linux = PartitionType::parse("linux").unwrap();
        let mut regions = Vec::new();
        for (index, ((sectors, mut partition), before)) in parts.into_iter().enumerate() {
            partition.mbr_type = Some(partition.kind);
            partition.kind = linux;
            let place = if before { 0 } else { regions.len() };
            regions.insert(place, region(&format!("p{index}"), sectors, partition, sector_size));
        }
        for index in 0..others {
            regions.insert(index, region(&format!("o{index}"), 10, Partition::new(linux), sector_size));
        }
        let options = Options {
            table: Table::Hybrid(Gpt::default(), Mbr::default()),
            ..options(sector_size)
        };
        let planned = plan(&options, &regions).unwrap();
        let disk = Disk::open(&planned.image, planned.image.size()).unwrap();
        prop_assert_eq!(&disk.problems, &[]);
        prop_assert_eq!(disk.sector_size, sector_size);
        let signature = Seed::new(b"small").number("disk/signature");
        prop_assert!(matches!(&disk.table, ReadTable::Hybrid(_, mbr) if mbr.signature == signature));
        assert_same(&planned, &disk);
    }

    /// Any bytes in the places of records: whatever is read lies on the disk, and reading ends.
    #[test]
    fn lies_do_no_harm(
        edits in proptest::collection::vec((0_usize..5, 0_usize..64, any::<u8>()), 1..8),
        sector_size in any_sector_size(),
    ) {
        let planned = small(7, sector_size);
        let mut bytes = bytes(&planned.image);
        let places: Vec<usize> = [0].into_iter().chain(records(&planned)).collect();
        for (record, at, value) in edits {
            bytes[places[record] + 446 + at] = value;
        }
        let source = Content::from(&bytes[..]);
        if let Ok(disk) = Disk::open_with_sectors(&source, bytes.len() as u64, sector_size) {
            prop_assert!(disk.partitions.iter().all(|part| part.start < part.end && part.end <= disk.size));
            let mut ranges: Vec<_> = disk.partitions.iter().map(|part| (part.start, part.end)).collect();
            ranges.sort_unstable();
            prop_assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        }
    }

    /// Small numbers in the fields that lead through the chain, which meet its sectors more often.
    #[test]
    fn chains_end(
        edits in proptest::collection::vec((0_usize..5, 0_usize..4, 0_usize..3, 0_u32..200), 1..10),
    ) {
        let planned = small(7, SectorSize::B512);
        let mut bytes = bytes(&planned.image);
        let places: Vec<usize> = [0].into_iter().chain(records(&planned)).collect();
        for (record, slot, field, value) in edits {
            let record = places[record] + 446 + slot * 16;
            match field {
                0 => bytes[record + 4] = [0, 5, 0x0f, 0x83][value as usize % 4],
                1 => bytes[record + 8..record + 12].copy_from_slice(&value.to_le_bytes()),
                _ => bytes[record + 12..record + 16].copy_from_slice(&value.to_le_bytes()),
            }
        }
        if let Ok(disk) = open(&bytes) {
            prop_assert!(disk.partitions.iter().all(|part| part.end <= disk.size));
        }
    }

    #[test]
    fn random_records_do_no_harm(mut bytes in proptest::collection::vec(any::<u8>(), 512..20_000)) {
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        for record in 0..4 {
            bytes[446 + record * 16] &= 0x80;
            // Places on the disk, now and then.
            bytes[446 + record * 16 + 9..][..3].fill(0);
            bytes[446 + record * 16 + 13..][..3].fill(0);
        }
        if let Ok(disk) = open(&bytes) {
            prop_assert!(disk.partitions.iter().all(|part| part.end <= disk.size));
        }
    }
}

#[test]
fn cut_disks_are_told() {
    let planned = small(7, SectorSize::B512);
    let good = bytes(&planned.image);
    let end = partitions(&planned).last().unwrap().end;
    for len in 0..good.len() {
        match open(&good[..len]) {
            Ok(disk) => {
                assert!(len as u64 >= end);
                assert_same(&planned, &disk);
            }
            Err(Error::NotPartitioned) => assert!(len < 512),
            Err(Error::PartitionDamaged { .. }) => assert!((512..end).contains(&(len as u64))),
            Err(error) => panic!("{len}: {error}"),
        }
    }
}

#[test]
fn damage_has_words() {
    let planned = small(7, SectorSize::B512);
    let good = bytes(&planned.image);
    let [first, second, .., last] = records(&planned)[..] else {
        panic!("there are four records");
    };
    let words = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        edit(&mut bytes);
        match open(&bytes) {
            Ok(disk) => disk.problems.iter().fold(
                format!("{} partitions", disk.partitions.len()),
                |words, problem| format!("{words}; {problem}"),
            ),
            Err(error) => format!("{error}"),
        }
    };
    let record = |sector: usize, slot: usize| sector + 446 + slot * 16;
    let all = [
        words(&|_| {}),
        words(&|bytes| bytes[510] = 0),
        words(&|bytes| bytes[446] = 1),
        words(&|bytes| bytes[record(0, 0) + 8] = 0),
        words(&|bytes| bytes[record(0, 1) + 10] = 0xff),
        words(&|bytes| bytes[record(0, 1) + 8] -= 1),
        words(&|bytes| bytes[first + 510] = 0),
        words(&|bytes| bytes[second + 510] = 0),
        words(&|bytes| bytes[record(second, 1) + 8] = 0),
        words(&|bytes| bytes.copy_within(record(second, 1)..record(second, 2), record(last, 1))),
        words(&|bytes| bytes[record(first, 1) + 11] = 0xff),
        words(&|bytes| bytes[record(last, 0) + 9] = 1),
        words(&|bytes| bytes[record(first, 0) + 12] = 100),
        words(&|bytes| bytes[record(last, 0) + 8] = 0),
    ];
    insta::assert_snapshot!(all.join("\n"));
}

/// An extended partition may hold nothing, and there may be two of them; Linux follows both.
#[test]
fn odd_chains_are_read() {
    let planned = small(7, SectorSize::B512);
    let mut bytes = bytes(&planned.image);
    let [first, _, third, _] = records(&planned)[..] else {
        panic!("there are four records");
    };
    let sector = |at: usize| u32::try_from(at / 512).unwrap();
    // The chain is cut in two, the second half by the place of partition 3.
    let end = partitions(&planned).last().unwrap().end;
    let end = sector(usize::try_from(end).unwrap());
    let mut extended = |slot: usize, from: u32, to: u32| {
        let record = 446 + slot * 16;
        bytes[record + 4] = 5;
        bytes[record + 8..record + 12].copy_from_slice(&from.to_le_bytes());
        bytes[record + 12..record + 16].copy_from_slice(&(to - from).to_le_bytes());
    };
    extended(2, sector(third), end);
    extended(3, sector(first), sector(third));
    let second = records(&planned)[1];
    bytes[second + 446 + 16..second + 446 + 32].fill(0);
    // Places on the way to the last record count from the start of the extended partition.
    let link = third + 446 + 16 + 8;
    let to_last = sector(records(&planned)[3]) - sector(third);
    bytes[link..link + 4].copy_from_slice(&to_last.to_le_bytes());
    let disk = open(&bytes).unwrap();
    let found: Vec<(u32, u64)> = disk
        .partitions
        .iter()
        .map(|part| (part.entry.number, part.start))
        .collect();
    let start = |name: &str| {
        let part = planned
            .map
            .iter()
            .find(|part| part.label() == format!("partition {name}"));
        part.unwrap().start
    };
    // The first extended record is that of slot 3, which comes first.
    assert_eq!(
        found,
        [
            (1, start("p0")),
            (2, start("p1")),
            (5, start("p5")),
            (6, start("p6")),
            (7, start("p3")),
            (8, start("p4"))
        ]
    );
}

#[test]
fn a_chain_ends_after_255_records() {
    let chain = |count: u32| {
        let mut bytes = vec![0; (count as usize + 4) * 1024];
        let mut record = |sector: u32, slot: usize, kind: u8, first: u32, sectors: u32| {
            let at = sector as usize * 512;
            bytes[at + 510..at + 512].copy_from_slice(&[0x55, 0xaa]);
            let at = at + 446 + slot * 16;
            bytes[at + 4] = kind;
            bytes[at + 8..at + 12].copy_from_slice(&first.to_le_bytes());
            bytes[at + 12..at + 16].copy_from_slice(&sectors.to_le_bytes());
        };
        record(0, 0, 0x0f, 2, count * 2);
        for index in 0..count {
            record(2 + index * 2, 0, 0x83, 1, 1);
            if index + 1 < count {
                record(2 + index * 2, 1, 5, (index + 1) * 2, 2);
            }
        }
        open(&bytes)
    };
    assert_eq!(chain(255).unwrap().partitions.len(), 255);
    let error = chain(256).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @"the extended partition is damaged in sector 512: the chain has more than 255 records");
}

/// As Linux sees it.
#[test]
fn what_a_disk_is_when_it_could_be_two() {
    let gpt = Options {
        align: 4096,
        ..Options::new(Seed::new(b"small"))
    };
    let linux = Partition::new(PartitionType::parse("linux").unwrap());
    let regions = ["a", "b"].map(|name| region(name, 8, linux.clone(), SectorSize::B512));
    let gpt = bytes(&plan(&gpt, &regions).unwrap().image);
    let mbr = bytes(&small(1, SectorSize::B512).image);

    // An MBR that does not mention the GPT goes before it.
    let mut both = gpt.clone();
    both[..512].copy_from_slice(&mbr[..512]);
    assert!(matches!(open(&both).unwrap().table, ReadTable::Mbr(_)));

    // An empty one does not.
    let mut empty = both.clone();
    empty[446..510].fill(0);
    let disk = open(&empty).unwrap();
    assert!(matches!(disk.table, ReadTable::Gpt(_)));
    assert_eq!(disk.problems, [Problem::NoProtectiveMbr]);

    // A record that is none of the GPT's partitions.
    let mut hybrid = gpt.clone();
    hybrid[462..478].copy_from_slice(&mbr[446..462]);
    hybrid[462 + 8] += 1;
    let disk = open(&hybrid).unwrap();
    assert!(matches!(disk.table, ReadTable::Hybrid(..)));
    assert_eq!(disk.problems, [Problem::HybridUnknown { record: 2 }]);
    insta::assert_snapshot!(disk.problems[0].to_string(), @"record 2 of the MBR is none of the GPT's partitions");
}

#[test]
fn an_empty_mbr_needs_a_signature() {
    let empty = bytes(&small(0, SectorSize::B512).image);
    let disk = open(&empty).unwrap();
    assert_eq!(disk.partitions, []);
    assert!(matches!(disk.id(), DiskId::Signature(signature) if signature != 0));
    let mut without = empty;
    without[440..444].fill(0);
    assert!(matches!(open(&without), Err(Error::NotPartitioned)));
}

/// A FAT without a table ends its first sector as an MBR does, and so does an empty MBR without a signature.
#[test]
fn records_have_types_and_flags() {
    let mut bytes = vec![0; usize::try_from(MIB).unwrap()];
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    assert!(matches!(open(&bytes), Err(Error::NotPartitioned)));
    bytes[446..462].copy_from_slice(&[0x80, 0, 0, 0, 0x0c, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0]);
    let disk = open(&bytes).unwrap();
    let [part] = &disk.partitions[..] else {
        panic!("one partition");
    };
    assert_eq!(part.entry.kind, TypeId::Mbr(MbrType(0x0c)));
    assert_eq!(part.entry.attributes, Attributes::BOOTABLE);
    assert_eq!(part.entry.partuuid.to_string(), "00000000-01");
    assert_eq!((part.start, part.end, part.name.as_str()), (4096, 8192, ""));
}
