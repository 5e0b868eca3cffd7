//! A nameless file for bytes whose length is known only after they were made.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::content::{Content, ReadAt, Spooled};
use crate::copy::{Failed, copy};
use crate::error::{Error, Result};

/// A file without a name, gone when nothing refers to it, even when the process is killed.
#[derive(Clone, Debug)]
pub struct Spool {
    file: Arc<File>,
    folder: PathBuf,
}

impl Spool {
    /// A new spool on the disk that `folder` lies on.
    ///
    /// # Errors
    /// When no file can be made there.
    pub fn create(folder: &Path) -> Result<Spool> {
        let failed = |source| Error::Write {
            path: folder.to_path_buf(),
            source,
        };
        let file = tempfile::tempfile_in(folder).map_err(failed)?;
        Ok(Spool {
            file: Arc::new(file),
            folder: folder.to_path_buf(),
        })
    }

    /// Puts bytes at a place.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn write_at(&self, bytes: &[u8], start: u64) -> Result<()> {
        let failed = |source: io::Error| Error::Write {
            path: self.folder.clone(),
            source,
        };
        self.file.write_all_at(bytes, start).map_err(failed)
    }

    /// Bytes that were put there, and are a whole file.
    #[must_use]
    pub fn file(&self, start: u64, len: u64) -> Spooled {
        Spooled::new(Arc::clone(&self.file) as _, start, len)
    }

    /// Puts a part of something at a place, without a copy where it is a file and the file system can share blocks.
    /// Says what is wrong with it when it cannot be read or ends too early.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn copy_from(&self, source: &dyn ReadAt, part: Range<u64>, start: u64) -> Result<io::Result<()>> {
        match copy(source, part, &self.file, start) {
            Ok(()) => Ok(Ok(())),
            Err(Failed::Reading(problem)) => Ok(Err(problem)),
            Err(Failed::Writing(source)) => Err(Error::Write {
                path: self.folder.clone(),
                source,
            }),
        }
    }

    /// Puts bytes that are here to the first place of another file, without a copy where the file system can share
    /// blocks.
    ///
    /// # Errors
    /// When reading or writing fails.
    pub fn copy_to(&self, part: Range<u64>, file: &File) -> io::Result<()> {
        copy(&*self.file, part, file, 0).map_err(|failed| match failed {
            Failed::Reading(problem) | Failed::Writing(problem) => problem,
        })
    }

    /// Bytes that were put there.
    #[must_use]
    pub fn span(&self, start: u64, len: u64) -> Content {
        Content::Span {
            source: Arc::clone(&self.file) as _,
            start,
            len,
        }
    }
}
