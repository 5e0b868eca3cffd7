//! SquashFS 4.0: trees become images, and images are read back.
//!
//! ```text
//!  superblock │ data: segments of compressed blocks │ inodes │ directories │ fragments │ export │ ids │ xattrs
//!             └─ 4 KiB                              └─ tables of 8 KiB blocks, compressed one by one
//!
//!  segment    glibc-2.40                bash-5.2   [ a … f ]             zstd-1.5        files of no unit
//!             ├ blocks of large files   │          └ bucket of small     │               │
//!             ├ fragment blocks         │            units               │               │
//!             └ 4 KiB-aligned           └            └                   └               └
//! ```
//!
//! A file of at least one block is stored in blocks of its own; smaller ones share *fragment blocks*. Others
//! cut fragment blocks wherever they are full, so one changed file moves all bytes behind it. Here the data of
//! one [unit](image::Unit) (a store path) is one *segment*: it starts at a multiple of 4 KiB, holds the unit's
//! files in the order of their names, and shares no fragment block with another unit. So every block depends on
//! the unit alone, and so does the segment, but for large files that an earlier segment holds already: those it
//! leaves out. Units smaller than a block share a segment, a *bucket*; buckets are cut after units whose
//! name's hash says so, which makes a new unit change one bucket.
//!
//! Files that are compressed already can be [stored](Options::stored): they come last, each in one run of whole
//! blocks, and stay where they are until the image is written.
//!
//! [`plan()`] decides what goes into which block before anything is compressed; then threads compress the blocks
//! in any order and one of them puts the results into a spool in the planned order. So the image is the same
//! for any number of threads, and memory holds a few blocks a thread. A slow compressor does not get what a quick look
//! (`probe.rs`) says to be hopeless.
//!
//! What a segment holds is known before it is compressed, so it has a name then: a hash of what its bytes depend on. With
//! that name it can be found in a [cache], or in an image that was made earlier, and is not compressed again.
//!
//! [`read`] goes the other way and expects the worst of its input.

mod compress;
mod decompress;
mod format;
mod plan;
mod probe;
pub mod read;
mod segment;

pub use plan::{Outline, Planned, Reuse, UnitUsage, Work, at_most, make_segments, outlines, plan};
pub use segment::check_segment;

use std::collections::BTreeSet;

use image::{Fault, NodeId};

/// The smallest block.
pub const BLOCK_SIZE_MIN: u32 = 4 << 10;
/// The largest block.
pub const BLOCK_SIZE_MAX: u32 = 1 << 20;

/// How an image is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a data block: a power of two from [`BLOCK_SIZE_MIN`] to [`BLOCK_SIZE_MAX`].
    pub block_size: u32,
    /// How blocks and tables are compressed.
    pub compression: Compression,
    /// The time of making that the superblock shows, in seconds since 1970.
    pub time: u32,
    /// Files of the tree that are stored as they are, because they are compressed already: each in one run of blocks
    /// that starts at a multiple of 4096 bytes, without fragments, and without a look for others with the same bytes.
    /// Blocks without data take no space. Their bytes do not go through the spool: the image refers to the files
    /// themselves.
    pub stored: BTreeSet<NodeId>,
}

impl Options {
    /// Checks the options alone.
    ///
    /// # Errors
    /// When the block size or the level is outside the format's limits.
    pub fn check(&self) -> Result<(), Error> {
        let block_size = self.block_size;
        if !block_size.is_power_of_two() || !(BLOCK_SIZE_MIN..=BLOCK_SIZE_MAX).contains(&block_size) {
            return Err(Error::BlockSize(block_size));
        }
        self.compression.check()
    }
}

impl Default for Options {
    /// Blocks of 1 MiB, zstd at level 19.
    fn default() -> Self {
        Options {
            block_size: BLOCK_SIZE_MAX,
            compression: Compression::Zstd { level: 19 },
            time: 1,
            stored: BTreeSet::new(),
        }
    }
}

/// A compressor and its strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Everything is stored as it is.
    None,
    /// zlib streams, level 1 to 9.
    Gzip {
        /// 1 to 9.
        level: u32,
    },
    /// LZMA2 in xz streams, with a dictionary of one block; preset 0 to 9.
    Xz {
        /// 0 to 9.
        level: u32,
    },
    /// zstd, level 1 to 22.
    Zstd {
        /// 1 to 22.
        level: i32,
    },
}

