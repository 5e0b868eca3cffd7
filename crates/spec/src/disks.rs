//! The disk of a specification: its regions, with the parts that are in them.

use std::collections::BTreeMap;
use std::path::Path;

use disk::{Attributes, Board, Gpt, Kind, Mbr, Partition, PartitionType, SectorSize};
use image::{Content, Layout};

use crate::error::{Error, Result};
use crate::parts::{Part, Planner};
use crate::schema::{Disk, Region, Table};
use crate::text::{choice, nearest};
use crate::{
    Spec, bios, containers, devices, discoverable, hash_trees, outputs, releases, root_signatures, slots,
    ukis,
};

/// Plans the disk, and says what its output is called.
pub(crate) fn plan(disk: &Disk, planner: &mut Planner) -> Result<(disk::Planned, String)> {
    let mut options = options(disk, planner)?;
    let mut regions = Vec::new();
    for region in &disk.region {
        let mut lowered = lower(region, &options, planner)?;
        if let Some(name) = &region.content {
            let part = planner.part(name)?;
            if let Some(size) = lowered.size {
                part.check_size(size, &format!("{}.size", place(region)))?;
            }
            lowered.content = content(part, &mut lowered.size);
            if let (Some(partition), true) = (&mut lowered.partition, has_guids(&options.table))
                && partition.guid.is_none()
            {
                partition.guid = planner.partition_guid(name)?;
            }
        }
        at_least(&mut lowered, region, &options);
        if region
            .content
            .as_deref()
            .is_some_and(|name| root_signatures::of(planner.spec, name).is_some())
        {
            fill(&mut lowered)?;
        }
        regions.push(lowered);
    }
    slots::size(disk, &mut regions);
    let core = bios::add(disk, &mut options, &mut regions, planner)?;
    let planned = bios::plan(core.as_ref(), options, regions)?;
    Ok((planned, outputs::disk(disk, planner.gathered)))
}

