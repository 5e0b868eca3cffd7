//! Where regions and the table's parts lie.

use image::Content;

use super::Placed;
use super::numbers::Role;
use crate::format::BOOT_CODE_SIZE;
use crate::{Error, Options, Range, Region, Result, Size, Table};

/// What the places of regions depend on.
pub(super) struct Room {
    /// The sector's bytes.
    pub(super) sector: u64,
    /// Regions without a place begin at a multiple of this.
    pub(super) align: u64,
    /// One past the last byte of the table at the disk's start.
    pub(super) front_end: u64,
    /// The bytes of the table at the disk's end.
    pub(super) tail_size: u64,
}

impl Room {
    pub(super) fn new(options: &Options) -> Result<Room> {
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
        if let Some(code) = &options.boot_code {
            if options.table == Table::None {
                let problem = "bytes have no place before a table, for there is none";
                return Err(bad("boot code", code.len(), problem));
            }
            if code.len() > BOOT_CODE_SIZE as u64 {
                let problem = format!("bytes are more than the {BOOT_CODE_SIZE} before the table's records");
                return Err(bad("boot code", code.len(), &problem));
            }
        }
        let (front_end, tail_size) = options.table.sizes(sector)?;
        Ok(Room {
            sector,
            align: options.align,
            front_end,
            tail_size,
        })
    }

    /// Rounds up to whole sectors.
    pub(super) fn sectors_up(&self, bytes: u64) -> Option<u64> {
        bytes.checked_next_multiple_of(self.sector)
    }
}

/// The disk's size, in whole sectors, with room for the table at both ends.
pub(super) fn disk_size(options: &Options, room: &Room, placed: &[Placed]) -> Result<u64> {
    let last = placed.iter().max_by_key(|placed| placed.end);
    let end = last.map_or(0, |placed| placed.end).max(room.front_end);
    let too_far = || Error::TooFar {
        name: last.map_or_else(|| "the table".to_owned(), |placed| placed.region.name.clone()),
    };
    let needed = room
        .sectors_up(end)
        .and_then(|end| end.checked_add(room.tail_size))
        .ok_or_else(too_far)?;
    let table = room.front_end + room.tail_size;
    match options.size {
        Size::Fit => needed.checked_next_multiple_of(room.align).ok_or_else(too_far),
        Size::FitTo(multiple) => needed.checked_next_multiple_of(multiple).ok_or_else(too_far),
        Size::Exactly(size) => match last.filter(|placed| placed.end > size) {
            Some(placed) => Err(Error::BeyondEnd {
                label: placed.region.name.clone(),
                range: Range {
                    start: placed.start,
                    end: placed.end,
                },
                size,
                needed,
            }),
            None if size < table => Err(Error::BadOption {
                option: "size",
                value: size,
                problem: format!("is less than the {table} bytes of the partition table"),
            }),
            None => Ok(size),
        },
    }
}

/// Gives each region its place and size.
pub(super) fn place<'a>(
    options: &Options,
    room: &Room,
    regions: &'a [Region],
    roles: &[Role],
) -> Result<Vec<Placed<'a>>> {
    let mut placed: Vec<Placed> = Vec::with_capacity(regions.len());
    let mut position = room.front_end;
    for (region, role) in regions.iter().zip(roles) {
        let too_far = || Error::TooFar {
            name: region.name.clone(),
        };
        // What leads to a logical partition begins aligned too: sfdisk insists on it.
        let before = match role {
            Role::Logical(_) => position
                .checked_next_multiple_of(room.align)
                .and_then(|aligned| aligned.checked_add(room.sector)),
            Role::Raw | Role::Entry(_) => Some(position),
        };
        let start = before
            .and_then(|position| start(options, region, position))
            .ok_or_else(too_far)?;
        let size = size(room, region)?;
        let end = start.checked_add(size).ok_or_else(too_far)?;
        placed.push(Placed { region, start, end });
        position = end.max(room.front_end);
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

fn size(room: &Room, region: &Region) -> Result<u64> {
    let len = region.content.as_ref().map_or(0, Content::len);
    let too_far = || Error::TooFar {
        name: region.name.clone(),
    };
    let size = match (region.size, &region.partition) {
        (Some(size), _) => size,
        (None, Some(_)) => room.sectors_up(len).ok_or_else(too_far)?,
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
