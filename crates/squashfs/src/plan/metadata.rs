//! Metadata blocks: a stream of bytes, cut into pieces of 8 KiB that are compressed one by one.

use crate::compress::{Block, Compressor};
use crate::format::{METADATA_RAW, METADATA_SIZE};
use crate::{Error, Options};

/// Writes metadata blocks.
pub(super) struct Metadata {
    compressor: Compressor,
    /// Compressed blocks with their headers.
    output: Vec<u8>,
    /// The first byte of each complete block in the output.
    starts: Vec<u64>,
    /// The block that is being filled.
    block: Vec<u8>,
}

/// A place in a metadata stream: the block's first byte in the output, and the offset within the block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Position {
    pub(super) block_start: u64,
    pub(super) offset: u16,
}

impl Position {
    /// Both in one number, as inode references and attribute references have them.
    pub(super) fn reference(self) -> u64 {
        self.block_start << 16 | u64::from(self.offset)
    }
}

impl Metadata {
    pub(super) fn new(options: &Options) -> Result<Metadata, Error> {
        let compressor = Compressor::new(options.compression, options.block_size)?;
        Ok(Metadata {
            compressor,
            output: Vec::new(),
            starts: Vec::new(),
            block: Vec::with_capacity(METADATA_SIZE),
        })
    }

    /// Where the next byte will lie.
    pub(super) fn position(&self) -> Position {
        Position {
            block_start: self.output.len() as u64,
            offset: short(self.block.len()),
        }
    }

    /// How many bytes came before, uncompressed.
    pub(super) fn written(&self) -> u64 {
        (self.starts.len() * METADATA_SIZE + self.block.len()) as u64
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(METADATA_SIZE - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == METADATA_SIZE {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.starts.push(self.output.len() as u64);
        let (header, bytes) = match self.compressor.compress(&self.block)? {
            Block::Compressed(bytes) => (short(bytes.len()), bytes),
            Block::Raw(bytes) => (short(bytes.len()) | METADATA_RAW, bytes),
        };
        self.output.extend(header.to_le_bytes());
        self.output.extend_from_slice(bytes);
        self.block.clear();
        Ok(())
    }

    /// The compressed blocks.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, Error> {
        if !self.block.is_empty() {
            self.flush()?;
        }
        Ok(self.output)
    }

    /// The compressed blocks as a list that knows where each begins.
    pub(super) fn finish_list(mut self) -> Result<List, Error> {
        if !self.block.is_empty() {
            self.flush()?;
        }
        Ok(List {
            blocks: self.output,
            starts: self.starts,
        })
    }
}

/// A table that is found by a list of the places of its blocks.
pub(super) struct List {
    blocks: Vec<u8>,
    starts: Vec<u64>,
}

impl List {
    /// The table's bytes when it begins at `start`, and where its list of places begins. None when it is empty.
    pub(super) fn finish(mut self, start: u64) -> Option<(Vec<u8>, u64)> {
        if self.starts.is_empty() {
            return None;
        }
        let places = start + self.blocks.len() as u64;
        for block in self.starts {
            self.blocks.extend((start + block).to_le_bytes());
        }
        Some((self.blocks, places))
    }
}

/// A length within a metadata block, which is never above 8192.
fn short(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}
