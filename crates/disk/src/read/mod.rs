//! Reading a partition table back, from whichever copy of it is intact.

mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use image::{Content, ReadAt};
use uuid::Uuid;
use zerocopy::FromBytes;

use crate::format::{Entry, GPT_PROTECTIVE, MBR_SIGNATURE, Mbr};
use crate::{Attributes, Error, Range, Result, SectorSize};
use table::{Flaw, Table};

/// What is wrong with a copy that is not there.
const MISSING: &str = "its header is missing";

/// A disk with a GUID Partition Table.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Its bytes.
    pub size: u64,
    /// The unit of its addresses.
    pub sector_size: SectorSize,
    /// Its own GUID.
    pub disk_guid: Uuid,
    /// Where partitions may be.
    pub usable: Range,
    /// Where the entries are that were read.
    pub entries: Range,
    /// How many entries there are, with unused ones.
    pub entry_count: u32,
    /// The partitions by number.
    pub partitions: Vec<Partition>,
    /// What is wrong with the table and does not stop reading it.
    pub problems: Vec<Problem>,
}

/// A partition in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 1.
    pub number: u32,
    /// Its name; what is not UTF-16 is replaced.
    pub name: String,
    /// What it holds.
    pub type_guid: Uuid,
    /// Its own GUID.
    pub guid: Uuid,
    /// Its attributes.
    pub attributes: Attributes,
    /// Its first byte.
    pub start: u64,
    /// One past its last byte.
    pub end: u64,
}

/// What is wrong with a table and does not stop reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The first copy of the table cannot be used; the second was read.
    PrimaryDamaged(String),
    /// The second copy of the table cannot be used.
    BackupDamaged(String),
    /// The second copy is not where tools look for it when the first is lost.
    BackupNotLast {
        /// The sector of its header.
        sector: u64,
        /// The disk's last sector.
        last: u64,
    },
    /// The two copies say different things.
    CopiesDiffer {
        /// What they disagree on.
        what: &'static str,
    },
    /// There is no MBR that tells old tools that the disk is in use.
    NoProtectiveMbr,
    /// Two partitions have one GUID.
    DuplicateGuid {
        /// The number of the first.
        first: u32,
        /// The number of the second.
        second: u32,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::PrimaryDamaged(why) => {
                write!(f, "the partition table is damaged: {why}; its backup was read")
            }
            Problem::BackupDamaged(why) => write!(f, "the backup of the partition table is damaged: {why}"),
            Problem::BackupNotLast { sector, last } => {
                write!(
                    f,
                    "the backup of the partition table is in sector {sector}, the disk's last is {last}"
                )
            }
            Problem::CopiesDiffer { what } => {
                write!(f, "the partition table and its backup differ in {what}")
            }
            Problem::NoProtectiveMbr => f.write_str("there is no protective MBR"),
            Problem::DuplicateGuid { first, second } => {
                write!(f, "partitions {first} and {second} have the same GUID")
            }
        }
    }
}

impl Partition {
    /// How many bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.end - self.start
    }

    /// Its bytes on the disk that it was read from.
    #[must_use]
    pub fn content(&self, disk: Arc<dyn ReadAt>) -> Content {
        Content::Span {
            source: disk,
            start: self.start,
            len: self.size(),
        }
    }
}

impl Disk {
    /// Reads the partition table of a disk of `size` bytes: with sectors of 512 bytes, then of 4096; first the copy
    /// at its start, then the one at its end.
    ///
    /// # Errors
    /// When there is no table, both copies are damaged, a partition cannot be where the table says, or reading
    /// fails.
    pub fn open(source: &dyn ReadAt, size: u64) -> Result<Disk> {
        let mut flaws = Vec::new();
        for sector_size in [SectorSize::B512, SectorSize::B4096] {
            match Table::read(source, size, sector_size, 1) {
                Ok(primary) => {
                    let problems = compare(source, size, &primary)?;
                    return disk(source, size, &primary, problems);
                }
                Err(flaw) => flaws.push(flaw.or_unreadable()?),
            }
        }
        let primary = worst(flaws);
        let mut flaws = Vec::new();
        for sector_size in [SectorSize::B512, SectorSize::B4096] {
            let last = (size / sector_size.bytes()).saturating_sub(1);
            match Table::read(source, size, sector_size, last) {
                Ok(backup) => {
                    let why = primary.unwrap_or_else(|| MISSING.to_owned());
                    return disk(source, size, &backup, vec![Problem::PrimaryDamaged(why)]);
                }
                Err(flaw) => flaws.push(flaw.or_unreadable()?),
            }
        }
        match (primary, worst(flaws)) {
            (None, None) => Err(Error::NotGpt),
            (primary, backup) => Err(Error::TableDamaged {
                primary: primary.unwrap_or_else(|| MISSING.to_owned()),
                backup: backup.unwrap_or_else(|| MISSING.to_owned()),
            }),
        }
    }

