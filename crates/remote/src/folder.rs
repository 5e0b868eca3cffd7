//! Objects that are files in a folder.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use image::Nameless;

use crate::address::absolute;
use crate::error::{Error, Result};
use crate::{Object, Open, Stream};

#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Folder {
        Folder { path: path.into() }
    }

    pub(crate) fn get(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        let Some((file, _)) = self.open(key)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|source| self.failed(key, source))?;
        if bytes.len() as u64 > limit {
            return Err(Error::TooLarge {
                object: self.name(key),
                limit,
            });
        }
        Ok(Some(Object {
            bytes,
            encoding: None,
        }))
    }

    pub(crate) fn stream(&self, key: &str, start: u64) -> Result<Option<Stream<'_>>> {
        let Some((mut file, len)) = self.open(key)? else {
            return Ok(None);
        };
        file.seek(SeekFrom::Start(start))
            .map_err(|source| self.failed(key, source))?;
        Ok(Some(Stream::file(file, len.saturating_sub(start))))
    }

    pub(crate) fn has(&self, key: &str) -> Result<bool> {
        Ok(self.path.is_dir() && self.open(key)?.is_some())
    }

    /// A file appears whole or not at all.
    pub(crate) fn put(&self, key: &str, len: u64, open: &Open) -> Result<()> {
        let path = self.place(key)?;
        let folder = path.parent().unwrap_or(&self.path);
        let put = || {
            std::fs::create_dir_all(folder)?;
            let growing = Nameless::create(&path, 0o644)?;
            let copied = io::copy(&mut open()?.take(len), &mut growing.file())?;
            if copied < len {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            growing.replace(&path)
        };
        put().map_err(|source| self.failed(key, source))
    }

    fn open(&self, key: &str) -> Result<Option<(File, u64)>> {
        let path = self.place(key)?;
        match image::open_regular(&path) {
            Ok((file, meta)) => Ok(Some((file, meta.len()))),
            Err(error) if error.kind() == ErrorKind::NotFound && self.path.is_dir() => Ok(None),
            Err(error) => Err(self.failed(key, error)),
        }
    }

    /// The file of a key, which never lies outside of the folder.
    fn place(&self, key: &str) -> Result<PathBuf> {
        if absolute(key) {
            let problem = "is an address, and a folder has files only";
            let failed = io::Error::new(ErrorKind::InvalidInput, problem);
            return Err(self.failed(key, failed));
        }
        let names = || key.split('/');
        if names().any(|name| matches!(name, "" | "." | "..")) || key.contains('\0') {
            return Err(self.failed(
                key,
                io::Error::new(ErrorKind::InvalidInput, "leads out of the folder"),
            ));
        }
        Ok(names().fold(self.path.clone(), |path, name| path.join(name)))
    }

    fn name(&self, key: &str) -> String {
        self.path.join(key).display().to_string()
    }

    fn failed(&self, key: &str, source: io::Error) -> Error {
        Error::File {
            object: self.name(key),
            source,
        }
    }
}
