//! The rules that regions keep.

use std::collections::BTreeSet;

use super::Placed;
use super::places::Room;
use crate::hint::larger_disk;
use crate::{
    Board, Bytes, Entry, Error, Gpt, Kind, MapEntry, Options, PartitionType, Range, Region, Result, Table,
    TypeId,
};

/// Names are there and are different.
pub(super) fn names(regions: &[Region]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for region in regions {
        let name = region.name.clone();
        if name.is_empty() {
            return Err(Error::BadName {
                name,
                problem: "a region needs a name",
            });
        }
        if name.contains('\0') {
            return Err(Error::BadName {
                name,
                problem: "a region's name holds a zero byte, which would end it",
            });
        }
        if !seen.insert(&region.name) {
            return Err(Error::DuplicateName { name });
        }
    }
    Ok(())
}

/// The board finds what it boots by the types of partitions.
pub(super) fn board_types(options: &Options, regions: &[Region], entries: &[Option<Entry>]) -> Result<()> {
    let Some(board) = options.board else {
        return Ok(());
    };
    first_type(board, regions, entries)?;
    for (region, entry) in regions.iter().zip(entries) {
        let wanted = board.blob(&region.name).and_then(|blob| blob.partition_type);
        let kind = entry.map(|entry| entry.kind);
        if let Some(wanted) = wanted.filter(|wanted| !kind.is_some_and(|kind| is(kind, wanted))) {
            return Err(Error::BlobType {
                name: region.name.clone(),
                kind,
                board: board.name,
                wanted,
            });
        }
    }
    match board.boots_type {
        Some(kind) => chosen_by_attributes(board, kind, &options.table, entries),
        None => Ok(()),
    }
}

/// Whether a type in a table is the one of this name.
fn is(kind: TypeId, name: &str) -> bool {
    let TypeId::Guid(guid) = kind else {
        return false;
    };
    PartitionType::parse(name).is_ok_and(|known| known.guid() == Some(guid))
}

/// The first partition in the table that the board reads is what it looks for.
fn first_type(board: &Board, regions: &[Region], entries: &[Option<Entry>]) -> Result<()> {
    let error = |region: &Region, table, kind, wanted| Error::BoardType {
        name: region.name.clone(),
        table,
        kind,
        board: board.name,
        wanted,
    };
    let all = || {
        let all = regions.iter().zip(entries);
        all.filter_map(|(region, entry)| Some((region, entry.as_ref()?)))
    };
    let in_mbr = all().filter_map(|(region, entry)| Some((entry.number, entry.type_in_mbr()?, region)));
    if let Some((_, kind, region)) = in_mbr.min_by_key(|(number, ..)| *number) {
        let wanted = board.first_types;
        return if wanted.is_empty() || wanted.contains(&kind) {
            Ok(())
        } else {
            let wanted = wanted.iter().map(ToString::to_string).collect();
            Err(error(region, "MBR", TypeId::Mbr(kind), wanted))
        };
    }
    let wanted = board.first_gpt_types;
    match all().min_by_key(|(_, entry)| entry.number) {
        Some((region, entry))
            if !wanted.is_empty() && !wanted.iter().any(|wanted| is(entry.kind, wanted)) =>
        {
            let wanted = wanted.iter().map(ToString::to_string).collect();
            Err(error(region, "GPT", entry.kind, wanted))
        }
        _ => Ok(()),
    }
}

/// A partition of this type boots, and the firmware takes the table: it insists on the usual number of entries.
fn chosen_by_attributes(
    board: &Board,
    kind: &'static str,
    table: &Table,
    entries: &[Option<Entry>],
) -> Result<()> {
    let mut all = entries.iter().flatten();
    if !all.any(|entry| is(entry.kind, kind) && entry.attributes.chromeos().boots()) {
        return Err(Error::NothingBoots {
            board: board.name,
            kind,
        });
    }
    let usual = Gpt::default().entries;
    match table {
        Table::Gpt(gpt) | Table::Hybrid(gpt, _) if gpt.entries != usual => Err(Error::BadOption {
            option: "entries",
            value: gpt.entries.into(),
            problem: format!("is not {usual}, the only number that {} takes", board.name),
        }),
        _ => Ok(()),
    }
}

