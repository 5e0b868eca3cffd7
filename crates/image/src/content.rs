//! Bytes whose length is known now and that are read later.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::OFlags;

use crate::error::{Error, Result};
use crate::extents::Image;
use crate::zeros::{DataFinder, Finder};

/// Where bytes come from. Making one reads nothing but lengths. Trees and images have one for each of their files, so it
/// is kept small.
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
    /// A file that lies in a [`Spool`](crate::Spool).
    Spooled(Spooled),
    /// An image; its gaps read as zeros.
    Image(Arc<Image>),
}

const _: () = assert!(size_of::<Content>() == 48);

/// A whole file of the host, opened when it is read. Reading fails when it is not the file, with the length and
/// the time of last change, that it was when planned: what was checked is what is read.
#[derive(Clone, Debug)]
pub struct HostFile(Arc<Host>);

/// What is known of a host file, for all who know the file. There can be millions of them.
#[derive(Debug)]
struct Host {
    path: Box<Path>,
    version: Version,
    data: DataRuns,
}

/// Where a file has more than zeros, once somebody has read it.
pub(crate) type DataRuns = OnceLock<Box<[Range<u64>]>>;

/// A whole file that came as a stream and lies, beside others, in something open.
#[derive(Clone, Debug)]
pub struct Spooled {
    pub(crate) source: Arc<dyn ReadAt>,
    pub(crate) start: u64,
    len: u64,
    data: Arc<DataRuns>,
}

impl PartialEq for Spooled {
    /// Whether they are one file, and not merely two with the same bytes.
    fn eq(&self, other: &Spooled) -> bool {
        Arc::ptr_eq(&self.data, &other.data)
    }
}

impl Eq for Spooled {}

impl Spooled {
    /// The `len` bytes from `start` on.
    pub(crate) fn new(source: Arc<dyn ReadAt>, start: u64, len: u64) -> Spooled {
        let data = Arc::default();
        Spooled {
            source,
            start,
            len,
            data,
        }
    }

    /// Remembers where the file has more than zeros, so that nobody reads it to find out.
    pub fn teach(&self, data: DataFinder) {
        let _ = self.data.set(data.finish().into());
    }
}

impl PartialEq for HostFile {
    fn eq(&self, other: &HostFile) -> bool {
        (&self.0.path, self.0.version) == (&other.0.path, other.0.version)
    }
}

impl Eq for HostFile {}

/// What changes when a file is written to or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    len: u64,
    inode: u64,
    modified: (i64, i64),
}

impl Version {
    fn of(meta: &Metadata) -> Version {
        Version {
            len: meta.len(),
            inode: meta.ino(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        }
    }
}

/// Something whose bytes can be read at any place, from many threads.
pub trait ReadAt: Send + Sync + std::fmt::Debug {
    /// Fills `buffer` with the bytes from `start`.
    ///
    /// # Errors
    /// When reading fails or the source ends before the buffer is full.
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()>;

    /// Whether the bytes can be read at all: of some things, a plan knows no more than the length.
    fn is_at_hand(&self) -> bool {
        true
    }

    /// What errors call it.
    fn name(&self) -> String {
        "an image".into()
    }

    /// The file that it is, when it is one: the system can copy parts of files without this process.
    fn as_file(&self) -> Option<&File> {
        None
    }
}

impl ReadAt for File {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, start)
    }

    /// Its path, as the system knows it; a spool has none.
    fn name(&self) -> String {
        let known = std::fs::read_link(format!("/proc/self/fd/{}", self.as_raw_fd()));
        let path = known.ok().filter(|path| std::fs::symlink_metadata(path).is_ok());
        path.map_or_else(|| "a temporary file".into(), |path| path.display().to_string())
    }

    fn as_file(&self) -> Option<&File> {
        Some(self)
    }
}

