//! What can go wrong with archives.

use std::io;
use std::path::PathBuf;

use image::Fault;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an archive cannot become a tree.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read, or not be decompressed.
    #[error("{}: cannot be read: {source}", archive.display())]
    Read {
        /// Its path.
        archive: PathBuf,
        /// What the system or the decompressor says.
        source: io::Error,
    },
    /// It is none.
    #[error(
        "{}: is no tar archive{}; tar is read as it is, or compressed with gzip, bzip2, xz or zstd",
        archive.display(),
        found.map(|found| format!(": it is {found}")).unwrap_or_default()
    )]
    NoArchive {
        /// Its path.
        archive: PathBuf,
        /// What it seems to be.
        found: Option<&'static str>,
    },
    /// It is damaged.
    #[error("{}: {problem} at byte {position}", archive.display())]
    Damaged {
        /// Its path.
        archive: PathBuf,
        /// The place, in what was decompressed.
        position: u64,
        /// What is wrong there.
        problem: &'static str,
    },
    /// Nothing tells that it is whole.
    #[error("{}: ends without the blocks of zeros that end an archive, after {len} bytes; it may have been cut off", archive.display())]
    NoEnd {
        /// Its path.
        archive: PathBuf,
        /// Its length.
        len: u64,
    },
    /// Another archive behind the first, which would get lost.
    #[error("{}: an entry behind the end of the archive, at byte {position}", archive.display())]
    BehindEnd {
        /// Its path.
        archive: PathBuf,
        /// The entry's place, in what was decompressed.
        position: u64,
    },
    /// Something in it that cannot be in a tree.
    #[error("{}: {entry}: {problem}", archive.display())]
    Entry {
        /// The archive's path.
        archive: PathBuf,
        /// The path in it.
        entry: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A tree that cannot be, a spool that cannot be written, or the user's wish to stop.
    #[error(transparent)]
    Image(#[from] image::Error),
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::Read { .. }
            | Error::NoArchive { .. }
            | Error::Damaged { .. }
            | Error::NoEnd { .. }
            | Error::BehindEnd { .. }
            | Error::Entry { .. } => Fault::Input,
            Error::Image(error) => error.fault(),
        }
    }

    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::NoArchive { .. } => {
                "a tree is a folder or a tar archive (v7, ustar, pax or GNU), plain or compressed by gzip, bzip2, xz or zstd"
                    .to_string()
            }
            Error::NoEnd { archive, .. } => format!(
                "if it is whole, `truncate -s +1024 {}` adds its end; or compress it, and the compressor vouches for it",
                archive.display()
            ),
            Error::BehindEnd { .. } => {
                "several archives are joined by `tar --concatenate`, not by `cat`; or unpack them with `tar --ignore-zeros`"
                    .to_string()
            }
            _ => return None,
        };
        Some(hint)
    }
}
