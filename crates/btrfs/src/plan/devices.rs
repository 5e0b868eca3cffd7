//! The device and its chunks: the chunk tree, the device tree, and what the superblock has of them.

use zerocopy::IntoBytes;

use super::chunks::{Chunk, Chunks};
use super::items::Take;
use super::trees::Ids;
use crate::Result;
use crate::format::{ChunkItem, DevExtent, DevItem, Key, SECTOR, STRIPE, Stripe, group, kind, object};

/// The device, whose size is that of the image.
pub(super) fn device(chunks: &Chunks, size: u64, ids: &Ids) -> DevItem {
    let used = chunks
        .list
        .iter()
        .map(|chunk| chunk.len * chunk.stripes.len() as u64);
    let sector = u32::try_from(SECTOR).unwrap_or(0).into();
    DevItem {
        devid: object::DEVICE.into(),
        total_bytes: size.into(),
        bytes_used: used.sum::<u64>().into(),
        io_align: sector,
        io_width: sector,
        sector_size: sector,
        kind: 0.into(),
        generation: 0.into(),
        start_offset: 0.into(),
        dev_group: 0.into(),
        seek_speed: 0,
        bandwidth: 0,
        uuid: ids.device,
        fsid: ids.fsid,
    }
}

/// The items of the chunk tree.
pub(super) fn chunk_items(chunks: &Chunks, size: u64, ids: &Ids, take: Take) -> Result<()> {
    let device = device(chunks, size, ids);
    take(
        Key::new(object::DEV_ITEMS, kind::DEV, object::DEVICE),
        device.as_bytes(),
    )?;
    for chunk in &chunks.list {
        let (key, item) = chunk_item(chunk, ids);
        take(key, &item)?;
    }
    Ok(())
}

/// How long the items of the chunk tree are.
pub(super) fn chunk_lens(chunks: &Chunks) -> impl Iterator<Item = usize> {
    let len = |chunk: &Chunk| size_of::<ChunkItem>() + chunk.stripes.len() * size_of::<Stripe>();
    std::iter::once(size_of::<DevItem>()).chain(chunks.list.iter().map(len))
}

fn chunk_item(chunk: &Chunk, ids: &Ids) -> (Key, Vec<u8>) {
    let stripe_len = u32::try_from(STRIPE).unwrap_or(0);
    let item = ChunkItem {
        length: chunk.len.into(),
        owner: object::EXTENT_TREE.into(),
        stripe_len: u64::from(stripe_len).into(),
        kind: chunk.kind.into(),
        io_align: stripe_len.into(),
        io_width: stripe_len.into(),
        sector_size: u32::try_from(SECTOR).unwrap_or(0).into(),
        num_stripes: u16::try_from(chunk.stripes.len()).unwrap_or(0).into(),
        sub_stripes: 1.into(),
    };
    let mut bytes = item.as_bytes().to_vec();
    for offset in &chunk.stripes {
        let stripe = Stripe {
            devid: object::DEVICE.into(),
            offset: (*offset).into(),
            dev_uuid: ids.device,
        };
        bytes.extend_from_slice(stripe.as_bytes());
    }
    (
        Key::new(object::FIRST_CHUNK_TREE, kind::CHUNK, chunk.start),
        bytes,
    )
}

/// The chunks that a reader needs to find all others.
pub(super) fn system_chunks(chunks: &Chunks, ids: &Ids) -> Vec<u8> {
    let system = chunks.list.iter().filter(|chunk| chunk.kind & group::SYSTEM != 0);
    let bytes = system.flat_map(|chunk| {
        let (key, item) = chunk_item(chunk, ids);
        [key.disk().as_bytes(), &item].concat()
    });
    bytes.collect()
}

/// The items of the device tree.
pub(super) fn device_items(chunks: &Chunks, chunk_tree: [u8; 16], take: Take) -> Result<()> {
    let stats = [0; 40];
    take(
        Key::new(object::DEV_STATS, kind::PERSISTENT, object::DEVICE),
        &stats,
    )?;
    let mut places: Vec<(u64, &Chunk)> = Vec::new();
    for chunk in &chunks.list {
        places.extend(chunk.stripes.iter().map(|stripe| (*stripe, chunk)));
    }
    places.sort_unstable_by_key(|(start, _)| *start);
    for (start, chunk) in places {
        let item = DevExtent {
            chunk_tree: object::CHUNK_TREE.into(),
            chunk_objectid: object::FIRST_CHUNK_TREE.into(),
            chunk_offset: chunk.start.into(),
            length: chunk.len.into(),
            chunk_tree_uuid: chunk_tree,
        };
        take(Key::new(object::DEVICE, kind::DEV_EXTENT, start), item.as_bytes())?;
    }
    Ok(())
}
