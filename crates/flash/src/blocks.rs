//! Ranges of blocks, buffers for them, and what is remembered of what was written.

use sha2::{Digest, Sha256};
use transport::BlockMap;

use crate::{BLOCK, PIECE};

/// What is written, in whole blocks except at the image's end: sorted, and with room between two ranges.
pub(crate) fn to_write(map: Option<&BlockMap>, gaps: &[(u64, u64)], image_size: u64) -> Vec<(u64, u64)> {
    let Some(map) = map else {
        return Some((0, image_size))
            .filter(|(_, end)| *end > 0)
            .into_iter()
            .collect();
    };
    let mapped = map.ranges.iter().map(|range| (range.start, range.end));
    let whole = |(start, end): (u64, u64)| {
        let end = end.next_multiple_of(BLOCK).min(image_size);
        (start / BLOCK * BLOCK, end)
    };
    let mut all: Vec<(u64, u64)> = mapped.chain(gaps.iter().copied()).map(whole).collect();
    all.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (start, end) in all {
        match merged.last_mut() {
            Some(last) if last.1 >= start => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

/// What lies between ranges and behind them, up to the device's end.
pub(crate) fn rest(ranges: &[(u64, u64)], size: u64) -> Vec<(u64, u64)> {
    let mut position = 0;
    let mut rest = Vec::new();
    for (start, end) in ranges {
        rest.push((position, *start));
        position = end.next_multiple_of(BLOCK);
    }
    rest.push((position, size));
    rest.retain(|(start, end)| start < end);
    rest
}

/// Ranges cut into pieces that fit into a buffer, at multiples of its length.
pub(crate) fn pieces(ranges: &[(u64, u64)]) -> impl Iterator<Item = (u64, u64)> + '_ {
    ranges.iter().flat_map(|(start, end)| {
        let mut position = *start;
        std::iter::from_fn(move || {
            let start = position;
            position = ((start / PIECE + 1) * PIECE).min(*end);
            (start < position).then_some((start, position))
        })
    })
}

/// Bytes whose place in memory suits a disk that is written past the page cache.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// So many zeros.
    pub(crate) fn zeros(len: u64) -> Buffer {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let align = usize::try_from(BLOCK).unwrap_or(1);
        let bytes = vec![0; len.saturating_add(align)];
        let start = bytes.as_ptr().align_offset(align).min(align);
        Buffer { bytes, start, len }
    }

    pub(crate) fn get(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.len]
    }

    pub(crate) fn get_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.len]
    }
}

/// What is remembered of a piece that was written: a thousandth of it.
pub(crate) struct Written {
    pub(crate) start: u64,
    /// Its bytes on the device, up to whole blocks.
    pub(crate) len: u64,
    sha256: [u8; 32],
    /// Of each block.
    crcs: Vec<u32>,
}

impl Written {
    pub(crate) fn of(start: u64, bytes: &[u8]) -> Written {
        Written {
            start,
            len: bytes.len() as u64,
            sha256: Sha256::digest(bytes).into(),
            crcs: blocks(bytes).map(crc32c::crc32c).collect(),
        }
    }

    /// Where other bytes differ, in whole blocks; nothing when they are the same.
    pub(crate) fn differing(&self, bytes: &[u8]) -> Vec<(u64, u64)> {
        if <[u8; 32]>::from(Sha256::digest(bytes)) == self.sha256 {
            return Vec::new();
        }
        let mut differing = Vec::new();
        let mut start = self.start;
        for (block, crc) in blocks(bytes).zip(&self.crcs) {
            let end = start + block.len() as u64;
            if crc32c::crc32c(block) != *crc {
                differing.push((start, end));
            }
            start = end;
        }
        if differing.is_empty() {
            // Once in four thousand million times: then it is somewhere in the piece.
            differing.push((self.start, self.start + self.len));
        }
        differing
    }
}

fn blocks(bytes: &[u8]) -> std::slice::Chunks<'_, u8> {
    bytes.chunks(usize::try_from(BLOCK).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use transport::Mapped;

    use super::*;

    #[test]
    fn ranges_become_whole_blocks_and_whole_pieces() {
        let range = |start, end| Mapped {
            start,
            end,
            sha256: None,
        };
        let map = BlockMap {
            image_size: PIECE + 10_000,
            block_size: 512,
            ranges: vec![range(0, 512), range(5000, 8192), range(PIECE - 1, PIECE + 10_000)],
            unknown_sum: None,
        };
        let ranges = to_write(Some(&map), &[(20_480, 24_576)], map.image_size);
        let end = PIECE + 10_000;
        assert_eq!(ranges, [(0, 8192), (20_480, 24_576), (PIECE - BLOCK, end)]);
        let cut: Vec<_> = pieces(&ranges).collect();
        assert_eq!(
            cut,
            [(0, 8192), (20_480, 24_576), (PIECE - BLOCK, PIECE), (PIECE, end)]
        );
        let size = 2 * PIECE;
        assert_eq!(
            rest(&ranges, size),
            [(8192, 20_480), (24_576, PIECE - BLOCK), (PIECE + 12_288, size)]
        );
    }

    #[test]
    fn the_block_that_differs_is_found() {
        let mut bytes = vec![7; 20_000];
        let written = Written::of(8192, &bytes);
        assert_eq!(written.differing(&bytes), []);
        bytes[4096] = 8;
        bytes[19_999] = 8;
        assert_eq!(written.differing(&bytes), [(12_288, 16_384), (24_576, 28_192)]);
    }
}
