//! Where an image's plain bytes come from.

use std::io::{self, ErrorKind, Read};

use image::Content;

/// An image's plain bytes.
pub enum Source {
    /// Bytes that can be read at any place: a file, a container, something compressed that has an index.
    Content(Content),
    /// Bytes that come one after the other, from the first on, as often as they are asked for.
    Stream(Box<dyn Fn() -> io::Result<Box<dyn Read>> + Sync>),
}

/// As many bytes of a stream are skipped at once.
const SKIP: usize = 1 << 20;

impl Source {
    pub(crate) fn open(&self) -> io::Result<Reading<'_>> {
        Ok(match self {
            Source::Content(content) => Reading::Content(content),
            Source::Stream(open) => Reading::Stream {
                stream: open()?,
                position: 0,
            },
        })
    }

    /// How many bytes there are, found out by reading all of them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn measure(&self) -> io::Result<u64> {
        self.open()?.finish(u64::MAX)
    }

    /// The first bytes, at most so many.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn head(&self, len: usize) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        match self {
            Source::Content(content) => {
                head.resize(usize::try_from(content.len()).map_or(len, |all| all.min(len)), 0);
                image::ReadAt::read_exact_at(content, &mut head, 0)?;
            }
            Source::Stream(open) => {
                open()?.take(len as u64).read_to_end(&mut head)?;
            }
        }
        Ok(head)
    }
}

/// An image that is read from its start to its end.
pub(crate) enum Reading<'a> {
    Content(&'a Content),
    Stream { stream: Box<dyn Read>, position: u64 },
}

impl Reading<'_> {
    /// Fills a buffer with the bytes from a place on, which no earlier call has reached.
    pub(crate) fn read_at(&mut self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        match self {
            Reading::Content(content) => image::ReadAt::read_exact_at(*content, buffer, start),
            Reading::Stream { stream, position } => {
                skip(stream, start.saturating_sub(*position))?;
                stream.read_exact(buffer)?;
                *position = start + buffer.len() as u64;
                Ok(())
            }
        }
    }

    /// Reads up to the end, and answers how many bytes there were. Something compressed says only then that all of it is whole.
    pub(crate) fn finish(self, limit: u64) -> io::Result<u64> {
        match self {
            Reading::Content(content) => Ok(content.len()),
            Reading::Stream {
                mut stream,
                mut position,
            } => {
                let mut buffer = vec![0; SKIP];
                while position <= limit {
                    match stream.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(len) => position += len as u64,
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(position)
            }
        }
    }
}

fn skip(stream: &mut dyn Read, mut len: u64) -> io::Result<()> {
    let mut buffer = vec![0; usize::try_from(len).map_or(SKIP, |len| len.min(SKIP))];
    while len > 0 {
        let now = usize::try_from(len).map_or(buffer.len(), |len| len.min(buffer.len()));
        stream.read_exact(&mut buffer[..now])?;
        len -= now as u64;
    }
    Ok(())
}
