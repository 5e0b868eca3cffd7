//! ext4: trees become images of exact size that grow online, and images are read back.
//!
//! A file system is an array of blocks of 4 KiB, cut into groups of 32 768 (128 MiB). Each group has a bitmap of
//! its blocks, a bitmap of its inodes and a table of inodes; those of sixteen groups lie together at the front of
//! the first of them (`flex_bg`), so that files can run through.
//!
//! ```text
//!  group 0                                                            group 1
//!  ┌────────────┬──────────────┬────────────────────┬──────────────┬──┬────────────┬──────────────┬─────────┐
//!  │ superblock │ descriptors  │ bitmaps and inode  │ journal,     │  │ superblock │ descriptors  │ files … │
//!  │            │ and room for │ tables of groups   │ directories, │  │ (copy)     │ (copy) and   │         │
//!  │            │ more of them │ 0 to 15            │ files …      │  │            │ room for more│         │
//!  └────────────┴──────────────┴────────────────────┴──────────────┴──┴────────────┴──────────────┴─────────┘
//!                                                                    copies in groups 1 and powers of 3, 5, 7
//!
//!  directory ──► name → number of an inode ──► mode, owner, times, length, and where the blocks are:
//!                                              up to four extents, or a tree of them
//! ```
//!
//! # What a plan decides
//!
//! * Inodes are numbered, and files laid out, in the order of a walk over the tree, each in one piece except where
//!   a copy of the superblock lies in the way. First come the journal and all directories, then the files.
//! * Directories of more than one block are hash trees from the start: the kernel never makes one out of a
//!   directory that has grown without.
//! * The size is the least that holds the tree and what was promised ([`Options::free`],
//!   [`Options::free_inodes`]); no step shrinks anything afterwards.
//! * Room for more group descriptors is reserved, so that a mounted file system grows to [`Options::grow_to`].
//! * Long runs of zeros in files become holes, wherever they come from: what a host's file system knows about
//!   holes changes nothing.
//! * Unused parts of inode tables, and the journal, are zeros that matter. Free blocks are holes of the image.
//!
//! Who can read the result depends on its [`Profile`].

mod checksum;
mod error;
mod format;
mod hash;
mod plan;
pub mod read;

use uuid::Uuid;

pub use error::{Error, LargeFile};
pub use plan::{Planned, Usage, bound, plan};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How a file system is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Up to sixteen bytes.
    pub label: Option<String>,
    /// The file system's id.
    pub uuid: Uuid,
    /// What the hashes of names start from; a secret of no value, as the names are known.
    pub hash_seed: Uuid,
    /// Who has to read it.
    pub profile: Profile,
    /// The image's size.
    pub size: Size,
    /// Bytes that files can take when everything of the tree is there, besides what the kernel keeps for itself.
    pub free: u64,
    /// Inodes that are free then.
    pub free_inodes: u64,
    /// The journal. A [`Profile::Readonly`] has none.
    pub journal: Journal,
    /// The bytes up to which the file system can grow while it is mounted, 2 TiB usually.
    pub grow_to: u64,
    /// The time of the file system itself, in seconds since 1970. Files have their own.
    pub time: u32,
}

impl Options {
    /// Of the least size, for any reader, without promises.
    #[must_use]
    pub fn new(uuid: Uuid, hash_seed: Uuid) -> Options {
        Options {
            label: None,
            uuid,
            hash_seed,
            profile: Profile::default(),
            size: Size::default(),
            free: 0,
            free_inodes: 0,
            journal: Journal::default(),
            grow_to: 2 << 40,
            time: 1,
        }
    }

    /// Finds what makes no sense before there is a tree, as [`plan`] does.
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
    /// Linux since 3.18, GRUB, U-Boot of today: checksums of all metadata and addresses of 64 bits, and nothing that
    /// one of them does not know.
    #[default]
    Portable,
    /// Old U-Boot too, and U-Boot that writes (`saveenv`, `ext4write`): checksums of group descriptors only, addresses
    /// of 32 bits.
    UbootLegacy,
    /// Never written, as under dm-verity: no journal, no room to grow, as few inodes as there are files.
    Readonly,
}

/// Which size is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Size {
    /// This many bytes: a multiple of 4096.
    Exactly(u64),
    /// The least that holds the tree and the promises.
    #[default]
    Fit,
}

/// How large the journal is. It does not grow with the file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Journal {
    /// As `mke2fs` has it: 4 MiB below 128 MiB, 16 below 1 GiB, 32 below 2 GiB, 64 below 16 GiB and so on.
    #[default]
    Auto,
    /// This many bytes: a multiple of 4096, at least 4 MiB.
    Bytes(u64),
    /// No journal.
    None,
}
