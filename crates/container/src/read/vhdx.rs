//! Reading VHDXs.

use std::collections::BTreeMap;

use uuid::Uuid;
use zerocopy::FromBytes;

use super::{File, Piece, Table};
use crate::Result;
use crate::vhdx::format::{
    BAT_GUID, FILE_PARAMETERS, HAS_PARENT, HEADER_LEN, HEADER_SIGNATURE, HEADERS, Header, IS_REQUIRED, Item,
    LOGICAL_SECTOR_SIZE, METADATA_GUID, METADATA_SIGNATURE, MIB, MetadataTable, OFFSET, PARTIALLY_PRESENT,
    PHYSICAL_SECTOR_SIZE, PRESENT, REGION_SIGNATURE, REGION_TABLES, Region, RegionTable, STATE, TABLE_LEN,
    VIRTUAL_DISK_ID, VIRTUAL_DISK_SIZE, chunk_ratio, seal,
};

/// As many entries a table has at most.
const ENTRIES_MAX: u32 = 2047;

/// Where blocks are.
#[derive(Debug)]
struct Blocks {
    file: File,
    table: u64,
    ratio: u64,
}

pub(super) fn open(file: File) -> Result<(u64, u64, Box<dyn Table>)> {
    let header = header(&file)?;
    if header.log_guid != [0; 16] {
        return Err(file.unsupported("it was not closed: its log has to be replayed"));
    }
    if header.version.get() != 1 {
        return Err(file.unsupported(format!("version {}", header.version)));
    }
    let regions = regions(&file)?;
    let region = |guid: Uuid, what: &str| {
        let found = regions.get(&guid).copied();
        found.ok_or_else(|| file.damaged(format!("there is no region of the {what}")))
    };
    let (table, table_len) = region(BAT_GUID, "block table")?;
    let (metadata, _) = region(METADATA_GUID, "metadata")?;
    let items = items(&file, metadata)?;
    let number = |item: Uuid, what: &str| {
        let value: Option<&Vec<u8>> = items.get(&item);
        let number = match value.map(Vec::as_slice) {
            Some([a, b, c, d, rest @ ..]) if matches!(rest.len(), 0 | 4) => {
                let low = u32::from_le_bytes([*a, *b, *c, *d]);
                let high = rest.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
                Some((low, high))
            }
            _ => None,
        };
        number.ok_or_else(|| file.damaged(format!("the metadata do not say the {what}")))
    };
    let (block, flags) = number(FILE_PARAMETERS, "size of blocks")?;
    if flags & HAS_PARENT != 0 {
        return Err(file.unsupported("what is not in it is in a parent"));
    }
    let block = file.block(block.into(), 256 << 20)?;
    if block < MIB {
        return Err(file.damaged(format!("blocks of {block} bytes; they have at least 1 MiB")));
    }
    let (sector, _) = number(LOGICAL_SECTOR_SIZE, "size of sectors")?;
    if sector != 512 {
        return Err(file.unsupported(format!("sectors of {sector} bytes")));
    }
    let (low, high) = number(VIRTUAL_DISK_SIZE, "size of the disk")?;
    let size = u64::from(high) << 32 | u64::from(low);
    let (blocks, ratio) = (size.div_ceil(block), chunk_ratio(block));
    let entries = blocks + blocks.saturating_sub(1) / ratio;
    if entries.checked_mul(8).is_none_or(|len| len > table_len) {
        return Err(file.damaged(format!("a block table of {table_len} bytes for {blocks} blocks")));
    }
    Ok((size, block, Box::new(Blocks { file, table, ratio })))
}

/// The header that counts: of those with a right checksum, that of the greater number.
fn header(file: &File) -> Result<Header> {
    let mut newest: Option<Header> = None;
    for place in HEADERS {
        let bytes = file.bytes(place, HEADER_LEN)?;
        let Ok((header, _)) = Header::read_from_prefix(&bytes) else {
            continue;
        };
        if header.signature == HEADER_SIGNATURE
            && is_sealed(bytes)
            && newest.is_none_or(|newest| newest.sequence_number.get() < header.sequence_number.get())
        {
            newest = Some(header);
        }
    }
    newest.ok_or_else(|| file.damaged("the checksums of both headers are wrong"))
}