/// What can go wrong with SquashFS images.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A block size that the format does not have.
    #[error("block size of {0} bytes: must be a power of two from 4096 to 1048576")]
    BlockSize(u32),
    /// A compression level that the compressor does not have.
    #[error("{compressor} level {level}: must be from {min} to {max}")]
    Level {
        /// Its name.
        compressor: &'static str,
        /// What was asked for.
        level: i64,
        /// The weakest.
        min: i64,
        /// The strongest.
        max: i64,
    },
    /// The root of the tree is a file.
    #[error("the root of a SquashFS must be a directory")]
    RootNotADirectory,
    /// More owners than the format counts.
    #[error("{0} different user and group numbers, the limit is 65535")]
    TooManyIds(usize),
    /// An attribute that the format or Linux has no room for.
    #[error("{path}: extended attribute {name}: {problem}")]
    Xattr {
        /// The file.
        path: String,
        /// The attribute.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A time that 32 bits do not hold.
    #[error("{path}: its time is {time} seconds since 1970; SquashFS holds 0 to 4294967295 (1970 to 2106)")]
    Time {
        /// The file.
        path: String,
        /// Its time.
        time: i64,
    },
    /// A symbolic link that Linux cannot follow.
    #[error("{path}: the link's target is {len} bytes long, the limit is 4095")]
    TargetTooLong {
        /// The link.
        path: String,
        /// The target's bytes.
        len: usize,
    },
    /// A symbolic link with a zero byte in its target, where Linux would see its end.
    #[error("{path}: the link's target has a zero byte")]
    TargetWithZero {
        /// The link.
        path: String,
    },
    /// An owner or a group that is none for Linux.
    #[error("{path}: it belongs to {id}, which Linux takes for nobody")]
    Nobody {
        /// The file.
        path: String,
        /// The number.
        id: u32,
    },
    /// A device number that the format cannot hold.
    #[error("{path}: device {major}:{minor}: the limits are 4095 and 1048575")]
    DeviceNumber {
        /// The device.
        path: String,
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
    /// A directory whose listing passes 4 GiB, or an image with more inodes or blocks than 32 bits count.
    #[error("{what}: {count} is more than the format can count ({limit})")]
    TooMany {
        /// What there is too much of.
        what: String,
        /// How much.
        count: u64,
        /// How much there may be.
        limit: u64,
    },
    /// A compressor failed.
    #[error("{compressor} failed: {problem}")]
    Compressor {
        /// Its name.
        compressor: &'static str,
        /// What it says.
        problem: String,
    },
    /// A worker thread ended unexpectedly.
    #[error("a compressing thread ended unexpectedly")]
    ThreadLost,
    /// The system has no thread left to give.
    #[error("cannot start a thread: {0}")]
    NoThread(std::io::Error),
    /// Contents, spool or layout.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// The image that is read is damaged.
    #[error("damaged SquashFS: {0}")]
    Damaged(String),
    /// The image that is read cannot be read by this reader.
    #[error("SquashFS with {0}: cannot be read")]
    Unsupported(String),
    /// The image that is read cannot be reached.
    #[error("cannot read SquashFS at byte {start}: {source}")]
    Read {
        /// The first byte that was asked for.
        start: u64,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::BlockSize(_)
            | Error::Level { .. }
            | Error::RootNotADirectory
            | Error::Time { .. }
            | Error::Nobody { .. } => Fault::Request,
            Error::Xattr { .. }
            | Error::TargetTooLong { .. }
            | Error::TargetWithZero { .. }
            | Error::DeviceNumber { .. }
            | Error::Read { .. }
            | Error::Unsupported(_) => Fault::Input,
            Error::TooManyIds(_) | Error::TooMany { .. } => Fault::Limit,
            Error::Compressor { .. } | Error::ThreadLost | Error::NoThread(_) => Fault::Output,
            Error::Image(error) => error.fault(),
            Error::Damaged(_) => Fault::Damaged,
        }
    }
}

impl From<cache::Threads> for Error {
    fn from(problem: cache::Threads) -> Self {
        match problem {
            cache::Threads::None(error) => Error::NoThread(error),
            cache::Threads::Lost => Error::ThreadLost,
        }
    }
}

impl From<cache::cut::TooMany> for Error {
    fn from(too_many: cache::cut::TooMany) -> Self {
        Error::TooMany {
            what: "data blocks".into(),
            count: too_many.count,
            limit: too_many.limit,
        }
    }
}

impl From<image::Cancelled> for Error {
    fn from(cancelled: image::Cancelled) -> Self {
        Error::Image(cancelled.into())
    }
}
