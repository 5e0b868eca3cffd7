//! A folder of outputs, which changes as a whole: one exchange of folders decides.
//!
//! ```text
//!  parent ─┬─ out ──────────── a, b                  what was there
//!          └─ .out.kiln-new ── a', b', and c         links to the new files, and to what else is in out
//!                        ▲
//!                        └── renameat2(EXCHANGE) ──► out has a', b' and c; the other one is removed
//! ```
//!
//! Files may lie in folders of that folder: these are made anew, with links to what else is in them.
//!
//! Until then the new files have no names, so that a process that is killed leaves what was there. Not every folder can be
//! exchanged: [`Obstacle`] says which. There files get their names one after the other.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, RenameFlags, StatxFlags, flock, renameat_with, statx};
use rustix::io::Errno;

use super::Written;
use super::below::{link, made, mirror, one_by_one};
use super::fresh::Fresh;
use super::nameless::{forget, naming, remember};
use crate::error::{Error, Result};
use crate::scan::list;

/// A folder that receives outputs. Nobody else puts some there meanwhile: the lock ends with the value, or with
/// the process.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The same without links on the way.
    real: PathBuf,
    /// It was made for these outputs, and goes when there are none.
    made: bool,
    lock: File,
}

/// Why files of a folder get their names one after the other, and not all in one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Something is mounted there, such as a container's volume.
    Mounted,
    /// This process works in it or below it: its user would stay in the folder that goes.
    WorkedIn,
    /// A folder lies in it, which cannot have two names.
    Folder(PathBuf),
    /// The system does not let it be exchanged, and says why.
    Refused(String),
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Obstacle::Mounted => f.write_str("something is mounted there"),
            Obstacle::WorkedIn => f.write_str("it is the working directory, or above it"),
            Obstacle::Folder(path) => write!(f, "there is a folder in it, {}", path.display()),
            Obstacle::Refused(why) => f.write_str(why),
        }
    }
}

impl Folder {
    /// Locks a folder, which is made when only its parent is there.
    ///
    /// # Errors
    /// When it is no folder, cannot be made, or another process has locked it.
    pub fn claim(path: &Path) -> Result<Folder> {
        let failed = |source| Error::Write {
            path: path.to_path_buf(),
            source,
        };
        let made = match std::fs::create_dir(path) {
            Ok(()) => {
                remember(path);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(failed(error)),
        };
        let lock = lock(path)?;
        Ok(Folder {
            path: path.to_path_buf(),
            real: std::fs::canonicalize(path).map_err(failed)?,
            made,
            lock,
        })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives all files their names, in place of the files that had them, and takes the names of `stale` from what
    /// has them, all in one moment. Everything else in the folder stays.
    ///
    /// Where that cannot be, says why, and does it one after the other: what is `stale` and what has the name of the
    /// `seal` go first, and the seal comes last, so that it is there when all are.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn keep(
        mut self,
        written: Vec<Written>,
        seal: Option<Written>,
        stale: &[PathBuf],
    ) -> Result<Option<Obstacle>> {
        let _naming = naming();
        // Files that have a name only there get another one as long as they have that.
        let mut new = None;
        let obstacle = self.exchange(written.iter().chain(&seal), stale, &mut new)?.err();
        if obstacle.is_some() {
            for folder in self.below(written.iter()) {
                made(&self.path.join(folder))?;
            }
            one_by_one(written, seal, stale)?;
        }
        drop(new);
        if std::mem::take(&mut self.made) {
            forget(&self.path);
        }
        Ok(obstacle)
    }

    /// The folders in this one that files will be in.
    fn below<'w>(&self, written: impl Iterator<Item = &'w Written>) -> BTreeSet<OsString> {
        let folder = |written: &Written| {
            let folder = written.path().parent()?.strip_prefix(&self.path).ok()?;
            Some(folder.as_os_str().to_os_string()).filter(|folder| !folder.is_empty())
        };
        written.filter_map(folder).collect()
    }

