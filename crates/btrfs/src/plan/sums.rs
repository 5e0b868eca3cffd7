//! The checksum tree: the checksums of runs of sectors.

use super::chunks::Chunks;
use super::data::Data;
use super::items::Take;
use crate::Result;
use crate::format::{CHECKSUMS_MAX, Key, SECTOR, kind, object};

/// The items of the checksum tree. A run ends with its chunk, or when it is as long as an item can be.
pub(super) fn items(data: &Data, chunks: &Chunks, take: Take) -> Result<()> {
    let mut order = chunks.order.iter().copied().peekable();
    for chunk in chunks.list.iter().filter(|chunk| chunk.is_data()) {
        let mut sums: Vec<u32> = Vec::new();
        while let Some(number) = order.next_if(|number| chunks.addresses[*number] < chunk.end()) {
            sums.extend(data.sums(&data.extents[number]));
        }
        let mut start = chunk.start + chunk.lead;
        for run in sums.chunks(CHECKSUMS_MAX) {
            let bytes: Vec<u8> = run.iter().flat_map(|sum| sum.to_le_bytes()).collect();
            take(Key::new(object::EXTENT_CSUM, kind::EXTENT_CSUM, start), &bytes)?;
            start += run.len() as u64 * SECTOR;
        }
    }
    Ok(())
}
