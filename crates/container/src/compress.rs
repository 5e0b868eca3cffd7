//! Blocks of a disk, compressed by threads and handed on in the disk's order.

use std::ops::Range;

use image::{Image, ReadAt};
use libdeflater::CompressionLvl;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use zlib_rs::{Deflate, DeflateFlush, Status};
use zstd_safe::{CCtx, CParameter};

use crate::map::Present;
use crate::{Error, Options, Result, Work};

/// How blocks are compressed, each by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Compressor {
    /// A zstd frame.
    Zstd(u32),
    /// Deflate without a header, which looks back 4096 bytes at most.
    Deflate(u32),
    /// A zlib stream.
    Zlib(u32),
}

/// What has become of a block.
pub(crate) enum Made {
    /// There is nothing in it but zeros.
    Zeros,
    /// It has become these bytes, fewer than it had.
    Compressed(Vec<u8>),
    /// It has not become smaller. Of zlib, these are the bytes of the stream; of others, those of the block.
    Plain(Vec<u8>),
}

/// How many blocks are read at once.
const TOGETHER: u64 = 16;

/// How many readings are compressed while those before them are handed on.
const AHEAD: usize = 24;

/// Compresses the present blocks of a disk.
pub(crate) fn each(
    image: &Image,
    present: &Present,
    block: u64,
    compressor: Compressor,
    options: &Options,
    work: &Work,
    mut hand: impl FnMut(u64, Made) -> Result<()> + Send,
) -> Result<()> {
    let failed = |problem: String| Error::Compressing {
        format: options.format,
        problem,
    };
    let pool = ThreadPoolBuilder::new().num_threads(work.threads).build();
    let pool = pool.map_err(|error| failed(error.to_string()))?;
    work.progress
        .begin(&format!("compressing {}", options.file), present.count() * block);
    let parts: Vec<Range<u64>> = present
        .runs()
        .iter()
        .flat_map(|run| {
            let parts = (run.start..run.end).step_by(16);
            parts.map(|start| start..run.end.min(start + TOGETHER))
        })
        .collect();
    let make = |parts: &[Range<u64>]| -> Vec<Result<Vec<(u64, Made)>>> {
        let make = |part: &Range<u64>| {
            make(image, part.clone(), block, compressor).map_err(|error| match error {
                Failed::Reading(error) => Error::Image(error),
                Failed::Compressing(problem) => failed(problem),
            })
        };
        parts.par_iter().map(make).collect()
    };
    let mut take = |made: Vec<Result<Vec<(u64, Made)>>>| -> Result<()> {
        for part in made {
            for (number, made) in part? {
                hand(number, made)?;
                work.progress.advance(block).map_err(image::Error::from)?;
            }
        }
        Ok(())
    };
    pool.install(|| {
        let mut before = Vec::new();
        for parts in parts.chunks(AHEAD) {
            let (next, taken) = rayon::join(|| make(parts), || take(std::mem::take(&mut before)));
            taken?;
            before = next;
        }
        take(before)
    })
}

enum Failed {
    Reading(image::Error),
    Compressing(String),
}

/// Reads blocks that lie behind each other, and compresses each.
fn make(
    image: &Image,
    blocks: Range<u64>,
    block: u64,
    compressor: Compressor,
) -> Result<Vec<(u64, Made)>, Failed> {
    let len = |len: u64| usize::try_from(len).map_err(|error| Failed::Compressing(error.to_string()));
    let mut bytes = vec![0; len((blocks.end - blocks.start) * block)?];
    image
        .read_exact_at(&mut bytes, blocks.start * block)
        .map_err(|source| {
            let inner = source.downcast::<image::Error>();
            Failed::Reading(inner.unwrap_or_else(|source| image::Error::ReadSource {
                what: "the disk".into(),
                source,
            }))
        })?;
    let compress = |(number, bytes): (u64, &[u8])| {
        let made = if bytes.iter().all(|byte| *byte == 0) {
            Made::Zeros
        } else {
            let smaller = compressor.compress(bytes).map_err(Failed::Compressing)?;
            match (compressor, smaller.len() < bytes.len()) {
                (_, true) => Made::Compressed(smaller),
                (Compressor::Zlib(_), false) => Made::Plain(smaller),
                (_, false) => Made::Plain(bytes.to_vec()),
            }
        };
        Ok((number, made))
    };
    (blocks.start..)
        .zip(bytes.chunks(len(block)?))
        .map(compress)
        .collect()
}

impl Compressor {
    fn compress(self, block: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Compressor::Zstd(level) => zstd(level, block),
            Compressor::Deflate(level) => deflate(level, block),
            Compressor::Zlib(level) => zlib(level, block),
        }
    }
}

/// The context is a new one: in one that was used before, hash tables differ, and what is found in them may.
fn zstd(level: u32, block: &[u8]) -> Result<Vec<u8>, String> {
    let failed = |code| format!("zstd: {}", zstd_safe::get_error_name(code));
    let mut context = CCtx::try_create().ok_or("zstd: out of memory")?;
    let level = i32::try_from(level).map_err(|error| error.to_string())?;
    let level = CParameter::CompressionLevel(level);
    context.set_parameter(level).map_err(failed)?;
    let mut bytes = Vec::with_capacity(zstd_safe::compress_bound(block.len()));
    context.compress2(&mut bytes, block).map_err(failed)?;
    Ok(bytes)
}

/// The window is that of QEMU's own files: readers have no larger one.
fn deflate(level: u32, block: &[u8]) -> Result<Vec<u8>, String> {
    const WINDOW_BITS: u8 = 12;
    let level = i32::try_from(level).map_err(|error| error.to_string())?;
    let mut deflate = Deflate::new(level, false, WINDOW_BITS);
    // What is longer than the block is of no use.
    let mut bytes = vec![0; block.len()];
    match deflate.compress(block, &mut bytes, DeflateFlush::Finish) {
        Ok(Status::StreamEnd) => {
            bytes.truncate(usize::try_from(deflate.total_out()).unwrap_or(0));
            Ok(bytes)
        }
        Ok(Status::Ok | Status::BufError) => Ok(bytes),
        Err(error) => Err(format!("deflate: {}", error.as_str())),
    }
}

fn zlib(level: u32, block: &[u8]) -> Result<Vec<u8>, String> {
    let level = i32::try_from(level).ok();
    let level = level.and_then(|level| CompressionLvl::new(level).ok());
    let mut compressor = libdeflater::Compressor::new(level.ok_or("zlib: no such level")?);
    let mut bytes = vec![0; compressor.zlib_compress_bound(block.len())];
    let len = compressor.zlib_compress(block, &mut bytes);
    bytes.truncate(len.map_err(|error| format!("zlib: {error}"))?);
    Ok(bytes)
}
