//! Planning VDIs.

use image::{Image, Layout, Seed};
use zerocopy::IntoBytes;

use super::format::{ABSENT, BLOCK, DYNAMIC, HEADER_SIZE, Header, MAP, SIGNATURE, TEXT, VERSION};
use crate::map::Present;
use crate::{Error, Format, Result};

/// The blocks that are more than zeros, with a map in front.
pub(crate) fn plan(image: &Image, seed: &Seed) -> Result<Image> {
    let size = image.size();
    let too_large = |_| Error::TooLarge {
        format: Format::Vdi,
        size,
        max: super::SIZE_MAX,
    };
    let blocks = size.div_ceil(BLOCK);
    let present = Present::of(image, BLOCK)?;
    let mut map = vec![ABSENT; usize::try_from(blocks).map_err(too_large)?];
    for (place, block) in (0..).zip(present.blocks()) {
        map[usize::try_from(block).map_err(too_large)?] = place;
    }
    let data = (MAP + blocks * 4).next_multiple_of(BLOCK);
    let mut text = [0; 64];
    text[..TEXT.len()].copy_from_slice(TEXT);
    let header = Header {
        text,
        signature: SIGNATURE.into(),
        version: VERSION.into(),
        header_size: HEADER_SIZE.into(),
        image_type: DYNAMIC.into(),
        image_flags: 0.into(),
        description: [0; 256],
        offset_bmap: u32::try_from(MAP).map_err(too_large)?.into(),
        offset_data: u32::try_from(data).map_err(too_large)?.into(),
        cylinders: 0.into(),
        heads: 0.into(),
        sectors: 0.into(),
        sector_size: 512.into(),
        unused: 0.into(),
        disk_size: size.into(),
        block_size: u32::try_from(BLOCK).map_err(too_large)?.into(),
        block_extra: 0.into(),
        blocks_in_image: u32::try_from(blocks).map_err(too_large)?.into(),
        blocks_allocated: u32::try_from(present.count()).map_err(too_large)?.into(),
        uuid_image: seed.uuid("image").to_bytes_le(),
        uuid_last_snap: seed.uuid("snapshot").to_bytes_le(),
        uuid_link: [0; 16],
        uuid_parent: [0; 16],
        padding: [0; 56],
    };
    let mut layout = Layout::new();
    layout.put(0, "vdi header", header.as_bytes());
    let map: Vec<u8> = map.into_iter().flat_map(u32::to_le_bytes).collect();
    layout.put(MAP, "vdi block map", map);
    present.put(&mut layout, image, BLOCK, data);
    Ok(layout.finish(data + present.count() * BLOCK)?)
}
