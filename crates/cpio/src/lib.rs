//! Archives for the initial file system of Linux: cpio in the format newc.
//!
//! ```text
//!  070701 … 13 numbers, 8 hexadecimal digits each     what an entry is
//!  name, 0                                            up to a multiple of 4
//!  bytes                                              up to a multiple of 4
//!  …
//!  070701 … TRAILER!!!
//! ```
//!
//! Linux unpacks one archive behind the other, compressed or not, and a later file takes the place of an earlier one of its
//! name. So what an initrd lacks is appended to it: [`append`] puts an archive behind what is there, at a multiple of 4, as
//! Linux wants it of archives that are not compressed. The files' bytes are contents like any others: nothing is copied
//! before it is written.
//!
//! Everything is root's, and has the time stamp 1. Folders come before what is in them.
//!
//! <https://docs.kernel.org/driver-api/early-userspace/buffer-format.html>

use std::collections::BTreeSet;
use std::fmt::Write as _;

use image::{Content, Fault, Image, Layout};

/// What each entry begins with.
pub const MAGIC: &str = "070701";

/// The name of the last entry.
pub const TRAILER: &str = "TRAILER!!!";

/// The longest file: its length has eight hexadecimal digits.
pub const FILE_MAX: u64 = u32::MAX as u64;

/// The longest path that Linux unpacks, with the zero behind it.
pub const PATH_MAX: usize = 4096;

/// Bytes of an entry before its name.
const HEADER_LEN: u64 = 110;

/// What is the multiple of everything.
const UNIT: u64 = 4;

/// The modes of folders and files.
const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_444;

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that is longer than the format can say.
    #[error("{path}: {len} bytes, a file in an initrd has at most {FILE_MAX}")]
    FileTooLarge {
        /// Its path.
        path: String,
        /// How many.
        len: u64,
    },
    /// A path that cannot be.
    #[error("{path:?}: must be a path from /, without . and .., of less than {PATH_MAX} bytes")]
    BadPath {
        /// The path.
        path: String,
    },
    /// Something does not fit together.
    #[error(transparent)]
    Image(#[from] image::Error),
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::FileTooLarge { .. } => Fault::Limit,
            Error::BadPath { .. } => Fault::Request,
            Error::Image(error) => error.fault(),
        }
    }
}

/// Puts an archive of files, by their paths from `/`, behind other archives, which come one behind the other.
///
/// # Errors
/// When a path cannot be one, or a file is too long.
pub fn append(before: &[Content], files: &[(&str, Content)]) -> Result<Image, Error> {
    let mut archive = Archive::default();
    for content in before {
        // Linux takes one that is not compressed for something else where it begins elsewhere.
        archive.pad();
        archive.put("initrd", content.clone());
    }
    let mut folders = BTreeSet::new();
    for (path, content) in files {
        let name = name(path)?;
        for (end, _) in name.match_indices('/') {
            if folders.insert(&name[..end]) {
                archive.entry(&name[..end], FOLDER, Content::Zeros(0), path)?;
            }
        }
        archive.entry(name, FILE, content.clone(), path)?;
    }
    archive.header(TRAILER, 0, 0);
    archive.pad();
    let size = archive.position;
    Ok(archive.layout.finish(size)?)
}

/// A path as an archive has it.
fn name(path: &str) -> Result<&str, Error> {
    let name = path.strip_prefix('/').unwrap_or_default();
    let is_name = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    if name.split('/').all(is_name) && name.len() < PATH_MAX && name != TRAILER {
        return Ok(name);
    }
    Err(Error::BadPath { path: path.into() })
}

#[derive(Default)]
struct Archive {
    layout: Layout,
    position: u64,
    entries: u32,
}

impl Archive {
    fn entry(&mut self, name: &str, mode: u32, content: Content, path: &str) -> Result<(), Error> {
        let len = content.len();
        let Ok(short) = u32::try_from(len) else {
            let path = path.to_string();
            return Err(Error::FileTooLarge { path, len });
        };
        self.header(name, mode, short);
        self.put(path, content);
        Ok(())
    }

    fn header(&mut self, name: &str, mode: u32, len: u32) {
        self.pad();
        let is_trailer = mode == 0;
        self.entries += u32::from(!is_trailer);
        let inode = if is_trailer { 0 } else { self.entries };
        let name_len = u32::try_from(name.len() + 1).unwrap_or(u32::MAX);
        let time = u32::from(!is_trailer);
        // Inode, mode, owner, group, links, time, length, two devices with two numbers each, the name's length, no checksum.
        let fields = [inode, mode, 0, 0, 1, time, len, 0, 0, 0, 0, name_len, 0];
        let mut text = MAGIC.to_string();
        for field in fields {
            let _ = write!(text, "{field:08X}");
        }
        debug_assert_eq!(text.len() as u64, HEADER_LEN);
        text.push_str(name);
        text.push('\0');
        self.put("header", Content::from(text.into_bytes()));
        self.pad();
    }

    fn put(&mut self, label: &str, content: Content) {
        let len = content.len();
        self.layout.put(self.position, label, content);
        self.position += len;
    }

    /// Zeros up to a multiple of 4. Linux skips them, and relies on them.
    fn pad(&mut self) {
        let missing = self.position.next_multiple_of(UNIT) - self.position;
        self.put("padding", Content::Zeros(missing));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(before: &[&[u8]], files: &[(&str, &[u8])]) -> Vec<u8> {
        let before: Vec<Content> = before.iter().map(|bytes| Content::from(*bytes)).collect();
        let files: Vec<(&str, Content)> = files
            .iter()
            .map(|(path, bytes)| (*path, Content::from(*bytes)))
            .collect();
        Content::from(append(&before, &files).unwrap()).to_vec().unwrap()
    }

    #[test]
    fn archives_begin_where_linux_looks_for_them() {
        let text = bytes(&[b"12345", b"0707016", b"789"], &[]);
        assert!(
            text.starts_with(b"12345\0\0\x000707016\x00789\x00070701"),
            "{text:?}"
        );
    }

    #[test]
    fn byte_for_byte() {
        let text = bytes(&[b"12345"], &[("/a", b"xyz")]);
        let header = |rest: &str| format!("070701{rest}");
        let file = header(concat!(
            "00000001", "00008124", "00000000", "00000000", "00000001", "00000001", "00000003", "00000000",
            "00000000", "00000000", "00000000", "00000002", "00000000", "a\0"
        ));
        let trailer = header(concat!(
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000001",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "0000000B",
            "00000000",
            "TRAILER!!!\0"
        ));
        let wanted = format!("12345\0\0\0{file}xyz\0{trailer}\0\0\0");
        assert_eq!(String::from_utf8(text).unwrap(), wanted);
    }

    #[test]
    fn paths_and_lengths_have_ends() {
        let long = format!("/{}", "x".repeat(PATH_MAX));
        for path in [
            "",
            "a",
            "/",
            "//a",
            "/a/",
            "/a/../b",
            "/./a",
            "/a\0b",
            "/TRAILER!!!",
            &long,
        ] {
            let refused = append(&[], &[(path, Content::Zeros(1))]);
            assert!(matches!(refused, Err(Error::BadPath { .. })), "{path}");
        }
        assert!(append(&[], &[(&long[..PATH_MAX], Content::Zeros(FILE_MAX))]).is_ok());
        let error = append(&[], &[("/a", Content::Zeros(FILE_MAX + 1))]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/a: 4294967296 bytes, a file in an initrd has at most 4294967295"
        );
    }
}