/// Whether there is a region that is as large as its content, which was only estimated.
pub(crate) fn is_bound(spec: &Spec, planner: &mut Planner) -> Result<bool> {
    let regions = spec.disk.iter().flat_map(|disk| &disk.region);
    for region in regions.filter(|region| region.size.is_none()) {
        if let Some(name) = &region.content
            && planner.part(name)?.is_estimate()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Finds what is wrong with a disk before its file systems are made, which can take minutes. Their places are
/// known only when their sizes are; then the answer is where each region begins.
pub(crate) fn check(disk: &Disk, planner: &Planner) -> Result<BTreeMap<String, u64>> {
    let planned = layout(disk, planner)?;
    discoverable::check(disk, planner.spec)?;
    let regions = planned.into_iter().flat_map(|planned| planned.map);
    let regions = regions.filter(|entry| matches!(entry.kind, Kind::Raw | Kind::Partition));
    Ok(regions.map(|entry| (entry.name, entry.start)).collect())
}

/// The disk without the parts in it; none when places depend on sizes that are not known yet.
pub(crate) fn layout(disk: &Disk, planner: &Planner) -> Result<Option<disk::Planned>> {
    let mut options = options(disk, planner)?;
    let mut regions = Vec::new();
    let mut sizes_are_known = true;
    for region in &disk.region {
        let mut lowered = lower(region, &options, planner)?;
        if let (Some(name), None) = (&region.content, lowered.size) {
            let sector_size = options.sector_size.bytes();
            let tree = planner
                .spec
                .verity
                .get(name.strip_prefix("verity.").unwrap_or_default());
            let fs = tree.map_or(name, |tree| &tree.data).strip_prefix("fs.");
            let fs = planner.spec.fs.get(fs.unwrap_or_default());
            let size = fs.and_then(|fs| fs.size).map(|size| size.bytes(sector_size));
            let size = if tree.is_some() {
                size.map(hash_trees::size)
            } else {
                size
            };
            let signature = root_signatures::of(planner.spec, name).map(|_| verity::SIGNATURE_SIZE);
            let size = size.or(signature);
            let size = size.or_else(|| devices::size(name, planner.spec, sector_size));
            lowered.size = size.and_then(|size| size.checked_next_multiple_of(sector_size));
            sizes_are_known &= lowered.size.is_some();
        }
        at_least(&mut lowered, region, &options);
        regions.push(lowered);
    }
    slots::size(disk, &mut regions);
    bios::add(disk, &mut options, &mut regions, planner)?;
    disk::check(&options, &regions)?;
    let planned = sizes_are_known.then(|| disk::plan(&options, &regions));
    Ok(planned.transpose()?)
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
    let defaults = disk::Options::new(planner.gathered.seed);
    let align = disk.align.map_or(defaults.align, bytes);
    Ok(disk::Options {
        table: table(disk, sector_size)?,
        sector_size,
        size: match disk.size {
            Some(size) => disk::Size::Exactly(bytes(size)),
            None => disk::Size::FitTo(containers::multiple(disk, align)),
        },
        align,
        boot_code: disk
            .boot_code
            .as_deref()
            .map(|file| host_file(file, "disk.boot-code", planner))
            .transpose()?,
        board,
        ..defaults
    })
}

/// The table, whose keys are only those that its kind has.
fn table(disk: &Disk, sector_size: SectorSize) -> Result<disk::Table> {
    let kind = disk.table.unwrap_or(Table::Gpt);
    let (of_gpt, of_mbr) = match kind {
        Table::None => (false, false),
        Table::Gpt => (true, false),
        Table::Mbr => (false, true),
        Table::Hybrid => (true, true),
    };
    let keys = [
        ("guid", disk.guid.is_some(), of_gpt, "gpt"),
        ("entries", disk.entries.is_some(), of_gpt, "gpt"),
        ("header-hole", disk.header_hole.is_some(), of_gpt, "gpt"),
        ("signature", disk.signature.is_some(), of_mbr, "mbr"),
    ];
    for (key, given, known, owner) in keys {
        if given && !known {
            return Err(Error::BadValue {
                place: format!("disk.{key}"),
                problem: format!("is for the tables {owner:?} and \"hybrid\""),
            });
        }
    }
    let gpt = || {
        Ok::<_, Error>(Gpt {
            disk_guid: guid(disk.guid.as_deref(), "disk")?,
            entries: disk.entries.unwrap_or(Gpt::default().entries),
            header_hole: disk.header_hole.map_or(0, |hole| hole.bytes(sector_size.bytes())),
        })
    };
    let mbr = || {
        Ok::<_, Error>(Mbr {
            signature: disk.signature.as_deref().map(signature).transpose()?,
        })
    };
    Ok(match kind {
        Table::None => disk::Table::None,
        Table::Gpt => disk::Table::Gpt(gpt()?),
        Table::Mbr => disk::Table::Mbr(mbr()?),
        Table::Hybrid => disk::Table::Hybrid(gpt()?, mbr()?),
    })
}

/// A disk's signature as sfdisk and NixOS write it.
fn signature(text: &str) -> Result<u32> {
    let digits = text.strip_prefix("0x").filter(|digits| {
        (1..=8).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    });
    let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    number.ok_or_else(|| Error::BadValue {
        place: "disk.signature".into(),
        problem: format!("{text:?}: must be 0x and up to eight hexadecimal digits, such as \"0x2178694e\""),
    })
}

fn host_file(file: &Path, place: &str, planner: &Planner) -> Result<Content> {
    let content = Content::host_file(planner.work.folder.join(file));
    content.map_err(|source| Error::Tree {
        part: place.to_owned(),
        source,
    })
}

/// A region with everything but the part that is its content.
fn lower(region: &Region, options: &disk::Options, planner: &Planner) -> Result<disk::Region> {
    let place = place(region);
    let bad = |problem: &str| Error::BadValue {
        place: place.clone(),
        problem: problem.to_string(),
    };
    let bytes = |amount: crate::Amount| amount.bytes(options.sector_size.bytes());
    let content = match (&region.raw, &region.content) {
        (Some(_), Some(_)) => return Err(bad("raw and content exclude each other")),
        (Some(raw), None) => Some(host_file(raw, &place, planner)?),
        (None, Some(name)) => {
            check_part(&place, name, planner.spec)?;
            None
        }
        (None, None) => None,
    };
    if region.size.is_some() && region.min_size.is_some() {
        return Err(bad("size and min-size exclude each other"));
    }
    if (region.label.is_some() || region.slot_of.is_some()) && !has_guids(&options.table) {
        return Err(bad(
            "label and slot-of are for the tables \"gpt\" and \"hybrid\", which call partitions something",
        ));
    }
    let first = planner.spec.disk.as_ref();
    let first = first.map_or(Ok(None), |disk| slots::first(region, disk))?;
    let partition = match &first.unwrap_or(region).kind {
        Some(kind) => {
            let mut partition = partition(region, kind)?;
            partition.label = match first {
                Some(_) => Some(slots::EMPTY.to_string()),
                None => releases::label_of(region, planner)?.or(partition.label),
            };
            Some(partition)
        }
        None if says_partition(region) => {
            return Err(bad(
                "label, guid, number, bootable, attributes and mbr-type need a type, which makes it a partition",
            ));
        }
        None => None,
    };
    Ok(disk::Region {
        name: region.name.clone(),
        place: region.offset.map(bytes),
        size: region
            .size
            .map(bytes)
            .or_else(|| slots::tree_size(region, planner.spec)),
        content,
        partition,
    })
}

/// What the size of a region with `min-size` is a multiple of: a page, and what systemd-repart rounds to.
const GRAIN: u64 = 4096;

/// A region whose content is smaller than its `min-size` has that size.
fn at_least(lowered: &mut disk::Region, region: &Region, options: &disk::Options) {
    let Some(least) = region.min_size else { return };
    let len = lowered.content.as_ref().map(Content::len);
    let size = lowered.size.or(len).unwrap_or(0);
    let least = least.bytes(options.sector_size.bytes());
    lowered.size = size.max(least).checked_next_multiple_of(GRAIN);
}

/// Lets zeros be written up to the end of a region, for what is read to its end.
fn fill(lowered: &mut disk::Region) -> Result<()> {
    let (Some(content), Some(size)) = (&lowered.content, lowered.size) else {
        return Ok(());
    };
    if size > content.len() {
        let mut layout = Layout::new();
        layout.put(0, "signature", content.clone());
        layout.put(content.len(), "zeros", Content::Zeros(size - content.len()));
        lowered.content = Some(layout.finish(size)?.into());
    }
    Ok(())
}

/// Whether a region has keys that only partitions have.
fn says_partition(region: &Region) -> bool {
    region.label.is_some()
        || region.guid.is_some()
        || region.number.is_some()
        || region.bootable
        || region.mbr_type.is_some()
        || !region.attributes.is_empty()
}

/// Whether the partitions of a table have GUIDs of their own.
fn has_guids(table: &disk::Table) -> bool {
    matches!(table, disk::Table::Gpt(_) | disk::Table::Hybrid(..))
}

/// What errors call a region.
fn place(region: &Region) -> String {
    format!("disk.region {:?}", region.name)
}

/// A part as a region's content. One that was only estimated takes its place, but no content.
fn content(part: &Part, size: &mut Option<u64>) -> Option<Content> {
    if part.is_estimate() {
        size.get_or_insert(part.content.len().next_multiple_of(4096));
        return None;
    }
    Some(part.content.clone())
}

fn partition(region: &Region, kind: &str) -> Result<Partition> {
    let place = place(region);
    let kind = partition_type(kind, &format!("{place}.type"))?;
    let attributes = attributes(region, kind)?;
    let mbr_type = region.mbr_type.as_deref();
    Ok(Partition {
        label: region.label.clone(),
        guid: guid(region.guid.as_deref(), &place)?,
        attributes,
        number: region.number,
        mbr_type: mbr_type
            .map(|kind| partition_type(kind, &format!("{place}.mbr-type")))
            .transpose()?,
        ..Partition::new(kind)
    })
}

/// The attributes of a region that is a partition.
pub(crate) fn attributes(region: &Region, kind: PartitionType) -> Result<Attributes> {
    let mut attributes = Attributes::of_type(kind);
    for text in &region.attributes {
        attributes = attribute(attributes, text, &place(region))?;
    }
    if region.bootable {
        attributes = attributes.and(Attributes::BOOTABLE);
    }
    Ok(attributes)
}

/// A type. One that looks like a misspelt name gets the name in its hint.
pub(crate) fn partition_type(kind: &str, place: &str) -> Result<PartitionType> {
    PartitionType::parse(kind).map_err(|error| {
        if let Some(error) = discoverable::unknown(kind, place) {
            return error;
        }
        let near = nearest(kind, disk::TYPES.iter().map(|known| known.name));
        match (&error, near) {
            (disk::Error::UnknownType { .. }, Some(near)) if error.hint().is_none() => Error::Unknown {
                place: place.to_owned(),
                what: format!("partition type {kind:?}"),
                hint: Some(format!(
                    "did you mean {near:?}? A GUID or a number such as 0x83 is right too"
                )),
            },
            _ => Error::Disk(error),
        }
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

/// What a partition has, and what a text says of it.
fn attribute(attributes: Attributes, text: &str, place: &str) -> Result<Attributes> {
    attributes.with(text).map_err(|error| {
        let place = format!("{place}.attributes");
        let known = Attributes::names().chain(["priority", "tries", "successful"]);
        match (&error, nearest(text.split('=').next().unwrap_or(text), known)) {
            (disk::Error::BadChromeOs { .. }, _) => Error::BadValue {
                place,
                problem: error.to_string(),
            },
            (_, Some(near)) => Error::Unknown {
                place,
                what: format!("attribute {text:?}"),
                hint: Some(format!("did you mean {near:?}?")),
            },
            (_, None) => error.into(),
        }
    })
}

/// Refuses the name of a file system or script that does not exist.
pub(crate) fn check_part(place: &str, name: &str, spec: &Spec) -> Result<()> {
    let known = match name.split_once('.') {
        Some(("fs", key)) => spec.fs.contains_key(key),
        Some(("script", key)) => spec.script.contains_key(key),
        Some(("verity", key)) => spec.verity.contains_key(key),
        Some(("uki", key)) => spec.uki.contains_key(key),
        Some(("efi", key)) => spec.efi.contains_key(key),
        Some(("secure-boot", _)) => ukis::variables(spec).any(|known| known == name),
        Some(("device", _)) => devices::names(spec).any(|known| known == name),
        _ => false,
    };
    if known || root_signatures::of(spec, name).is_some() {
        Ok(())
    } else if let Some(error) = root_signatures::missing(spec, name, place) {
        Err(error)
    } else {
        Err(no_part(place, name, spec))
    }
}

pub(crate) fn no_part(place: &str, name: &str, spec: &Spec) -> Error {
    let mut known: Vec<String> = spec.fs.keys().map(|key| format!("fs.{key}")).collect();
    known.extend(spec.script.keys().map(|key| format!("script.{key}")));
    for (key, tree) in &spec.verity {
        known.push(format!("verity.{key}"));
        known.extend(tree.signature.as_ref().map(|_| format!("verity.{key}.signature")));
    }
    known.extend(spec.uki.keys().map(|key| format!("uki.{key}")));
    known.extend(spec.efi.keys().map(|key| format!("efi.{key}")));
    known.extend(ukis::variables(spec));
    known.extend(devices::names(spec).map(str::to_owned));
    if spec.disk.is_some() && place == "--only" {
        known.push("disk".into());
    }
    if spec.netboot.is_some() && place == "--only" {
        known.push("netboot".into());
    }
    if spec.bundle.is_some() && place == "--only" {
        known.push("bundle".into());
    }
    if spec.release.is_some() && place == "--only" {
        known.push("release".into());
    }
    Error::Unknown {
        place: place.to_string(),
        what: format!("part {name:?}"),
        hint: Some(choice(name, &known)),
    }
}
