//! Reading an MBR and the logical partitions that it leads to.

use std::collections::BTreeSet;

use image::ReadAt;
use zerocopy::FromBytes;

use super::{Partition, Problem, overlap};
use crate::format::{ACTIVE, GPT_PROTECTIVE, LegacyMbr, MBR_SIGNATURE, PartitionRecord};
use crate::{Attributes, Entry, Error, MbrType, PartUuid, Range, Result, SectorSize, TypeId};

/// The most records that a chain of logical partitions may have. Linux gives no numbers above 255.
const CHAIN_MAX: usize = 255;

/// The number of the first logical partition.
const FIRST_LOGICAL: u32 = 5;

/// What a disk's MBR says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mbr {
    /// What tells the disk from others; 0 when nothing does.
    pub signature: u32,
}

impl Mbr {
    pub(super) fn new(mbr: &LegacyMbr) -> Mbr {
        Mbr {
            signature: mbr.unique_mbr_disk_signature.get(),
        }
    }
}

/// The first sector, when it may be an MBR.
pub(super) fn first_sector(source: &dyn ReadAt, size: u64) -> Result<Option<LegacyMbr>> {
    if size < size_of::<LegacyMbr>() as u64 {
        return Ok(None);
    }
    read(source, 0)
}

/// Whether it is a table of its own.
pub(super) fn has_partitions(mbr: &LegacyMbr) -> bool {
    is_table(mbr) && mbr.partition_record.iter().any(is_used)
}

/// Whether it is a table of its own, without partitions. A file system can begin with such a sector too, so that it
/// must have a signature to be believed.
pub(super) fn is_empty(mbr: &LegacyMbr) -> bool {
    is_table(mbr) && !mbr.partition_record.iter().any(is_used) && mbr.unique_mbr_disk_signature != 0
}

/// Whether it says that there is a GPT.
pub(super) fn is_protective(mbr: &LegacyMbr) -> bool {
    let mut records = mbr.partition_record.iter();
    records.any(|record| record.os_type == GPT_PROTECTIVE && record.starting_lba == 1)
}

/// A file system's first sector ends like an MBR, but has other bytes where an MBR has flags.
fn is_table(mbr: &LegacyMbr) -> bool {
    let mut records = mbr.partition_record.iter();
    records.all(|record| matches!(record.boot_indicator, 0 | ACTIVE) && record.os_type != GPT_PROTECTIVE)
}

fn is_used(record: &PartitionRecord) -> bool {
    record.os_type != 0 && record.size_in_lba != 0
}

/// Enters the types that the MBR of a hybrid table has for the GPT's partitions. Answers how many partitions it has.
pub(super) fn show(
    mbr: &LegacyMbr,
    sector_size: SectorSize,
    partitions: &mut [Partition],
    problems: &mut Vec<Problem>,
) -> usize {
    let mut count = 0;
    for (number, record) in (1..).zip(&mbr.partition_record) {
        if !is_used(record) || record.os_type == GPT_PROTECTIVE {
            continue;
        }
        count += 1;
        let range = bytes(record, 0, sector_size);
        let same = partitions
            .iter_mut()
            .find(|partition| (partition.start, partition.end) == (range.start, range.end));
        match same {
            Some(partition) => partition.entry.mbr_type = Some(MbrType(record.os_type)),
            None => problems.push(Problem::HybridUnknown { record: number }),
        }
    }
    count
}

/// The partitions by number; all of them on the disk, none over another.
pub(super) fn partitions(
    source: &dyn ReadAt,
    size: u64,
    sector_size: SectorSize,
    mbr: &LegacyMbr,
    problems: &mut Vec<Problem>,
) -> Result<Vec<Partition>> {
    let disk = Range {
        start: sector_size.bytes(),
        end: size,
    };
    let signature = mbr.unique_mbr_disk_signature.get();
    let (mut partitions, mut extended) = (Vec::new(), Vec::new());
    for (number, record) in (1..).zip(&mbr.partition_record) {
        if !is_used(record) {
            continue;
        }
        let partition = partition(number, signature, record, bytes(record, 0, sector_size));
        inside(&partition, disk)?;
        if MbrType(record.os_type).is_extended() {
            extended.push(partition);
        } else {
            partitions.push(partition);
        }
    }
    let primary = [&partitions[..], &extended[..]].concat();
    overlap(&primary)?;
    for extended in &extended {
        let logical = Chain {
            source,
            sector_size,
            extended: Range {
                start: extended.start,
                end: extended.end,
            },
        };
        if logical.is_readable()? {
            logical.follow(signature, &mut partitions)?;
        } else {
            problems.push(Problem::ExtendedUnreadable {
                number: extended.entry.number,
            });
        }
    }
    overlap(&partitions)?;
    Ok(partitions)
}

