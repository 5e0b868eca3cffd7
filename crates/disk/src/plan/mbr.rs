//! The first sector: an MBR that is the table, or one that stands before a GPT.

use image::{Content, Layout, Seed};
use zerocopy::IntoBytes;

use super::extended;
use super::gpt::padded;
use super::numbers::Role;
use super::places::Room;
use super::records::{self, Sectors, chs, number, partition, record};
use crate::format::{EXTENDED_LBA, GPT_PROTECTIVE, LegacyMbr, PartitionRecord};
use crate::{
    Attributes, Entry, Error, Kind, MapEntry, Mbr, MbrType, PartUuid, PartitionType, Region, Result, TypeId,
};

/// How many partitions a hybrid can have beside the record that says that there is a GPT.
const HYBRID_MAX: usize = 3;

/// What tells the disk from others.
pub(super) fn signature(mbr: &Mbr, seed: &Seed) -> u32 {
    // Zero would mean that there is none.
    mbr.signature
        .unwrap_or_else(|| seed.number("disk/signature").max(1))
}

/// What is entered for each region in a table that is an MBR.
pub(super) fn entries(
    mbr: &Mbr,
    seed: &Seed,
    regions: &[Region],
    roles: &[Role],
) -> Result<Vec<Option<Entry>>> {
    check_signature(mbr)?;
    let signature = signature(mbr, seed);
    let mut entries = Vec::with_capacity(regions.len());
    for (region, role) in regions.iter().zip(roles) {
        let (Some(partition), Some(number)) = (&region.partition, role.number()) else {
            entries.push(None);
            continue;
        };
        let kind = mbr_type(region, partition.kind)?;
        if !Attributes::BOOTABLE.contain(partition.attributes) {
            return Err(Error::NoAttributes {
                name: region.name.clone(),
                attributes: partition.attributes,
            });
        }
        if let Some(guid) = partition.guid {
            return Err(Error::NoGuid {
                name: region.name.clone(),
                guid,
            });
        }
        entries.push(Some(Entry {
            number,
            kind: TypeId::Mbr(kind),
            partuuid: PartUuid::Mbr { signature, number },
            attributes: partition.attributes,
            mbr_type: None,
        }));
    }
    Ok(entries)
}

/// Enters some partitions of a GPT in the MBR before it.
pub(super) fn enter(mbr: &Mbr, regions: &[Region], entries: &mut [Option<Entry>]) -> Result<()> {
    check_signature(mbr)?;
    let mut count = 0;
    for (region, entry) in regions.iter().zip(entries) {
        let kind = region.partition.as_ref().and_then(|partition| partition.mbr_type);
        if let (Some(kind), Some(entry)) = (kind, entry) {
            entry.mbr_type = Some(mbr_type(region, kind)?);
            count += 1;
        }
    }
    match count {
        1..=HYBRID_MAX => Ok(()),
        _ => Err(Error::HybridCount { count }),
    }
}

/// Only a hybrid has partitions with two types.
pub(super) fn no_hybrid(regions: &[Region]) -> Result<()> {
    let hybrid = regions.iter().find_map(|region| {
        let kind = region.partition.as_ref()?.mbr_type?;
        Some((region.name.clone(), kind))
    });
    match hybrid {
        Some((name, kind)) => Err(Error::NotHybrid { name, kind }),
        None => Ok(()),
    }
}

fn check_signature(mbr: &Mbr) -> Result<()> {
    match mbr.signature {
        Some(0) => Err(Error::BadOption {
            option: "signature",
            value: 0,
            problem: "means that there is none".to_owned(),
        }),
        _ => Ok(()),
    }
}

fn mbr_type(region: &Region, kind: PartitionType) -> Result<MbrType> {
    let name = region.name.clone();
    match kind.mbr() {
        None => Err(Error::NotInTable {
            name,
            kind,
            table: "an MBR",
        }),
        Some(kind) => match kind.reserved_for() {
            Some(why) => Err(Error::ReservedType { name, kind, why }),
            None => Ok(kind),
        },
    }
}

