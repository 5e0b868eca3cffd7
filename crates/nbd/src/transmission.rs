//! The transmission: requests and replies, one after the other.

use std::io::{self, Read, Write};
use std::ops::Range;

use image::ReadAt;

use crate::format::{
    CHUNK_MAGIC, CONTEXT_ID, EXTENTS_MAX, PAYLOAD_MAX, REQUEST_LEN, REQUEST_MAGIC, SIMPLE_REPLY_MAGIC,
    STATE_HOLE_ZERO, chunk, command, errno,
};
use crate::handshake::{array, broken, discard, word};
use crate::{Agreed, Export, PIECE};

/// Answers requests until the client says that it is done.
///
/// # Errors
/// When the connection breaks, the client breaks the protocol, or the export cannot be read in the middle of a reply that
/// has no room for an error.
pub fn transmit(
    input: &mut impl Read,
    output: &mut impl Write,
    export: &Export,
    agreed: Agreed,
) -> io::Result<()> {
    let mut transmission = Transmission {
        output,
        export,
        agreed,
        buffer: Vec::new(),
    };
    loop {
        let request = Request::read(input)?;
        match request.command {
            command::DISC => return Ok(()),
            command::WRITE => {
                // What is to be written comes behind the request, whatever becomes of it.
                if request.len > PAYLOAD_MAX {
                    return Err(broken("a write that is too long"));
                }
                discard(input, request.len)?;
                transmission.refuse(&request, errno::EPERM, "read only")?;
            }
            command::TRIM | command::WRITE_ZEROES => {
                transmission.refuse(&request, errno::EPERM, "read only")?;
            }
            command::READ => transmission.read(&request)?,
            command::BLOCK_STATUS => transmission.block_status(&request)?,
            _ => transmission.refuse(&request, errno::EINVAL, "not known here")?,
        }
    }
}

struct Request {
    flags: u16,
    command: u16,
    cookie: [u8; 8],
    start: u64,
    len: u32,
}

impl Request {
    fn read(input: &mut impl Read) -> io::Result<Request> {
        let bytes: [u8; REQUEST_LEN] = array(input)?;
        if word(&bytes, 0) != REQUEST_MAGIC {
            return Err(broken("no request"));
        }
        let mut cookie = [0; 8];
        cookie.copy_from_slice(&bytes[8..16]);
        Ok(Request {
            flags: u16::from_be_bytes([bytes[4], bytes[5]]),
            command: u16::from_be_bytes([bytes[6], bytes[7]]),
            cookie,
            start: u64::from(word(&bytes, 16)) << 32 | u64::from(word(&bytes, 20)),
            len: word(&bytes, 24),
        })
    }

    /// The bytes that it is about, when these flags are known and they are in the export.
    fn range(&self, flags: u16, size: u64) -> Option<Range<u64>> {
        let len = u64::from(self.len);
        let is_good = self.flags & !flags == 0 && len > 0 && self.start <= size && len <= size - self.start;
        is_good.then(|| self.start..self.start + len)
    }
}

struct Transmission<'a, W> {
    output: &'a mut W,
    export: &'a Export,
    agreed: Agreed,
    /// What is being sent. It grows to the longest header and a piece.
    buffer: Vec<u8>,
}

