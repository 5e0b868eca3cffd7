//! Planning VHDs.

use std::sync::Arc;

use image::{Content, Image, Layout, Seed};
use zerocopy::IntoBytes;

use super::format::{
    ABSENT, BLOCK, CREATOR, CREATOR_HOST, CREATOR_VERSION, DYNAMIC, FEATURES, FIXED, FOOTER_COOKIE, Footer,
    HEADER_COOKIE, Header, NO_OFFSET, SECTOR, TABLE_OFFSET, VERSION, checksum,
};
use crate::map::Present;
use crate::{Error, Format, Result};

/// The disk, and the footer behind it.
pub(crate) fn fixed(image: &Image, seed: &Seed) -> Result<Image> {
    let size = image.size();
    let mut layout = Layout::new();
    layout.put_all(0, image.clone());
    layout.put(size, "vhd footer", footer(size, FIXED, seed).as_bytes());
    Ok(layout.finish(size + SECTOR)?)
}

/// The blocks that are more than zeros, with a table in front.
pub(crate) fn dynamic(image: &Image, seed: &Seed) -> Result<Image> {
    let size = image.size();
    let blocks = size.div_ceil(BLOCK);
    let too_large = |_| Error::TooLarge {
        format: Format::Vhd,
        size,
        max: super::SIZE_MAX,
    };
    let entries = u32::try_from(blocks).map_err(too_large)?;
    let present = Present::of(image, BLOCK)?;
    let table_len = (blocks * 4).next_multiple_of(SECTOR);
    let mut table = vec![ABSENT; usize::try_from(table_len).map_err(too_large)?];
    let mut layout = Layout::new();
    let mut place = TABLE_OFFSET + table_len;
    let bitmap: Arc<[u8]> = Arc::new([0xff; 512]);
    for block in present.blocks() {
        let sector = u32::try_from(place / SECTOR).map_err(too_large)?;
        let entry = usize::try_from(block * 4).map_err(too_large)?;
        table[entry..entry + 4].copy_from_slice(&sector.to_be_bytes());
        layout.put(place, "vhd bitmap", Content::Bytes(Arc::clone(&bitmap)));
        layout.put_all(
            place + SECTOR,
            image.slice(block * BLOCK..((block + 1) * BLOCK).min(size)),
        );
        place += SECTOR + BLOCK;
    }
    let footer = footer(size, DYNAMIC, seed);
    layout.put(0, "vhd footer (copy)", footer.as_bytes());
    layout.put(SECTOR, "vhd header", header(entries).as_bytes());
    layout.put(TABLE_OFFSET, "vhd block table", table);
    layout.put(place, "vhd footer", footer.as_bytes());
    Ok(layout.finish(place + SECTOR)?)
}

fn footer(size: u64, kind: u32, seed: &Seed) -> Footer {
    let mut footer = Footer {
        cookie: FOOTER_COOKIE,
        features: FEATURES.into(),
        file_format_version: VERSION.into(),
        data_offset: if kind == FIXED { NO_OFFSET } else { SECTOR }.into(),
        // The first moment of the year 2000.
        time_stamp: 0.into(),
        creator_application: CREATOR,
        creator_version: CREATOR_VERSION.into(),
        creator_host_os: CREATOR_HOST,
        original_size: size.into(),
        current_size: size.into(),
        cylinders: u16::MAX.into(),
        heads: 16,
        sectors_per_track: 255,
        disk_type: kind.into(),
        checksum: 0.into(),
        unique_id: seed.uuid("vhd").into_bytes(),
        saved_state: 0,
        reserved: [0; 427],
    };
    footer.checksum = checksum(footer.as_bytes()).into();
    footer
}

fn header(entries: u32) -> Header {
    let mut header = Header {
        cookie: HEADER_COOKIE,
        data_offset: NO_OFFSET.into(),
        table_offset: TABLE_OFFSET.into(),
        header_version: VERSION.into(),
        max_table_entries: entries.into(),
        block_size: u32::try_from(BLOCK).unwrap_or(0).into(),
        checksum: 0.into(),
        parent_unique_id: [0; 16],
        parent_time_stamp: 0.into(),
        reserved1: 0.into(),
        parent_unicode_name: [0; 512],
        parent_locator_entries: [0; 192],
        reserved2: [0; 256],
    };
    header.checksum = checksum(header.as_bytes()).into();
    header
}
