//! The contents of files, unpacked when they are used.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use image::ReadAt;

use super::{Coding, Source};
use crate::Error;
use crate::decompress::Decompressor;
use crate::format::{DATA_RAW, FragmentEntry};

/// What all files of an image share.
pub(super) struct Data {
    pub(super) source: Source,
    pub(super) coding: Coding,
    pub(super) block_size: u32,
    pub(super) fragments: Vec<FragmentEntry>,
    /// The block that was unpacked last, by its first byte and size word: small files come one after the other
    /// out of one.
    pub(super) last: Mutex<Option<Unpacked>>,
    /// Decompressors that no thread uses now.
    pub(super) idle: Mutex<Vec<Decompressor>>,
}

/// A block by its first byte and its size word.
type Unpacked = (u64, u32, Arc<Vec<u8>>);

/// One file's bytes.
pub(super) struct FileData {
    data: Arc<Data>,
    len: u64,
    /// The first byte and the size word of each of its blocks.
    blocks: Box<[(u64, u32)]>,
    /// The fragment block and the offset in it of what the blocks leave over.
    tail: Option<(u32, u32)>,
}

impl std::fmt::Debug for FileData {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "a file in a SquashFS image")
    }
}

impl std::fmt::Debug for Data {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the data of a SquashFS image")
    }
}

impl Data {
    /// Unpacks a block of at most `max` bytes.
    fn unpack(&self, start: u64, word: u32, max: usize) -> Result<Arc<Vec<u8>>, Error> {
        {
            let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, _, bytes)) = last.as_ref().filter(|last| (last.0, last.1) == (start, word)) {
                return Ok(Arc::clone(bytes));
            }
        }
        let len = (word & !DATA_RAW) as usize;
        if len == 0 || len > max {
            return Err(Error::Damaged(format!(
                "a data block of {len} bytes at byte {start}"
            )));
        }
        let stored = self.source.read(start, len)?;
        let bytes = if word & DATA_RAW != 0 {
            stored
        } else {
            self.decompress(&stored, max)?
        };
        let bytes = Arc::new(bytes);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((start, word, Arc::clone(&bytes)));
        Ok(bytes)
    }
}

impl Data {
    fn decompress(&self, stored: &[u8], max: usize) -> Result<Vec<u8>, Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut decompressor = match idle {
            Some(decompressor) => decompressor,
            None => self.coding.decompressor()?,
        };
        let bytes = decompressor.decompress(stored, max);
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(decompressor);
        bytes
    }
}

impl FileData {
    /// A file of `len` bytes, whose blocks have these size words and begin at `start`.
    pub(super) fn new(
        data: Arc<Data>,
        len: u64,
        mut start: u64,
        words: Vec<u32>,
        tail: Option<(u32, u32)>,
    ) -> Result<FileData, Error> {
        let mut blocks = Vec::with_capacity(words.len());
        for word in words {
            blocks.push((start, word));
            let next = start.checked_add(u64::from(word & !DATA_RAW));
            start = next.ok_or_else(|| Error::Damaged("a data block behind the end".into()))?;
        }
        Ok(FileData {
            data,
            len,
            blocks: blocks.into(),
            tail,
        })
    }

    /// Where its blocks are in the image: start and length of each that is stored. The last is a fragment block, which
    /// others may share, if the second answer says so.
    pub(super) fn places(&self) -> (Vec<(u64, u64)>, bool) {
        let len = |word: u32| u64::from(word & !DATA_RAW);
        let blocks = self.blocks.iter().filter(|(_, word)| *word != 0);
        let mut places: Vec<(u64, u64)> = blocks.map(|(start, word)| (*start, len(*word))).collect();
        let fragment = self
            .tail
            .and_then(|(number, _)| self.data.fragments.get(number as usize));
        if let Some(entry) = fragment {
            places.push((entry.start.get(), len(entry.size.get())));
        }
        (places, fragment.is_some())
    }

    /// The start and length of the fragment block that its end is in, the offset there, and how many bytes that are.
    pub(super) fn fragment(&self) -> Option<((u64, u64), u32, u64)> {
        let (number, offset) = self.tail?;
        let entry = self.data.fragments.get(number as usize)?;
        let blocks = self.blocks.len() as u64 * u64::from(self.data.block_size);
        let place = (entry.start.get(), u64::from(entry.size.get() & !DATA_RAW));
        Some((place, offset, self.len.saturating_sub(blocks)))
    }

    fn block(&self, number: u64) -> Result<Option<Arc<Vec<u8>>>, Error> {
        let damaged = |what: &str| Error::Damaged(what.to_string());
        let max = self.data.block_size as usize;
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let Some((start, word)) = self.blocks.get(index).copied() else {
            let (fragment, _) = self.tail.ok_or_else(|| damaged("a file has too few blocks"))?;
            let entry = self.data.fragments.get(fragment as usize);
            let entry = entry.ok_or_else(|| damaged("a file in a fragment block that does not exist"))?;
            return self
                .data
                .unpack(entry.start.get(), entry.size.get(), max)
                .map(Some);
        };
        if word == 0 {
            return Ok(None);
        }
        let bytes = self.data.unpack(start, word, max)?;
        // Linux reads no block that holds more than its part of the file.
        let wanted = (self.len - number * u64::from(self.data.block_size)).min(max as u64);
        if bytes.len() as u64 != wanted {
            return Err(Error::Damaged(format!(
                "a data block of {} bytes at byte {start}, and not of {wanted}",
                bytes.len()
            )));
        }
        Ok(Some(bytes))
    }

    fn fill(&self, buffer: &mut [u8], start: u64) -> Result<(), Error> {
        let block_size = u64::from(self.data.block_size);
        let mut done = 0;
        while done < buffer.len() {
            let position = start + done as u64;
            let number = position / block_size;
            let first = number * block_size;
            let end = (first + block_size).min(self.len);
            let offset = usize::try_from(position - first).unwrap_or(usize::MAX);
            let len = usize::try_from(end - position)
                .unwrap_or(usize::MAX)
                .min(buffer.len() - done);
            let target = &mut buffer[done..done + len];
            match self.block(number)? {
                None => target.fill(0),
                Some(bytes) => {
                    let in_tail = usize::try_from(number).is_ok_and(|number| number >= self.blocks.len());
                    let base = self
                        .tail
                        .filter(|_| in_tail)
                        .map_or(0, |(_, offset)| offset as usize);
                    let source = bytes.get(base + offset..).and_then(|bytes| bytes.get(..len));
                    let short = || Error::Damaged("a data block is shorter than its file".into());
                    target.copy_from_slice(source.ok_or_else(short)?);
                }
            }
            done += len;
        }
        Ok(())
    }
}

impl ReadAt for FileData {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        let end = start
            .checked_add(buffer.len() as u64)
            .filter(|end| *end <= self.len);
        if end.is_none() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.fill(buffer, start)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}
