//! A nameless file for bytes whose length is known only after they were made.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{FallocateFlags, fallocate};

use crate::content::{Content, ReadAt, Spooled};
use crate::copy::{Failed, copy};
use crate::error::{Error, Result};
use crate::extents::Image;
use crate::ranges::Ranges;
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
    /// Which bytes were put there.
    written: Mutex<Ranges>,
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
            written: Mutex::default(),
            taken: AtomicBool::new(false),
        })))
    }

    /// The file, to become one in this folder that holds this image: when all bytes that were put here are the image's,
    /// at the same places. The image may have them a second time. Nobody gets it twice.
    pub(crate) fn become_file(&self, folder: &Path, image: &Image) -> Option<Arc<File>> {
        let Inner { file, nameable, .. } = &*self.0;
        let whole = || {
            let (mut here, mut elsewhere) = (Ranges::default(), Ranges::default());
            look_for(file, image, 0, &mut here, &mut elsewhere);
            let written = self.written();
            here == *written && written.hold_all(&elsewhere)
        };
        let fits = *nameable && self.0.folder == folder && whole();
        let free = fits && !self.0.taken.swap(true, Ordering::Relaxed);
        free.then(|| Arc::clone(file))
    }

    /// No code panics while it holds the lock, so what it guards is sound even when it is poisoned.
    fn written(&self) -> MutexGuard<'_, Ranges> {
        self.0.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts bytes at a place.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn write_at(&self, bytes: &[u8], start: u64) -> Result<()> {
        self.written()
            .add(start..start.saturating_add(bytes.len() as u64));
        self.0
            .file
            .write_all_at(bytes, start)
            .map_err(|source| self.failed(source))
    }

    /// Puts bytes that are here to another place, too, here or in another spool; they do not overlap with the first.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn copy_into(&self, part: Range<u64>, other: &Spool, start: u64) -> Result<()> {
        let len = part.end.saturating_sub(part.start);
        other.written().add(start..start.saturating_add(len));
        copy(&*self.0.file, part, &other.0.file, start).map_err(|failed| match failed {
            Failed::Reading(source) => self.failed(source),
            Failed::Writing(source) => other.failed(source),
        })
    }

    /// Gives up everything from a byte on: nothing may refer to that.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn cut(&self, at: u64) -> Result<()> {
        self.written().cut(at);
        let file = &self.0.file;
        let meta = file.metadata().map_err(|source| self.failed(source))?;
        if meta.len() > at {
            file.set_len(at).map_err(|source| self.failed(source))?;
        }
        Ok(())
    }

    /// Gives up some bytes: nothing may refer to them. Where the file system makes no holes, they stay, and so the spool becomes
    /// no file.
    pub fn release(&self, part: Range<u64>) {
        let len = part.end.saturating_sub(part.start);
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if len > 0 && fallocate(&*self.0.file, flags, part.start, len).is_ok() {
            self.written().remove(part);
        }
    }

    /// Another one beside it, for bytes that shall not become a file's.
    ///
    /// # Errors
    /// When no file can be made there.
    pub fn another(&self) -> Result<Spool> {
        Spool::create(&self.0.folder)
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Write {
            path: self.0.folder.clone(),
            source,
        }
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
        self.written().add(start..start.saturating_add(len));
        match copy(source, part, &self.0.file, start) {
            Ok(()) => Ok(Ok(())),
            Err(Failed::Reading(problem)) => Ok(Err(problem)),
            Err(Failed::Writing(source)) => Err(self.failed(source)),
        }
    }

    /// Puts bytes that are here to a place in another file, without a copy where the file system can share blocks.
    ///
    /// # Errors
    /// When reading or writing fails.
    pub fn copy_to(&self, part: Range<u64>, file: &File, start: u64) -> io::Result<()> {
        copy(&*self.0.file, part, file, start).map_err(|failed| match failed {
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

/// Finds the bytes of a file that an image has: those that lie at the same places in the image, and where those are that it
/// has at other places.
fn look_for(file: &File, image: &Image, base: u64, here: &mut Ranges, elsewhere: &mut Ranges) {
    for extent in image.extents() {
        let place = base + extent.start;
        let (source, start, len) = match &extent.content {
            Content::Image(inner) => {
                look_for(file, inner, place, here, elsewhere);
                continue;
            }
            Content::Span { source, start, len } => (source.as_file(), *start, *len),
            Content::Spooled(spooled) => (spooled.source.as_file(), spooled.start, extent.content.len()),
            Content::Bytes(_) | Content::File(_) | Content::Zeros(_) => continue,
        };
        if source.is_some_and(|source| std::ptr::eq(source, file)) {
            let found = if start == place {
                &mut *here
            } else {
                &mut *elsewhere
            };
            found.add(start..start + len);
        }
    }
}
