//! Bytes whose length is known now and that are read later.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::extents::Image;

/// Where bytes come from. Making one reads nothing but lengths.
#[derive(Clone, Debug)]
pub enum Content {
    /// Bytes that a planner made.
    Bytes(Arc<[u8]>),
    /// This many zeros, which a reader relies on.
    Zeros(u64),
    /// A whole file of the host.
    File(HostFile),
    /// A part of something that is open.
    Span {
        /// What is open.
        source: Arc<dyn ReadAt>,
        /// The first byte.
        start: u64,
        /// How many bytes.
        len: u64,
    },
    /// An image; its gaps read as zeros.
    Image(Arc<Image>),
}

/// A whole file of the host, opened when it is read. Reading fails when its length is not the planned one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFile {
    /// Where it is.
    pub path: Arc<Path>,
    /// Its length when planned.
    pub len: u64,
}

/// Something whose bytes can be read at any place, from many threads.
pub trait ReadAt: Send + Sync + std::fmt::Debug {
    /// Fills `buffer` with the bytes from `start`.
    ///
    /// # Errors
    /// When reading fails or the source ends before the buffer is full.
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, start)
    }
}

impl ReadAt for Content {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        let end = start
            .checked_add(buffer.len() as u64)
            .filter(|end| *end <= self.len());
        if end.is_none() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match self {
            Content::Bytes(bytes) => {
                let start = usize::try_from(start).map_err(io::Error::other)?;
                buffer.copy_from_slice(&bytes[start..start + buffer.len()]);
                Ok(())
            }
            Content::Zeros(_) => {
                buffer.fill(0);
                Ok(())
            }
            Content::File(file) => FileExt::read_exact_at(&File::open(&file.path)?, buffer, start),
            Content::Span {
                source, start: first, ..
            } => source.read_exact_at(buffer, first + start),
            Content::Image(image) => image.read_exact_at(buffer, start),
        }
    }
}

impl Content {
    /// A whole file of the host.
    ///
    /// # Errors
    /// When it is not a regular file that can be looked up.
    pub fn host_file(path: impl Into<PathBuf>) -> Result<Content> {
        let path: PathBuf = path.into();
        let failed = |source| Error::Read {
            path: path.clone(),
            source,
        };
        let meta = std::fs::metadata(&path).map_err(failed)?;
        if !meta.is_file() {
            return Err(failed(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            )));
        }
        Ok(Content::File(HostFile {
            path: path.into(),
            len: meta.len(),
        }))
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Zeros(len) | Content::Span { len, .. } => *len,
            Content::File(file) => file.len,
            Content::Image(image) => image.size(),
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Starts reading from the first byte.
    ///
    /// # Errors
    /// When a host file cannot be opened, or its length is not the planned one.
    pub fn reader(&self) -> Result<Reader<'_>> {
        let file = match self {
            Content::File(file) => Some(file.open()?),
            _ => None,
        };
        Ok(Reader {
            content: self,
            file,
            position: 0,
        })
    }

    /// All bytes, for contents that are known to be small.
    ///
    /// # Errors
    /// As reading does.
    pub fn to_vec(&self) -> Result<Vec<u8>> {
        let mut reader = self.reader()?;
        let mut bytes = Vec::new();
        let mut chunk = vec![0; 64 << 10];
        while reader.remaining() > 0 {
            let len = reader.fill(&mut chunk)?;
            bytes.extend_from_slice(&chunk[..len]);
        }
        reader.finish()?;
        Ok(bytes)
    }
}

impl From<&[u8]> for Content {
    fn from(bytes: &[u8]) -> Self {
        Content::Bytes(bytes.into())
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Content::Bytes(bytes.into())
    }
}

impl From<Image> for Content {
    fn from(image: Image) -> Self {
        Content::Image(Arc::new(image))
    }
}

impl HostFile {
    /// Opens the file and checks its length.
    fn open(&self) -> Result<File> {
        let failed = |source| Error::Read {
            path: self.path.to_path_buf(),
            source,
        };
        let file = File::open(&self.path).map_err(failed)?;
        self.check_len(file.metadata().map_err(failed)?.len())?;
        Ok(file)
    }

    fn check_len(&self, found: u64) -> Result<()> {
        if found == self.len {
            return Ok(());
        }
        Err(Error::LengthChanged {
            path: self.path.to_path_buf(),
            planned: self.len,
            found,
        })
    }
}

/// Reads a content from its first byte to its last.
pub struct Reader<'a> {
    content: &'a Content,
    file: Option<File>,
    position: u64,
}

impl Reader<'_> {
    /// How many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.content.len() - self.position
    }

    /// Goes on `len` bytes further, at most to the end.
    pub fn skip(&mut self, len: u64) {
        self.position += len.min(self.remaining());
    }

    /// Reads the next bytes: as many as the buffer holds, fewer only at the end. Answers how many.
    ///
    /// # Errors
    /// When reading fails, or a host file ends before its planned length.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let len = usize::try_from(self.remaining()).map_or(buffer.len(), |left| left.min(buffer.len()));
        let buffer = &mut buffer[..len];
        let done = match &self.file {
            Some(file) => FileExt::read_exact_at(file, buffer, self.position),
            None => self.content.read_exact_at(buffer, self.position),
        };
        done.map_err(|source| self.failed(source))?;
        self.position += len as u64;
        Ok(len)
    }

    /// Checks that a host file still has its planned length after it was read.
    ///
    /// # Errors
    /// When it has not.
    pub fn finish(self) -> Result<()> {
        if let (Some(file), Content::File(host)) = (&self.file, self.content) {
            let meta = file.metadata().map_err(|source| self.failed(source))?;
            host.check_len(meta.len())?;
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> Error {
        match self.content {
            Content::File(host) if source.kind() == io::ErrorKind::UnexpectedEof => {
                let found = self
                    .file
                    .as_ref()
                    .and_then(|file| file.metadata().ok())
                    .map_or(0, |meta| meta.len());
                Error::LengthChanged {
                    path: host.path.to_path_buf(),
                    planned: host.len,
                    found,
                }
            }
            Content::File(host) => Error::Read {
                path: host.path.to_path_buf(),
                source,
            },
            Content::Span { source: what, .. } => Error::ReadSource {
                what: format!("{what:?}"),
                source,
            },
            Content::Bytes(_) | Content::Zeros(_) | Content::Image(_) => Error::ReadSource {
                what: "an image".into(),
                source,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_its_length_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, b"four").unwrap();
        let content = Content::host_file(&path).unwrap();
        assert_eq!(content.to_vec().unwrap(), b"four");
        for changed in [&b"five!"[..], b"two"] {
            std::fs::write(&path, changed).unwrap();
            assert!(matches!(
                content.to_vec(),
                Err(Error::LengthChanged { planned: 4, .. })
            ));
        }
        std::fs::write(&path, b"four").unwrap();
        let mut reader = content.reader().unwrap();
        std::fs::write(&path, b"fo").unwrap();
        assert!(matches!(
            reader.fill(&mut [0; 4]),
            Err(Error::LengthChanged { found: 2, .. })
        ));
    }

    #[test]
    fn reads_beyond_the_end_fail() {
        let content = Content::from(&b"abc"[..]);
        assert!(content.read_exact_at(&mut [0; 2], 2).is_err());
        assert!(content.read_exact_at(&mut [0; 1], u64::MAX).is_err());
    }
}
