//! Where the blocks of an xz file are: as the index of each of its streams says, from the last one to the first.

use std::io;
use std::sync::Arc;

use image::{Content, ReadAt as _};

use super::{CHUNKS_MAX, Chunk, Chunks, bytes};
use crate::xz::{FOOTER_MAGIC, HEADER_MAGIC, add_integer, pad};

/// The bytes of a Stream Header, and of a Stream Footer.
const HEAD: u64 = 12;

/// The most bytes of an index: `CHUNKS_MAX` blocks with their sizes take fewer.
const INDEX_MAX: u64 = 16 << 20;

/// The most streams in one file.
const STREAMS_MAX: usize = 1 << 12;

/// What makes a stream of a block alone.
#[derive(Debug)]
pub(super) struct Around {
    /// The Stream Flags of its stream.
    flags: [u8; 2],
    /// How much of the block's bytes in the file is padding, from 0 to 3: the index counts without.
    padding: u64,
}

impl Around {
    /// What has to be before and behind a block.
    pub(super) fn of(&self, chunk: &Chunk) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let checksum = libdeflater::crc32(&self.flags).to_le_bytes();
        let head = [&HEADER_MAGIC[..], &self.flags, &checksum].concat();
        let mut index = vec![0, 1];
        add_integer(&mut index, chunk.size - self.padding);
        add_integer(&mut index, chunk.len);
        pad(&mut index);
        let checksum = libdeflater::crc32(&index);
        index.extend(checksum.to_le_bytes());
        let backward_size = u32::try_from(index.len() / 4 - 1).map_err(io::Error::other)?;
        let end = [&backward_size.to_le_bytes()[..], &self.flags].concat();
        let checksum = libdeflater::crc32(&end).to_le_bytes();
        Ok((head, [&index, &checksum[..], &end, &FOOTER_MAGIC].concat()))
    }
}

/// The chunks, when all of them are known and none is too large.
pub(super) fn chunks(content: &Content) -> io::Result<Option<Vec<Chunk>>> {
    let (mut streams, mut end, mut count) = (Vec::new(), content.len(), 0);
    while end > 0 {
        match bytes::<4>(content, end.saturating_sub(4))? {
            // Stream Padding. There is little of it, or somebody wants to keep us busy.
            Some([0, 0, 0, 0]) if end >= 4 && content.len() - end < 1 << 20 => {
                end -= 4;
                continue;
            }
            _ => {}
        }
        let Some(stream) = stream(content, end)? else {
            return Ok(None);
        };
        end = stream.start;
        count += stream.blocks.len();
        streams.push(stream);
        if streams.len() > STREAMS_MAX || count > CHUNKS_MAX {
            return Ok(None);
        }
    }
    // Nothing comes before the first stream, and there is one.
    if streams.last().is_none_or(|first| first.start > 0) {
        return Ok(None);
    }
    let mut chunks = Chunks::default();
    for stream in streams.iter().rev() {
        let mut place = stream.start + HEAD;
        let around = |padding| Around {
            flags: stream.flags,
            padding,
        };
        let around: [Arc<Around>; 4] = [0, 1, 2, 3].map(|padding| around(padding).into());
        for (unpadded, len) in &stream.blocks {
            let size = unpadded.next_multiple_of(4);
            let frame = around.get(usize::try_from(size - unpadded).unwrap_or_default());
            if chunks.add(place, size, *len, frame.cloned()).is_none() {
                return Ok(None);
            }
            place += size;
        }
    }
    Ok(Some(chunks.0))
}

struct Stream {
    start: u64,
    flags: [u8; 2],
    /// The Unpadded Size and the Uncompressed Size of each.
    blocks: Vec<(u64, u64)>,
}

/// The stream that ends at a place, when its footer, its index and its header fit together.
fn stream(content: &Content, end: u64) -> io::Result<Option<Stream>> {
    let Some(footer) = end.checked_sub(HEAD) else {
        return Ok(None);
    };
    let Some([c0, c1, c2, c3, b0, b1, b2, b3, f0, f1, y, z]) = bytes::<12>(content, footer)? else {
        return Ok(None);
    };
    let checksum = libdeflater::crc32(&[b0, b1, b2, b3, f0, f1]);
    if [y, z] != FOOTER_MAGIC || u32::from_le_bytes([c0, c1, c2, c3]) != checksum {
        return Ok(None);
    }
    let index_size = (u64::from(u32::from_le_bytes([b0, b1, b2, b3])) + 1) * 4;
    let Some(index_start) = footer.checked_sub(index_size).filter(|_| index_size <= INDEX_MAX) else {
        return Ok(None);
    };
    let mut index = vec![0; usize::try_from(index_size).map_err(io::Error::other)?];
    content.read_exact_at(&mut index, index_start)?;
    let Some(blocks) = read_index(&index) else {
        return Ok(None);
    };
    let sizes = blocks.iter().try_fold(0_u64, |sum, (unpadded, _)| {
        sum.checked_add(unpadded.checked_next_multiple_of(4)?)
    });
    let start = sizes.and_then(|sizes| index_start.checked_sub(sizes)?.checked_sub(HEAD));
    let Some(start) = start else {
        return Ok(None);
    };
    let flags = [f0, f1];
    let checksum = libdeflater::crc32(&flags).to_le_bytes();
    let head = bytes::<12>(content, start)?;
    let fits = head.is_some_and(|head| head[..] == [&HEADER_MAGIC[..], &flags, &checksum].concat());
    Ok(fits.then_some(Stream { start, flags, blocks }))
}

/// The records of an index whose checksum is right.
fn read_index(index: &[u8]) -> Option<Vec<(u64, u64)>> {
    let (body, checksum) = index.split_last_chunk::<4>()?;
    if libdeflater::crc32(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let mut rest = body.strip_prefix(&[0])?;
    let count = integer(&mut rest)?;
    // Each record has at least two bytes.
    if count > rest.len() as u64 / 2 {
        return None;
    }
    let mut blocks = Vec::new();
    for _ in 0..count {
        let (unpadded, len) = (integer(&mut rest)?, integer(&mut rest)?);
        if !(5..1 << 62).contains(&unpadded) {
            return None;
        }
        blocks.push((unpadded, len));
    }
    (rest.len() < 4 && rest.iter().all(|byte| *byte == 0)).then_some(blocks)
}

/// A multibyte integer, of at most 63 bits.
fn integer(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
