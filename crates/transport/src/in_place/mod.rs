//! Compressed images that are read where they lie: only the chunk that is asked for gets decompressed.
//!
//! | method | what makes it possible | what is decompressed for one byte |
//! |---|---|---|
//! | zstd | a seek table at the end, or frames that say how long they are | a frame |
//! | xz | the index at the end of each stream | a block |
//!
//! Both are what [`Encoder`](crate::Encoder), `xz -T` and `pzstd` write. An index that does not fit the file is none: then,
//! reading the whole stream says what is wrong. What is in an index decides nothing but where chunks begin: each chunk
//! must be whole frames or a whole block, and have as many bytes as was said, so the bytes are those of the whole stream.

mod xz;
mod zstd;

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use image::{Content, ReadAt};

use crate::{Coding, decode};

/// The largest chunk that is decompressed as a whole. Those of `xz -6 -T0` have 24 MiB.
const CHUNK_MAX: u64 = 32 << 20;

/// So many bytes of decompressed chunks are kept, or one chunk.
const KEPT_MAX: usize = 16 << 20;

/// The most chunks that a file may have: a tebibyte, in chunks of one mebibyte.
const CHUNKS_MAX: usize = 1 << 20;

/// The plain bytes of something compressed, read in place. Nothing when it is of a kind that can only be read from its
/// start to its end: then, [`decode`] does that.
///
/// Reading the result fails with `InvalidData` or another kind where a chunk is damaged.
///
/// # Errors
/// When it cannot be read.
pub fn in_place(content: &Content, coding: Coding) -> io::Result<Option<Content>> {
    let chunks = match coding {
        Coding::Zstd => zstd::chunks(content)?,
        Coding::Xz => xz::chunks(content)?,
        Coding::None => return Ok(Some(content.clone())),
        Coding::Bzip2 | Coding::Gzip | Coding::Brotli => None,
    };
    Ok(chunks.map(|chunks| {
        let len = chunks.last().map_or(0, |last| last.start + last.len);
        let source = Arc::new(InPlace {
            content: content.clone(),
            coding,
            chunks,
            kept: Mutex::default(),
        });
        Content::Span {
            source,
            start: 0,
            len,
        }
    }))
}

/// A part that is decompressed by itself.
#[derive(Clone, Debug)]
struct Chunk {
    /// Its first plain byte.
    start: u64,
    /// Its plain bytes; some.
    len: u64,
    /// Where it is in the file.
    place: u64,
    /// Its bytes there.
    size: u64,
    /// What has to be before and behind it, to be a file of its own.
    frame: Option<Arc<xz::Around>>,
}

/// Chunks in their order.
#[derive(Default)]
struct Chunks(Vec<Chunk>);

impl Chunks {
    /// Adds a chunk; nothing when it is too large, or one too many, or when bytes of the file hold none: nobody would look
    /// at them.
    fn add(&mut self, place: u64, size: u64, len: u64, frame: Option<Arc<xz::Around>>) -> Option<()> {
        if len == 0 {
            return (size == 0).then_some(());
        }
        if len > CHUNK_MAX || self.0.len() >= CHUNKS_MAX {
            return None;
        }
        let start = self.0.last().map_or(0, |last| last.start + last.len);
        self.0.push(Chunk {
            start,
            len,
            place,
            size,
            frame,
        });
        Some(())
    }
}

#[derive(Debug)]
struct InPlace {
    content: Content,
    coding: Coding,
    chunks: Vec<Chunk>,
    /// Chunks that were read lately, the latest first, by their number. One thread decompresses at a time: memory holds
    /// one chunk more.
    kept: Mutex<VecDeque<(usize, Arc<[u8]>)>>,
}

impl InPlace {
    fn chunk(&self, number: usize) -> io::Result<Arc<[u8]>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = kept.iter().position(|(other, _)| *other == number) {
            let found = kept.remove(index).ok_or(io::ErrorKind::NotFound)?;
            let bytes = Arc::clone(&found.1);
            kept.push_front(found);
            return Ok(bytes);
        }
        let chunk = self.chunks.get(number).ok_or(io::ErrorKind::UnexpectedEof)?;
        let len = usize::try_from(chunk.len).map_err(io::Error::other)?;
        while kept.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() + len > KEPT_MAX {
            if kept.pop_back().is_none() {
                break;
            }
        }
        let bytes: Arc<[u8]> = self.decompress(chunk, len)?.into();
        kept.push_front((number, Arc::clone(&bytes)));
        Ok(bytes)
    }

    fn decompress(&self, chunk: &Chunk, len: usize) -> io::Result<Vec<u8>> {
        let part = Part {
            content: &self.content,
            place: chunk.place,
            end: chunk.place + chunk.size,
        };
        let mut plain = match &chunk.frame {
            None => decode(self.coding, part)?,
            Some(around) => {
                let (head, tail) = around.of(chunk)?;
                decode(
                    self.coding,
                    io::Cursor::new(head).chain(part).chain(io::Cursor::new(tail)),
                )?
            }
        };
        let mut bytes = vec![0; len];
        plain.read_exact(&mut bytes)?;
        match plain.read(&mut [0])? {
            0 => Ok(bytes),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a chunk has more than the {len} bytes that the index says"),
            )),
        }
    }
}

impl ReadAt for InPlace {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        let mut done = 0;
        while done < buffer.len() {
            let place = start
                .checked_add(done as u64)
                .ok_or(io::ErrorKind::UnexpectedEof)?;
            let number = self.chunks.partition_point(|chunk| chunk.start <= place);
            let number = number.checked_sub(1).ok_or(io::ErrorKind::UnexpectedEof)?;
            let first = self.chunks.get(number).map_or(0, |chunk| chunk.start);
            let bytes = self.chunk(number)?;
            let skip = usize::try_from(place - first).map_err(io::Error::other)?;
            let rest = bytes.get(skip..).filter(|rest| !rest.is_empty());
            let rest = rest.ok_or(io::ErrorKind::UnexpectedEof)?;
            let len = rest.len().min(buffer.len() - done);
            buffer[done..done + len].copy_from_slice(&rest[..len]);
            done += len;
        }
        Ok(())
    }

    fn name(&self) -> String {
        format!("{}, decompressed", self.content.name())
    }
}

/// A part of a content as a stream.
struct Part<'a> {
    content: &'a Content,
    place: u64,
    end: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.place);
        let len = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let buffer = &mut buffer[..len];
        self.content.read_exact_at(buffer, self.place)?;
        self.place += len as u64;
        Ok(len)
    }
}

/// Some bytes of a content; nothing where there are not that many.
fn bytes<const LEN: usize>(content: &Content, place: u64) -> io::Result<Option<[u8; LEN]>> {
    let end = place.checked_add(LEN as u64).filter(|end| *end <= content.len());
    if end.is_none() {
        return Ok(None);
    }
    let mut bytes = [0; LEN];
    content.read_exact_at(&mut bytes, place)?;
    Ok(Some(bytes))
}