impl<W: Write> Transmission<'_, W> {
    fn read(&mut self, request: &Request) -> io::Result<()> {
        let Some(range) = request.range(command::FLAG_DF, self.export.size()) else {
            return self.refuse(request, errno::EINVAL, "flags or a range that cannot be");
        };
        let is_whole = request.flags & command::FLAG_DF != 0;
        if request.len > PAYLOAD_MAX {
            let error = if is_whole { errno::EOVERFLOW } else { errno::EINVAL };
            return self.refuse(request, error, "more than can be read at once");
        }
        if !self.agreed.structured || is_whole {
            return self.read_whole(request, range);
        }
        let export = self.export;
        for (piece, is_data) in export.data.pieces(range.clone()) {
            if is_data {
                let mut start = piece.start;
                while start < piece.end {
                    let end = piece.end.min(start + PIECE as u64);
                    if !self.data_chunk(request, start..end, end == range.end)? {
                        return Ok(());
                    }
                    start = end;
                }
            } else {
                let len = u32::try_from(piece.end - piece.start).unwrap_or(u32::MAX);
                let done = done(piece.end == range.end);
                self.chunk(request, done, chunk::HOLE, 12);
                self.buffer.extend(piece.start.to_be_bytes());
                self.buffer.extend(len.to_be_bytes());
                self.send()?;
            }
        }
        Ok(())
    }

    /// A chunk of data, or of an error, which is the last one. Answers whether there may be more.
    fn data_chunk(&mut self, request: &Request, range: Range<u64>, is_last: bool) -> io::Result<bool> {
        let len = len(&range);
        self.chunk(request, done(is_last), chunk::DATA, 8 + len);
        self.buffer.extend(range.start.to_be_bytes());
        if self.fill(range.start, len).is_err() {
            self.fail(request, range.start)?;
            return Ok(false);
        }
        self.send()?;
        Ok(true)
    }

    /// A reply in one: its header, and pieces of the data behind it. From the second piece on, nothing but the end of the
    /// connection tells of an error.
    fn read_whole(&mut self, request: &Request, range: Range<u64>) -> io::Result<()> {
        let mut start = range.start;
        while start < range.end {
            let piece = start..range.end.min(start + PIECE as u64);
            let is_first = start == range.start;
            self.buffer.clear();
            match is_first {
                true if self.agreed.structured => {
                    self.chunk(request, chunk::FLAG_DONE, chunk::DATA, 8 + request.len);
                    self.buffer.extend(start.to_be_bytes());
                }
                true => self.simple(request, 0),
                false => {}
            }
            if let Err(error) = self.fill(start, len(&piece)) {
                return if is_first {
                    self.fail(request, start)
                } else {
                    Err(error)
                };
            }
            self.send()?;
            start = piece.end;
        }
        Ok(())
    }

    fn block_status(&mut self, request: &Request) -> io::Result<()> {
        let range = request.range(command::FLAG_REQ_ONE, self.export.size());
        let Some(range) = range.filter(|_| self.agreed.allocation) else {
            return self.refuse(
                request,
                errno::EINVAL,
                "flags, a range or a context that cannot be",
            );
        };
        let most = match request.flags {
            0 => EXTENTS_MAX,
            _ => 1,
        };
        let mut extents = Vec::new();
        for (piece, is_data) in self.export.data.pieces(range).take(most) {
            extents.extend(len(&piece).to_be_bytes());
            let state = if is_data { 0 } else { STATE_HOLE_ZERO };
            extents.extend(state.to_be_bytes());
        }
        let len = u32::try_from(4 + extents.len()).unwrap_or(u32::MAX);
        self.chunk(request, chunk::FLAG_DONE, chunk::BLOCK_STATUS, len);
        self.buffer.extend(CONTEXT_ID.to_be_bytes());
        self.buffer.extend(extents);
        self.send()
    }

    /// An answer that is an error.
    fn refuse(&mut self, request: &Request, error: u32, why: &str) -> io::Result<()> {
        if self.agreed.structured {
            let why = why.as_bytes();
            let len = u16::try_from(why.len()).unwrap_or(0);
            self.chunk(request, chunk::FLAG_DONE, chunk::ERROR, 6 + u32::from(len));
            self.buffer.extend(error.to_be_bytes());
            self.buffer.extend(len.to_be_bytes());
            self.buffer.extend(&why[..usize::from(len)]);
        } else {
            self.simple(request, error);
        }
        self.send()
    }

    /// The export cannot be read from here on.
    fn fail(&mut self, request: &Request, start: u64) -> io::Result<()> {
        if !self.agreed.structured {
            return self.refuse(request, errno::EIO, "");
        }
        self.chunk(request, chunk::FLAG_DONE, chunk::ERROR_OFFSET, 4 + 2 + 8);
        self.buffer.extend(errno::EIO.to_be_bytes());
        self.buffer.extend(0u16.to_be_bytes());
        self.buffer.extend(start.to_be_bytes());
        self.send()
    }

    /// Begins a simple reply.
    fn simple(&mut self, request: &Request, error: u32) {
        self.buffer.clear();
        self.buffer.extend(SIMPLE_REPLY_MAGIC.to_be_bytes());
        self.buffer.extend(error.to_be_bytes());
        self.buffer.extend(request.cookie);
    }

    /// Begins a chunk with so many bytes behind its header.
    fn chunk(&mut self, request: &Request, flags: u16, kind: u16, len: u32) {
        self.buffer.clear();
        self.buffer.extend(CHUNK_MAGIC.to_be_bytes());
        self.buffer.extend(flags.to_be_bytes());
        self.buffer.extend(kind.to_be_bytes());
        self.buffer.extend(request.cookie);
        self.buffer.extend(len.to_be_bytes());
    }

    /// Adds bytes of the export, at most a piece.
    fn fill(&mut self, start: u64, len: u32) -> io::Result<()> {
        let before = self.buffer.len();
        self.buffer.resize(before + len as usize, 0);
        self.export
            .content
            .read_exact_at(&mut self.buffer[before..], start)
    }

    fn send(&mut self) -> io::Result<()> {
        self.output.write_all(&self.buffer)
    }
}

fn done(is_last: bool) -> u16 {
    if is_last { chunk::FLAG_DONE } else { 0 }
}

/// The bytes of a range within a request, whose length has 32 bits.
fn len(range: &Range<u64>) -> u32 {
    u32::try_from(range.end - range.start).unwrap_or(u32::MAX)
}
