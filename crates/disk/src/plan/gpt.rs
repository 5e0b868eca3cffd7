//! The bytes of a GUID Partition Table.

use image::Layout;
use uuid::Uuid;
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32, U64};

use super::places::{Geometry, TableRoom};
use crate::format::{
    ENTRY_SIZE, Entry, GPT_PROTECTIVE, HEADER_SIZE, Header, MBR_SIGNATURE, Mbr, MbrPartition, NAME_UNITS,
    REVISION, SIGNATURE,
};
use crate::{Gpt, Kind, MapEntry, MapPartition, Options, Table};

/// The disk's own GUID.
pub(super) fn disk_guid(options: &Options, gpt: &Gpt) -> Uuid {
    gpt.disk_guid.unwrap_or_else(|| options.seed.uuid("disk"))
}

/// Puts the table's parts where the map has them. Answers the disk's GUID, when there is a table.
pub(super) fn put(
    layout: &mut Layout,
    options: &Options,
    geometry: &Geometry,
    map: &[MapEntry],
    size: u64,
) -> Option<Uuid> {
    let (Table::Gpt(gpt), Some(room)) = (&options.table, geometry.table) else {
        return None;
    };
    let entries = entries(geometry, room, map);
    let used = entries.get(..gpt.entries as usize * size_of::<Entry>());
    let primary = Header {
        signature: SIGNATURE,
        revision: U32::new(REVISION),
        header_size: U32::new(HEADER_SIZE),
        header_crc32: U32::ZERO,
        reserved: U32::ZERO,
        my_lba: U64::new(1),
        alternate_lba: U64::new(size / geometry.sector - 1),
        first_usable_lba: U64::new(geometry.front_end() / geometry.sector),
        last_usable_lba: U64::new((size - geometry.tail_size()) / geometry.sector - 1),
        disk_guid: disk_guid(options, gpt).into(),
        partition_entry_lba: U64::new(room.entries_start / geometry.sector),
        number_of_partition_entries: U32::new(gpt.entries),
        size_of_partition_entry: U32::new(ENTRY_SIZE),
        partition_entry_array_crc32: U32::new(crc32fast::hash(used.unwrap_or_default())),
    };
    let backup = Header {
        my_lba: primary.alternate_lba,
        alternate_lba: primary.my_lba,
        partition_entry_lba: U64::new((size - geometry.tail_size()) / geometry.sector),
        ..primary
    };
    for entry in map {
        let bytes = match entry.kind {
            Kind::ProtectiveMbr => protective_mbr(size / geometry.sector).as_bytes().to_vec(),
            Kind::Header => sealed(primary),
            Kind::BackupHeader => sealed(backup),
            Kind::Entries | Kind::BackupEntries => entries.clone(),
            Kind::Raw | Kind::Partition | Kind::Free => continue,
        };
        layout.put(entry.start, entry.label(), padded(bytes, entry.size()));
    }
    Some(disk_guid(options, gpt))
}

/// Bytes up to the end of their sectors.
fn padded(mut bytes: Vec<u8>, size: u64) -> Vec<u8> {
    bytes.resize(usize::try_from(size).unwrap_or(bytes.len()), 0);
    bytes
}

fn sealed(mut header: Header) -> Vec<u8> {
    header.header_crc32 = U32::new(crc32fast::hash(header.as_bytes()));
    header.as_bytes().to_vec()
}

/// All entries, in whole sectors.
fn entries(geometry: &Geometry, room: TableRoom, map: &[MapEntry]) -> Vec<u8> {
    let mut bytes = padded(Vec::new(), room.entries_size);
    for entry in map {
        let Some(partition) = &entry.partition else {
            continue;
        };
        let start = (partition.number as usize - 1) * size_of::<Entry>();
        if let Some(place) = bytes.get_mut(start..start + size_of::<Entry>()) {
            place.copy_from_slice(table_entry(geometry, entry, partition).as_bytes());
        }
    }
    bytes
}

fn table_entry(geometry: &Geometry, entry: &MapEntry, partition: &MapPartition) -> Entry {
    let mut partition_name = [U16::ZERO; NAME_UNITS];
    for (place, unit) in partition_name.iter_mut().zip(entry.name.encode_utf16()) {
        *place = U16::new(unit);
    }
    Entry {
        partition_type_guid: partition.type_guid.into(),
        unique_partition_guid: partition.guid.into(),
        starting_lba: U64::new(entry.start / geometry.sector),
        ending_lba: U64::new(entry.end / geometry.sector - 1),
        attributes: U64::new(partition.attributes.0),
        partition_name,
    }
}

/// One partition over the whole disk, for tools that know no GPT.
fn protective_mbr(sectors: u64) -> Mbr {
    let whole_disk = MbrPartition {
        boot_indicator: 0,
        starting_chs: chs(1),
        os_type: GPT_PROTECTIVE,
        ending_chs: chs(sectors - 1),
        starting_lba: U32::new(1),
        size_in_lba: U32::new(u32::try_from(sectors - 1).unwrap_or(u32::MAX)),
    };
    Mbr {
        boot_code: [0; 440],
        unique_mbr_disk_signature: [0; 4],
        unknown: [0; 2],
        partition_record: [
            whole_disk,
            MbrPartition::default(),
            MbrPartition::default(),
            MbrPartition::default(),
        ],
        signature: MBR_SIGNATURE,
    }
}

/// A block's head, sector and cylinder on a disk with the usual 255 heads and 63 sectors, or what stands for "cannot
/// be expressed".
fn chs(lba: u64) -> [u8; 3] {
    let (track, sector) = (lba / 63, lba % 63 + 1);
    let (cylinder, head) = (track / 255, track % 255);
    let byte = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
    match cylinder {
        0..1024 => [
            byte(head),
            byte(sector | cylinder >> 8 << 6),
            byte(cylinder & 0xff),
        ],
        _ => [0xff; 3],
    }
}
