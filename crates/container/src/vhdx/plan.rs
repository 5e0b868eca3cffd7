//! Planning VHDXs.

use image::{Image, Layout, Seed};
use uuid::Uuid;
use zerocopy::IntoBytes;

use super::format::{
    BAT, BAT_GUID, FILE_PARAMETERS, FILE_SIGNATURE, HEADER_LEN, HEADER_SIGNATURE, HEADERS, Header,
    IS_REQUIRED, IS_VIRTUAL_DISK, Item, LOG, LOGICAL_SECTOR_SIZE, METADATA, METADATA_GUID,
    METADATA_SIGNATURE, MIB, MetadataTable, PHYSICAL_SECTOR_SIZE, PRESENT, REGION_SIGNATURE, REGION_TABLES,
    Region, RegionTable, TABLE_LEN, VIRTUAL_DISK_ID, VIRTUAL_DISK_SIZE, ZERO, chunk_ratio, seal,
};
use crate::map::Present;
use crate::{Error, Format, Result};

/// How many blocks a disk has at most, as long as blocks can be larger.
const BLOCKS_MAX: u64 = 1 << 20;

/// The blocks that are more than zeros, with tables in front.
pub(crate) fn plan(image: &Image, seed: &Seed) -> Result<Image> {
    let size = image.size();
    let too_large = |_| Error::TooLarge {
        format: Format::Vhdx,
        size,
        max: super::SIZE_MAX,
    };
    let block = size.div_ceil(BLOCKS_MAX).max(MIB).next_power_of_two();
    let (blocks, ratio) = (size.div_ceil(block), chunk_ratio(block));
    let entries = blocks + (blocks - 1) / ratio;
    let bat_len = (entries * 8).next_multiple_of(MIB);
    let present = Present::of(image, block)?;
    let mut layout = Layout::new();
    let data = BAT + bat_len;
    present.put(&mut layout, image, block, data);
    let mut bat = vec![0; usize::try_from(entries).map_err(too_large)?];
    for number in 0..blocks {
        bat[usize::try_from(number + number / ratio).map_err(too_large)?] = ZERO;
    }
    for (place, number) in (0..).zip(present.blocks()) {
        let entry = usize::try_from(number + number / ratio).map_err(too_large)?;
        bat[entry] = (data + place * block) | PRESENT;
    }
    let bat: Vec<u8> = bat.into_iter().flat_map(u64::to_le_bytes).collect();

    let mut id = FILE_SIGNATURE.to_vec();
    id.extend("Kiln".encode_utf16().flat_map(u16::to_le_bytes));
    layout.put(0, "vhdx file type", id);
    for (number, place) in (0..).zip(HEADERS) {
        layout.put(place, "vhdx header", header(number, seed));
    }
    let regions = regions(u32::try_from(bat_len).map_err(too_large)?);
    for place in REGION_TABLES {
        layout.put(place, "vhdx region table", regions.clone());
    }
    let block_len = u32::try_from(block).map_err(too_large)?;
    layout.put(METADATA, "vhdx metadata", metadata(size, block_len, seed));
    layout.put(BAT, "vhdx block table", bat);
    Ok(layout.finish(data + present.count() * block)?)
}

fn header(sequence: u64, seed: &Seed) -> Vec<u8> {
    let header = Header {
        signature: HEADER_SIGNATURE,
        checksum: 0.into(),
        sequence_number: sequence.into(),
        file_write_guid: seed.uuid("file").to_bytes_le(),
        data_write_guid: seed.uuid("data").to_bytes_le(),
        // There is nothing in the log.
        log_guid: [0; 16],
        log_version: 0.into(),
        version: 1.into(),
        log_length: (1 << 20).into(),
        log_offset: LOG.into(),
    };
    let mut bytes = header.as_bytes().to_vec();
    bytes.resize(HEADER_LEN, 0);
    seal(&mut bytes);
    bytes
}

fn regions(bat_len: u32) -> Vec<u8> {
    let table = RegionTable {
        signature: REGION_SIGNATURE,
        checksum: 0.into(),
        entry_count: 2.into(),
        reserved: 0.into(),
    };
    let mut bytes = table.as_bytes().to_vec();
    for (guid, offset, length) in [(BAT_GUID, BAT, bat_len), (METADATA_GUID, METADATA, 1 << 20)] {
        let region = Region {
            guid: guid.to_bytes_le(),
            file_offset: offset.into(),
            length: length.into(),
            required: 1.into(),
        };
        bytes.extend_from_slice(region.as_bytes());
    }
    bytes.resize(TABLE_LEN, 0);
    seal(&mut bytes);
    bytes
}

fn metadata(size: u64, block: u32, seed: &Seed) -> Vec<u8> {
    let of_disk = IS_REQUIRED | IS_VIRTUAL_DISK;
    let parameters = u64::from(block).to_le_bytes().to_vec();
    let sector = 512u32.to_le_bytes().to_vec();
    let items: [(Uuid, Vec<u8>, u32); 5] = [
        (FILE_PARAMETERS, parameters, IS_REQUIRED),
        (VIRTUAL_DISK_SIZE, size.to_le_bytes().to_vec(), of_disk),
        (VIRTUAL_DISK_ID, seed.uuid("disk").to_bytes_le().to_vec(), of_disk),
        (LOGICAL_SECTOR_SIZE, sector.clone(), of_disk),
        (PHYSICAL_SECTOR_SIZE, sector, of_disk),
    ];
    let table = MetadataTable {
        signature: METADATA_SIGNATURE,
        reserved: 0.into(),
        entry_count: 5.into(),
        reserved2: [0; 20],
    };
    let mut bytes = table.as_bytes().to_vec();
    let mut values = Vec::new();
    for (id, value, flags) in items {
        let number = |number: usize| u32::try_from(number).unwrap_or(0);
        let item = Item {
            item_id: id.to_bytes_le(),
            offset: number(TABLE_LEN + values.len()).into(),
            length: number(value.len()).into(),
            flags: flags.into(),
            reserved2: 0.into(),
        };
        bytes.extend_from_slice(item.as_bytes());
        values.extend(value);
    }
    bytes.resize(TABLE_LEN, 0);
    bytes.extend(values);
    bytes
}
