//! What can go wrong with GRUB's files, and with what is asked of them.

use image::Fault;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of core images.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of GRUB's folder cannot be read.
    #[error("{0}")]
    Read(#[from] image::Error),
    /// A file that is not what it should be.
    #[error("{file}: {problem}")]
    BadFile {
        /// Its path.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Modules that the folder does not have.
    #[error("{folder}: has no module {}", names.join(", "))]
    NoModules {
        /// The folder.
        folder: String,
        /// Their names.
        names: Vec<String>,
    },
    /// A text that ends where a zero byte is.
    #[error("{what} has a zero byte in it, which would end it")]
    ZeroByte {
        /// The prefix, or the config.
        what: &'static str,
    },
    /// More than there is memory for before the boot loader has switched its mode.
    #[error(
        "GRUB's core image has {len} bytes, {} more than the {limit} that a BIOS can load: name fewer modules",
        len - limit
    )]
    TooLarge {
        /// Its bytes.
        len: u64,
        /// The most that there may be.
        limit: u64,
    },
    /// A command line that the kernel would cut off.
    #[error(
        "{system}: the kernel's command line has {len} bytes, and Linux takes no more than {limit}: the rest would be cut off"
    )]
    CommandLineTooLong {
        /// The system.
        system: String,
        /// The line's bytes, with what GRUB adds.
        len: usize,
        /// The most that there may be.
        limit: usize,
    },
    /// Something that a menu of GRUB's cannot hand to the kernel.
    #[error("{system}: {problem}")]
    BadParameters {
        /// The system.
        system: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// liblzma cannot go on.
    #[error("GRUB's core image cannot be compressed: {0}")]
    Compress(String),
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::Read(error) => error.fault(),
            Error::BadFile { .. }
            | Error::CommandLineTooLong { .. }
            | Error::BadParameters { .. }
            | Error::Compress(_) => Fault::Input,
            Error::NoModules { .. } | Error::ZeroByte { .. } => Fault::Request,
            Error::TooLarge { .. } => Fault::Limit,
        }
    }
}
