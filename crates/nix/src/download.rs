//! The folder in which compressed NARs wait for the next build: what a build that was stopped has fetched, the next one
//! does not fetch again.
//!
//! A NAR lies there as `<NAR hash>.nar.<coding>`, and as long as it is not complete with `.part` behind that. What lies
//! there is not believed: it is hashed like what comes from a cache.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::narinfo::Narinfo;

/// A folder that keeps NARs.
#[derive(Clone, Debug)]
pub struct DownloadDir {
    path: PathBuf,
}

/// What is there of a NAR, and where its rest goes. Others who want the same NAR do without.
pub(crate) struct Kept {
    file: File,
    path: PathBuf,
    partial: PathBuf,
    is_complete: bool,
    len: u64,
}

impl DownloadDir {
    /// The folder at a path, made when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open_at(path: &Path) -> Result<DownloadDir> {
        std::fs::create_dir_all(path).map_err(|source| failed(path, source))?;
        Ok(DownloadDir { path: path.into() })
    }

    /// What is there of a NAR. None when somebody else is fetching it, or the folder does not let us.
    pub(crate) fn open(&self, narinfo: &Narinfo) -> Option<Kept> {
        let hash = narinfo.info.nar_hash?.to_string();
        let hash = hash.rsplit(':').next()?;
        let path = self.path.join(format!("{hash}.nar.{}", narinfo.coding.name()));
        let partial = path.with_extension(format!("{}.part", narinfo.coding.name()));
        let is_complete = path.is_file();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(!is_complete)
            .truncate(false)
            .open(if is_complete { &path } else { &partial })
            .ok()?;
        file.try_lock().ok()?;
        let len = file.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
        Some(Kept {
            file,
            path,
            partial,
            is_complete,
            len,
        })
    }
}

impl Kept {
    /// The bytes that are there.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Whether they were all, once.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// What is there, and what takes the rest.
    pub(crate) fn halves(&self) -> Result<(impl Read + Send + use<>, impl Write + Send + use<>)> {
        let failed = |source| failed(&self.path, source);
        let mut old = self.file.try_clone().map_err(failed)?;
        old.seek(SeekFrom::Start(0)).map_err(failed)?;
        // Both share one position: what is there is read to its end before anything is written.
        let keep = self.file.try_clone().map_err(failed)?;
        Ok((old.take(self.len), keep))
    }

    /// Throws away what is there.
    pub(crate) fn clear(&mut self) -> Result<()> {
        let failed = |source| failed(&self.path, source);
        self.file.set_len(0).map_err(failed)?;
        if self.is_complete {
            std::fs::rename(&self.path, &self.partial).map_err(failed)?;
        }
        (self.is_complete, self.len) = (false, 0);
        Ok(())
    }

    /// All is there, and it was right.
    pub(crate) fn complete(self) -> Result<()> {
        if self.is_complete {
            return Ok(());
        }
        std::fs::rename(&self.partial, &self.path).map_err(|source| failed(&self.path, source))
    }
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::Image(image::Error::Write {
        path: path.into(),
        source,
    })
}
