//! Planning: options and regions become an image and its map.

mod checks;
mod gpt;
mod places;

use std::fmt;

use image::{Content, Image, Layout};
use serde::Serialize;
use uuid::Uuid;

use crate::map::with_gaps;
use crate::{Bytes, Kind, MapEntry, MapPartition, Options, Partition, Region, Result, SectorSize, Table};
use places::Geometry;

/// A planned disk.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The disk.
    pub image: Image,
    /// What lies where, with the table's parts and the gaps, in disk order; it covers the whole disk.
    pub map: Vec<MapEntry>,
    /// The unit of its addresses.
    pub sector_size: SectorSize,
    /// The disk's own GUID, when it has a table.
    pub disk_guid: Option<Uuid>,
    /// What works, and is worth a look.
    pub warnings: Vec<Warning>,
}

/// Something that works, and is worth a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "warning")]
pub enum Warning {
    /// A partition that no 4 KiB block begins with, which makes flash slow.
    Unaligned {
        /// The partition's name.
        name: String,
        /// Its first byte.
        start: u64,
    },
    /// A table with less than the 16 KiB of entries that UEFI firmware may insist on.
    FewEntries {
        /// How many entries.
        entries: u32,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Unaligned { name, start } => write!(
                f,
                "{name}: the partition starts at {} ({start:#x}), which is no multiple of 4 KiB",
                Bytes(*start)
            ),
            Warning::FewEntries { entries } => write!(
                f,
                "the table has {entries} entries, UEFI wants room for 128; boards that boot by place do not care"
            ),
        }
    }
}

/// A region with its place.
struct Placed<'a> {
    region: &'a Region,
    start: u64,
    end: u64,
}

impl Placed<'_> {
    fn map_entry(&self, partition: Option<MapPartition>) -> MapEntry {
        let kind = match partition {
            Some(_) => Kind::Partition,
            None => Kind::Raw,
        };
        MapEntry {
            content_len: self.region.content.as_ref().map(Content::len),
            partition,
            ..MapEntry::new(kind, &self.region.name, self.start, self.end - self.start)
        }
    }
}

/// Gives regions their places, checks everything, and makes an image of them.
///
/// # Errors
/// When something does not fit, overlaps, or breaks a rule of the table or the board.
pub fn plan(options: &Options, regions: &[Region]) -> Result<Planned> {
    let geometry = Geometry::new(options)?;
    checks::names(regions)?;
    let placed = places::place(options, &geometry, regions)?;
    let size = geometry.disk_size(options, &placed)?;
    checks::board(options, &placed)?;
    let entries = number(options, &placed)?;

    let regions: Vec<MapEntry> = placed
        .iter()
        .zip(entries)
        .map(|(placed, partition)| placed.map_entry(partition))
        .collect();
    let mut map = geometry.table_parts(size);
    map.extend_from_slice(&regions);
    map.sort_by_key(|entry| (entry.start, entry.end));
    checks::places(&geometry, &map, size)?;

    let mut layout = Layout::new();
    let disk_guid = gpt::put(&mut layout, options, &geometry, &map, size);
    for (placed, entry) in placed.iter().zip(&regions) {
        if let Some(content) = &placed.region.content {
            layout.put(entry.start, entry.label(), content.clone());
        }
    }
    Ok(Planned {
        image: layout.finish(size)?,
        warnings: warnings(options, &map),
        map: with_gaps(map, size),
        sector_size: options.sector_size,
        disk_guid,
    })
}

/// Gives partitions their numbers and GUIDs; raw regions have none.
fn number(options: &Options, placed: &[Placed]) -> Result<Vec<Option<MapPartition>>> {
    let partitions: Vec<(&str, &Partition)> = placed
        .iter()
        .filter_map(|placed| Some((placed.region.name.as_str(), placed.region.partition.as_ref()?)))
        .collect();
    let Table::Gpt(gpt) = &options.table else {
        checks::no_partitions(&partitions)?;
        return Ok(placed.iter().map(|_| None).collect());
    };
    let mut taken = checks::numbers(&partitions, gpt.entries)?;
    let mut next = 1;
    let mut entries = Vec::with_capacity(placed.len());
    for placed in placed {
        let region = placed.region;
        entries.push(region.partition.as_ref().map(|partition| {
            MapPartition {
                number: partition.number.unwrap_or_else(|| {
                    while !taken.insert(next) {
                        next += 1;
                    }
                    next
                }),
                type_guid: partition.type_guid,
                guid: partition
                    .guid
                    .unwrap_or_else(|| options.seed.uuid(&format!("disk/region/{}", region.name))),
                attributes: partition.attributes,
            }
        }));
    }
    checks::guids(gpt::disk_guid(options, gpt), placed, &entries)?;
    Ok(entries)
}

fn warnings(options: &Options, map: &[MapEntry]) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = map
        .iter()
        .filter(|entry| entry.kind == Kind::Partition && entry.start % 4096 != 0)
        .map(|entry| Warning::Unaligned {
            name: entry.name.clone(),
            start: entry.start,
        })
        .collect();
    if let Table::Gpt(gpt) = &options.table
        && gpt.entries < 128
    {
        warnings.push(Warning::FewEntries { entries: gpt.entries });
    }
    warnings
}
