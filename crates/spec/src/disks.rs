//! The disk of a specification: its regions, with the parts that are in them.

use disk::{Attributes, Board, Gpt, Partition, SectorSize};
use image::Content;

use crate::error::{Error, Result};
use crate::parts::{Detail, Part, Planner};
use crate::schema::{Disk, Region, Table};
use crate::text::nearest;
use crate::{Spec, outputs};

/// Plans the disk, and says what its output is called.
pub(crate) fn plan(disk: &Disk, planner: &mut Planner) -> Result<(disk::Planned, String)> {
    let options = options(disk, planner)?;
    let sector_size = options.sector_size.bytes();
    let mut regions = Vec::new();
    for region in &disk.region {
        regions.push(lower(region, sector_size, planner)?);
    }
    let planned = disk::plan(&options, &regions)?;
    Ok((planned, outputs::disk(disk, planner.gathered)))
}

fn options(disk: &Disk, planner: &Planner) -> Result<disk::Options> {
    let sector_size = disk.sector_size.unwrap_or(512);
    let bad = |key: &str, problem: String| Error::BadValue {
        place: format!("disk.{key}"),
        problem,
    };
    let sector_size = SectorSize::from_bytes(sector_size.into())
        .ok_or_else(|| bad("sector-size", format!("{sector_size}: must be 512 or 4096")))?;
    let bytes = |amount: crate::Amount| amount.bytes(sector_size.bytes());
    let board = match &disk.board {
        None => None,
        Some(name) => Some(Board::named(name).ok_or_else(|| {
            let known: Vec<&str> = Board::ALL.iter().map(|board| board.name).collect();
            Error::Unknown {
                place: "disk.board".into(),
                what: format!("board {name:?}"),
                hint: Some(match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("there are: {}", known.join(", ")),
                }),
            }
        })?),
    };
    let table = match disk.table.unwrap_or(Table::Gpt) {
        Table::None => disk::Table::None,
        Table::Gpt => disk::Table::Gpt(Gpt {
            disk_guid: guid(disk.guid.as_deref(), "disk")?,
            entries: disk.entries.unwrap_or(Gpt::default().entries),
            header_hole: disk.header_hole.map_or(0, bytes),
        }),
    };
    let defaults = disk::Options::new(planner.gathered.seed);
    Ok(disk::Options {
        table,
        sector_size,
        size: disk
            .size
            .map_or(disk::Size::Fit, |size| disk::Size::Exactly(bytes(size))),
        align: disk.align.map_or(defaults.align, bytes),
        board,
        ..defaults
    })
}

fn lower(region: &Region, sector_size: u64, planner: &mut Planner) -> Result<disk::Region> {
    let place = format!("disk.region {:?}", region.name);
    let bad = |problem: &str| Error::BadValue {
        place: place.clone(),
        problem: problem.to_string(),
    };
    let mut size = region.size.map(|size| size.bytes(sector_size));
    let content = match (&region.raw, &region.content) {
        (Some(_), Some(_)) => return Err(bad("raw and content exclude each other")),
        (Some(raw), None) => {
            let content = Content::host_file(planner.work.folder.join(raw));
            Some(content.map_err(|source| Error::Tree {
                part: place.clone(),
                source,
            })?)
        }
        (None, Some(name)) => {
            check_part(&place, name, planner.spec)?;
            let part = planner.part(name)?;
            if let Some(size) = size {
                part.check_size(size, &format!("{place}.size"))?;
            }
            content(part, &mut size)
        }
        (None, None) => None,
    };
    let partition = match &region.kind {
        Some(kind) => Some(partition(region, kind)?),
        None if region.guid.is_some() || region.number.is_some() || !region.attributes.is_empty() => {
            return Err(bad(
                "guid, number and attributes need a type, which makes it a partition",
            ));
        }
        None => None,
    };
    let place = region.offset.map(|offset| offset.bytes(sector_size));
    Ok(disk::Region {
        name: region.name.clone(),
        place,
        size,
        content,
        partition,
    })
}