/// For parts of a file that are contents of their own. Each reading opens the file and looks whether it is the planned one.
impl ReadAt for HostFile {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        FileExt::read_exact_at(&self.open().map_err(io::Error::other)?, buffer, start)
    }

    fn name(&self) -> String {
        self.path().display().to_string()
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
            Content::File(file) => file.read_exact_at(buffer, start),
            Content::Span {
                source, start: first, ..
            } => source.read_exact_at(buffer, first + start),
            Content::Spooled(file) => file.source.read_exact_at(buffer, file.start + start),
            Content::Image(image) => image.read_exact_at(buffer, start),
        }
    }

    fn name(&self) -> String {
        match self {
            Content::File(host) => host.path().display().to_string(),
            Content::Span { source, .. } | Content::Spooled(Spooled { source, .. }) => source.name(),
            Content::Bytes(_) | Content::Zeros(_) | Content::Image(_) => "an image".into(),
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
        // A link stands for what it leads to now.
        let path = std::fs::canonicalize(&path).map_err(failed)?;
        let meta = std::fs::metadata(&path).map_err(failed)?;
        if !meta.is_file() {
            return Err(failed(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            )));
        }
        Ok(Content::File(HostFile::new(&path, &meta)))
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Zeros(len) | Content::Span { len, .. } => *len,
            Content::File(file) => file.0.version.len,
            Content::Spooled(file) => file.len,
            Content::Image(image) => image.size(),
        }
    }

    /// The place that remembers where a whole file has more than zeros.
    pub(crate) fn known_runs(&self) -> Option<&DataRuns> {
        match self {
            Content::File(file) => Some(&file.0.data),
            Content::Spooled(file) => Some(&file.data),
            _ => None,
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
    /// When a host file cannot be opened, or is not the planned one.
    pub fn reader(&self) -> Result<Reader<'_>> {
        let file = match self {
            Content::File(file) => Some(file.open()?),
            _ => None,
        };
        Ok(Reader {
            content: self,
            file,
            finder: self
                .known_runs()
                .and_then(|known| Finder::wanted(known, self.len())),
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
    /// The file at a path, as its metadata describe it.
    pub(crate) fn new(path: &Path, meta: &Metadata) -> HostFile {
        HostFile(Arc::new(Host {
            path: path.into(),
            version: Version::of(meta),
            data: OnceLock::new(),
        }))
    }

    fn path(&self) -> &Path {
        &self.0.path
    }

    /// Opens the file and checks that it is the planned one. What has come in its place is neither followed nor
    /// waited for.
    pub(crate) fn open(&self) -> Result<File> {
        let failed = |source| Error::Read {
            path: self.path().to_path_buf(),
            source,
        };
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mut options = OpenOptions::new();
        let options = options.read(true).custom_flags(flags.bits().cast_signed());
        let file = options.open(self.path()).map_err(failed)?;
        self.check(&file)?;
        Ok(file)
    }

    fn check(&self, file: &File) -> Result<()> {
        let meta = file.metadata().map_err(|source| Error::Read {
            path: self.path().to_path_buf(),
            source,
        })?;
        let found = Version::of(&meta);
        if found == self.0.version && meta.is_file() {
            return Ok(());
        }
        Err(Error::Changed {
            path: self.path().to_path_buf(),
            planned: self.0.version.len,
            found: found.len,
        })
    }
}

/// Reads a content from its first byte to its last.
pub struct Reader<'a> {
    content: &'a Content,
    file: Option<File>,
    /// Learns where a host file has more than zeros, as long as all of it is read.
    finder: Option<Finder>,
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
        self.finder = None;
        self.position += len.min(self.remaining());
    }

    /// Reads the next bytes: as many as the buffer holds, fewer only at the end. Answers how many.
    ///
    /// # Errors
    /// When reading fails, or a host file ends before its planned length.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let len = usize::try_from(self.remaining()).map_or(buffer.len(), |left| left.min(buffer.len()));
        let buffer = &mut buffer[..len];
        self.read_at(buffer, self.position)?;
        self.finder = self.finder.take().and_then(|finder| finder.see(buffer));
        self.position += len as u64;
        Ok(len)
    }

    /// Fills a buffer with the bytes from a place on. What was read so counts for nothing else.
    pub(crate) fn read_at(&self, buffer: &mut [u8], start: u64) -> Result<()> {
        let done = match &self.file {
            Some(file) => FileExt::read_exact_at(file, buffer, start),
            None => self.content.read_exact_at(buffer, start),
        };
        done.map_err(|source| self.failed(source))
    }

    /// The file that the next bytes come from, and where they are in it, when they come from one.
    pub(crate) fn origin(&self) -> Option<(&File, u64)> {
        let (file, start) = match (self.content, &self.file) {
            (Content::File(_), file) => (file.as_ref()?, 0),
            (Content::Span { source, start, .. }, _) => (source.as_file()?, *start),
            (Content::Spooled(file), _) => (file.source.as_file()?, file.start),
            _ => return None,
        };
        Some((file, start + self.position))
    }

    /// Checks that a host file still is the planned one after it was read.
    ///
    /// # Errors
    /// When it has not.
    pub fn finish(self) -> Result<()> {
        if let (Some(file), Content::File(host)) = (&self.file, self.content) {
            host.check(file)?;
        }
        if let (Some(finder), Some(runs)) = (self.finder, self.content.known_runs()) {
            finder.teach(runs, self.content.len());
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> Error {
        // What lies inside something else says by itself which file it is.
        let source = match source.downcast::<Error>() {
            Ok(error) => return error,
            Err(source) => source,
        };
        match self.content {
            Content::File(host) if source.kind() == io::ErrorKind::UnexpectedEof => {
                let found = self
                    .file
                    .as_ref()
                    .and_then(|file| file.metadata().ok())
                    .map_or(0, |meta| meta.len());
                Error::Changed {
                    path: host.path().to_path_buf(),
                    planned: host.0.version.len,
                    found,
                }
            }
            Content::File(host) => Error::Read {
                path: host.path().to_path_buf(),
                source,
            },
            content => Error::ReadSource {
                what: content.name(),
                source,
            },
        }
    }
}

#[cfg(test)]
mod tests;
