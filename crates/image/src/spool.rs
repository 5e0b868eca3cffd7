//! A nameless file for bytes whose length is known only after they were made.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::content::{Content, ReadAt, Spooled};
use crate::copy::{Failed, copy};
use crate::error::{Error, Result};
use crate::extents::Image;
use crate::write::Nameless;

/// A file without a name, gone when nothing refers to it, even when the process is killed.
///
/// Where an image has all that is in a spool at the same places, the spool can become the image's file: then nothing is
/// written twice.
#[derive(Clone, Debug)]
pub struct Spool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: Arc<File>,
    folder: PathBuf,
    /// Whether the file can get a name.
    nameable: bool,
    /// How many bytes were put there.
    written: AtomicU64,
    /// Whether it has become an output.
    taken: AtomicBool,
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
        let (file, nameable) = match Nameless::unnamed(folder) {
            Ok(file) => (file, true),
            Err(_) => (tempfile::tempfile_in(folder).map_err(failed)?, false),
        };
        Ok(Spool(Arc::new(Inner {
            file: Arc::new(file),
            folder: folder.to_path_buf(),
            nameable,
            written: AtomicU64::new(0),
            taken: AtomicBool::new(false),
        })))
    }

    /// The file, to become one in this folder that holds this image: when all bytes that were put here are the image's,
    /// at the same places. Nobody gets it twice.
    pub(crate) fn become_file(&self, folder: &Path, image: &Image) -> Option<Arc<File>> {
        let Inner { file, nameable, .. } = &*self.0;
        let whole = || {
            let mut here = Some(0);
            count_in_place(image, 0, file, &mut here);
            here == Some(self.0.written.load(Ordering::Relaxed))
        };
        let fits = *nameable && self.0.folder == folder && whole();
        let free = fits && !self.0.taken.swap(true, Ordering::Relaxed);
        free.then(|| Arc::clone(file))
    }

    /// Puts bytes at a place.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn write_at(&self, bytes: &[u8], start: u64) -> Result<()> {
        let failed = |source: io::Error| Error::Write {
            path: self.0.folder.clone(),
            source,
        };
        self.0.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.0.file.write_all_at(bytes, start).map_err(failed)
    }

    /// Bytes that were put there, and are a whole file.
    #[must_use]
    pub fn file(&self, start: u64, len: u64) -> Spooled {
        Spooled::new(Arc::clone(&self.0.file) as _, start, len)
    }

    /// Puts a part of something at a place, without a copy where it is a file and the file system can share blocks.
    /// Says what is wrong with it when it cannot be read or ends too early.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn copy_from(&self, source: &dyn ReadAt, part: Range<u64>, start: u64) -> Result<io::Result<()>> {
        let len = part.end.saturating_sub(part.start);
        self.0.written.fetch_add(len, Ordering::Relaxed);
        match copy(source, part, &self.0.file, start) {
            Ok(()) => Ok(Ok(())),
            Err(Failed::Reading(problem)) => Ok(Err(problem)),
            Err(Failed::Writing(source)) => Err(Error::Write {
                path: self.0.folder.clone(),
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
        copy(&*self.0.file, part, file, 0).map_err(|failed| match failed {
            Failed::Reading(problem) | Failed::Writing(problem) => problem,
        })
    }

    /// Bytes that were put there.
    #[must_use]
    pub fn span(&self, start: u64, len: u64) -> Content {
        Content::Span {
            source: Arc::clone(&self.0.file) as _,
            start,
            len,
        }
    }
}

/// Counts the bytes of an image that lie in a file at the places that they have in the image; none when some lie at others.
fn count_in_place(image: &Image, base: u64, file: &File, count: &mut Option<u64>) {
    for extent in image.extents() {
        let place = base + extent.start;
        let (source, start, len) = match &extent.content {
            Content::Image(inner) => {
                count_in_place(inner, place, file, count);
                continue;
            }
            Content::Span { source, start, len } => (source.as_file(), *start, *len),
            Content::Spooled(spooled) => (spooled.source.as_file(), spooled.start, extent.content.len()),
            Content::Bytes(_) | Content::File(_) | Content::Zeros(_) => continue,
        };
        if source.is_some_and(|source| std::ptr::eq(source, file)) {
            *count = count.filter(|_| start == place).map(|count| count + len);
        }
    }
}