    /// Puts all files into a new folder, which is `new` then, and exchanges the two. Nothing has changed when something is in
    /// the way.
    fn exchange<'w>(
        &self,
        written: impl Iterator<Item = &'w Written> + Clone,
        stale: &[PathBuf],
        new: &mut Option<Fresh>,
    ) -> Result<Result<(), Obstacle>> {
        let failed = |source| Error::Write {
            path: self.path.clone(),
            source,
        };
        let old = self.lock.metadata().map_err(failed)?;
        let (Some(parent), Some(name)) = (self.real.parent(), self.real.file_name()) else {
            return Ok(Err(Obstacle::Mounted));
        };
        let below = self.below(written.clone());
        if let Some(obstacle) = self.in_the_way(&below).map_err(failed)? {
            return Ok(Err(obstacle));
        }
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(".kiln-new");
        let new = match Fresh::make(parent.join(hidden)) {
            Ok(fresh) => new.insert(fresh),
            Err(error) => return Ok(Err(Obstacle::Refused(error.to_string()))),
        };
        for folder in &below {
            made(&new.path.join(folder))?;
        }
        for written in written {
            let path = written.path();
            let name = path.strip_prefix(&self.path);
            let name = name.unwrap_or(Path::new(path.file_name().unwrap_or_default()));
            written
                .target
                .growing
                .link(&new.path.join(name))
                .map_err(|source| Error::Write {
                    path: path.to_path_buf(),
                    source,
                })?;
        }
        let stays = |name: &OsStr| !stale.iter().any(|path| path.file_name() == Some(name));
        for name in list(&self.real)? {
            let name = OsStr::from_bytes(&name);
            if !stays(name) || below.contains(name) {
                continue;
            }
            if let Err(errno) = link(&self.real.join(name), &new.path.join(name)) {
                return Ok(Err(Obstacle::Refused(errno.to_string())));
            }
        }
        for folder in &below {
            if let Err(error) = mirror(&self.real.join(folder), &new.path.join(folder)) {
                return Ok(Err(Obstacle::Refused(error.to_string())));
            }
        }
        if let Err(error) = new.resemble(&old) {
            return Ok(Err(Obstacle::Refused(error.to_string())));
        }
        match renameat_with(CWD, &new.path, CWD, &self.real, RenameFlags::EXCHANGE) {
            Ok(()) => {}
            // A file system that cannot exchange still puts a folder in the place of an empty one.
            Err(_) if std::fs::rename(&new.path, &self.real).is_ok() => {}
            Err(errno) => return Ok(Err(Obstacle::Refused(errno.to_string()))),
        }
        File::open(parent)
            .and_then(|folder| folder.sync_all())
            .map_err(failed)?;
        Ok(Ok(()))
    }

    /// What can be seen beforehand.
    fn in_the_way(&self, below: &BTreeSet<OsString>) -> io::Result<Option<Obstacle>> {
        let mount = |path: &Path| {
            let stat = statx(
                CWD,
                path,
                AtFlags::SYMLINK_NOFOLLOW,
                StatxFlags::MNT_ID | StatxFlags::BASIC_STATS,
            )?;
            Ok::<_, io::Error>((stat.stx_mnt_id, stat.stx_dev_major, stat.stx_dev_minor))
        };
        let parent = self.real.parent().unwrap_or(&self.real);
        if mount(&self.real)? != mount(parent)? {
            return Ok(Some(Obstacle::Mounted));
        }
        if std::fs::canonicalize(".").is_ok_and(|here| here.starts_with(&self.real)) {
            return Ok(Some(Obstacle::WorkedIn));
        }
        let inside = |folder: &Path, known: &BTreeSet<OsString>| {
            for name in list(&self.real.join(folder)).map_err(io::Error::other)? {
                let name = OsStr::from_bytes(&name);
                let path = self.path.join(folder).join(name);
                if std::fs::symlink_metadata(&path)?.is_dir() && !known.contains(name) {
                    return Ok(Some(Obstacle::Folder(path)));
                }
            }
            Ok::<_, io::Error>(None)
        };
        let none = BTreeSet::new();
        for folder in below {
            if self.real.join(folder).is_dir()
                && let Some(obstacle) = inside(Path::new(folder), &none)?
            {
                return Ok(Some(obstacle));
            }
        }
        inside(Path::new(""), below)
    }
}

