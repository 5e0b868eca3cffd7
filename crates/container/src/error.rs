//! What can go wrong with containers, and whose fault it is.

use std::io;

use image::Fault;

use crate::Format;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a container.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A disk that the container's readers do not take.
    #[error("the disk has {size} bytes, {format} needs a multiple of {multiple}; the next is {}", next(*size, *multiple))]
    NotAMultiple {
        /// The container.
        format: Format,
        /// The disk's bytes.
        size: u64,
        /// What they have to be a multiple of.
        multiple: u64,
    },
    /// A disk without bytes.
    #[error("the disk is empty, and {format} needs at least {multiple} bytes")]
    Empty {
        /// The container.
        format: Format,
        /// The least.
        multiple: u64,
    },
    /// A disk that the container cannot say the size of.
    #[error("the disk has {size} bytes, {format} has at most {max}")]
    TooLarge {
        /// The container.
        format: Format,
        /// The disk's bytes.
        size: u64,
        /// The most.
        max: u64,
    },
    /// What is stored of a disk does not fit.
    #[error("{format} would be a file of {size} bytes, and can have at most {max}")]
    FileTooLarge {
        /// The container.
        format: Format,
        /// The file's bytes.
        size: u64,
        /// The most.
        max: u64,
    },
    /// A disk whose sectors are not the container's.
    #[error("the disk has sectors of {sector_size} bytes, and {format} has sectors of 512 bytes")]
    SectorSize {
        /// The container.
        format: Format,
        /// The disk's.
        sector_size: u64,
    },
    /// A compressor that the container does not have.
    #[error("{format} has no compression {name:?}; it has: {}", known.join(", "))]
    Compression {
        /// The container.
        format: Format,
        /// What was asked for.
        name: &'static str,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// A level that the compressor does not have.
    #[error("{level}: levels of {compression} are {min} to {max}")]
    Level {
        /// The compressor.
        compression: &'static str,
        /// What was asked for.
        level: u32,
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// A level without anything that has levels.
    #[error("{level}: means nothing for {format} without compression")]
    NoLevels {
        /// The container.
        format: Format,
        /// What was asked for.
        level: u32,
    },
    /// Threads or compressors cannot be made.
    #[error("{format} cannot be compressed: {problem}")]
    Compressing {
        /// The container.
        format: Format,
        /// What failed.
        problem: String,
    },
    /// What is read is damaged.
    #[error("the {format} is damaged: {problem}")]
    Damaged {
        /// The container.
        format: Format,
        /// What is wrong.
        problem: String,
    },
    /// What is read is intact, and more than what is understood here.
    #[error("the {format} cannot be read here: {what}")]
    Unsupported {
        /// The container.
        format: Format,
        /// What it has.
        what: String,
    },
    /// A container cannot be read.
    #[error("cannot read the {format} at byte {start}: {source}")]
    Read {
        /// The container.
        format: Format,
        /// The first byte that was wanted.
        start: u64,
        /// What the system says.
        source: io::Error,
    },
    /// Contents and images.
    #[error(transparent)]
    Image(#[from] image::Error),
}

/// The next multiple, where there is one.
fn next(size: u64, multiple: u64) -> u64 {
    size.checked_next_multiple_of(multiple).unwrap_or(u64::MAX)
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::NotAMultiple { .. }
            | Error::Empty { .. }
            | Error::SectorSize { .. }
            | Error::Compression { .. }
            | Error::Level { .. }
            | Error::NoLevels { .. } => Fault::Request,
            Error::TooLarge { .. } | Error::FileTooLarge { .. } => Fault::Limit,
            Error::Compressing { .. } => Fault::Output,
            Error::Damaged { .. } => Fault::Damaged,
            Error::Unsupported { .. } | Error::Read { .. } => Fault::Input,
            Error::Image(error) => error.fault(),
        }
    }

    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::NotAMultiple { .. } => {
                Some("without `size`, a disk is as large as its outputs need".into())
            }
            _ => None,
        }
    }
}
