//! Odd regions become disks, whose tables come back as the map says.
#![no_main]

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use disk::read::Disk;
use disk::{
    Attributes, Board, Gpt, Kind, MapEntry, Mbr, MbrType, Options, Partition, PartitionType, Planned, Region,
    SectorSize, Size, TYPES, Table,
};
use fuzz::trees;
use image::{Content, Fault, ReadAt, Seed};
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

const NAMES: [&str; 12] = [
    "idbloader",
    "u-boot",
    "SPL",
    "MLO",
    "flash",
    "u-boot-env",
    "boot-a",
    "boot-b",
    "rootfs-a",
    "ä",
    "𝄞",
    "",
];

fuzz_target!(|data: &[u8]| {
    // Bytes that run out make no disk, and that is all.
    _ = run(&mut Unstructured::new(data));
});

fn run(u: &mut Unstructured) -> Result<()> {
    let options = options(u)?;
    let count = u.int_in_range(0..=12)?;
    let tidy = u.arbitrary()?;
    let regions = (0..count)
        .map(|_| region(u, &options.table, tidy))
        .collect::<Result<Vec<Region>>>()?;
    match disk::plan(&options, &regions) {
        Ok(planned) => check(&options, &regions, planned),
        Err(error) => {
            let ours = matches!(error, disk::Error::Image(_));
            assert!(
                !ours && matches!(error.fault(), Fault::Request | Fault::Limit),
                "{error}"
            );
        }
    }
    Ok(())
}

fn check(options: &Options, regions: &[Region], planned: Planned) {
    let size = planned.image.size();
    let mut position = 0;
    for entry in &planned.map {
        assert_eq!(entry.start, position, "the map has no holes");
        drop((entry.to_string(), entry.slack()));
        position = entry.end;
    }
    assert_eq!(position, size);
    planned
        .warnings
        .iter()
        .for_each(|warning| drop(warning.to_string()));
    let source: Arc<dyn ReadAt> = Arc::new(planned.image);
    for region in regions.iter().filter(|region| region.content.is_some()) {
        let place = planned
            .map
            .iter()
            .find(|entry| !entry.kind.is_table() && entry.name == region.name)
            .expect("a line for each region");
        let content = region.content.as_ref().expect("a content");
        let found = Content::Span {
            source: source.clone(),
            start: place.start,
            len: content.len(),
        };
        let head = |content| fuzz::head(content, 128 << 10).expect("contents can be read");
        assert!(head(&found) == head(content), "{}", region.name);
    }
    if options.table == Table::None {
        return;
    }
    let disk = Disk::open_with_sectors(&*source, size, options.sector_size);
    let disk = disk.expect("what was planned can be read");
    assert_eq!(disk.problems, []);
    assert_eq!(Some(disk.id()), planned.id);
    let mut expected: Vec<&MapEntry> = planned
        .map
        .iter()
        .filter(|entry| entry.kind == Kind::Partition)
        .collect();
    expected.sort_by_key(|entry| entry.partition.map(|partition| partition.number));
    assert_eq!(disk.partitions.len(), expected.len());
    for (read, entry) in disk.partitions.iter().zip(expected) {
        assert_eq!(Some(read.entry), entry.partition);
        assert_eq!((read.start, read.end), (entry.start, entry.end));
        if disk.gpt().is_some() {
            assert_eq!(read.name, entry.name);
        }
    }
}

fn options(u: &mut Unstructured) -> Result<Options> {
    Ok(Options {
        table: match u.int_in_range(0..=7)? {
            0..=2 => Table::Gpt(gpt(u)?),
            3..=5 => Table::Mbr(mbr(u)?),
            6 => Table::Hybrid(gpt(u)?, mbr(u)?),
            _ => Table::None,
        },
        sector_size: *u.choose(&[SectorSize::B512, SectorSize::B4096])?,
        size: match u.arbitrary()? {
            true => Size::Exactly(whole_sectors(u)?),
            false => Size::Fit,
        },
        align: match u.ratio(1, 4)? {
            true => whole_sectors(u)?,
            false => *u.choose(&[4096, 1 << 20])?,
        },
        seed: Seed::new(b"fuzz"),
        boot_code: match u.ratio(1, 8)? {
            true => Some(vec![0xc0; u.int_in_range(0..=450)?].into()),
            false => None,
        },
        board: match u.ratio(1, 4)? {
            true => Some(u.choose(Board::ALL)?),
            false => None,
        },
    })
}

