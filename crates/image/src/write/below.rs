//! Folders in a folder of outputs, and how files get their names one by one.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, linkat};
use rustix::io::Errno;

use super::{Written, remove};
use crate::error::{Error, Result};
use crate::scan::list;

/// Makes a folder that may be there.
pub(super) fn made(path: &Path) -> Result<()> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made.map_err(|source| Error::Write {
            path: path.to_path_buf(),
            source,
        }),
    }
}

/// Gives a file one more name, unless something has it.
pub(super) fn link(from: &Path, to: &Path) -> io::Result<()> {
    match linkat(CWD, from, CWD, to, AtFlags::empty()) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Gives files of a folder, if it is there, the same names in another one, which is on the disk then.
pub(super) fn mirror(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::metadata(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(old) => {
            for name in list(from).map_err(io::Error::other)? {
                let name = OsStr::from_bytes(&name);
                link(&from.join(name), &to.join(name))?;
            }
            let new = std::fs::metadata(to)?;
            if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
                chown(to, Some(old.uid()), Some(old.gid()))?;
            }
            std::fs::set_permissions(to, Permissions::from_mode(old.mode() & 0o7777))?;
        }
    }
    File::open(to)?.sync_all()
}

/// Gives files their names one after the other.
pub(super) fn one_by_one(written: Vec<Written>, seal: Option<Written>, stale: &[PathBuf]) -> Result<()> {
    if let Some(seal) = &seal {
        seal.clear()?;
    }
    for path in stale {
        remove(path)?;
    }
    written.into_iter().chain(seal).try_for_each(Written::rename)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Folder, Target, Written};
    use crate::extents::{Image, Layout};
    use crate::progress::Silent;

    fn image(text: &str) -> Image {
        let mut layout = Layout::new();
        layout.put(0, "text", text.as_bytes().to_vec());
        layout.finish(text.len() as u64).unwrap()
    }

    fn written(out: &Path, name: &str, text: &str) -> Written {
        let target = Target::claim(&out.join(format!(".in.{name}"))).unwrap();
        target.below("in", name).write(&image(text), &Silent).unwrap()
    }

    fn text(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn files_in_folders_come_with_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        for version in ["1", "2"] {
            let folder = Folder::claim(&out).unwrap();
            let mut files = vec![written(&out, "same", version), written(&out, version, version)];
            assert_eq!(out.join("in/same").exists(), version == "2");
            files.push(super::super::write(&out.join("top"), &image(version), &Silent).unwrap());
            assert_eq!(folder.keep(files, None, &[]).unwrap(), None);
            assert_eq!(
                [text(&out.join("in/same")), text(&out.join("top"))],
                [version, version]
            );
        }
        // What else is there stays.
        assert_eq!([text(&out.join("in/1")), text(&out.join("in/2"))], ["1", "2"]);
        // A folder that cannot be made anew is filled file by file.
        std::fs::create_dir(out.join("in/deep")).unwrap();
        let folder = Folder::claim(&out).unwrap();
        let files = vec![written(&out, "same", "3"), written(&out, "new", "3")];
        assert!(folder.keep(files, None, &[]).unwrap().is_some());
        assert_eq!(
            [text(&out.join("in/same")), text(&out.join("in/new"))],
            ["3", "3"]
        );
        assert!(out.join("in/deep").is_dir());
        // None is there yet, and something else is in the way.
        std::fs::create_dir(out.join("other")).unwrap();
        std::fs::remove_dir_all(out.join("in")).unwrap();
        let folder = Folder::claim(&out).unwrap();
        let files = vec![written(&out, "same", "4")];
        assert!(folder.keep(files, None, &[]).unwrap().is_some());
        assert_eq!(text(&out.join("in/same")), "4");
    }
}
