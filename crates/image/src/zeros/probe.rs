//! Finding holes without reading what is around them.
//!
//! ```text
//!  blocks   D D D D D D D D D D D D D D D D│D D D D D 0 0 0 0 0 0 0 0 0 0 0│0 0 0 0 0 0 0 D D D …  D D D│
//!  read     ▲                               ▲         ◄── back ───────────── ▲ ── on ──────►           ▲
//! ```
//!
//! A hole among data has sixteen blocks or more, and so it has the first block of a sixteen. Only these are read, and the last
//! block, since a hole at an end may be shorter; from one that is zeros, its neighbours are looked at up to those that are not.

use std::ops::Range;

use super::{BLOCK, BLOCK_BYTES, CHUNK, HOLE_MIN};
use crate::content::{Content, Reader};
use crate::error::Result;

/// The blocks of the shortest hole among data.
const STRIDE: u64 = HOLE_MIN / BLOCK_BYTES;

static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// What [`Finder`](super::Finder) finds in a content that has more than a block.
pub(super) fn data_runs(content: &Content) -> Result<Vec<Range<u64>>> {
    let len = content.len();
    let mut probe = Probe {
        reader: content.reader()?,
        len,
        count: len.div_ceil(BLOCK_BYTES),
        buffer: Vec::new(),
    };
    let mut runs = Vec::new();
    // Where the run that is open begins.
    let mut start = 0;
    let mut at = 0;
    while at < probe.count {
        if probe.is_zeros(at)? {
            let zeros = probe.first_before(at, start)?..probe.end_behind(at)?;
            let reaches_an_end = zeros.start == 0 || zeros.end == probe.count;
            if reaches_an_end || zeros.end - zeros.start >= STRIDE {
                if start < zeros.start {
                    runs.push(start..zeros.start);
                }
                start = zeros.end;
            }
            at = zeros.end;
        }
        at = probe.next(at);
    }
    if start < probe.count {
        runs.push(start..probe.count);
    }
    probe.reader.finish()?;
    let bytes = |run: Range<u64>| run.start * BLOCK_BYTES..(run.end * BLOCK_BYTES).min(len);
    Ok(runs.into_iter().map(bytes).collect())
}

struct Probe<'a> {
    reader: Reader<'a>,
    len: u64,
    /// Blocks.
    count: u64,
    buffer: Vec<u8>,
}

impl Probe<'_> {
    /// The next block behind one that is data, or behind all, that has to be looked at.
    fn next(&self, at: u64) -> u64 {
        let next = (at / STRIDE + 1) * STRIDE;
        let last = self.count - 1;
        if next < last || at >= last { next } else { last }
    }

    fn is_zeros(&self, block: u64) -> Result<bool> {
        let mut bytes = [0; BLOCK];
        let start = block * BLOCK_BYTES;
        let len = usize::try_from(self.len - start).map_or(BLOCK, |left| left.min(BLOCK));
        self.reader.read_at(&mut bytes[..len], start)?;
        Ok(bytes[..len] == ZEROS[..len])
    }

    /// The first block of the zeros that a block is the last of, as far as these begin behind `start`.
    fn first_before(&self, mut block: u64, start: u64) -> Result<u64> {
        while block > start && self.is_zeros(block - 1)? {
            block -= 1;
        }
        Ok(block)
    }

    /// The block behind the zeros that a block is the first of.
    fn end_behind(&mut self, block: u64) -> Result<u64> {
        let mut position = ((block + 1) * BLOCK_BYTES).min(self.len);
        // A long hole goes faster in large parts, and behind a short one little is read in vain.
        let mut most = usize::try_from(HOLE_MIN).unwrap_or(CHUNK);
        while position < self.len {
            let len = usize::try_from(self.len - position).map_or(most, |left| left.min(most));
            self.buffer.resize(len, 0);
            self.reader.read_at(&mut self.buffer, position)?;
            let mut blocks = self.buffer.chunks(BLOCK);
            if let Some(zeros) = blocks.position(|block| *block != ZEROS[..block.len()]) {
                return Ok(position / BLOCK_BYTES + zeros as u64);
            }
            position += len as u64;
            most = (2 * most).min(CHUNK);
        }
        Ok(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Finder;
    use super::*;

    /// What is found by probing, and by reading everything.
    fn both(bytes: &[u8]) -> [Vec<Range<u64>>; 2] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let probed = data_runs(&Content::host_file(file.path()).unwrap()).unwrap();
        let mut finder = Finder::default();
        finder.add(bytes);
        [probed, finder.runs]
    }

    #[test]
    fn probing_finds_what_reading_finds() {
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % below
        };
        for round in 0..400 {
            let mut bytes = vec![0; 4097 + random([20_000, 300_000, 3_000_000][round % 3])];
            for _ in 0..random(8) {
                let (at, len) = (random(bytes.len()), random(200_000));
                let end = (at + len).min(bytes.len());
                bytes[at..end].fill(1);
            }
            let [probed, read] = both(&bytes);
            assert_eq!(probed, read, "round {round}, {} bytes", bytes.len());
        }
    }

    #[test]
    fn holes_of_every_length_at_every_place() {
        for blocks in 14..19 {
            for first in 0..18 {
                let mut bytes = vec![1; 40 * BLOCK + 5];
                bytes[first * BLOCK..(first + blocks) * BLOCK].fill(0);
                let [probed, read] = both(&bytes);
                assert_eq!(probed, read, "{blocks} from {first}");
                assert_eq!(read.len() > 1, blocks >= 16 && first > 0);
            }
        }
        for last in 0..20 {
            let mut bytes = vec![1; 40 * BLOCK + 5];
            let end = bytes.len() - last * BLOCK;
            bytes[end..].fill(0);
            let [probed, read] = both(&bytes);
            assert_eq!(probed, read, "{last} at the end");
        }
    }
}
