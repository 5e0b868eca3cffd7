//! A nameless file for bytes whose length is known only after they were made.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::content::{Content, Spooled};
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