/// Whether a checksum is right.
fn is_sealed(mut bytes: Vec<u8>) -> bool {
    let said: Vec<u8> = bytes[4..8].to_vec();
    seal(&mut bytes);
    bytes[4..8] == said
}

/// The regions: their first bytes and lengths.
fn regions(file: &File) -> Result<BTreeMap<Uuid, (u64, u64)>> {
    let right = REGION_TABLES.into_iter().find_map(|place| {
        let bytes = file.bytes(place, TABLE_LEN).ok()?;
        let marked = bytes.starts_with(&REGION_SIGNATURE);
        (marked && is_sealed(bytes.clone())).then_some(bytes)
    });
    let bytes = right.ok_or_else(|| file.damaged("the checksums of both region tables are wrong"))?;
    let unreadable = || file.damaged("the region table has too many entries");
    let (table, mut rest) = RegionTable::read_from_prefix(&bytes).map_err(|_| unreadable())?;
    let mut regions = BTreeMap::new();
    for _ in 0..table.entry_count.get().min(ENTRIES_MAX) {
        let (region, behind) = Region::read_from_prefix(rest).map_err(|_| unreadable())?;
        rest = behind;
        let guid = Uuid::from_bytes_le(region.guid);
        let (start, len) = (region.file_offset.get(), u64::from(region.length.get()));
        if start.checked_add(len).is_none_or(|end| end > file.len) {
            return Err(file.damaged(format!("the region {guid} ends behind the file's end")));
        }
        if region.required.get() & 1 != 0 && ![BAT_GUID, METADATA_GUID].contains(&guid) {
            return Err(file.unsupported(format!("a region that is required and not known, {guid}")));
        }
        regions.insert(guid, (start, len));
    }
    Ok(regions)
}

/// The values of the metadata that are known.
fn items(file: &File, start: u64) -> Result<BTreeMap<Uuid, Vec<u8>>> {
    let known = [
        FILE_PARAMETERS,
        VIRTUAL_DISK_SIZE,
        VIRTUAL_DISK_ID,
        LOGICAL_SECTOR_SIZE,
        PHYSICAL_SECTOR_SIZE,
    ];
    let bytes = file.bytes(start, TABLE_LEN)?;
    let damaged = || file.damaged("the metadata have no table");
    let (table, mut rest) = MetadataTable::read_from_prefix(&bytes).map_err(|_| damaged())?;
    if table.signature != METADATA_SIGNATURE {
        return Err(damaged());
    }
    let mut items = BTreeMap::new();
    for _ in 0..table.entry_count.get() {
        let (item, behind) = Item::read_from_prefix(rest).map_err(|_| damaged())?;
        rest = behind;
        let id = Uuid::from_bytes_le(item.item_id);
        if known.contains(&id) {
            let len = item.length.get().min(16) as usize;
            let place = start.checked_add(item.offset.get().into()).ok_or_else(damaged)?;
            items.insert(id, file.bytes(place, len)?);
        } else if item.flags.get() & IS_REQUIRED != 0 {
            return Err(file.unsupported(format!("an item that is required and not known, {id}")));
        }
    }
    Ok(items)
}

impl Table for Blocks {
    fn find(&self, block: u64) -> Result<Piece> {
        let bytes = self
            .file
            .bytes(self.table + (block + block / self.ratio) * 8, 8)?;
        let entry = bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        match entry & STATE {
            PRESENT => Ok(Piece::At(entry & OFFSET)),
            PARTIALLY_PRESENT => Err(self
                .file
                .damaged(format!("block {block} is in a parent, and there is none"))),
            _ => Ok(Piece::Zeros),
        }
    }
}