/// Partitions that are in an MBR end where its numbers do, and logical ones are a chain. The map is sorted.
pub(super) fn check(room: &Room, map: &[MapEntry]) -> Result<()> {
    let max_end = u64::from(u32::MAX) * room.sector;
    let in_mbr = |part: &&MapEntry| part.partition.is_some_and(|entry| entry.type_in_mbr().is_some());
    match map.iter().filter(in_mbr).find(|part| part.end > max_end) {
        Some(part) => Err(Error::BeyondReach {
            name: part.name.clone(),
            range: part.range(),
            sector: room.sector,
            max_end,
        }),
        None => extended::check(map),
    }
}

/// The first sector of a disk whose table is an MBR.
pub(super) fn primary(signature: u32, sector: u64, map: &[MapEntry]) -> LegacyMbr {
    let mut all = [PartitionRecord::default(); 4];
    let mut place = |number: u32, record| {
        if let Some(place) = all.get_mut(number as usize - 1) {
            *place = record;
        }
    };
    for part in map {
        if let Some(entry) = &part.partition {
            place(entry.number, partition(part, entry, sector, 0));
        }
    }
    if let Some(extended) = extended::extended(map) {
        place(extended.number, record(EXTENDED_LBA, extended.sectors(sector), 0));
    }
    records::sector(signature, all)
}

/// The first sector of a disk with a hybrid table: partitions by number, and what says that there is a GPT over what
/// lies before them.
pub(super) fn hybrid(signature: u32, sector: u64, map: &[MapEntry]) -> LegacyMbr {
    let mut shown: Vec<(&MapEntry, Entry)> = map
        .iter()
        .filter_map(|part| Some((part, part.partition.filter(|entry| entry.mbr_type.is_some())?)))
        .collect();
    let first = shown.iter().map(|(part, _)| part.start / sector).min();
    shown.sort_by_key(|(_, entry)| entry.number);
    let mut all = [PartitionRecord::default(); 4];
    let before = Sectors {
        first: 1,
        count: first.unwrap_or_default().saturating_sub(1),
    };
    let made = shown
        .iter()
        .map(|(part, entry)| partition(part, entry, sector, 0));
    let made = made.chain([record(GPT_PROTECTIVE, before, 0)]);
    for (place, record) in all.iter_mut().zip(made) {
        *place = record;
    }
    records::sector(signature, all)
}

/// The first sector of a disk with a GPT: one partition over the whole disk, for tools that know no GPT.
pub(super) fn protective(sectors: u64) -> LegacyMbr {
    let cannot_be_said = [0xff; 3];
    let whole_disk = PartitionRecord {
        boot_indicator: 0,
        starting_chs: chs(1).unwrap_or(cannot_be_said),
        os_type: GPT_PROTECTIVE,
        ending_chs: chs(sectors - 1).unwrap_or(cannot_be_said),
        starting_lba: number(1),
        size_in_lba: number(sectors - 1),
    };
    let mut all = [PartitionRecord::default(); 4];
    all[0] = whole_disk;
    records::sector(0, all)
}

/// Puts the first sector where the map has it, behind the code that a BIOS runs.
pub(super) fn put(
    layout: &mut Layout,
    boot_code: Option<&Content>,
    sector: u64,
    map: &[MapEntry],
    first: &LegacyMbr,
) {
    let kinds = [Kind::ProtectiveMbr, Kind::HybridMbr, Kind::Mbr];
    let Some(part) = map.iter().find(|part| kinds.contains(&part.kind)) else {
        return;
    };
    let mut bytes = padded(first.as_bytes().to_vec(), sector);
    let code_len = boot_code.map_or(0, Content::len);
    if let Some(code) = boot_code {
        layout.put(part.start, "boot code", code.clone());
    }
    let rest = bytes.split_off(usize::try_from(code_len).unwrap_or_default());
    layout.put(part.start + code_len, part.label(), rest);
}
