//! What can go wrong with hash trees.

use std::fmt;

use image::Fault;

use crate::{BLOCK_SIZE, SALT_MAX, SIGNATURE_SIZE};

/// What a block is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The data.
    Data,
    /// A level of the tree; level 0 has the digests of the data.
    Level(usize),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Data => f.write_str("data"),
            Part::Level(level) => write!(f, "level {level} of the hash tree"),
        }
    }
}

/// What can go wrong with hash trees.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A salt that the superblock has no room for.
    #[error("a verity salt of {0} bytes: the limit is {SALT_MAX}")]
    SaltTooLong(usize),
    /// Data that are not whole blocks, or none at all.
    #[error("a hash tree over {len} bytes: must be a multiple of {BLOCK_SIZE}, and at least one block")]
    DataLen {
        /// The data's bytes.
        len: u64,
    },
    /// A tree that is too long or too short for its data.
    #[error("the hash tree has {len} bytes, but that of {data_len} bytes of data has {wanted}")]
    TreeLen {
        /// The tree's bytes.
        len: u64,
        /// The data's bytes.
        data_len: u64,
        /// The bytes of the tree of so many data.
        wanted: u64,
    },
    /// A block whose hash is not the one that its parent has.
    #[error("{part}: block {block} at byte {start} does not have the hash that {parent} has for it")]
    Mismatch {
        /// What the block is part of.
        part: Part,
        /// The block's number in it.
        block: u64,
        /// The block's first byte in what was read.
        start: u64,
        /// What has its hash: the level above, or whoever asked.
        parent: Parent,
    },
    /// Bytes behind the last digest of a level that are not zeros.
    #[error("{part}: block {block} at byte {start} has more than zeros behind its last digest")]
    Padding {
        /// The level.
        part: Part,
        /// The block's number in it.
        block: u64,
        /// The block's first byte in what was read.
        start: u64,
    },
    /// A superblock that is none.
    #[error("damaged verity superblock: {0}")]
    Superblock(String),
    /// A superblock with parameters that nobody uses.
    #[error("verity superblock with {0}: cannot be read")]
    Unsupported(String),
    /// A signature that a signature partition has no room for.
    #[error(
        "a signature of {len} bytes makes {size} bytes of a signature partition, which has {SIGNATURE_SIZE}"
    )]
    SignatureTooLong {
        /// The signature's bytes.
        len: usize,
        /// The bytes of the partition's text.
        size: usize,
    },
    /// A signature partition that is none.
    #[error("damaged verity signature: {0}")]
    Signature(String),
    /// What is to be checked cannot be read.
    #[error("{part}: cannot be read at byte {start}: {source}")]
    Read {
        /// What was read.
        part: Part,
        /// The first byte that was asked for.
        start: u64,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system has no thread left to give.
    #[error("cannot start a thread: {0}")]
    NoThread(std::io::Error),
    /// Contents, spool or layout.
    #[error(transparent)]
    Image(#[from] image::Error),
}

/// What has a block's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    /// The root hash is it.
    Root,
    /// A level of the tree.
    Level(usize),
}

impl fmt::Display for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Parent::Root => f.write_str("the root hash"),
            Parent::Level(level) => write!(f, "level {level}"),
        }
    }
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::SaltTooLong(_) | Error::DataLen { .. } => Fault::Request,
            Error::TreeLen { .. }
            | Error::Mismatch { .. }
            | Error::Padding { .. }
            | Error::Superblock(_)
            | Error::Signature(_) => Fault::Damaged,
            Error::SignatureTooLong { .. } => Fault::Limit,
            Error::Unsupported(_) | Error::Read { .. } => Fault::Input,
            Error::NoThread(_) => Fault::Output,
            Error::Image(error) => error.fault(),
        }
    }
}

impl From<image::Cancelled> for Error {
    fn from(cancelled: image::Cancelled) -> Self {
        Error::Image(cancelled.into())
    }
}
