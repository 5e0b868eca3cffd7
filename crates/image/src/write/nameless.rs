//! A file that has no name until it is complete, so that nothing is left of it when the process is killed.
//!
//! Where a file system has no nameless files (NFS, FUSE), it grows as `.NAME.kiln-new` beside its target. The same name
//! stands for a moment where another file is replaced, because Linux cannot put a nameless file in the place of one that
//! has a name. Whoever uses that name holds a lock on the file: what nobody holds was left by a killed process and goes
//! away, and what belongs to other users is neither opened nor replaced.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, flock, linkat};
use rustix::io::Errno;

use super::MODE;

/// How often a name is tried while other writers of the same file come and go, and how long one is waited for.
const TRIES_MAX: usize = 100;
const WAIT: Duration = Duration::from_millis(10);

/// What has a name although it is not complete. [`abandon`] removes it.
static NAMED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Folders that are not complete. [`abandon`] removes them with all that is in them.
static GROWING: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Held while names change: a process that is told to stop ends before or after that.
static NAMING: Mutex<()> = Mutex::new(());

/// A file that grows. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Nameless {
    file: Arc<File>,
    /// Its name, where it could not be without one.
    named: Option<PathBuf>,
}

impl Nameless {
    /// A file that will be named `path`. Its mode is `mode` without what the process' umask takes away.
    ///
    /// # Errors
    /// When no file can be made in that folder, or another process is writing this one under a name: then the kind is
    /// [`io::ErrorKind::ResourceBusy`].
    pub fn create(path: &Path, mode: u32) -> io::Result<Nameless> {
        match nameless(folder(path), mode) {
            Ok(file) => Ok(Nameless::of(Arc::new(file))),
            // Said by file systems that have no such files, and by kernels that know of none.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => Nameless::named(path, mode),
            Err(errno) => Err(errno.into()),
        }
    }

    /// A file without a name that can get one in this folder, as an output has it.
    ///
    /// # Errors
    /// When no file can be made there, or none that is without a name.
    pub(crate) fn unnamed(folder: &Path) -> io::Result<File> {
        Ok(nameless(folder, MODE)?)
    }

    /// A file that [`Nameless::unnamed`] made.
    pub(super) fn of(file: Arc<File>) -> Nameless {
        Nameless { file, named: None }
    }

    /// The same with a name from the beginning.
    fn named(path: &Path, mode: u32) -> io::Result<Nameless> {
        let partial = partial(path);
        let make = || {
            let mut options = OpenOptions::new();
            let options = options.read(true).write(true).create_new(true).mode(mode);
            let file = options.open(&partial)?;
            remember(&partial);
            Ok(file)
        };
        let file = claim(&partial, make)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Nameless {
            file: Arc::new(file),
            named: Some(partial),
        })
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name, in place of the file that had it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn replace(self, path: &Path) -> io::Result<()> {
        let _naming = naming();
        self.rename(path)
    }

    /// The same for who holds [`naming`].
    pub(super) fn rename(mut self, path: &Path) -> io::Result<()> {
        let partial = match self.named.take() {
            Some(partial) => partial,
            None => match self.link(path) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Err(_) => {
                    let partial = partial(path);
                    claim(&partial, || {
                        self.link(&partial)?;
                        remember(&partial);
                        Ok(())
                    })?;
                    partial
                }
            },
        };
        let renamed = std::fs::rename(&partial, path);
        if renamed.is_err() {
            // Nothing can be done when this fails; the next writer removes it.
            let _ = std::fs::remove_file(&partial);
        }
        forget(&partial);
        renamed
    }

    /// Gives the file one more name, which nothing has.
    pub(super) fn link(&self, path: &Path) -> io::Result<()> {
        let flags = match self.named {
            None => AtFlags::SYMLINK_FOLLOW,
            Some(_) => AtFlags::empty(),
        };
        let from = self.named.clone().unwrap_or_else(|| descriptor(&self.file));
        linkat(CWD, from, CWD, path, flags).map_err(io::Error::from)
    }
}

impl Drop for Nameless {
    fn drop(&mut self) {
        if let Some(partial) = self.named.take() {
            // Nothing can be done when this fails; the next writer removes it.
            let _ = std::fs::remove_file(&partial);
            forget(&partial);
        }
    }
}

/// A locked file without a name in a folder.
fn nameless(folder: &Path, mode: u32) -> rustix::io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file: File = rustix::fs::open(folder, flags, Mode::from_raw_mode(mode))?.into();
    // It gets its name by this path.
    if !descriptor(&file).exists() {
        return Err(Errno::OPNOTSUPP);
    }
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

