//! Android's sparse images, which fastboot flashes.
//!
//! ```text
//!  │ header │ chunk: raw │ blocks │ chunk: don't care │ chunk: fill │ 0 │ chunk: raw │ blocks │ …
//! ```
//!
//! A flashed device is not erased. So zeros that a reader relies on are filled in; only what nobody relies on is left alone.

pub(crate) mod format;

use image::{Image, Layout};
use zerocopy::IntoBytes;

use crate::map::Present;
use crate::{Error, Format, Result};
use format::{BLOCK, Chunk, DONT_CARE, FILL, Header, MAGIC, RAW};

/// The largest disk: a header counts blocks in 32 bits.
pub(crate) const SIZE_MAX: u64 = u32::MAX as u64 * BLOCK;

/// How many blocks a chunk has at most: its bytes are counted in 32 bits.
const RAW_MAX: u64 = (1 << 20) - 1;

/// The file.
pub(crate) fn plan(image: &Image) -> Result<Image> {
    let blocks = image.size() / BLOCK;
    let data = Present::of(image, BLOCK)?;
    let relied = Present::extents_of(image, BLOCK);
    let mut file = File {
        image,
        layout: Layout::new(),
        end: size_of::<Header>() as u64,
        chunks: 0,
    };
    let mut position = 0;
    let mut data = data.runs().iter().peekable();
    for run in relied.runs() {
        file.chunk(DONT_CARE, position, run.start)?;
        position = run.start;
        while let Some(data) = data.next_if(|data| data.start < run.end) {
            file.chunk(FILL, position, data.start)?;
            file.chunk(RAW, data.start, data.end)?;
            position = data.end;
        }
        file.chunk(FILL, position, run.end)?;
        position = run.end;
    }
    file.chunk(DONT_CARE, position, blocks)?;
    let number = |number: u64| u32::try_from(number).map_err(|_| too_large(image));
    let header = Header {
        magic: MAGIC.into(),
        major_version: 1.into(),
        minor_version: 0.into(),
        file_hdr_sz: 28.into(),
        chunk_hdr_sz: 12.into(),
        blk_sz: number(BLOCK)?.into(),
        total_blks: number(blocks)?.into(),
        total_chunks: number(file.chunks)?.into(),
        image_checksum: 0.into(),
    };
    file.layout.put(0, "sparse header", header.as_bytes());
    Ok(file.layout.finish(file.end)?)
}

struct File<'a> {
    image: &'a Image,
    layout: Layout,
    end: u64,
    chunks: u64,
}

impl File<'_> {
    /// Puts chunks for blocks; none when there are none.
    fn chunk(&mut self, kind: u16, mut start: u64, end: u64) -> Result<()> {
        while start < end {
            let count = (end - start).min(RAW_MAX);
            let payload = match kind {
                RAW => count * BLOCK,
                FILL => 4,
                _ => 0,
            };
            let number = |number: u64| u32::try_from(number).map_err(|_| too_large(self.image));
            let chunk = Chunk {
                chunk_type: kind.into(),
                reserved1: 0.into(),
                chunk_sz: number(count)?.into(),
                total_sz: number(size_of::<Chunk>() as u64 + payload)?.into(),
            };
            let mut bytes = chunk.as_bytes().to_vec();
            if kind == FILL {
                bytes.extend([0; 4]);
            }
            self.layout.put(self.end, "sparse chunk", bytes);
            self.end += size_of::<Chunk>() as u64;
            if kind == RAW {
                let slice = self.image.slice(start * BLOCK..(start + count) * BLOCK);
                self.layout.put_all(self.end, slice);
            }
            self.end += payload;
            self.chunks += 1;
            start += count;
        }
        Ok(())
    }
}

fn too_large(image: &Image) -> Error {
    Error::TooLarge {
        format: Format::AndroidSparse,
        size: image.size(),
        max: SIZE_MAX,
    }
}
