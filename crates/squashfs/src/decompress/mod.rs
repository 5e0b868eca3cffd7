//! One block out, for whoever reads: exactly what Linux reads, and nothing more.
//!
//! The libraries that users have decompress more than Linux does in a SquashFS: several frames, frames with larger
//! windows, other checks and filters, codes that the formats reserve. A block that only they understand gives the right
//! bytes here and an input/output error on the device, so each compressor's file says what Linux asks of a block
//! (`fs/squashfs/zstd_wrapper.c`, `xz_wrapper.c`, `zlib_wrapper.c`, from Linux 5.15 on) and refuses the rest. Bytes
//! behind a frame or stream are ignored by Linux; here they are refused too, because nobody who makes blocks leaves
//! any.

mod sequences;
mod xz;
mod zlib;
mod zstd;

use std::ops::RangeInclusive;

use crate::format::METADATA_SIZE;
use crate::{BLOCK_SIZE_MAX, Error};

/// Decompresses blocks by the compressor's number in the superblock.
pub(crate) struct Decompressor {
    state: State,
    limits: Limits,
}

enum State {
    Gzip(Box<zlib_rs::Inflate>),
    Xz,
    Zstd(Box<zstd_safe::DCtx<'static>>),
}

/// What the blocks of an image may ask of their reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The largest window of zstd.
    pub(crate) window_max: u64,
    /// The sizes that xz's dictionary may have.
    pub(crate) dictionary: RangeInclusive<u32>,
    /// The filters before LZMA2, a bit for each, as the options of an image name them.
    pub(crate) filters: u32,
}

impl Limits {
    /// Those of an image with blocks of this size: Linux has this much memory for them.
    pub(crate) fn image(block_size: u32) -> Limits {
        let most = block_size.max(u32::try_from(METADATA_SIZE).unwrap_or(u32::MAX));
        Limits {
            window_max: most.into(),
            dictionary: 0..=most,
            filters: 0,
        }
    }

    /// Those of segments, which are as Kiln makes them: the dictionary has the size of a block.
    pub(crate) fn segment(block_size: u32) -> Limits {
        Limits {
            dictionary: block_size..=block_size,
            ..Limits::image(block_size)
        }
    }
}

/// The largest window that a segment's block of this many bytes may have. It depends on the block alone, so that whoever
/// has nothing but the block comes to the same answer as whoever knows the image's options.
fn window_of(len: usize) -> u64 {
    let len = len.clamp(METADATA_SIZE, BLOCK_SIZE_MAX as usize);
    len.next_power_of_two() as u64
}

impl Decompressor {
    pub(crate) fn new(number: u16, limits: Limits) -> Result<Decompressor, Error> {
        let state = match number {
            1 => State::Gzip(Box::new(zlib::inflate())),
            4 => State::Xz,
            6 => State::Zstd(Box::new(zstd::context()?)),
            2 => return Err(Error::Unsupported("lzma compression".into())),
            3 => return Err(Error::Unsupported("lzo compression".into())),
            5 => return Err(Error::Unsupported("lz4 compression".into())),
            _ => return Err(Error::Damaged(format!("compressor number {number}"))),
        };
        Ok(Decompressor { state, limits })
    }

    /// A decompressor for a segment's blocks, as far as the first bytes of one of them tell, and the most bytes that the
    /// blocks can have.
    pub(crate) fn of_segment(block: &[u8]) -> Result<(Decompressor, usize), Error> {
        let (number, block_size) = if block.starts_with(&zstd::MAGIC) {
            (6, BLOCK_SIZE_MAX)
        } else if block.starts_with(&xz::MAGIC) {
            (
                4,
                xz::look(block, &Limits::image(BLOCK_SIZE_MAX)).map_err(damaged)?,
            )
        } else {
            (1, BLOCK_SIZE_MAX)
        };
        let decompressor = Decompressor::new(number, Limits::segment(block_size))?;
        Ok((decompressor, block_size as usize))
    }

    /// Decompresses a block of at most `max` bytes.
    pub(crate) fn decompress(&mut self, input: &[u8], max: usize) -> Result<Vec<u8>, Error> {
        let limits = &self.limits;
        let output = match &mut self.state {
            State::Gzip(inflate) => zlib::decompress(inflate, input, max),
            State::Xz => xz::decompress(limits, input, max),
            State::Zstd(context) => zstd::decompress(context, limits.window_max, input, max),
        }
        .map_err(damaged)?;
        if output.is_empty() {
            return Err(damaged("it is empty"));
        }
        Ok(output)
    }

    /// Checks what a segment's block of `len` bytes says of itself without being decompressed.
    pub(crate) fn look(&self, input: &[u8], len: usize) -> Result<(), Error> {
        match &self.state {
            State::Gzip(_) => zlib::look(input),
            State::Xz => xz::look(input, &self.limits).map(drop),
            State::Zstd(_) => {
                let window_max = self.limits.window_max.min(window_of(len));
                zstd::look(input, window_max).and_then(|frame| frame.holds(len))
            }
        }
        .map_err(damaged)
    }
}

fn damaged(problem: impl std::fmt::Display) -> Error {
    Error::Damaged(format!("a block that Linux does not read: {problem}"))
}
