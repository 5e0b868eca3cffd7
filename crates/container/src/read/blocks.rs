//! A disk of blocks that a table finds.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use image::ReadAt;

use super::File;
use crate::{Error, Format, Result};

/// As many decompressed blocks are kept.
const KEPT: usize = 8;

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Nowhere: it reads as zeros.
    Zeros,
    /// In the file, from here on.
    At(u64),
    /// In the file, compressed.
    Compressed {
        /// The first byte.
        start: u64,
        /// How many bytes there are at most.
        len: usize,
        /// How they are compressed.
        inflate: Inflate,
    },
}

/// How a block is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inflate {
    /// Deflate without a header.
    Deflate,
    /// Deflate in a zlib stream.
    Zlib,
    /// A zstd frame.
    Zstd,
}

/// Finds blocks.
pub(super) trait Table: Send + Sync + fmt::Debug {
    /// Where the block of this number is.
    fn find(&self, block: u64) -> Result<Piece>;
}

/// A disk in a container.
#[derive(Clone, Debug)]
pub struct Disk(Arc<Blocks>);

/// The same, for all who know it.
#[derive(Debug)]
pub(super) struct Blocks {
    file: File,
    size: u64,
    block: u64,
    table: Box<dyn Table>,
    /// The blocks that were decompressed last.
    kept: Mutex<Vec<(u64, Arc<[u8]>)>>,
}

impl Disk {
    pub(super) fn new(file: File, size: u64, block: u64, table: Box<dyn Table>) -> Disk {
        Disk(Arc::new(Blocks {
            file,
            size,
            block,
            table,
            kept: Mutex::default(),
        }))
    }

    /// The disk's bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// The container.
    #[must_use]
    pub fn format(&self) -> Format {
        self.0.file.format
    }
}

impl ReadAt for Disk {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        let Blocks { size, block, .. } = *self.0;
        let end = start.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (mut place, mut rest) = (start, buffer);
        while !rest.is_empty() {
            let within = place % block;
            let len = usize::try_from(block - within).map_or(rest.len(), |len| len.min(rest.len()));
            let (part, behind) = rest.split_at_mut(len);
            self.0.read(part, place / block, within)?;
            (place, rest) = (place + len as u64, behind);
        }
        Ok(())
    }

    fn name(&self) -> String {
        self.0.file.source.name()
    }
}

impl Blocks {
    /// Reads a part of a block.
    fn read(&self, part: &mut [u8], block: u64, within: u64) -> io::Result<()> {
        match self.table.find(block).map_err(plain)? {
            Piece::Zeros => part.fill(0),
            Piece::At(start) => {
                let start = start.checked_add(within).ok_or(io::ErrorKind::UnexpectedEof)?;
                let end = start.checked_add(part.len() as u64);
                if end.is_none_or(|end| end > self.file.len) {
                    let problem = format!("block {block} at {start} lies behind the end of the file");
                    return Err(plain(self.file.damaged(problem)));
                }
                self.file.source.read_exact_at(part, start)?;
            }
            Piece::Compressed { start, len, inflate } => {
                let bytes = self.decompressed(block, (start, len), inflate).map_err(plain)?;
                let within = usize::try_from(within).map_err(io::Error::other)?;
                part.copy_from_slice(&bytes[within..within + part.len()]);
            }
        }
        Ok(())
    }

    fn decompressed(&self, block: u64, place: (u64, usize), inflate: Inflate) -> Result<Arc<[u8]>> {
        // No code panics while it holds the lock.
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = lock().iter().find(|(number, _)| *number == block) {
            return Ok(Arc::clone(bytes));
        }
        let (start, len) = place;
        let mut compressed = vec![0; len];
        // The last sectors that are counted may lie behind the end.
        let there = usize::try_from(self.file.len.saturating_sub(start)).map_or(len, |there| there.min(len));
        compressed.truncate(there);
        let read = self.file.source.read_exact_at(&mut compressed, start);
        read.map_err(|source| Error::Read {
            format: self.file.format,
            start,
            source,
        })?;
        let mut bytes = vec![0; usize::try_from(self.block).unwrap_or(0)];
        decompress(inflate, &compressed, &mut bytes).map_err(|problem| {
            let problem = format!("block {block} at {start} cannot be decompressed: {problem}");
            self.file.damaged(problem)
        })?;
        let bytes: Arc<[u8]> = bytes.into();
        let mut kept = lock();
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((block, Arc::clone(&bytes)));
        Ok(bytes)
    }
}

/// An error on the way through what reads bytes.
fn plain(error: Error) -> io::Error {
    match error {
        Error::Read { source, .. } => source,
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

/// Fills a block; there may be more behind the compressed bytes.
fn decompress(inflate: Inflate, compressed: &[u8], block: &mut [u8]) -> Result<(), String> {
    use zlib_rs::{InflateFlush, Status};
    if inflate == Inflate::Zstd {
        return unpack_zstd(compressed, block);
    }
    let mut stream = zlib_rs::Inflate::new(inflate == Inflate::Zlib, 15);
    let status = stream
        .decompress(compressed, block, InflateFlush::Finish)
        .map_err(|error| error.as_str().to_string())?;
    let filled = stream.total_out();
    match status {
        // A stream that is full may have its end still to come.
        Status::StreamEnd | Status::Ok | Status::BufError if filled == block.len() as u64 => Ok(()),
        _ => Err(format!(
            "{filled} bytes came out of it, and a block has {}",
            block.len()
        )),
    }
}

fn unpack_zstd(compressed: &[u8], block: &mut [u8]) -> Result<(), String> {
    let failed = |code| zstd_safe::get_error_name(code).to_string();
    let mut context = zstd_safe::DCtx::try_create().ok_or("out of memory")?;
    let mut input = zstd_safe::InBuffer::around(compressed);
    let len = block.len();
    let mut output = zstd_safe::OutBuffer::around(block);
    while output.pos() < len {
        let before = (input.pos, output.pos());
        context
            .decompress_stream(&mut output, &mut input)
            .map_err(failed)?;
        if before == (input.pos, output.pos()) {
            return Err(format!(
                "{} bytes came out of it, and a block has {len}",
                output.pos()
            ));
        }
    }
    Ok(())
}
