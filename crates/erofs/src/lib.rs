//! erofs: trees become read-only images of whole blocks, and images are read back.
//!
//! Every inode has a number, which is its place among the metadata: whoever has a number needs no table to find it. So
//! directories, the one kind of list, hold names and places.
//!
//! ```text
//!  superblock │ segments of clusters │ files as they are │ directories │ inodes, and what stands behind each │ attributes
//!  one block  │ compressed data      │ whole blocks      │ whole blocks│                                     │ that are shared
//!
//!  inode ─┬─ attributes
//!         ├─ the rest of a file, of a directory, or a link's target, when it fits into the block
//!         └─ an index: which cluster holds which bytes of a file
//!
//!  segment    glibc-2.40                          bash-5.2   [ a … f ]        files of no unit
//!             ├ clusters of large files           │          └ bucket of small units
//!             └ clusters of the packed file:      │
//!               small files behind each other     │
//! ```
//!
//! # What a plan decides
//!
//! * Data comes first, and never moves when inodes come and go; inodes are numbered from a block behind it.
//! * Without compression a file's whole blocks lie in one piece, and the rest of it lies behind its inode. Long runs of zeros
//!   take nothing: such files are lists of chunks.
//! * With compression a file is cut into *clusters* of as many bytes, each of which is compressed alone, and padded in front
//!   to whole blocks, or not padded for those who read that ([`Profile::Modern`]). Smaller files lie behind each other in one file without a name, the *packed file*, which is cut in
//!   the same way; the rest of a large file is a cluster of its own.
//! * The clusters of one [unit](image::Unit) (a store path) are one *segment*: they depend on the unit alone, and begin at
//!   a block. Small units share a segment. Only addresses in the metadata depend on what else there is.
//! * Files with equal bytes share their blocks or clusters. Whether the host has them as hard links decides nothing.
//! * Inodes are small (32 bytes) when the file is older than 4 GiB, has the file system's time, and small numbers.
//!
//! [`read`] goes the other way and expects the worst of its input.

mod compress;
mod decompress;
mod error;
mod format;
mod plan;
pub mod read;
mod segment;

use std::collections::BTreeSet;

use image::NodeId;
use uuid::Uuid;

pub use error::Error;
pub use plan::{
    Looking, Outlook, Planned, Reuse, UnitUsage, Work, check_tree, make_segments, outlines, outlook, plan,
};
pub use segment::{check_segment, is_segment};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The least bytes of a cluster.
pub const CLUSTER_MIN: u32 = 8 << 10;
/// The most bytes of a cluster.
pub const CLUSTER_MAX: u32 = 1 << 20;

/// Who has to read a file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Any Linux that knows the compressor.
    #[default]
    Portable,
    /// Linux since 6.15. Clusters follow each other without padding, and inodes of younger files are small, too.
    Modern,
}

/// How a file system is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Who has to read it.
    pub profile: Profile,
    /// Up to 15 bytes.
    pub label: Option<String>,
    /// The file system's id.
    pub uuid: Uuid,
    /// How files are compressed.
    pub compression: Compression,
    /// How many bytes of a file are compressed together: a power of two from [`CLUSTER_MIN`] to [`CLUSTER_MAX`]. More
    /// compress better, and take longer to read a few bytes of.
    pub cluster: u32,
    /// The time of the file system, in seconds since 1970. Inodes of files with this time are smaller; of [`Profile::Modern`],
    /// those of files that are younger, too.
    pub time: u32,
    /// Files of the tree that are stored as they are, because they are compressed already, or because a boot loader that
    /// cannot decompress reads them.
    pub stored: BTreeSet<NodeId>,
}

impl Options {
    /// Without compression, and of the time of store paths.
    #[must_use]
    pub fn new(uuid: Uuid) -> Options {
        Options {
            profile: Profile::Portable,
            label: None,
            uuid,
            compression: Compression::None,
            cluster: CLUSTER_MAX,
            time: 1,
            stored: BTreeSet::new(),
        }
    }

    /// Finds what makes no sense before there is a tree, as [`plan()`] does.
    ///
    /// # Errors
    /// When something does.
    pub fn check(&self) -> Result<()> {
        plan::check(self)
    }
}

/// A compressor and its strength. What does not shrink by a block stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Everything is stored as it is: any Linux since 5.4 reads it, since 5.13 where there are holes.
    #[default]
    None,
    /// LZ4, which Linux reads since 5.13, and with a packed file since 6.1.
    Lz4 {
        /// 1 to 12; from 3 on it is the slower compressor of the same format ("lz4hc").
        level: i32,
    },
    /// Deflate, which Linux reads since 6.6.
    Deflate {
        /// 1 to 12.
        level: i32,
    },
    /// zstd, which Linux reads since 6.10.
    Zstd {
        /// 1 to 22.
        level: i32,
    },
}
