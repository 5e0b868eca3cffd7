//! What is compressed becomes plain: in place where its format allows that, in a nameless file otherwise.

use std::io::{self, Read};

use image::{Content, Spool};
use transport::Coding;

use crate::{Error, Result, Work, format};

/// As many compressed images in each other are opened. Each takes memory of its own.
pub(crate) const COMPRESSED_MAX: usize = 3;

/// Bytes that are decompressed at once.
const CHUNK: usize = 1 << 20;

/// The most bytes that are decompressed into a file; zeros take no room there.
const LEN_MAX: u64 = 256 << 30;

/// The plain bytes of something compressed.
pub(crate) fn plain(content: &Content, coding: Coding, work: &Work) -> Result<Content> {
    if let Some(plain) = transport::in_place(content, coding).map_err(Error::Read)? {
        return Ok(plain);
    }
    spooled(content, coding, work)
}

/// What is inside of all that is compressed, without opening it as an image.
///
/// # Errors
/// When it is damaged, or too much is in each other.
pub fn innermost(content: Content, work: &Work) -> Result<Content> {
    let mut content = content;
    for _ in 0..=COMPRESSED_MAX {
        let Some(coding) = format::coding(&content)? else {
            return Ok(content);
        };
        content = plain(&content, coding, work)?;
    }
    Err(Error::TooDeep {
        limit: COMPRESSED_MAX,
    })
}

/// Decompresses everything. Zeros become holes.
fn spooled(content: &Content, coding: Coding, work: &Work) -> Result<Content> {
    let failed = |source: io::Error| match source.downcast::<image::Error>() {
        Ok(error) => error.into(),
        Err(source) => Error::Decode {
            coding: coding.name(),
            source,
        },
    };
    let spool = Spool::create(work.folder)?;
    work.progress.begin("decompressing", content.len());
    let told = Told {
        inner: Bytes::new(content)?,
        work,
    };
    let mut plain = transport::decode(coding, told).map_err(failed)?;
    let mut buffer = vec![0; CHUNK];
    let mut len = 0;
    loop {
        let filled = fill(&mut plain, &mut buffer).map_err(failed)?;
        if filled == 0 {
            break;
        }
        let part = &buffer[..filled];
        if part.iter().any(|byte| *byte != 0) {
            spool.write_at(part, len)?;
        }
        len += filled as u64;
        if len > LEN_MAX {
            return Err(Error::TooLarge {
                coding: coding.name(),
                limit: LEN_MAX,
            });
        }
    }
    // A hole at the end has no bytes that could be read.
    if let Some(last) = len.checked_sub(1) {
        spool.write_at(&buffer_end(&spool, last)?, last)?;
    }
    Ok(spool.span(0, len))
}

/// The byte at a place that may lie behind a file's end.
fn buffer_end(spool: &Spool, place: u64) -> Result<[u8; 1]> {
    let mut byte = [0];
    match image::ReadAt::read_exact_at(&spool.span(place, 1), &mut byte, 0) {
        Ok(()) => Ok(byte),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok([0]),
        Err(error) => Err(Error::Read(error)),
    }
}

fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..])? {
            0 => break,
            len => filled += len,
        }
    }
    Ok(filled)
}

/// A content as a stream.
pub(crate) struct Bytes<'a>(image::Reader<'a>);

impl<'a> Bytes<'a> {
    pub(crate) fn new(content: &'a Content) -> Result<Bytes<'a>> {
        Ok(Bytes(content.reader()?))
    }
}

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.fill(buffer).map_err(io::Error::other)
    }
}

/// Tells how far reading is.
struct Told<'a, R> {
    inner: R,
    work: &'a Work<'a>,
}

impl<R: Read> Read for Told<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        let told = self.work.progress.advance(len as u64);
        told.map_err(|stop| io::Error::other(image::Error::from(stop)))?;
        Ok(len)
    }
}