fn gpt(u: &mut Unstructured) -> Result<Gpt> {
    Ok(Gpt {
        disk_guid: guid(u)?,
        entries: *u.choose(&[128, 128, 128, 128, 56, 4, 1, 0, 1024, 1025])?,
        header_hole: if u.ratio(1, 4)? { whole_sectors(u)? } else { 0 },
    })
}

fn mbr(u: &mut Unstructured) -> Result<Mbr> {
    Ok(Mbr {
        signature: if u.arbitrary()? {
            Some(u.arbitrary()?)
        } else {
            None
        },
    })
}

/// A region; a tidy one has no type that the table does not know, which would end most of the tries.
fn region(u: &mut Unstructured, table: &Table, tidy: bool) -> Result<Region> {
    Ok(Region {
        name: match u.int_in_range(0..=15)? {
            0 => u.arbitrary()?,
            1..=8 => u.choose(&NAMES)?.to_string(),
            // Different ones: regions of one name are refused.
            _ => format!("region {}", u.len()),
        },
        place: if u.ratio(1, 3)? { Some(bytes(u)?) } else { None },
        size: if u.ratio(1, 3)? { Some(bytes(u)?) } else { None },
        content: match u.int_in_range(0..=7)? {
            0..=3 => Some(trees::content(u)?),
            4 => Some(Content::Zeros(whole_sectors(u)?)),
            _ => None,
        },
        partition: match u.arbitrary()? {
            true => Some(match tidy {
                true => tidied(partition(u)?, table),
                false => partition(u)?,
            }),
            false => None,
        },
    })
}

fn partition(u: &mut Unstructured) -> Result<Partition> {
    Ok(Partition {
        label: None,
        kind: kind(u)?,
        guid: guid(u)?,
        attributes: Attributes(u.arbitrary()?),
        number: match u.int_in_range(0..=7)? {
            0 => Some(u.int_in_range(0..=130)?),
            1 => Some(u.int_in_range(1..=8)?),
            _ => None,
        },
        mbr_type: if u.ratio(1, 4)? { Some(kind(u)?) } else { None },
    })
}

fn kind(u: &mut Unstructured) -> Result<PartitionType> {
    Ok(match u.int_in_range(0..=7)? {
        0 => PartitionType::Guid(Uuid::from_u128(u.arbitrary()?)),
        1 => PartitionType::Mbr(MbrType(u.arbitrary()?)),
        2..=4 => PartitionType::Named(&TYPES[u.int_in_range(0..=3)?]),
        _ => PartitionType::Named(u.choose(TYPES)?),
    })
}

fn tidied(partition: Partition, table: &Table) -> Partition {
    let linux = PartitionType::parse("linux").expect("a name");
    let in_mbr = |kind: PartitionType| if kind.mbr().is_some() { kind } else { linux };
    match table {
        Table::Mbr(_) => Partition {
            kind: in_mbr(partition.kind),
            guid: None,
            attributes: Attributes(partition.attributes.0 & Attributes::BOOTABLE.0),
            mbr_type: None,
            ..partition
        },
        Table::Hybrid(..) => Partition {
            mbr_type: partition.mbr_type.map(in_mbr),
            ..partition
        },
        Table::Gpt(_) | Table::None => Partition {
            mbr_type: None,
            ..partition
        },
    }
}

fn guid(u: &mut Unstructured) -> Result<Option<Uuid>> {
    Ok(match u.ratio(1, 8)? {
        true => Some(Uuid::from_u128(u.int_in_range(0..=3)?)),
        false => None,
    })
}

/// What is refused at once when it is something else, and may be.
fn whole_sectors(u: &mut Unstructured) -> Result<u64> {
    let bytes = bytes(u)?;
    Ok(if u.ratio(1, 16)? {
        bytes
    } else {
        bytes / 4096 * 4096
    })
}

/// Places and sizes: near the start in sectors, anywhere in bytes, or at the end of what can be counted.
fn bytes(u: &mut Unstructured) -> Result<u64> {
    Ok(match u.int_in_range(0..=7)? {
        0..=2 => u.int_in_range(0..=200)? * 512,
        3..=4 => u.int_in_range(0..=40)? << 20,
        5 => u.int_in_range(0..=1 << 26)?,
        6 => u64::MAX - u.int_in_range(0..=1 << 22)?,
        _ => u.arbitrary()?,
    })
}
