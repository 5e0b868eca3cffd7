//! Reading a partition table back: a GPT from whichever copy of it is intact, an MBR with its logical partitions, or
//! both.

mod copy;
mod gpt;
mod mbr;
mod problem;

use std::sync::Arc;

use image::{Content, ReadAt};

use crate::{DiskId, Entry, Error, Result, SectorSize};
pub use gpt::Gpt;
pub use mbr::Mbr;
pub use problem::Problem;

/// A disk with a partition table.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Its bytes.
    pub size: u64,
    /// The unit of its addresses.
    pub sector_size: SectorSize,
    /// The table.
    pub table: Table,
    /// The partitions by number; those of a hybrid table are its GPT's.
    pub partitions: Vec<Partition>,
    /// What is wrong with the table and does not stop reading it.
    pub problems: Vec<Problem>,
}

/// A table that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Table {
    /// A GUID Partition Table.
    Gpt(Gpt),
    /// An MBR.
    Mbr(Mbr),
    /// A GUID Partition Table behind an MBR that shows some of its partitions.
    Hybrid(Gpt, Mbr),
}

/// A partition in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its name; what is not UTF-16 is replaced. Empty in an MBR.
    pub name: String,
    /// What the table says of it.
    pub entry: Entry,
    /// Its first byte.
    pub start: u64,
    /// One past its last byte.
    pub end: u64,
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
    /// Reads the partition table of a disk of `size` bytes. The sectors are those that a GPT was found with, or have
    /// 512 bytes: an MBR does not say how large they are.
    ///
    /// As Linux does, an MBR with partitions goes before a GPT that it does not mention.
    ///
    /// # Errors
    /// When there is no table, it is damaged, a partition cannot be where the table says, or reading fails.
    pub fn open(source: &dyn ReadAt, size: u64) -> Result<Disk> {
        open(
            source,
            size,
            SectorSize::B512,
            &[SectorSize::B512, SectorSize::B4096],
        )
    }

    /// As [`Disk::open`], with sectors of a size that is known.
    ///
    /// # Errors
    /// As [`Disk::open`].
    pub fn open_with_sectors(source: &dyn ReadAt, size: u64, sector_size: SectorSize) -> Result<Disk> {
        open(source, size, sector_size, &[sector_size])
    }

    /// The disk's own id.
    #[must_use]
    pub fn id(&self) -> DiskId {
        match &self.table {
            Table::Gpt(gpt) | Table::Hybrid(gpt, _) => DiskId::Guid(gpt.disk_guid),
            Table::Mbr(mbr) => DiskId::Signature(mbr.signature),
        }
    }

    /// The GPT, when there is one.
    #[must_use]
    pub fn gpt(&self) -> Option<&Gpt> {
        match &self.table {
            Table::Gpt(gpt) | Table::Hybrid(gpt, _) => Some(gpt),
            Table::Mbr(_) => None,
        }
    }

    /// The partition with this number.
    #[must_use]
    pub fn partition(&self, number: u32) -> Option<&Partition> {
        self.partitions
            .iter()
            .find(|partition| partition.entry.number == number)
    }

    /// The first partition with this name.
    #[must_use]
    pub fn partition_named(&self, name: &str) -> Option<&Partition> {
        self.partitions.iter().find(|partition| partition.name == name)
    }
}

fn open(source: &dyn ReadAt, size: u64, sector_size: SectorSize, gpt_sectors: &[SectorSize]) -> Result<Disk> {
    let first = mbr::first_sector(source, size)?;
    let with_mbr = |mbr| {
        let mut problems = Vec::new();
        let partitions = mbr::partitions(source, size, sector_size, mbr, &mut problems)?;
        Ok(Disk {
            size,
            sector_size,
            table: Table::Mbr(Mbr::new(mbr)),
            partitions,
            problems,
        })
    };
    if let Some(mbr) = first.as_ref().filter(|mbr| mbr::has_partitions(mbr)) {
        return with_mbr(mbr);
    }
    let Some(found) = gpt::find(source, size, gpt_sectors)? else {
        return match first.as_ref().filter(|mbr| mbr::is_empty(mbr)) {
            Some(mbr) => with_mbr(mbr),
            None => Err(Error::NotPartitioned),
        };
    };
    let gpt::Found {
        sector_size,
        gpt,
        mut partitions,
        mut problems,
    } = found;
    let table = match first.filter(mbr::is_protective) {
        None => {
            problems.push(Problem::NoProtectiveMbr);
            Table::Gpt(gpt)
        }
        Some(first) => match mbr::show(&first, sector_size, &mut partitions, &mut problems) {
            0 => Table::Gpt(gpt),
            _ => Table::Hybrid(gpt, Mbr::new(&first)),
        },
    };
    Ok(Disk {
        size,
        sector_size,
        table,
        partitions,
        problems,
    })
}

/// No partition lies over another.
fn overlap(partitions: &[Partition]) -> Result<()> {
    let mut by_start: Vec<&Partition> = partitions.iter().collect();
    by_start.sort_by_key(|partition| partition.start);
    for pair in by_start.windows(2) {
        let [first, second] = pair else { continue };
        if first.end > second.start {
            return Err(Error::PartitionDamaged {
                number: second.entry.number,
                problem: format!(
                    "it starts at byte {}, partition {} ends at byte {}",
                    second.start, first.entry.number, first.end
                ),
            });
        }
    }
    Ok(())
}
