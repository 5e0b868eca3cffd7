//! Extended partitions: a chain of logical partitions, each behind the record that leads to it.

use image::Layout;
use zerocopy::IntoBytes;

use super::gpt::padded;
use super::numbers::{RECORDS, last_free};
use super::places::Room;
use super::records::{self, Sectors, partition, record};
use crate::format::{EXTENDED, PartitionRecord};
use crate::{Entry, Error, Kind, MapEntry, Range, Result, TypeId};

/// The partition that holds the logical ones.
pub(super) struct Extended {
    /// Its number.
    pub(super) number: u32,
    range: Range,
}

impl Extended {
    pub(super) fn sectors(&self, sector: u64) -> Sectors {
        Sectors {
            first: self.range.start / sector,
            count: (self.range.end - self.range.start) / sector,
        }
    }
}

/// The extended partition, when there is one: from the first record to the last logical partition.
pub(super) fn extended(map: &[MapEntry]) -> Option<Extended> {
    let logical = || map.iter().filter(|part| logical_entry(part).is_some());
    let records = map.iter().filter(|part| part.kind == Kind::ExtendedBootRecord);
    let range = Range {
        start: records.map(|part| part.start).min()?,
        end: logical().map(|part| part.end).max()?,
    };
    let taken = |number| {
        map.iter()
            .any(|part| part.partition.is_some_and(|entry| entry.number == number))
    };
    Some(Extended {
        number: last_free(taken)?,
        range,
    })
}

fn logical_entry(part: &MapEntry) -> Option<Entry> {
    part.partition
        .filter(|entry| matches!(entry.kind, TypeId::Mbr(_)) && entry.number > RECORDS)
}

/// A record for each logical partition: where the gap before it begins, but not further away than regions are from
/// each other.
pub(super) fn parts(room: &Room, regions: &[MapEntry]) -> Vec<MapEntry> {
    let logical = regions.iter().filter(|region| logical_entry(region).is_some());
    logical
        .map(|logical| {
            let before = regions.iter().filter(|region| region.start < logical.start);
            let end = before
                .map(|region| region.end)
                .max()
                .unwrap_or_default()
                .max(room.front_end);
            let latest = logical.start.saturating_sub(room.sector);
            let start = room.sectors_up(end).map_or(latest, |end| {
                end.max(logical.start.saturating_sub(room.align)).min(latest)
            });
            MapEntry::of_table(Kind::ExtendedBootRecord, &logical.name, start, room.sector)
        })
        .collect()
}

/// Logical partitions lie in the order of their numbers, and no primary one is amid them.
pub(super) fn check(map: &[MapEntry]) -> Result<()> {
    let Some(extended) = extended(map) else {
        return Ok(());
    };
    let mut last: Option<(&str, u32)> = None;
    for part in map {
        let Some(entry) = part.partition else { continue };
        if logical_entry(part).is_none() {
            if extended.range.start < part.end && part.start < extended.range.end {
                return Err(Error::InsideExtended {
                    name: part.name.clone(),
                    range: part.range(),
                    extended: extended.range,
                });
            }
            continue;
        }
        if let Some((first, first_number)) = last.filter(|(_, number)| *number > entry.number) {
            return Err(Error::LogicalOrder {
                name: first.to_owned(),
                number: first_number,
                first: part.name.clone(),
                first_number: entry.number,
            });
        }
        last = Some((&part.name, entry.number));
    }
    Ok(())
}

/// Puts the records where the map has them.
pub(super) fn put(layout: &mut Layout, sector: u64, map: &[MapEntry]) {
    let Some(extended) = extended(map) else {
        return;
    };
    let base = extended.sectors(sector).first;
    let mut links: Vec<(&MapEntry, &MapEntry, Entry)> = Vec::new();
    for place in map.iter().filter(|part| part.kind == Kind::ExtendedBootRecord) {
        let logical = map
            .iter()
            .find(|part| part.kind == Kind::Partition && part.name == place.name);
        if let Some((logical, entry)) = logical.and_then(|part| Some((part, logical_entry(part)?))) {
            links.push((place, logical, entry));
        }
    }
    for (index, (place, logical, entry)) in links.iter().enumerate() {
        let here = place.start / sector;
        let next = links.get(index + 1).map(|(place, logical, _)| {
            let first = place.start / sector;
            let count = logical.end / sector - first;
            record(EXTENDED, Sectors { first, count }, base)
        });
        let mut all = [PartitionRecord::default(); 4];
        all[0] = partition(logical, entry, sector, here);
        all[1] = next.unwrap_or_default();
        let bytes = records::sector(0, all).as_bytes().to_vec();
        layout.put(place.start, place.label(), padded(bytes, place.size()));
    }
}
