//! Reading a GPT, from whichever copy of it is intact.

use std::collections::BTreeMap;

use image::ReadAt;
use uuid::Uuid;
use zerocopy::FromBytes;

use super::copy::Copy;
use super::{Partition, Problem, overlap};
use crate::format::GptEntry;
use crate::{Attributes, Entry, Error, PartUuid, Range, Result, SectorSize, TypeId};

/// What is wrong with a copy that is not there.
const MISSING: &str = "its header is missing";

/// What a disk's GPT says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpt {
    /// The disk's own GUID.
    pub disk_guid: Uuid,
    /// Where partitions may be.
    pub usable: Range,
    /// Where the entries are that were read.
    pub entries: Range,
    /// How many entries there are, with unused ones.
    pub entry_count: u32,
}

/// A GPT that was found.
pub(super) struct Found {
    pub(super) sector_size: SectorSize,
    pub(super) gpt: Gpt,
    pub(super) partitions: Vec<Partition>,
    pub(super) problems: Vec<Problem>,
}

/// Looks for a table with sectors of these sizes: first for the copy at the disk's start, then for the one at its end.
pub(super) fn find(source: &dyn ReadAt, size: u64, sector_sizes: &[SectorSize]) -> Result<Option<Found>> {
    let mut flaws = Vec::new();
    for sector_size in sector_sizes {
        match Copy::read(source, size, *sector_size, 1) {
            Ok(primary) => {
                let problems = compare(source, size, &primary)?;
                return found(&primary, problems).map(Some);
            }
            Err(flaw) => flaws.push(flaw.or_unreadable()?),
        }
    }
    let primary = worst(flaws);
    let mut flaws = Vec::new();
    for sector_size in sector_sizes {
        let last = (size / sector_size.bytes()).saturating_sub(1);
        match Copy::read(source, size, *sector_size, last) {
            Ok(backup) => {
                let why = primary.unwrap_or_else(|| MISSING.to_owned());
                return found(&backup, vec![Problem::PrimaryDamaged(why)]).map(Some);
            }
            Err(flaw) => flaws.push(flaw.or_unreadable()?),
        }
    }
    match (primary, worst(flaws)) {
        (None, None) => Ok(None),
        (primary, backup) => Err(Error::TableDamaged {
            primary: primary.unwrap_or_else(|| MISSING.to_owned()),
            backup: backup.unwrap_or_else(|| MISSING.to_owned()),
        }),
    }
}

fn found(copy: &Copy, mut problems: Vec<Problem>) -> Result<Found> {
    let partitions = partitions(copy)?;
    let mut guids = BTreeMap::new();
    for Partition { entry, .. } in &partitions {
        if let Some(first) = guids.insert(entry.partuuid, entry.number) {
            problems.push(Problem::DuplicateGuid {
                first,
                second: entry.number,
            });
        }
    }
    Ok(Found {
        sector_size: copy.sector_size,
        gpt: Gpt {
            disk_guid: copy.header.disk_guid.into(),
            usable: copy.usable,
            entries: copy.entries,
            entry_count: copy.header.number_of_partition_entries.get(),
        },
        partitions,
        problems,
    })
}

/// What is wrong with the copy that is there, if one is.
fn worst(flaws: Vec<Option<String>>) -> Option<String> {
    flaws.into_iter().flatten().next()
}

/// What the second copy says otherwise.
fn compare(source: &dyn ReadAt, size: u64, primary: &Copy) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let last = size / primary.sector_size.bytes() - 1;
    let sector = primary.header.alternate_lba.get();
    if sector != last {
        problems.push(Problem::BackupNotLast { sector, last });
    }
    match Copy::read(source, size, primary.sector_size, sector) {
        Ok(backup) => {
            let differences = [
                (
                    "the disk's GUID",
                    primary.header.disk_guid != backup.header.disk_guid,
                ),
                ("the usable sectors", primary.usable != backup.usable),
                ("the entries", primary.entry_bytes != backup.entry_bytes),
                (
                    "the place of the first copy",
                    backup.header.alternate_lba != primary.header.my_lba,
                ),
            ];
            for (what, differs) in differences {
                if differs {
                    problems.push(Problem::CopiesDiffer { what });
                }
            }
        }
        Err(flaw) => {
            let why = flaw.or_unreadable()?;
            problems.push(Problem::BackupDamaged(why.unwrap_or_else(|| MISSING.to_owned())));
        }
    }
    Ok(problems)
}

/// The used entries, by number; all of them in the usable part, none over another.
fn partitions(table: &Copy) -> Result<Vec<Partition>> {
    let mut partitions = Vec::new();
    for (number, bytes) in (1..).zip(table.entry_bytes.chunks(table.entry_size)) {
        let Ok((entry, _)) = GptEntry::read_from_prefix(bytes) else {
            continue;
        };
        let type_guid = Uuid::from(entry.partition_type_guid);
        if type_guid.is_nil() {
            continue;
        }
        let (start, end) = place(table, number, &entry)?;
        partitions.push(Partition {
            name: name(&entry),
            entry: Entry {
                number,
                kind: TypeId::Guid(type_guid),
                partuuid: PartUuid::Guid(entry.unique_partition_guid.into()),
                attributes: Attributes(entry.attributes.get()),
                mbr_type: None,
            },
            start,
            end,
        });
    }
    overlap(&partitions)?;
    Ok(partitions)
}

fn place(table: &Copy, number: u32, entry: &GptEntry) -> Result<(u64, u64)> {
    let sector = table.sector_size.bytes();
    let (first, last) = (entry.starting_lba.get(), entry.ending_lba.get());
    let damaged = |problem| Error::PartitionDamaged { number, problem };
    if first > last {
        return Err(damaged(format!(
            "it starts in sector {first} and ends in sector {last}"
        )));
    }
    let (usable_first, usable_end) = (table.usable.start / sector, table.usable.end / sector);
    if first < usable_first || last >= usable_end {
        return Err(damaged(format!(
            "its sectors {first} to {last} are not among the usable sectors {usable_first} to {}",
            usable_end.saturating_sub(1)
        )));
    }
    // The usable part is inside the disk, whose bytes can be counted.
    Ok((first * sector, (last + 1) * sector))
}

fn name(entry: &GptEntry) -> String {
    let units = entry
        .partition_name
        .iter()
        .map(|unit| unit.get())
        .take_while(|unit| *unit != 0);
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}
