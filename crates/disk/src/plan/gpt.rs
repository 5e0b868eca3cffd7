//! A GUID Partition Table: its places, its entries, its bytes.

use std::collections::BTreeMap;

use image::{Layout, Seed};
use uuid::Uuid;
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32, U64};

use super::numbers::Role;
use super::places::Room;
use crate::format::{ENTRY_SIZE, GptEntry, HEADER_SIZE, Header, NAME_UNITS, REVISION, SIGNATURE};
use crate::{Entry, Error, Gpt, Kind, MapEntry, PartUuid, Partition, Region, Result, TypeId};

/// The most entries that a table may have room for: 128 KiB of them.
const ENTRIES_MAX: u32 = 1024;

/// The disk's own GUID.
pub(super) fn disk_guid(gpt: &Gpt, seed: &Seed) -> Uuid {
    gpt.disk_guid.unwrap_or_else(|| seed.uuid("disk"))
}

/// The bytes of the table at the disk's start, and those of its copy at the end.
pub(super) fn sizes(gpt: &Gpt, sector: u64) -> Result<(u64, u64)> {
    let bad = |option, value, problem: String| Error::BadOption {
        option,
        value,
        problem,
    };
    if gpt.entries == 0 || gpt.entries > ENTRIES_MAX {
        let problem = format!("is not between 1 and {ENTRIES_MAX}");
        return Err(bad("entries", gpt.entries.into(), problem));
    }
    let hole = gpt.header_hole;
    if !hole.is_multiple_of(sector) {
        let problem = format!("is no multiple of the sector size of {sector}");
        return Err(bad("header hole", hole, problem));
    }
    // Small enough for every sum of a few such numbers.
    if hole > u64::MAX / 4 {
        return Err(bad("header hole", hole, "is too large".to_owned()));
    }
    let entries_size = (u64::from(gpt.entries) * u64::from(ENTRY_SIZE)).next_multiple_of(sector);
    Ok((2 * sector + hole + entries_size, entries_size + sector))
}

/// The headers and entries at both ends of a disk of this size.
pub(super) fn parts(room: &Room, size: u64) -> Vec<MapEntry> {
    let entries_size = room.tail_size - room.sector;
    [
        (Kind::Header, room.sector, room.sector),
        (Kind::Entries, room.front_end - entries_size, entries_size),
        (Kind::BackupEntries, size - room.tail_size, entries_size),
        (Kind::BackupHeader, size - room.sector, room.sector),
    ]
    .into_iter()
    .map(|(kind, start, size)| MapEntry::of_table(kind, "", start, size))
    .collect()
}

/// What is entered for each region.
pub(super) fn entries(
    gpt: &Gpt,
    seed: &Seed,
    regions: &[Region],
    roles: &[Role],
) -> Result<Vec<Option<Entry>>> {
    let nil = |name: &str, what| Error::NilGuid {
        name: name.to_owned(),
        what,
    };
    let disk = disk_guid(gpt, seed);
    if disk.is_nil() {
        return Err(nil("the disk", "GUID"));
    }
    let mut seen = BTreeMap::from([(disk, "the disk")]);
    let mut entries = Vec::with_capacity(regions.len());
    for (region, role) in regions.iter().zip(roles) {
        let name = region.name.as_str();
        let (Some(partition), Some(number)) = (&region.partition, role.number()) else {
            entries.push(None);
            continue;
        };
        let label = partition.label.as_deref().unwrap_or(name);
        let units = label.encode_utf16().count();
        if units > NAME_UNITS {
            let name = label.to_owned();
            return Err(Error::NameTooLong { name, units });
        }
        let kind = type_guid(region, partition)?;
        if kind.is_nil() {
            return Err(nil(name, "type"));
        }
        let guid = partition
            .guid
            .unwrap_or_else(|| seed.uuid(&format!("disk/region/{name}")));
        if guid.is_nil() {
            return Err(nil(name, "GUID"));
        }
        if let Some(first) = seen.insert(guid, name) {
            return Err(Error::DuplicateGuid {
                first: first.to_owned(),
                second: name.to_owned(),
                guid,
            });
        }
        entries.push(Some(Entry {
            number,
            kind: TypeId::Guid(kind),
            partuuid: PartUuid::Guid(guid),
            attributes: partition.attributes,
            mbr_type: None,
        }));
    }
    Ok(entries)
}

