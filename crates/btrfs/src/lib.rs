//! btrfs: trees become images of exact size that grow online, and images are read back.
//!
//! All that a btrfs knows stands in *trees*: sorted lists of items, whose leaves are nodes of 16 KiB. Nodes and the data of
//! files have logical addresses, and *chunks* say where on the device a range of these lies, once or twice.
//!
//! ```text
//!  device   │ 1 MiB       │ DATA                         │ SYSTEM │ SYSTEM │ METADATA      │ METADATA      │
//!           │  superblock │  compressed │ other  │ free  │        │ (copy) │               │ (copy)        │
//!           │  at 64 KiB  │  files      │ files  │       │        │        │               │               │
//!                                                          │                 │
//!                                                          chunk tree        all other trees
//!
//!  superblock ──► chunk tree: where chunks lie
//!      │
//!      └──► root tree ──► extent tree: what is used, and by whom     ──► checksum tree: of each sector of data
//!                    ├──► free space tree: what is not               ──► device tree, block group tree
//!                    └──► trees of files: the file system, and a tree for each subvolume
//!
//!  tree of files    256 inode, names, entries │ 257 inode, names, attributes, extents │ 258 …
//!                                                                         │
//!                                         in the leaf itself, or at a logical address in DATA
//! ```
//!
//! # What a plan decides
//!
//! * Inodes are numbered, and data is laid out, in the order of a walk over the tree: first what is compressed, segment
//!   after segment, then what is not. All trees are filled leaf after leaf, from the lowest key to the highest, and all
//!   have the same generation.
//! * Files of at most 2048 bytes lie in the leaves. Larger ones lie in extents of at most 1 MiB, which depend on the
//!   file's bytes alone; long runs of zeros are holes, wherever they come from.
//! * Compressed extents hold at most 128 KiB of a file. What does not save a sector stays as it is, and what of that lies
//!   behind each other is one extent.
//! * The compressed extents of a [unit](image::Unit)'s files depend on the unit alone, so they are a *segment*, which is
//!   found in a [cache] or an image that was made earlier and is not compressed again. Where its extents lie depends on
//!   all others.
//! * Files with equal bytes share their extents ([`EqualFiles`]); the extent tree counts who does.
//! * The extent tree and the free space tree describe themselves: their sizes are found by repetition, and only grow
//!   meanwhile ([`plan()`]).
//! * Subvolumes get their numbers in the order of the walk, and their ids from the seed and their paths, so that images
//!   of one seed can be sources and targets of `btrfs send -p`.
//! * DATA comes first, so that its places depend on nothing else: what was compressed into the spool lies where the image
//!   has it, and the spool can become the image's file. An extent that would lie across the end of a chunk, or where a
//!   copy of the superblock is, comes behind the others.
//! * Every sector of data has a checksum, so planning reads every file once, or what it is compressed to.
//!
//! Who can read the result depends on its [`Profile`]. [`read`] goes the other way and expects the worst of its input.

mod checksum;
mod compress;
mod error;
mod format;
mod lzo;
mod plan;
mod probe;
pub mod read;
mod segment;

use std::collections::BTreeMap;

use image::{NodeId, Seed};
use uuid::Uuid;

pub use error::Error;
pub use plan::{
    Looking, Outlook, Planned, Reuse, Usage, Work, check_tree, make_segments, outlines, outlook, plan,
};
pub use segment::{check_segment, is_segment};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How a file system is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Up to 255 bytes.
    pub label: Option<String>,
    /// The file system's id.
    pub uuid: Uuid,
    /// What the ids of the device and of subvolumes derive from.
    pub seed: Seed,
    /// Who has to read it.
    pub profile: Profile,
    /// How often metadata is stored.
    pub metadata: Metadata,
    /// How data is compressed.
    pub compression: Compression,
    /// What becomes of files with equal bytes.
    pub equal_files: EqualFiles,
    /// The directories of the tree that are subvolumes.
    pub subvolumes: BTreeMap<NodeId, Access>,
    /// Which of them is mounted when nobody says which; the root of the tree usually.
    pub default_subvolume: NodeId,
    /// The image's size.
    pub size: Size,
    /// Bytes that files can take when everything of the tree is there, besides what the kernel keeps for itself.
    pub free: u64,
    /// The time of the file system itself, in seconds since 1970. Files have their own.
    pub time: u32,
}

impl Options {
    /// Of the least size, for any reader, without promises.
    #[must_use]
    pub fn new(uuid: Uuid, seed: Seed) -> Options {
        Options {
            label: None,
            uuid,
            seed,
            profile: Profile::default(),
            metadata: Metadata::default(),
            compression: Compression::default(),
            equal_files: EqualFiles::default(),
            subvolumes: BTreeMap::new(),
            default_subvolume: NodeId::ROOT,
            size: Size::default(),
            free: 0,
            time: 1,
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

/// Who has to read a file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Linux since 5.15, GRUB and U-Boot. Holes are items, because GRUB does not read files without them.
    #[default]
    Portable,
    /// Linux since 6.1: block groups have a tree of their own, so that large file systems mount faster, and holes take no
    /// items.
    Modern,
}

/// How often metadata is stored. Data always is stored once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metadata {
    /// Twice, so that what rots can be repaired.
    #[default]
    Dup,
    /// Once.
    Single,
}

/// A compressor and its strength. What does not shrink stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Everything is stored as it is.
    #[default]
    None,
    /// zlib streams.
    Zlib {
        /// 1 to 9.
        level: u32,
    },
    /// LZO.
    Lzo,
    /// zstd, which Linux reads since 4.14.
    Zstd {
        /// 1 to 15.
        level: i32,
    },
}

/// What becomes of files with equal bytes that are too long for a leaf.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EqualFiles {
    /// They share their extents, until one of them is written to. The data is stored once.
    #[default]
    Shared,
    /// Each has extents of its own.
    Apart,
}

/// Who may write to a subvolume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Whoever the modes of files allow to.
    #[default]
    Writable,
    /// Nobody, until somebody says otherwise with `btrfs property set`.
    ReadOnly,
}

/// Which size is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Size {
    /// This many bytes: a multiple of 4096. What nothing needs belongs to no chunk yet.
    Exactly(u64),
    /// The least that holds the tree and the promise.
    #[default]
    Fit,
}