/// A part as a region's content. One that was only estimated takes its place, but no content.
fn content(part: &Part, size: &mut Option<u64>) -> Option<Content> {
    if let Detail::Squashfs { estimate: true, .. } = part.detail {
        size.get_or_insert(part.content.len().next_multiple_of(4096));
        return None;
    }
    Some(part.content.clone())
}

fn partition(region: &Region, kind: &str) -> Result<Partition> {
    let place = format!("disk.region {:?}", region.name);
    let type_guid = disk::type_guid(kind).map_err(|error| with_types_hint(error, region, kind))?;
    let mut attributes = Attributes::default();
    for name in &region.attributes {
        attributes = attributes.and(attribute(name, &place)?);
    }
    Ok(Partition {
        guid: guid(region.guid.as_deref(), &place)?,
        attributes,
        number: region.number,
        ..Partition::new(type_guid)
    })
}

/// The GUID that something says it has.
fn guid(text: Option<&str>, place: &str) -> Result<Option<uuid::Uuid>> {
    let bad = |error: disk::Error| Error::BadValue {
        place: format!("{place}.guid"),
        problem: error.to_string(),
    };
    text.map(disk::guid).transpose().map_err(bad)
}

fn attribute(name: &str, place: &str) -> Result<Attributes> {
    Attributes::named(name).map_err(|error| match nearest(name, Attributes::names()) {
        Some(near) => Error::Unknown {
            place: format!("{place}.attributes"),
            what: format!("attribute {name:?}"),
            hint: Some(format!("did you mean {near:?}?")),
        },
        None => error.into(),
    })
}

/// A type that looks like a misspelt name gets the name in its hint.
fn with_types_hint(error: disk::Error, region: &Region, kind: &str) -> Error {
    match nearest(kind, disk::TYPES.iter().map(|known| known.name)) {
        Some(near) if !kind.contains('-') || kind.len() != 36 => Error::Unknown {
            place: format!("disk.region {:?}.type", region.name),
            what: format!("partition type {kind:?}"),
            hint: Some(format!("did you mean {near:?}? A GUID is right too")),
        },
        _ => error.into(),
    }
}

/// The sectors before a FAT on its disk, where the specification says them.
pub(crate) fn hidden_sectors(spec: &Spec, fs: &str) -> u32 {
    let Some(disk) = &spec.disk else { return 0 };
    let sector_size = u64::from(disk.sector_size.unwrap_or(512).max(1));
    let content = format!("fs.{fs}");
    let region = disk
        .region
        .iter()
        .find(|region| region.content.as_ref() == Some(&content));
    let offset = region
        .and_then(|region| region.offset)
        .map_or(0, |offset| offset.bytes(sector_size));
    u32::try_from(offset / sector_size).unwrap_or(0)
}

/// Refuses the name of a file system or script that does not exist.
pub(crate) fn check_part(place: &str, name: &str, spec: &Spec) -> Result<()> {
    let known = match name.split_once('.') {
        Some(("fs", key)) => spec.fs.contains_key(key),
        Some(("script", key)) => spec.script.contains_key(key),
        _ => false,
    };
    if known {
        Ok(())
    } else {
        Err(no_part(place, name, spec))
    }
}

pub(crate) fn no_part(place: &str, name: &str, spec: &Spec) -> Error {
    let mut known: Vec<String> = spec.fs.keys().map(|key| format!("fs.{key}")).collect();
    known.extend(spec.script.keys().map(|key| format!("script.{key}")));
    if spec.disk.is_some() && place == "--only" {
        known.push("disk".into());
    }
    let hint = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are: {}", known.join(", ")),
    };
    Error::Unknown {
        place: place.to_string(),
        what: format!("part {name:?}"),
        hint: Some(hint),
    }
}
