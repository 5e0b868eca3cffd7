//! A folder that is filled before it gets the name of another one, and what removes the other.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::scan::list;

/// The folder that is not named yet. Whatever has its name goes with it.
pub(super) struct Fresh {
    pub(super) path: PathBuf,
    pub(super) lock: File,
}

impl Fresh {
    /// Makes it, in place of what a killed process left. The lock on the folder that it will replace is held, and one
    /// on itself until the other is gone.
    pub(super) fn make(path: PathBuf) -> io::Result<Fresh> {
        let make = || DirBuilder::new().mode(0o700).create(&path);
        match make() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let found = std::fs::symlink_metadata(&path)?;
                if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
                    let problem = format!("{} is no folder of this user", path.display());
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
                }
                let left = File::open(&path)?;
                flock(&left, FlockOperation::NonBlockingLockExclusive)?;
                remove_folder(&path)?;
                make()?;
            }
            made => made?,
        }
        let lock = File::open(&path)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Fresh { path, lock })
    }

    /// Gives it the owner and the mode of the folder that it replaces, and waits until it is on the disk.
    pub(super) fn resemble(&self, old: &std::fs::Metadata) -> io::Result<()> {
        let meta = self.lock.metadata()?;
        if (meta.uid(), meta.gid()) != (old.uid(), old.gid()) {
            chown(&self.path, Some(old.uid()), Some(old.gid()))?;
        }
        std::fs::set_permissions(&self.path, Permissions::from_mode(old.mode() & 0o7777))?;
        self.lock.sync_all()
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // What has the name now: the new folder when it failed, the old one when it did not. If it cannot be removed,
        // the next build removes it.
        let _ = remove_folder(&self.path);
    }
}

/// Removes a folder with all that is in it, also from folders that keep what is in them.
pub(super) fn remove_folder(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        removed => return removed,
    }
    let mut open = vec![path.to_path_buf()];
    while let Some(folder) = open.pop() {
        std::fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        for name in list(&folder).map_err(io::Error::other)? {
            let path = folder.join(OsStr::from_bytes(&name));
            if std::fs::symlink_metadata(&path)?.is_dir() {
                open.push(path);
            }
        }
    }
    std::fs::remove_dir_all(path)
}
