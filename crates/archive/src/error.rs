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
    /// It is none, or damaged.
    #[error("{}: {problem} at byte {position}", archive.display())]
    Damaged {
        /// Its path.
        archive: PathBuf,
        /// The place, in what was decompressed.
        position: u64,
        /// What is wrong there.
        problem: &'static str,
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
            Error::Read { .. } | Error::Damaged { .. } | Error::Entry { .. } => Fault::Input,
            Error::Image(error) => error.fault(),
        }
    }
}