/// How often a folder is locked again while others exchange it.
const CLAIMS_MAX: usize = 100;

/// Opens a folder and locks it.
fn lock(path: &Path) -> Result<File> {
    let failed = |source| Error::Write {
        path: path.to_path_buf(),
        source,
    };
    for _ in 0..CLAIMS_MAX {
        let opened = File::open(path).map_err(failed)?;
        if let Some(locked) = locked(opened, path)? {
            return Ok(locked);
        }
    }
    Err(Error::Busy {
        path: path.to_path_buf(),
    })
}

/// Locks a folder that was opened by this path. Nothing, when another process has exchanged it meanwhile: then the one that
/// was opened is going away, and its lock keeps nobody out.
fn locked(opened: File, path: &Path) -> Result<Option<File>> {
    let failed = |source| Error::Write {
        path: path.to_path_buf(),
        source,
    };
    let meta = opened.metadata().map_err(failed)?;
    if !meta.is_dir() {
        return Err(failed(io::ErrorKind::NotADirectory.into()));
    }
    match flock(&opened, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            return Err(Error::Busy {
                path: path.to_path_buf(),
            });
        }
        Err(errno) => return Err(failed(errno.into())),
    }
    let named = std::fs::metadata(path).map_err(failed)?;
    let is_same = (named.dev(), named.ino()) == (meta.dev(), meta.ino());
    Ok(is_same.then_some(opened))
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.made {
            // It stays when something else was put there meanwhile.
            let _ = std::fs::remove_dir(&self.path);
            forget(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::extents::{Image, Layout};
    use crate::progress::Silent;

    fn image(text: &str) -> Image {
        let mut layout = Layout::new();
        layout.put(0, "text", text.as_bytes().to_vec());
        layout.finish(text.len() as u64).unwrap()
    }

    fn keep(folder: Folder, files: &[(&str, &str)], stale: &[&str]) -> Option<Obstacle> {
        let write = |(name, text): &(&str, &str)| {
            super::super::write(&folder.path().join(name), &image(text), &Silent).unwrap()
        };
        let mut written: Vec<Written> = files.iter().map(write).collect();
        let seal = written.pop();
        let stale: Vec<PathBuf> = stale.iter().map(|name| folder.path().join(name)).collect();
        folder.keep(written, seal, &stale).unwrap()
    }

    /// Names and texts; a folder's text is its first name.
    fn found(folder: &Path) -> Vec<(String, String)> {
        let text = |path: &Path| match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(_) => list(path).unwrap().iter().map(|name| crate::show(name)).collect(),
        };
        let names = list(folder).unwrap();
        let names = names.iter().map(|name| crate::show(name));
        names
            .map(|name| (name.clone(), text(&folder.join(name))))
            .collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, text)| ((*name).into(), (*text).into()))
            .collect()
    }

    #[test]
    fn all_files_come_together_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        // A folder that was not there.
        assert_eq!(
            keep(Folder::claim(&out).unwrap(), &[("a", "1"), ("z", "1")], &[]),
            None
        );
        assert_eq!(found(&out), pairs(&[("a", "1"), ("z", "1")]));
        std::fs::write(out.join("others"), "stays").unwrap();
        std::os::unix::fs::symlink("nowhere", out.join("link")).unwrap();
        std::fs::set_permissions(&out, std::fs::Permissions::from_mode(0o2751)).unwrap();
        let inode = std::fs::metadata(&out).unwrap().ino();
        let claimed = Folder::claim(&out).unwrap();
        assert!(matches!(Folder::claim(&out), Err(Error::Busy { .. })));
        // What a killed process left beside it.
        std::fs::create_dir(dir.path().join(".out.kiln-new")).unwrap();
        std::fs::write(dir.path().join(".out.kiln-new/a"), "left").unwrap();
        assert_eq!(keep(claimed, &[("a", "2"), ("b", "2")], &["z"]), None);
        assert_eq!(
            std::fs::read_link(out.join("link")).unwrap(),
            Path::new("nowhere")
        );
        std::fs::remove_file(out.join("link")).unwrap();
        assert_eq!(found(&out), pairs(&[("a", "2"), ("b", "2"), ("others", "stays")]));
        let meta = std::fs::metadata(&out).unwrap();
        assert_eq!(meta.mode() & 0o7777, 0o2751);
        assert_ne!(meta.ino(), inode, "it was exchanged");
        assert_eq!(found(dir.path()), pairs(&[("out", "abothers")]));
    }

    #[test]
    fn what_cannot_be_exchanged_changes_file_by_file() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        std::fs::create_dir_all(out.join("folder/deep")).unwrap();
        std::fs::write(out.join("old"), "0").unwrap();
        let obstacle = keep(
            Folder::claim(&out).unwrap(),
            &[("a", "1"), ("last", "1")],
            &["old"],
        );
        assert_eq!(obstacle, Some(Obstacle::Folder(out.join("folder"))));
        assert_eq!(
            found(&out),
            pairs(&[("a", "1"), ("folder", "deep"), ("last", "1")])
        );
        assert_eq!(found(dir.path()), pairs(&[("out", "afolderlast")]));
        std::fs::remove_dir_all(&out).unwrap();
        // Somebody else's, so to speak.
        std::fs::write(dir.path().join(".out.kiln-new"), "precious").unwrap();
        let obstacle = keep(Folder::claim(&out).unwrap(), &[("a", "1")], &[]);
        assert!(matches!(obstacle, Some(Obstacle::Refused(_))), "{obstacle:?}");
        assert_eq!(found(&out), pairs(&[("a", "1")]));
        assert_eq!(
            std::fs::read(dir.path().join(".out.kiln-new")).unwrap(),
            b"precious"
        );
    }

    /// A name whose path is short enough for Linux in the old folder, and too long in the new one.
    #[test]
    fn what_is_refused_late_changes_file_by_file() {
        const PATH_MAX: usize = 4095;
        let dir = tempfile::tempdir().unwrap();
        let mut out = dir.path().canonicalize().unwrap();
        let long = "n".repeat(255);
        let wanted = PATH_MAX - 5 - 1 - long.len();
        while wanted - out.as_os_str().len() > 240 {
            out.push("d".repeat(100));
        }
        out.push("o".repeat(wanted - out.as_os_str().len() - 1));
        std::fs::create_dir_all(&out).unwrap();
        std::fs::write(out.join(&long), "0").unwrap();
        let obstacle = keep(Folder::claim(&out).unwrap(), &[("a", "1"), ("b", "2")], &[]);
        assert!(matches!(obstacle, Some(Obstacle::Refused(_))), "{obstacle:?}");
        assert_eq!(found(&out), pairs(&[("a", "1"), ("b", "2"), (&long, "0")]));
        assert_eq!(list(out.parent().unwrap()).unwrap().len(), 1);
    }

    /// Between opening and locking, a folder may be exchanged: the lock would be on the one that goes away.
    #[test]
    fn the_folder_that_is_locked_is_the_one_that_has_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let opened = File::open(&out).unwrap();
        assert_eq!(keep(Folder::claim(&out).unwrap(), &[("a", "1")], &[]), None);
        assert!(locked(opened, &out).unwrap().is_none());
        assert!(locked(File::open(&out).unwrap(), &out).unwrap().is_some());
        drop(Folder::claim(&out).unwrap());
    }

    #[test]
    fn a_folder_that_got_nothing_goes_again() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        drop(Folder::claim(&out).unwrap());
        assert!(!out.exists());
        std::fs::create_dir(&out).unwrap();
        drop(Folder::claim(&out).unwrap());
        assert!(out.exists());
        assert!(matches!(
            Folder::claim(&out.join("deep/er")),
            Err(Error::Write { .. })
        ));
        std::fs::write(dir.path().join("file"), "").unwrap();
        assert!(matches!(
            Folder::claim(&dir.path().join("file")),
            Err(Error::Write { .. })
        ));
    }
}
