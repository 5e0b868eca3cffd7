//! What is in a cache, and what leaves it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};

use crate::folder::{Cache, GROWING, SEGMENTS, open};
use crate::key::Key;
use crate::{Error, Look, entry};

/// What a cache takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many segments.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What was removed, and what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The segments that were removed, the least recently used first.
    pub removed: Usage,
    /// What killed writers had left behind.
    pub leftovers: Usage,
    /// What is in the cache now.
    pub left: Usage,
}

/// What a look at every byte has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The segments that are as they were made.
    pub sound: Usage,
    /// The others. They were removed.
    pub damaged: Vec<Damage>,
}

/// A file in a cache that is no sound segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it was.
    pub path: PathBuf,
    /// What was wrong with it.
    pub problem: String,
}

impl Usage {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.entries += 1;
        self.bytes += bytes;
    }
}

impl Cache {
    /// What the cache takes.
    ///
    /// # Errors
    /// When its folder cannot be listed.
    pub fn usage(&self) -> Result<Usage, Error> {
        let mut usage = Usage::default();
        for entry in self.entries()? {
            usage.add(entry.len);
        }
        Ok(usage)
    }

    /// Removes the least recently used segments until no more than `limit` bytes are left, and what killed writers have
    /// left behind.
    ///
    /// # Errors
    /// When its folder cannot be listed.
    pub fn prune(&self, limit: u64) -> Result<Pruned, Error> {
        let mut pruned = Pruned {
            leftovers: self.clear()?,
            ..Pruned::default()
        };
        let mut entries = self.entries()?;
        for entry in &entries {
            pruned.left.add(entry.len);
        }
        entries.sort_by(|one, other| (one.used, &one.path).cmp(&(other.used, &other.path)));
        for entry in entries {
            if pruned.left.bytes <= limit {
                break;
            }
            match std::fs::remove_file(&entry.path) {
                Ok(()) => pruned.removed.add(entry.len),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => {
                    let path = entry.path;
                    return Err(Error::Folder { path, source });
                }
            }
            pruned.left.entries -= 1;
            pruned.left.bytes -= entry.len;
        }
        Ok(pruned)
    }

    /// Reads every segment, has a look at its blocks, and removes those that are damaged. `seen` hears of each segment's
    /// bytes; when it answers false, the rest stays unread.
    ///
    /// # Errors
    /// When its folder cannot be listed.
    pub fn verify(&self, look: Look, seen: &mut dyn FnMut(u64) -> bool) -> Result<Verified, Error> {
        let mut verified = Verified::default();
        for entry in self.entries()? {
            match check(&entry.path, look) {
                Ok(()) => verified.sound.add(entry.len),
                Err(None) => {}
                Err(Some(problem)) => {
                    // Whoever finds it first removes it.
                    let _ = std::fs::remove_file(&entry.path);
                    let path = entry.path;
                    verified.damaged.push(Damage { path, problem });
                }
            }
            if !seen(entry.len) {
                break;
            }
        }
        Ok(verified)
    }

    /// Removes what is half written and nobody writes any more.
    fn clear(&self) -> Result<Usage, Error> {
        let mut cleared = Usage::default();
        for entry in list(&self.folder.join(GROWING))? {
            let Ok(file) = File::open(&entry.path) else {
                continue;
            };
            let abandoned = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
            if abandoned && std::fs::remove_file(&entry.path).is_ok() {
                cleared.add(entry.len);
            }
        }
        Ok(cleared)
    }

    pub(crate) fn entries(&self) -> Result<Vec<Listed>, Error> {
        let mut entries = Vec::new();
        for folder in list(&self.folder.join(SEGMENTS))? {
            if folder.is_folder {
                entries.extend(list(&folder.path)?);
            } else {
                entries.push(folder);
            }
        }
        Ok(entries)
    }
}

/// The segment that a file should be.
///
/// # Errors
/// What is wrong with the file's name.
pub(crate) fn key(path: &Path) -> Result<Key, String> {
    let name = path.file_name().and_then(|name| name.to_str());
    let key = name.and_then(|name| name.parse::<Key>().ok());
    key.ok_or_else(|| "its name is no key".to_string())
}

/// Checks one file. Nothing is wrong with one that has gone.
pub(crate) fn check(path: &Path, look: Look) -> Result<(), Option<String>> {
    let key = key(path).map_err(Some)?;
    let file = open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => None,
        _ => Some(error.to_string()),
    })?;
    let found = entry::open(file, &key).map_err(Some)?;
    entry::verify(&found, &key)
        .and_then(|()| look(&found))
        .map_err(Some)
}

/// Something in a folder of the cache.
pub(crate) struct Listed {
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    used: SystemTime,
    is_folder: bool,
}

/// What is in a folder, by name. Others may add to it and remove from it meanwhile.
#[expect(
    clippy::disallowed_methods,
    reason = "the cache's own folders, sorted here; no image depends on them"
)]
fn list(folder: &Path) -> Result<Vec<Listed>, Error> {
    let failed = |source| Error::Folder {
        path: folder.to_path_buf(),
        source,
    };
    let mut listed = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Ok(meta) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        listed.push(Listed {
            path,
            len: meta.len(),
            used: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            is_folder: meta.is_dir(),
        });
    }
    listed.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(listed)
}
