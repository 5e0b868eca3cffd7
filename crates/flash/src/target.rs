//! The device that is written to.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Advice, FallocateFlags, OFlags, fadvise, fallocate};
use rustix::io::Errno;

use crate::blocks::Buffer;
use crate::{BLOCK, Error, MARK, Result};

/// A block device, or a file that stands for one, open for writing.
#[derive(Debug)]
pub struct Target {
    path: PathBuf,
    file: File,
    size: u64,
    is_direct: bool,
    writing: Arc<AtomicBool>,
}

impl Target {
    /// Opens a device. A block device is opened exclusively: not while a file system, swap, RAID or another program uses it or a
    /// part of it. The page cache is gone around wherever that is possible.
    ///
    /// # Errors
    /// When it cannot be opened, or is neither a block device nor a file.
    pub fn open(path: &Path) -> Result<Target> {
        let failed = |source: io::Error| Error::Open {
            path: path.to_path_buf(),
            source,
        };
        let meta = std::fs::metadata(path).map_err(failed)?;
        let is_device = meta.file_type().is_block_device();
        if !is_device && !meta.is_file() {
            return Err(Error::NoDisk {
                path: path.to_path_buf(),
            });
        }
        let flags = if is_device { OFlags::EXCL } else { OFlags::empty() };
        let (mut file, mut is_direct) = match open(path, flags | OFlags::DIRECT) {
            Ok(file) => (file, true),
            // Some file systems have no such files.
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                (open(path, flags).map_err(failed)?, false)
            }
            Err(error) => return Err(failed(error)),
        };
        let size = file.seek(SeekFrom::End(0)).map_err(failed)?;
        if is_direct && !size.is_multiple_of(if is_device { 512 } else { BLOCK }) {
            (file, is_direct) = (open(path, flags).map_err(failed)?, false);
        }
        Ok(Target {
            path: path.to_path_buf(),
            file,
            size,
            is_direct,
            writing: Arc::default(),
        })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether it is partly written right now: from the moment before it gets the mark to that after the mark is gone.
    #[must_use]
    pub fn writing(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.writing)
    }

    /// Whether it has the mark, so that it is partly written.
    #[must_use]
    pub fn is_partly_written(&self) -> bool {
        let mut start = Buffer::zeros(BLOCK.min(self.size));
        let is_read = self.read(start.get_mut(), 0).is_ok() && self.size > 0;
        is_read && start.get().iter().zip(MARK).all(|(byte, letter)| byte == letter)
    }

    /// Puts the mark in place of the first block. Of a file that is shorter, as much as it holds.
    pub(crate) fn mark(&self) -> Result<()> {
        let mut mark = Buffer::zeros(self.padded(0, BLOCK));
        for (byte, letter) in mark.get_mut().iter_mut().zip(MARK) {
            *byte = *letter;
        }
        self.writing.store(true, Ordering::Relaxed);
        self.write(mark.get(), 0)?;
        self.sync(0)
    }

    /// Puts the first block in place of the mark, after everything else.
    pub(crate) fn unmark(&self, first: &Buffer) -> Result<()> {
        self.write(first.get(), 0)?;
        self.sync(first.get().len() as u64)?;
        self.writing.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// How long bytes at a place are when they are whole blocks, or end where the device does.
    pub(crate) fn padded(&self, start: u64, len: u64) -> u64 {
        len.next_multiple_of(BLOCK).min(self.size - start)
    }

    /// Writes bytes at a place.
    pub(crate) fn write(&self, bytes: &[u8], start: u64) -> Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let at = start + done as u64;
            let failed = |source| Error::Write {
                path: self.path.clone(),
                at,
                size: self.size,
                source,
            };
            match self.file.write_at(&bytes[done..], at) {
                Ok(0) => return Err(failed(Errno::NOSPC.into())),
                Ok(len) => done += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    /// Waits until the device has everything, and forgets what memory has of it. `at` is how far it was written.
    pub(crate) fn sync(&self, at: u64) -> Result<()> {
        self.file.sync_all().map_err(|source| Error::Write {
            path: self.path.clone(),
            at,
            size: self.size,
            source,
        })?;
        if !self.is_direct {
            // Where that fails, what is compared is what memory has.
            let _ = fadvise(&self.file, 0, None, Advice::DontNeed);
        }
        Ok(())
    }

    /// Reads bytes at a place.
    pub(crate) fn read(&self, bytes: &mut [u8], start: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, start)
    }

    /// Tells the device that nobody needs some bytes; they read as zeros or as anything then. `false` when it cannot be told.
    pub(crate) fn discard(&self, start: u64, end: u64) -> Result<bool> {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        // The first is what `blkdiscard` does, which newer kernels have under no such name any more; the second writes no zeros
        // to a device that cannot discard.
        for flags in [hole | FallocateFlags::NO_HIDE_STALE, hole] {
            match fallocate(&self.file, flags, start, end - start) {
                Ok(()) => return Ok(true),
                Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {}
                Err(error) => {
                    return Err(Error::Write {
                        path: self.path.clone(),
                        at: start,
                        size: self.size,
                        source: error.into(),
                    });
                }
            }
        }
        Ok(false)
    }
}

fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}
