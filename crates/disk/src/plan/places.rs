//! Where regions and the table's parts lie.

use image::Content;

use super::Placed;
use crate::format::ENTRY_SIZE;
use crate::{Error, Kind, MapEntry, Options, Region, Result, Size, Table};

/// The most entries that a table may have room for: 128 KiB of them.
const ENTRIES_MAX: u32 = 1024;

/// The parts of a disk that do not depend on its regions.
pub(super) struct Geometry {
    /// The sector's bytes.
    pub(super) sector: u64,
    /// The table's room; none on a disk without table.
    pub(super) table: Option<TableRoom>,
}

/// Where a GPT's parts lie.
#[derive(Clone, Copy)]
pub(super) struct TableRoom {
    /// The first byte of the primary entries.
    pub(super) entries_start: u64,
    /// The bytes of one copy of the entries, in whole sectors.
    pub(super) entries_size: u64,
}

impl Geometry {
    pub(super) fn new(options: &Options) -> Result<Geometry> {
        let sector = options.sector_size.bytes();
        let bad = |option, value, problem: &str| Error::BadOption {
            option,
            value,
            problem: problem.to_owned(),
        };
        let multiple = format!("is no multiple of the sector size of {sector}");
        if options.align == 0 || !options.align.is_multiple_of(sector) {
            return Err(bad("align", options.align, &multiple));
        }
        if let Size::Exactly(size) = options.size
            && !size.is_multiple_of(sector)
        {
            return Err(bad("size", size, &multiple));
        }
        let Table::Gpt(gpt) = &options.table else {
            return Ok(Geometry { sector, table: None });
        };
        if gpt.entries == 0 || gpt.entries > ENTRIES_MAX {
            let problem = format!("is not between 1 and {ENTRIES_MAX}");
            return Err(bad("entries", gpt.entries.into(), &problem));
        }
        if !gpt.header_hole.is_multiple_of(sector) {
            return Err(bad("header hole", gpt.header_hole, &multiple));
        }
        // Small enough for every sum of a few such numbers.
        if gpt.header_hole > u64::MAX / 4 {
            return Err(bad("header hole", gpt.header_hole, "is too large"));
        }
        let table = TableRoom {
            entries_start: 2 * sector + gpt.header_hole,
            entries_size: (u64::from(gpt.entries) * u64::from(ENTRY_SIZE)).next_multiple_of(sector),
        };
        Ok(Geometry {
            sector,
            table: Some(table),
        })
    }

    /// The first byte behind the table at the disk's start.
    pub(super) fn front_end(&self) -> u64 {
        self.table
            .map_or(0, |table| table.entries_start + table.entries_size)
    }

    /// The bytes of the table at the disk's end.
    pub(super) fn tail_size(&self) -> u64 {
        self.table.map_or(0, |table| table.entries_size + self.sector)
    }

    /// The disk's size, in whole sectors, with room for the table at both ends.
    pub(super) fn disk_size(&self, options: &Options, placed: &[Placed]) -> Result<u64> {
        let last = placed.iter().max_by_key(|placed| placed.end);
        let end = last.map_or(0, |placed| placed.end).max(self.front_end());
        let needed = end
            .checked_next_multiple_of(self.sector)
            .and_then(|end| end.checked_add(self.tail_size()));
        let too_far = || Error::TooFar {
            name: last.map_or_else(|| "the table".to_owned(), |placed| placed.region.name.clone()),
        };
        let needed = needed.ok_or_else(too_far)?;
        match options.size {
            Size::Fit => needed.checked_next_multiple_of(options.align).ok_or_else(too_far),
            Size::Exactly(size) => match last.filter(|placed| placed.end > size) {
                Some(placed) => Err(Error::BeyondEnd {
                    label: placed.region.name.clone(),
                    range: crate::Range {
                        start: placed.start,
                        end: placed.end,
                    },
                    size,
                    needed,
                }),
                None if size < self.front_end() + self.tail_size() => Err(Error::BadOption {
                    option: "size",
                    value: size,
                    problem: format!(
                        "is less than the {} bytes of the partition table",
                        self.front_end() + self.tail_size()
                    ),
                }),
                None => Ok(size),
            },
        }
    }

    /// The table's parts on a disk of this size.
    pub(super) fn table_parts(&self, size: u64) -> Vec<MapEntry> {
        let Some(table) = self.table else {
            return Vec::new();
        };
        let parts = [
            (Kind::ProtectiveMbr, 0, self.sector),
            (Kind::Header, self.sector, self.sector),
            (Kind::Entries, table.entries_start, table.entries_size),
            (Kind::BackupEntries, size - self.tail_size(), table.entries_size),
            (Kind::BackupHeader, size - self.sector, self.sector),
        ];
        parts
            .into_iter()
            .map(|(kind, start, size)| MapEntry {
                content_len: Some(size),
                ..MapEntry::new(kind, "", start, size)
            })
            .collect()
    }
}

/// Gives each region its place and size.
pub(super) fn place<'a>(
    options: &Options,
    geometry: &Geometry,
    regions: &'a [Region],
) -> Result<Vec<Placed<'a>>> {
    let mut placed: Vec<Placed> = Vec::with_capacity(regions.len());
    let mut position = geometry.front_end();
    for region in regions {
        let too_far = || Error::TooFar {
            name: region.name.clone(),
        };
        let start = start(options, region, position).ok_or_else(too_far)?;
        let size = size(geometry, region)?;
        let end = start.checked_add(size).ok_or_else(too_far)?;
        placed.push(Placed { region, start, end });
        position = end.max(geometry.front_end());
    }
    Ok(placed)
}

/// Where a region starts, if it can be told; `position` is the end of the one before it, or that of the table at
/// the disk's start.
fn start(options: &Options, region: &Region, position: u64) -> Option<u64> {
    let blob = options.board.and_then(|board| board.blob(&region.name));
    match (region.place, blob, options.board) {
        (Some(place), _, _) => Some(place),
        (None, Some(blob), _) => Some(blob.start),
        (None, None, Some(board)) if region.partition.is_some() => position
            .max(board.first_partition_min)
            .checked_next_multiple_of(options.align),
        (None, None, _) => position.checked_next_multiple_of(options.align),
    }
}

fn size(geometry: &Geometry, region: &Region) -> Result<u64> {
    let len = region.content.as_ref().map_or(0, Content::len);
    let too_far = || Error::TooFar {
        name: region.name.clone(),
    };
    let size = match (region.size, &region.partition) {
        (Some(size), _) => size,
        (None, Some(_)) => len
            .checked_next_multiple_of(geometry.sector)
            .ok_or_else(too_far)?,
        (None, None) => len,
    };
    if len > size {
        return Err(Error::ContentTooLarge {
            name: region.name.clone(),
            len,
            size,
        });
    }
    if size == 0 {
        return Err(Error::Empty {
            name: region.name.clone(),
        });
    }
    Ok(size)
}
