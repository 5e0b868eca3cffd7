//! Metadata blocks, read from any place on.

use std::collections::BTreeMap;
use std::sync::Arc;

use zerocopy::FromBytes;

use super::{Budget, Coding, Source};
use crate::Error;
use crate::decompress::Decompressor;
use crate::format::{METADATA_RAW, METADATA_SIZE};

/// How many unpacked blocks are kept.
const CACHED: usize = 64;

/// No structure of the format is longer.
const STRUCTURE_MAX: usize = 64;

/// A table of metadata blocks.
pub(super) struct Metadata {
    source: Source,
    decompressor: Decompressor,
    start: u64,
    end: u64,
    cache: BTreeMap<u64, Unpacked>,
    /// The block that was used last, and its place in the table.
    near: (u64, Unpacked),
}

#[derive(Clone, Default)]
struct Unpacked {
    bytes: Arc<Vec<u8>>,
    next: u64,
}

/// A place in a table: the block's first byte, counted from the table's, and the offset within the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) block: u64,
    pub(super) offset: usize,
}

impl Position {
    pub(super) fn of_reference(reference: u64) -> Position {
        Position {
            block: reference >> 16,
            offset: usize::from((reference & 0xffff) as u16),
        }
    }
}

impl Metadata {
    /// The blocks from `start` to `end`.
    pub(super) fn new(source: &Source, coding: &Coding, start: u64, end: u64) -> Result<Metadata, Error> {
        let decompressor = coding.decompressor()?;
        Ok(Metadata {
            source: source.clone(),
            decompressor,
            start,
            end,
            cache: BTreeMap::new(),
            // No block lies there.
            near: (u64::MAX, Unpacked::default()),
        })
    }

    fn block(&mut self, block: u64) -> Result<&Unpacked, Error> {
        if self.near.0 != block {
            let unpacked = match self.cache.get(&block) {
                Some(unpacked) => unpacked.clone(),
                None => self.unpack(block)?,
            };
            self.near = (block, unpacked);
        }
        Ok(&self.near.1)
    }

    fn unpack(&mut self, block: u64) -> Result<Unpacked, Error> {
        let beyond = || {
            Error::Damaged(format!(
                "a metadata block at byte {block} of its table lies behind its end"
            ))
        };
        let start = self
            .start
            .checked_add(block)
            .filter(|start| *start < self.end)
            .ok_or_else(beyond)?;
        let header = self.source.read(start, 2)?;
        let header = u16::from_le_bytes([header[0], header[1]]);
        let len = usize::from(header & !METADATA_RAW);
        if len == 0 || len > METADATA_SIZE {
            return Err(Error::Damaged(format!(
                "a metadata block of {len} bytes at byte {start}"
            )));
        }
        let stored = self.source.read(start + 2, len)?;
        let bytes = match header & METADATA_RAW {
            0 => self.decompressor.decompress(&stored, METADATA_SIZE)?,
            _ => stored,
        };
        let unpacked = Unpacked {
            bytes: Arc::new(bytes),
            next: block + 2 + len as u64,
        };
        if self.cache.len() == CACHED {
            self.cache.clear();
        }
        self.cache.insert(block, unpacked.clone());
        Ok(unpacked)
    }

    /// Hands over bytes, from one block on into the next, and moves the position behind them.
    fn pieces(
        &mut self,
        position: &mut Position,
        len: usize,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Error> {
        let mut left = len;
        while left > 0 {
            let unpacked = self.block(position.block)?;
            let rest = unpacked.bytes.get(position.offset..).unwrap_or_default();
            if rest.is_empty() {
                // Only a full block goes on in the next one.
                if position.offset != METADATA_SIZE {
                    return Err(Error::Damaged("a table ends in the middle of an entry".into()));
                }
                *position = Position {
                    block: unpacked.next,
                    offset: 0,
                };
                continue;
            }
            let now = rest.len().min(left);
            take(&rest[..now]);
            left -= now;
            position.offset += now;
        }
        Ok(())
    }

    /// Reads bytes. What they take grows with what is there, not with what is asked for.
    pub(super) fn read(&mut self, position: &mut Position, len: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.pieces(position, len, &mut |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }

    /// Reads a structure of the format.
    pub(super) fn get<T: FromBytes>(&mut self, position: &mut Position) -> Result<T, Error> {
        let mut buffer = [0; STRUCTURE_MAX];
        let mut filled = 0;
        self.pieces(position, size_of::<T>(), &mut |piece| {
            if let Some(rest) = buffer.get_mut(filled..filled + piece.len()) {
                rest.copy_from_slice(piece);
            }
            filled += piece.len();
        })?;
        let bytes = buffer.get(..size_of::<T>()).unwrap_or_default();
        T::read_from_bytes(bytes).map_err(|_| Error::Damaged("a structure is too short".into()))
    }
}

/// Reads a table of `count` entries that is found by a list of the places of its blocks.
pub(super) fn list<T: FromBytes>(
    source: &Source,
    coding: &Coding,
    places: u64,
    count: usize,
    budget: &mut Budget,
) -> Result<Vec<T>, Error> {
    let mut left = count.saturating_mul(size_of::<T>());
    budget.take(left as u64)?;
    let blocks = source.read(places, left.div_ceil(METADATA_SIZE).saturating_mul(8))?;
    let mut entries = Vec::with_capacity(count);
    let mut metadata = Metadata::new(source, coding, 0, places)?;
    for block in blocks.chunks_exact(8) {
        let block = u64::from_le_bytes(block.try_into().unwrap_or_default());
        let len = left.min(METADATA_SIZE);
        let bytes = metadata.read(&mut Position { block, offset: 0 }, len)?;
        for entry in bytes.chunks_exact(size_of::<T>()) {
            entries.push(
                T::read_from_bytes(entry).map_err(|_| Error::Damaged("a table entry is too short".into()))?,
            );
        }
        left -= len;
    }
    Ok(entries)
}