/// A chain of records in an extended partition.
struct Chain<'a> {
    source: &'a dyn ReadAt,
    sector_size: SectorSize,
    extended: Range,
}

impl Chain<'_> {
    /// Whether the extended partition begins with a record.
    fn is_readable(&self) -> Result<bool> {
        Ok(read(self.source, self.extended.start)?.is_some())
    }

    /// Adds the logical partitions that the chain leads to.
    fn follow(&self, signature: u32, partitions: &mut Vec<Partition>) -> Result<()> {
        let sector = self.sector_size.bytes();
        let mut seen = BTreeSet::new();
        let mut next = Some(self.extended.start);
        while let Some(place) = next {
            let damaged = |problem| Error::ExtendedDamaged {
                sector: place / sector,
                problem,
            };
            if !seen.insert(place) {
                return Err(damaged("the chain of records leads back to it".to_owned()));
            }
            if seen.len() > CHAIN_MAX {
                return Err(damaged(format!("the chain has more than {CHAIN_MAX} records")));
            }
            let Some(record) = read(self.source, place)? else {
                return Err(damaged("there is no record".to_owned()));
            };
            let used = || record.partition_record.iter().filter(|record| is_used(record));
            let is_link = |record: &&PartitionRecord| MbrType(record.os_type).is_extended();
            for logical in used().filter(|record| !is_link(record)) {
                let number = next_number(partitions);
                let range = bytes(logical, place / sector, self.sector_size);
                let partition = partition(number, signature, logical, range);
                inside(&partition, self.extended)?;
                partitions.push(partition);
            }
            next = used().find(is_link).map(|link| {
                let base = self.extended.start / sector;
                bytes(link, base, self.sector_size).start
            });
            if let Some(next) = next.filter(|next| *next < self.extended.start || *next >= self.extended.end)
            {
                return Err(damaged(format!(
                    "it leads to sector {}, which is outside the extended partition",
                    next / sector
                )));
            }
        }
        for place in seen {
            let around = partitions
                .iter()
                .find(|part| part.start <= place && place < part.end);
            if let Some(part) = around {
                return Err(Error::ExtendedDamaged {
                    sector: place / sector,
                    problem: format!("the record is inside partition {}", part.entry.number),
                });
            }
        }
        Ok(())
    }
}

fn next_number(partitions: &[Partition]) -> u32 {
    let last = partitions.last().map_or(0, |partition| partition.entry.number);
    (last + 1).max(FIRST_LOGICAL)
}

fn partition(number: u32, signature: u32, record: &PartitionRecord, range: Range) -> Partition {
    Partition {
        name: String::new(),
        entry: Entry {
            number,
            kind: TypeId::Mbr(MbrType(record.os_type)),
            partuuid: PartUuid::Mbr { signature, number },
            attributes: match record.boot_indicator {
                ACTIVE => Attributes::BOOTABLE,
                _ => Attributes::default(),
            },
            mbr_type: None,
        },
        start: range.start,
        end: range.end,
    }
}

/// Where a record says that something is, when its place counts from the sector `base`. Numbers of 32 bits cannot
/// overflow ones of 64.
fn bytes(record: &PartitionRecord, base: u64, sector_size: SectorSize) -> Range {
    let first = base + u64::from(record.starting_lba.get());
    Range {
        start: first * sector_size.bytes(),
        end: (first + u64::from(record.size_in_lba.get())) * sector_size.bytes(),
    }
}

fn inside(partition: &Partition, around: Range) -> Result<()> {
    if around.start <= partition.start && partition.end <= around.end {
        return Ok(());
    }
    Err(Error::PartitionDamaged {
        number: partition.entry.number,
        problem: format!(
            "its bytes {} to {} are not among the bytes {} to {} that it can have",
            partition.start, partition.end, around.start, around.end
        ),
    })
}

/// A sector with records, when it ends like one.
fn read(source: &dyn ReadAt, start: u64) -> Result<Option<LegacyMbr>> {
    let mut bytes = [0; size_of::<LegacyMbr>()];
    let read = source.read_exact_at(&mut bytes, start);
    read.map_err(|source| Error::Read { start, source })?;
    let mbr = LegacyMbr::read_from_bytes(&bytes).ok();
    Ok(mbr.filter(|mbr| mbr.signature == MBR_SIGNATURE))
}