fn descriptor(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Makes something under a temporary name, when what a killed process may have left there is gone.
fn claim<T>(partial: &Path, make: impl Fn() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..TRIES_MAX {
        match make() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made,
        }
        if !remove_leftover(partial)? {
            sleep(WAIT);
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Removes what a killed process left; false when it is another's that still runs.
fn remove_leftover(partial: &Path) -> io::Result<bool> {
    let taken = |what: &str| {
        let problem = format!("{} {what}, and needed for a moment; remove it", partial.display());
        Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
    };
    let found = match std::fs::symlink_metadata(partial) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    if !found.is_file() {
        return taken("is no regular file");
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return taken("belongs to another user");
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(partial);
    let file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(false),
        Err(errno) => return Err(errno.into()),
    }
    // Between opening and locking, its writer may have finished, and the name be another file's.
    let ours = file.metadata()?;
    let named = std::fs::symlink_metadata(partial);
    if named.is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
        std::fs::remove_file(partial)?;
    }
    Ok(true)
}

/// The name beside a file that is ours for a moment.
fn partial(path: &Path) -> PathBuf {
    let mut hidden = OsString::from(".");
    hidden.push(path.file_name().unwrap_or_default());
    hidden.push(".kiln-new");
    folder(path).join(hidden)
}

/// The folder that a file lies in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    }
}

/// Notes what [`abandon`] removes.
pub(super) fn remember(path: &Path) {
    NAMED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(path.to_path_buf());
}

pub(super) fn forget(path: &Path) {
    NAMED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .retain(|named| named != path);
}

/// The same for a folder that grows.
pub(super) fn remember_folder(path: &Path) {
    GROWING
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(path.to_path_buf());
}

pub(super) fn forget_folder(path: &Path) {
    GROWING
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .retain(|growing| growing != path);
}

/// Waits until no names change, and keeps it so.
pub(super) fn naming() -> MutexGuard<'static, ()> {
    NAMING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Before a process ends without waiting for its threads: waits until no names change, and removes what has a
/// name and is not complete. From then on this process writes nothing.
pub fn abandon() {
    // Never given back: whoever wants to change names from now on waits for the end of the process.
    std::mem::forget(naming());
    for path in NAMED.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir(&path));
    }
    for path in GROWING.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        // Whoever fills it goes on for a moment, until the folder that it works in is gone.
        let gone = |_: &usize| super::fresh::remove_folder(&path).is_ok() || !path.exists();
        let _ = (0..TRIES_MAX).find(gone);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let tree = crate::scan(dir, crate::Keep::default()).unwrap();
        let children = tree.children(crate::NodeId::ROOT);
        children.map(|(name, _)| crate::show(name)).collect()
    }

    /// Both kinds of files, with and without a file that is replaced.
    #[test]
    fn files_get_their_names_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        for (kind, while_growing) in [(Nameless::create as fn(&Path, u32) -> _, 0), (Nameless::named, 1)] {
            for old in [None, Some("old")] {
                let _ = std::fs::remove_file(&path);
                if let Some(old) = old {
                    std::fs::write(&path, old).unwrap();
                }
                let before = names(dir.path()).len();
                drop(kind(&path, 0o666).unwrap());
                assert_eq!(names(dir.path()).len(), before);
                let growing: Nameless = kind(&path, 0o640).unwrap();
                growing.file().write_all(b"new").unwrap();
                assert_eq!(names(dir.path()).len(), before + while_growing);
                growing.replace(&path).unwrap();
                assert_eq!(names(dir.path()), ["out"]);
                assert_eq!(std::fs::read(&path).unwrap(), b"new");
                assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
            }
        }
        assert!(
            NAMED
                .lock()
                .unwrap()
                .iter()
                .all(|named| !named.starts_with(dir.path()))
        );
    }

    #[test]
    fn what_others_put_in_the_place_of_a_temporary_name_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (path, victim) = (dir.path().join("out"), dir.path().join("victim"));
        let partial = dir.path().join(".out.kiln-new");
        std::fs::write(&victim, b"precious").unwrap();
        std::fs::write(&path, b"old").unwrap();
        for kind in [Nameless::create, Nameless::named] {
            std::os::unix::fs::symlink(&victim, &partial).unwrap();
            let refused = kind(&path, 0o666).and_then(|growing| growing.replace(&path));
            assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
            std::fs::remove_file(&partial).unwrap();
            // A hard link is another name of a file; removing it takes nothing from the file.
            std::fs::hard_link(&victim, &partial).unwrap();
            kind(&path, 0o666)
                .and_then(|growing| growing.replace(&path))
                .unwrap();
            assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
            assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
        }
    }

    #[test]
    fn a_second_writer_of_a_named_file_is_refused_and_leftovers_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let first = Nameless::named(&path, 0o666).unwrap();
        let second = Nameless::named(&path, 0o666).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::ResourceBusy);
        drop(first);
        std::fs::write(dir.path().join(".out.kiln-new"), b"left by a killed writer").unwrap();
        Nameless::named(&path, 0o666).unwrap().replace(&path).unwrap();
        assert_eq!(names(dir.path()), ["out"]);
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }

    /// Each is whole, and the last one stays.
    #[test]
    fn writers_of_one_file_do_not_disturb_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        std::thread::scope(|scope| {
            for number in 0..8u8 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..50 {
                        let growing = Nameless::create(path, 0o666).unwrap();
                        growing.file().write_all(&[number; 10]).unwrap();
                        growing.replace(path).unwrap();
                    }
                });
            }
        });
        assert_eq!(names(dir.path()), ["out"]);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes, [bytes[0]; 10]);
    }
}
