//! The rules that regions keep.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::Placed;
use super::places::Geometry;
use crate::error::larger_disk;
use crate::format::NAME_UNITS;
use crate::{Bytes, Error, Kind, MapEntry, MapPartition, Options, Partition, Range, Region, Result};

/// Names are there, are different, and fit the table.
pub(super) fn names(regions: &[Region]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for region in regions {
        let name = region.name.clone();
        let units = name.encode_utf16().count();
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
        if units > NAME_UNITS && region.partition.is_some() {
            return Err(Error::NameTooLong { name, units });
        }
        if !seen.insert(&region.name) {
            return Err(Error::DuplicateName { name });
        }
    }
    Ok(())
}

/// Blobs and partitions are where the board wants them.
pub(super) fn board(options: &Options, placed: &[Placed]) -> Result<()> {
    let Some(board) = options.board else {
        return Ok(());
    };
    for Placed { region, start, end } in placed {
        let name = region.name.clone();
        match board.blob(&name) {
            Some(blob) if blob.start != *start => {
                return Err(Error::WrongPlace {
                    name,
                    start: *start,
                    board: board.name,
                    wanted: blob.start,
                });
            }
            Some(blob) => {
                if let Some(max_end) = blob.max_end.filter(|max_end| end > max_end) {
                    return Err(Error::BlobTooLarge {
                        name,
                        end: *end,
                        board: board.name,
                        max_end,
                    });
                }
            }
            None if region.partition.is_some() && *start < board.first_partition_min => {
                return Err(Error::TooEarly {
                    name,
                    start: *start,
                    board: board.name,
                    min: board.first_partition_min,
                    notes: board.notes,
                });
            }
            None => {}
        }
    }
    Ok(())
}

/// A disk without table has no partitions.
pub(super) fn no_partitions(partitions: &[(&str, &Partition)]) -> Result<()> {
    match partitions.first() {
        Some((name, _)) => Err(Error::NoTable {
            name: (*name).to_owned(),
        }),
        None => Ok(()),
    }
}

/// Given numbers are different and have entries. Answers the numbers that are given.
pub(super) fn numbers(partitions: &[(&str, &Partition)], entries: u32) -> Result<BTreeSet<u32>> {
    let mut taken = BTreeMap::new();
    for (name, partition) in partitions {
        let Some(number) = partition.number else { continue };
        if number == 0 || number > entries {
            return Err(Error::BadNumber {
                name: (*name).to_owned(),
                number,
                entries,
            });
        }
        if let Some(first) = taken.insert(number, *name) {
            return Err(Error::DuplicateNumber {
                first: first.to_owned(),
                second: (*name).to_owned(),
                number,
            });
        }
    }
    if u32::try_from(partitions.len()).map_or(true, |count| count > entries) {
        return Err(Error::TooManyPartitions {
            partitions: partitions.len(),
            entries,
        });
    }
    Ok(taken.into_keys().collect())
}

/// GUIDs are there, and those of the disk and its partitions are different.
pub(super) fn guids(disk: Uuid, placed: &[Placed], entries: &[Option<MapPartition>]) -> Result<()> {
    let nil = |name: &str, what| Error::NilGuid {
        name: name.to_owned(),
        what,
    };
    if disk.is_nil() {
        return Err(nil("the disk", "GUID"));
    }
    let mut seen = BTreeMap::from([(disk, "the disk")]);
    for (placed, entry) in placed.iter().zip(entries) {
        let Some(entry) = entry else { continue };
        let name = placed.region.name.as_str();
        if entry.type_guid.is_nil() {
            return Err(nil(name, "type"));
        }
        if entry.guid.is_nil() {
            return Err(nil(name, "GUID"));
        }
        if let Some(first) = seen.insert(entry.guid, name) {
            return Err(Error::DuplicateGuid {
                first: first.to_owned(),
                second: name.to_owned(),
                guid: entry.guid,
            });
        }
    }
    Ok(())
}

/// Nothing overlaps, and partitions are whole sectors in the usable part of the disk. The map is sorted.
pub(super) fn places(geometry: &Geometry, map: &[MapEntry], size: u64) -> Result<()> {
    // Sorted by start, any overlap shows between neighbours too.
    for pair in map.windows(2) {
        let [first, second] = pair else { continue };
        if first.end > second.start {
            return Err(Error::Overlap {
                hint: hint(geometry, first, second),
                first: Box::new(first.clone()),
                second: Box::new(second.clone()),
            });
        }
    }
    let usable = Range {
        start: geometry.front_end(),
        end: size - geometry.tail_size(),
    };
    for entry in map.iter().filter(|entry| entry.kind == Kind::Partition) {
        let name = || entry.name.clone();
        for (what, at) in [("starts", entry.start), ("ends", entry.end)] {
            if at % geometry.sector != 0 {
                return Err(Error::NotAligned {
                    name: name(),
                    what,
                    at,
                    sector: geometry.sector,
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
fn hint(geometry: &Geometry, first: &MapEntry, second: &MapEntry) -> String {
    let (table, region) = match (first.kind.is_table(), second.kind.is_table()) {
        (true, _) => (first, second),
        (_, true) => (second, first),
        _ => {
            let later = format!("place {} at {} or later", second.name, Bytes(first.end));
            if first.start == second.start {
                return later;
            }
            return format!("{later}, or make {} end at {}", first.name, Bytes(second.start));
        }
    };
    let behind = format!(
        "place {} at {} or later",
        region.name,
        Bytes(geometry.front_end())
    );
    let end = region.end.saturating_add(geometry.sector - 1) / geometry.sector * geometry.sector;
    match table.kind {
        Kind::BackupEntries | Kind::BackupHeader => larger_disk(end.saturating_add(geometry.tail_size())),
        Kind::Entries if region.start >= 2 * geometry.sector && region.kind == Kind::Raw => {
            let hole = Bytes(end - 2 * geometry.sector);
            format!("{behind}, or move the table's entries behind it with a header hole of at least {hole}")
        }
        _ => behind,
    }
}