/// Blobs and partitions are where the board wants them.
pub(super) fn board(options: &Options, placed: &[Placed]) -> Result<()> {
    let Some(board) = options.board else {
        return Ok(());
    };
    placed.iter().try_for_each(|placed| board_place(board, placed))
}

fn board_place(
    board: &'static Board,
    Placed {
        region, start, end, ..
    }: &Placed,
) -> Result<()> {
    let name = region.name.clone();
    match board.blob(&name) {
        Some(blob) if blob.start != *start => Err(Error::WrongPlace {
            name,
            start: *start,
            board: board.name,
            wanted: blob.start,
        }),
        Some(blob) => match blob.max_end.filter(|max_end| end > max_end) {
            Some(max_end) => Err(Error::BlobTooLarge {
                name,
                end: *end,
                board: board.name,
                max_end,
            }),
            None => Ok(()),
        },
        None if region.partition.is_some() && *start < board.first_partition_min => Err(Error::TooEarly {
            name,
            start: *start,
            board: board.name,
            min: board.first_partition_min,
            notes: board.notes,
        }),
        None => Ok(()),
    }
}

/// Nothing overlaps, and partitions are whole sectors in the usable part of the disk. The map is sorted.
pub(super) fn places(room: &Room, map: &[MapEntry], size: u64) -> Result<()> {
    // Sorted by start, any overlap shows between neighbours too.
    for pair in map.windows(2) {
        let [first, second] = pair else { continue };
        if first.end > second.start {
            return Err(Error::Overlap {
                hint: hint(room, first, second),
                first: Box::new(first.clone()),
                second: Box::new(second.clone()),
            });
        }
    }
    let usable = Range {
        start: room.front_end,
        end: size - room.tail_size,
    };
    for entry in map.iter().filter(|entry| entry.kind == Kind::Partition) {
        let name = || entry.name.clone();
        for (what, at) in [("starts", entry.start), ("ends", entry.end)] {
            if at % room.sector != 0 {
                return Err(Error::NotAligned {
                    name: name(),
                    what,
                    at,
                    sector: room.sector,
                });
            }
        }
        if entry.start < usable.start || entry.end > usable.end {
            return Err(Error::NotUsable {
                name: name(),
                range: entry.range(),
                usable,
            });
        }
    }
    Ok(())
}

/// What to do about an overlap.
fn hint(room: &Room, first: &MapEntry, second: &MapEntry) -> String {
    let (table, region) = match (first.kind, second.kind) {
        (Kind::ExtendedBootRecord, _) => (first, second),
        (_, Kind::ExtendedBootRecord) => (second, first),
        (kind, _) if kind.is_table() => (first, second),
        (_, kind) if kind.is_table() => (second, first),
        _ => {
            let later = format!("place {} at {} or later", second.name, Bytes(first.end));
            if first.start == second.start {
                return later;
            }
            return format!("{later}, or make {} end at {}", first.name, Bytes(second.start));
        }
    };
    let behind = format!("place {} at {} or later", region.name, Bytes(room.front_end));
    let end = room.sectors_up(region.end).unwrap_or(region.end);
    match table.kind {
        Kind::ExtendedBootRecord => {
            let place = Bytes(end.saturating_add(room.sector));
            format!(
                "place {} at {place} or later: a logical partition has a sector before it",
                table.name
            )
        }
        Kind::BackupEntries | Kind::BackupHeader => larger_disk(end.saturating_add(room.tail_size)),
        Kind::Entries if region.start >= 2 * room.sector && region.kind == Kind::Raw => {
            let hole = Bytes(end - 2 * room.sector);
            format!("{behind}, or move the table's entries behind it with a header hole of at least {hole}")
        }
        _ => behind,
    }
}