fn type_guid(region: &Region, partition: &Partition) -> Result<Uuid> {
    partition.kind.guid().ok_or_else(|| Error::NotInTable {
        name: region.name.clone(),
        kind: partition.kind,
        table: "a GPT",
    })
}

/// Puts the headers and entries where the map has them.
pub(super) fn put(layout: &mut Layout, gpt: &Gpt, seed: &Seed, room: &Room, map: &[MapEntry], size: u64) {
    let Room {
        sector,
        front_end,
        tail_size,
        ..
    } = *room;
    let entries_size = tail_size - sector;
    let entries = entry_bytes(room, entries_size, map);
    let used = entries.get(..gpt.entries as usize * size_of::<GptEntry>());
    let primary = Header {
        signature: SIGNATURE,
        revision: U32::new(REVISION),
        header_size: U32::new(HEADER_SIZE),
        header_crc32: U32::ZERO,
        reserved: U32::ZERO,
        my_lba: U64::new(1),
        alternate_lba: U64::new(size / sector - 1),
        first_usable_lba: U64::new(front_end / sector),
        last_usable_lba: U64::new((size - tail_size) / sector - 1),
        disk_guid: disk_guid(gpt, seed).into(),
        partition_entry_lba: U64::new((front_end - entries_size) / sector),
        number_of_partition_entries: U32::new(gpt.entries),
        size_of_partition_entry: U32::new(ENTRY_SIZE),
        partition_entry_array_crc32: U32::new(crc32fast::hash(used.unwrap_or_default())),
    };
    let backup = Header {
        my_lba: primary.alternate_lba,
        alternate_lba: primary.my_lba,
        partition_entry_lba: U64::new((size - tail_size) / sector),
        ..primary
    };
    for part in map {
        let bytes = match part.kind {
            Kind::Header => sealed(primary),
            Kind::BackupHeader => sealed(backup),
            Kind::Entries | Kind::BackupEntries => entries.clone(),
            _ => continue,
        };
        layout.put(part.start, part.label(), padded(bytes, part.size()));
    }
}

/// Bytes up to the end of their sectors.
pub(super) fn padded(mut bytes: Vec<u8>, size: u64) -> Vec<u8> {
    bytes.resize(usize::try_from(size).unwrap_or(bytes.len()), 0);
    bytes
}

fn sealed(mut header: Header) -> Vec<u8> {
    header.header_crc32 = U32::new(crc32fast::hash(header.as_bytes()));
    header.as_bytes().to_vec()
}

/// All entries, in whole sectors.
fn entry_bytes(room: &Room, entries_size: u64, map: &[MapEntry]) -> Vec<u8> {
    let mut bytes = padded(Vec::new(), entries_size);
    for part in map {
        let Some(entry) = &part.partition else { continue };
        let start = (entry.number as usize - 1) * size_of::<GptEntry>();
        if let Some(place) = bytes.get_mut(start..start + size_of::<GptEntry>())
            && let Some(entry) = gpt_entry(room, part, entry)
        {
            place.copy_from_slice(entry.as_bytes());
        }
    }
    bytes
}

fn gpt_entry(room: &Room, part: &MapEntry, entry: &Entry) -> Option<GptEntry> {
    let (TypeId::Guid(kind), PartUuid::Guid(guid)) = (entry.kind, entry.partuuid) else {
        return None;
    };
    let mut partition_name = [U16::ZERO; NAME_UNITS];
    for (place, unit) in partition_name
        .iter_mut()
        .zip(part.partition_name().encode_utf16())
    {
        *place = U16::new(unit);
    }
    Some(GptEntry {
        partition_type_guid: kind.into(),
        unique_partition_guid: guid.into(),
        starting_lba: U64::new(part.start / room.sector),
        ending_lba: U64::new(part.end / room.sector - 1),
        attributes: U64::new(entry.attributes.0),
        partition_name,
    })
}
