//! GRUB's own folder for machines with a BIOS.

use std::path::PathBuf;

use image::Content;

use crate::{Error, Result};

/// A folder `lib/grub/i386-pc`, as GRUB's packages have it.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// More bytes than any file of GRUB's has.
const FILE_LEN_MAX: u64 = 4 << 20;

impl Folder {
    /// The folder at a path.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Folder {
        Folder(path.into())
    }

    /// What messages call it.
    pub(crate) fn shown(&self) -> String {
        self.0.display().to_string()
    }

    /// A file's bytes.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>> {
        let content = Content::host_file(self.0.join(name))?;
        if content.len() > FILE_LEN_MAX {
            let problem = format!("has {} bytes, and no file of GRUB's has that many", content.len());
            return Err(self.bad(name, problem));
        }
        Ok(content.to_vec()?)
    }

    /// A file with this many bytes.
    pub(crate) fn read_exactly<const LEN: usize>(&self, name: &str) -> Result<[u8; LEN]> {
        let bytes = self.read(name)?;
        let len = bytes.len();
        bytes
            .try_into()
            .map_err(|_| self.bad(name, format!("has {len} bytes, and should have {LEN}")))
    }

    /// What is wrong with a file.
    pub(crate) fn bad(&self, name: &str, problem: impl Into<String>) -> Error {
        Error::BadFile {
            file: self.0.join(name).display().to_string(),
            problem: problem.into(),
        }
    }
}
