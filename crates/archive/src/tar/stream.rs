//! An archive as a stream of blocks: headers, what is between them, and the end.

use std::io::{self, Read};
use std::path::Path;

use super::format::{BLOCK, Header};
use crate::error::{Error, Result};

/// Bytes that are moved at once.
const CHUNK_LEN: usize = 256 << 10;

/// What vouches for an archive's end beside its blocks of zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vouched {
    /// Nothing: a file may have been cut off anywhere.
    No,
    /// The stream itself says where it ends: it was compressed.
    ByItself,
}

pub(super) struct Stream<'a, R> {
    input: R,
    pub(super) archive: &'a Path,
    vouched: Vouched,
    position: u64,
    chunk: Vec<u8>,
}

impl<'a, R: Read> Stream<'a, R> {
    pub(super) fn new(input: R, archive: &'a Path, vouched: Vouched) -> Stream<'a, R> {
        Stream {
            input,
            archive,
            vouched,
            position: 0,
            chunk: vec![0; CHUNK_LEN],
        }
    }

    /// The next header; nothing at the end.
    pub(super) fn header(&mut self) -> Result<Option<Header>> {
        let mut header = Header([0; BLOCK]);
        let start = self.position;
        if !self.fill(&mut header.0)? {
            return match self.vouched {
                _ if start == 0 => Err(self.damaged("an empty file, which is no tar archive,")),
                Vouched::ByItself => Ok(None),
                Vouched::No => Err(Error::NoEnd {
                    archive: self.archive.into(),
                    len: start,
                }),
            };
        }
        if header.0 == [0; BLOCK] {
            self.end()?;
            return Ok(None);
        }
        if header.is_sound() {
            return Ok(Some(header));
        }
        if start == 0 {
            return Err(Error::NoArchive {
                archive: self.archive.into(),
                found: crate::kinds::of_magic(&header.0),
            });
        }
        Err(Error::Damaged {
            archive: self.archive.into(),
            position: start,
            problem: "a header with a wrong checksum",
        })
    }

    /// Reads what is behind the end, so that what a compressor says of the whole is checked. POSIX lets anything be in
    /// the rest of the last record; but entries would get lost.
    fn end(&mut self) -> Result<()> {
        let end = self.position;
        let mut block = Header([0; BLOCK]);
        loop {
            let mut filled = 0;
            while filled < BLOCK {
                match self.read(filled, &mut block.0)? {
                    0 => {
                        self.position = end;
                        return Ok(());
                    }
                    len => filled += len,
                }
            }
            if block.0 != [0; BLOCK] && block.is_sound() {
                return Err(Error::BehindEnd {
                    archive: self.archive.into(),
                    position: self.position - BLOCK as u64,
                });
            }
        }
    }

    fn read(&mut self, from: usize, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match self.input.read(&mut buffer[from..]) {
                Ok(len) => {
                    self.position += len as u64;
                    return Ok(len);
                }
                Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(self.unread(source)),
            }
        }
    }

    /// Fills a buffer; not when nothing is left at all.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<bool> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read(filled, buffer)? {
                0 if filled == 0 => return Ok(false),
                0 => return Err(self.ends_early()),
                len => filled += len,
            }
        }
        Ok(true)
    }

    /// The next block, which has to be there.
    pub(super) fn block(&mut self) -> Result<[u8; BLOCK]> {
        let mut block = [0; BLOCK];
        if self.fill(&mut block)? {
            Ok(block)
        } else {
            Err(self.ends_early())
        }
    }

    /// So many bytes, and what fills their last block. There may not be more than the limit.
    pub(super) fn bytes(&mut self, len: u64, limit: usize, problem: &'static str) -> Result<Vec<u8>> {
        let len = match usize::try_from(len) {
            Ok(len) if len <= limit => len,
            _ => return Err(self.damaged(problem)),
        };
        let mut bytes = vec![0; len.next_multiple_of(BLOCK)];
        if len > 0 && !self.fill(&mut bytes)? {
            return Err(self.ends_early());
        }
        bytes.truncate(len);
        Ok(bytes)
    }

    /// Hands on so many bytes, piece by piece.
    pub(super) fn pass(&mut self, len: u64, mut to: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut left = len;
        let mut chunk = std::mem::take(&mut self.chunk);
        while left > 0 {
            let part = usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
            if !self.fill(&mut chunk[..part])? {
                return Err(self.ends_early());
            }
            to(&chunk[..part])?;
            left -= part as u64;
        }
        self.chunk = chunk;
        Ok(())
    }

    /// Reads what fills the last block of so many bytes.
    pub(super) fn padding(&mut self, len: u64) -> Result<()> {
        let block = BLOCK as u64;
        self.pass((block - len % block) % block, |_| Ok(()))
    }

    fn unread(&self, source: io::Error) -> Error {
        match source.downcast::<image::Error>() {
            Ok(error) => error.into(),
            Err(source) => Error::Read {
                archive: self.archive.into(),
                source,
            },
        }
    }

    fn ends_early(&self) -> Error {
        self.damaged("the archive ends in the middle")
    }

    pub(super) fn damaged(&self, problem: &'static str) -> Error {
        Error::Damaged {
            archive: self.archive.into(),
            position: self.position,
            problem,
        }
    }
}
