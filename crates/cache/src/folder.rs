//! A folder of segments.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use image::Nameless;
use rustix::fs::{FlockOperation, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, flock, futimens};

use crate::key::Key;
use crate::warnings::Warnings;
use crate::{Error, Found, Made, Segments, entry};

/// Complete segments, in folders of their keys' first two digits.
pub(crate) const SEGMENTS: &str = "segments";
/// Segments that are being written, where files cannot be without names.
pub(crate) const GROWING: &str = "growing";

/// A folder of segments, for any number of processes at once.
#[derive(Debug)]
pub struct Cache {
    pub(crate) folder: PathBuf,
    pub(crate) limit: u64,
    /// Bytes that this process has added.
    kept: AtomicU64,
    /// Nothing more is kept: it has failed once.
    full: AtomicBool,
    warnings: Warnings,
}

impl Cache {
    /// Opens a cache, and makes it where there is none. `limit` is how many bytes [`Cache::tidy`] leaves.
    ///
    /// # Errors
    /// When its folders are not there and cannot be made.
    pub fn open(folder: &Path, limit: u64) -> Result<Cache, Error> {
        for name in [SEGMENTS, GROWING] {
            let path = folder.join(name);
            std::fs::create_dir_all(&path).map_err(|source| Error::Folder { path, source })?;
        }
        Ok(Cache {
            folder: folder.to_path_buf(),
            limit,
            kept: AtomicU64::new(0),
            full: AtomicBool::new(false),
            warnings: Warnings::default(),
        })
    }

    /// What the user should know: entries that were damaged, and why nothing could be kept.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.take()
    }

    fn warn(&self, path: &Path, problem: &str) {
        self.warnings.add(format!("{}: {problem}", path.display()));
    }

    /// Removes what is over the limit, when this process has added anything and no other does it now.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn tidy(&self) -> Result<(), Error> {
        if self.kept.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let folder = File::open(&self.folder).map_err(|source| Error::Folder {
            path: self.folder.clone(),
            source,
        })?;
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => self.prune(self.limit).map(drop),
            Err(_) => Ok(()),
        }
    }

    pub(crate) fn path(&self, key: &Key) -> PathBuf {
        path(&self.folder, key)
    }

    fn write(&self, key: &Key, made: &Made) -> io::Result<()> {
        let path = self.path(key);
        if path.exists() {
            return Ok(());
        }
        let growing = self.folder.join(GROWING).join(key.to_string());
        let growing = match Nameless::create(&growing, 0o644) {
            // Another process is making the same.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => return Ok(()),
            growing => growing?,
        };
        entry::write(growing.file(), key, made)?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        growing.replace(&path)?;
        self.kept.fetch_add(entry::size(made), Ordering::Relaxed);
        Ok(())
    }
}

/// Where a segment lies in a folder of them.
pub(crate) fn path(folder: &Path, key: &Key) -> PathBuf {
    folder.join(object(key))
}

/// The same below any other address.
pub(crate) fn object(key: &Key) -> String {
    let name = key.to_string();
    format!("{SEGMENTS}/{}/{name}", &name[..2])
}

/// Opens an entry; what is no regular file is neither followed nor waited for.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
}

/// Notes that an entry was of use. Only what is removed first depends on it.
fn touch(file: &File) {
    let (omit, now) = (UTIME_OMIT, UTIME_NOW);
    let time = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps {
        last_access: time(omit),
        last_modification: time(now),
    };
    // In a cache that others own, their own use keeps entries young.
    let _ = futimens(file, &times);
}

impl Segments for Cache {
    fn is_own(&self) -> bool {
        true
    }

    fn find(&self, key: &Key) -> Option<Found> {
        let file = match open(&self.path(key)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.reject(key, &error.to_string());
                return None;
            }
        };
        touch(&file);
        match entry::open(file, key) {
            Ok(found) => Some(found),
            Err(problem) => {
                self.reject(key, &problem);
                None
            }
        }
    }

    fn reject(&self, key: &Key, problem: &str) {
        let path = self.path(key);
        self.warn(&path, &format!("damaged, and made anew: {problem}"));
        // If it stays, it is found and made anew each time.
        let _ = std::fs::remove_file(&path);
    }

    fn keep(&self, key: &Key, made: &Made) {
        if entry::size(made) > self.limit || self.full.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.write(key, made)
            && !self.full.swap(true, Ordering::Relaxed)
        {
            self.warn(
                &self.folder,
                &format!("nothing more is kept in this cache: {error}"),
            );
        }
    }
}