    /// The partition with this number.
    #[must_use]
    pub fn partition(&self, number: u32) -> Option<&Partition> {
        self.partitions
            .iter()
            .find(|partition| partition.number == number)
    }

    /// The first partition with this name.
    #[must_use]
    pub fn partition_named(&self, name: &str) -> Option<&Partition> {
        self.partitions.iter().find(|partition| partition.name == name)
    }
}

/// What is wrong with the copy that is there, if one is.
fn worst(flaws: Vec<Option<String>>) -> Option<String> {
    flaws.into_iter().flatten().next()
}

/// What the second copy says otherwise.
fn compare(source: &dyn ReadAt, size: u64, primary: &Table) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let last = size / primary.sector_size.bytes() - 1;
    let sector = primary.header.alternate_lba.get();
    if sector != last {
        problems.push(Problem::BackupNotLast { sector, last });
    }
    match Table::read(source, size, primary.sector_size, sector) {
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

fn disk(source: &dyn ReadAt, size: u64, table: &Table, mut problems: Vec<Problem>) -> Result<Disk> {
    if !has_protective_mbr(source)? {
        problems.push(Problem::NoProtectiveMbr);
    }
    let partitions = partitions(table)?;
    let mut guids = BTreeMap::new();
    for partition in &partitions {
        if let Some(first) = guids.insert(partition.guid, partition.number) {
            problems.push(Problem::DuplicateGuid {
                first,
                second: partition.number,
            });
        }
    }
    Ok(Disk {
        size,
        sector_size: table.sector_size,
        disk_guid: table.header.disk_guid.into(),
        usable: table.usable,
        entries: table.entries,
        entry_count: table.header.number_of_partition_entries.get(),
        partitions,
        problems,
    })
}

fn has_protective_mbr(source: &dyn ReadAt) -> Result<bool> {
    let mut bytes = [0; size_of::<Mbr>()];
    let read = source.read_exact_at(&mut bytes, 0);
    read.map_err(|source| Error::Read { start: 0, source })?;
    Ok(Mbr::read_from_bytes(&bytes).is_ok_and(|mbr| {
        mbr.signature == MBR_SIGNATURE
            && mbr
                .partition_record
                .iter()
                .any(|record| record.os_type == GPT_PROTECTIVE && record.starting_lba == 1)
    }))
}

/// The used entries, by number; all of them in the usable part, none over another.
fn partitions(table: &Table) -> Result<Vec<Partition>> {
    let mut partitions = Vec::new();
    for (number, bytes) in (1..).zip(table.entry_bytes.chunks(table.entry_size)) {
        let Ok((entry, _)) = Entry::read_from_prefix(bytes) else {
            continue;
        };
        let type_guid = Uuid::from(entry.partition_type_guid);
        if type_guid.is_nil() {
            continue;
        }
        let (start, end) = place(table, number, &entry)?;
        partitions.push(Partition {
            number,
            name: name(&entry),
            type_guid,
            guid: entry.unique_partition_guid.into(),
            attributes: Attributes(entry.attributes.get()),
            start,
            end,
        });
    }
    let mut by_start: Vec<&Partition> = partitions.iter().collect();
    by_start.sort_by_key(|partition| partition.start);
    for pair in by_start.windows(2) {
        let [first, second] = pair else { continue };
        if first.end > second.start {
            return Err(Error::PartitionDamaged {
                number: second.number,
                problem: format!(
                    "it starts at byte {}, partition {} ends at byte {}",
                    second.start, first.number, first.end
                ),
            });
        }
    }
    Ok(partitions)
}

fn place(table: &Table, number: u32, entry: &Entry) -> Result<(u64, u64)> {
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

fn name(entry: &Entry) -> String {
    let units = entry
        .partition_name
        .iter()
        .map(|unit| unit.get())
        .take_while(|unit| *unit != 0);
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

impl Flaw {
    /// What is wrong with the copy, when there is one and it can be read.
    fn or_unreadable(self) -> Result<Option<String>> {
        match self {
            Flaw::Absent => Ok(None),
            Flaw::Bad(why) => Ok(Some(why)),
            Flaw::Unreadable(error) => Err(error),
        }
    }
}
