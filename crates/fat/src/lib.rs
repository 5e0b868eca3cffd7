//! FAT16 and FAT32: trees become images of exact size, and images are read back.
//!
//! FAT is the one file system that every boot loader reads: UEFI firmware, U-Boot, the Raspberry Pi's ROM. This
//! crate follows Microsoft's *FAT: General Overview of On-Disk Format*
//! ([fatgen103](https://staff.washington.edu/dittrich/misc/fatgen103.pdf)).
//!
//! ```text
//!  FAT32   boot sector │ FSInfo │ … │ copies of both │ … │ table 1 │ table 2 │ clusters 2, 3, 4 …
//!          ◄─────────── reserved sectors (32 or more) ──►                    ▲ root directory, directories,
//!                                                                            │ files, free space
//!  FAT16   boot sector │ … │ table 1 │ table 2 │ root directory │ clusters 2, 3, 4 …
//!                                                of fixed size    ▲ directories, files, free space
//!
//!  table entry n    0 = cluster n is free,  m = cluster m comes next,  all ones = the file ends here
//!
//!  directory        long name, part 2 │ long name, part 1 │ short name, time, first cluster, length
//!                   ◄── 32 bytes ────►
//! ```
//!
//! Which of the two a file system is follows from the number of its clusters alone: from 4085 it is FAT16, from
//! 65 525 FAT32. Readers are known to count wrong by a few, so [`plan`] stays 16 clusters away from both limits.
//! FAT12 is neither written nor read.
//!
//! # What a plan decides
//!
//! * Everything is contiguous: directories first, level by level, then files in the same order, each level in the
//!   order of the names' bytes.
//! * Clusters start at multiples of 4 KiB and of their size: more sectors are reserved than needed until they do.
//!   So a file's blocks stay the same blocks when files before it change by whole clusters.
//! * Clusters have 4 KiB, unless the size calls for others: smaller ones where 4 KiB would give too few clusters or
//!   waste too much, larger ones where there would be too many (FAT16) or the tables would grow large (FAT32 beyond
//!   8 GiB). Some boards are choosier: the Raspberry Pi's makers advise 1 or 4 sectors; see [`Options::cluster_size`].
//! * What FAT cannot say is an error when content would be lost (links, devices, names) and dropped when not (owners,
//!   modes, extended attributes). Hard links become copies.
//! * The last cluster of a file is a hole behind the file's end, and so are free clusters. The tables and directories
//!   are whole.

mod format;
mod geometry;
mod names;
mod plan;
pub mod read;
mod time;

use image::{Fault, Image};

pub use plan::plan;

/// How a file system is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Up to eleven characters: upper case letters, digits and some signs. A directory may have the same name.
    pub label: Option<String>,
    /// The serial number that operating systems make the file system's id from.
    pub volume_id: u32,
    /// FAT16 or FAT32.
    pub kind: Kind,
    /// The image's size.
    pub size: Size,
    /// Bytes that are free for data of files in whole clusters, when everything of the tree is there. When it is not 0,
    /// the root directory also has room for a new file of any name.
    pub free: u64,
    /// 512 or 4096 bytes. U-Boot demands that it equals the sector size of the disk.
    pub sector_size: u32,
    /// A power of two from the sector size to 32 KiB; chosen when none.
    pub cluster_size: Option<u32>,
    /// The sectors before the file system on its disk: the start of the partition.
    pub hidden_sectors: u32,
    /// The time of the label, in seconds since 1970. Files and directories have their own. All times are taken to the
    /// nearest that FAT can express: even seconds from 1980 to 2107, in UTC.
    pub time: i64,
}

impl Default for Options {
    /// Without a label, of the least size, with sectors of 512 bytes.
    fn default() -> Self {
        Options {
            label: None,
            volume_id: 0,
            kind: Kind::Auto,
            size: Size::Fit,
            free: 0,
            sector_size: 512,
            cluster_size: None,
            hidden_sectors: 0,
            time: 0,
        }
    }
}

/// Which FAT is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// FAT16 below 512 MiB and FAT32 from there, as `mkfs.vfat` does; the other one where only that is possible.
    #[default]
    Auto,
    /// FAT16.
    Fat16,
    /// FAT32, as an EFI system partition must be: firmware refuses FAT32 with fewer clusters than FAT32 must have,
    /// so it has a least size, and a smaller one is an error.
    Fat32,
}

/// Which size is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Size {
    /// This many bytes: a multiple of the sector size.
    Exactly(u64),
    /// The least multiple of 1 MiB for which [`Size::Exactly`] succeeds.
    #[default]
    Fit,
}

/// Which FAT a file system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// 4085 to 65 524 clusters, a root directory of fixed size.
    Fat16,
    /// 65 525 clusters and more.
    Fat32,
}

impl std::fmt::Display for Variant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Variant::Fat16 => "fat16",
            Variant::Fat32 => "fat32",
        })
    }
}

/// A planned file system.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its bytes.
    pub image: Image,
    /// How full it is.
    pub usage: Usage,
}

/// How full a planned file system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// FAT16 or FAT32.
    pub variant: Variant,
    /// Bytes of a sector.
    pub sector_size: u32,
    /// Bytes of a cluster.
    pub cluster_size: u32,
    /// All clusters.
    pub clusters: u32,
    /// Clusters of directories and files.
    pub used_clusters: u32,
    /// Directories, without the root.
    pub directories: u64,
    /// Files; those with several names count once per name.
    pub files: u64,
    /// The bytes of free clusters: not less than was promised.
    pub free: u64,
    /// The free bytes that were asked for.
    pub promised: u64,
}

/// A file and its length, as errors tell the largest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeFile {
    /// The path in the tree, with odd bytes escaped.
    pub path: String,
    /// Its bytes.
    pub len: u64,
}

/// What can go wrong with planning and reading.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option that makes no sense.
    #[error("{option} {value}: {problem}")]
    BadOption {
        /// The option's name for people.
        option: &'static str,
        /// What was asked for.
        value: String,
        /// What is wrong with it, and what would be right.
        problem: &'static str,
    },
    /// A tree whose root is no directory.
    #[error("/: a file system needs a directory, and the tree is {what}")]
    RootIsNoDirectory {
        /// What the root is.
        what: &'static str,
    },
    /// Something that FAT cannot hold.
    #[error("{path}: FAT cannot hold {what}")]
    Unsupported {
        /// The path in the tree.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// A time that FAT cannot hold. 0 and 1 are none, as of store paths, and become the first that it holds.
    #[error(
        "{path}: its time is {time} seconds since 1970; FAT holds 315532800 to 4354819199 (1980 to 2107)"
    )]
    Time {
        /// The path in the tree.
        path: String,
        /// Its time.
        time: i64,
    },
    /// A name that FAT cannot hold.
    #[error("{path}: {problem}")]
    BadName {
        /// The path in the tree, with odd bytes escaped.
        path: String,
        /// What is wrong with the name.
        problem: String,
    },
    /// Two names in a directory that differ only in case.
    #[error("{path}: FAT takes it for {other}, because it ignores case")]
    CaseClash {
        /// The path of one.
        path: String,
        /// The name of the other.
        other: String,
    },
    /// A file of 4 GiB or more.
    #[error("{path}: the file is {len} bytes long, FAT's limit is {limit}")]
    FileTooLarge {
        /// The path in the tree.
        path: String,
        /// The file's bytes.
        len: u64,
        /// The most that there can be.
        limit: u64,
    },
    /// A directory with too many names.
    #[error("{path}: the directory needs {entries} entries of 32 bytes for its names, the limit is {limit}")]
    DirectoryTooLarge {
        /// The path in the tree.
        path: String,
        /// How many 32-byte entries its names need, at least.
        entries: u64,
        /// The most that there can be.
        limit: u64,
    },
    /// A directory too deep in others.
    #[error("{path}: the directory is {depth} levels deep, the limit is {limit}")]
    TooDeep {
        /// The path in the tree or image.
        path: String,
        /// Its level; those in the root have level 1.
        depth: usize,
        /// The deepest level.
        limit: usize,
    },
    /// A size that gives too few clusters for the kind of FAT.
    #[error(
        "{size} bytes have too few clusters for {variant}: it takes at least {least_512} bytes with sectors of 512 \
         bytes, {least_4096} bytes with sectors of 4096 bytes"
    )]
    SizeTooSmall {
        /// The bytes that were asked for.
        size: u64,
        /// The kind of FAT.
        variant: Variant,
        /// The least size with sectors of 512 bytes.
        least_512: u64,
        /// The least size with sectors of 4096 bytes.
        least_4096: u64,
    },
    /// A size that gives too many clusters for the kind of FAT.
    #[error("{size} bytes have too many clusters for {variant}: it can have {most} bytes")]
    SizeTooLarge {
        /// The bytes that were asked for.
        size: u64,
        /// The kind of FAT.
        variant: Variant,
        /// A size that works.
        most: u64,
    },
    /// A tree that does not fit.
    #[error("{}", full(*.needed, *.free, *.available, *.size, *.variant, largest))]
    Full {
        /// Bytes that are needed in whole clusters: for files, directories and the free space promised.
        needed: u64,
        /// Those of them that are the promise.
        free: u64,
        /// Bytes that all clusters have.
        available: u64,
        /// The image's bytes.
        size: u64,
        /// The kind of FAT.
        variant: Variant,
        /// The largest files, the largest first.
        largest: Vec<LargeFile>,
    },
    /// An image that holds no FAT16 or FAT32.
    #[error("not FAT16 or FAT32: {problem}")]
    NotFat {
        /// What is missing or different.
        problem: String,
    },
    /// An image that contradicts itself.
    #[error("{place}: {problem}")]
    Damaged {
        /// The path or the structure.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A source that cannot be read.
    #[error("cannot read {what}: {source}")]
    Read {
        /// The path or the structure.
        what: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The layout of a planned image contradicts itself.
    #[error(transparent)]
    Image(#[from] image::Error),
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::BadOption { .. }
            | Error::RootIsNoDirectory { .. }
            | Error::Unsupported { .. }
            | Error::Time { .. }
            | Error::BadName { .. }
            | Error::CaseClash { .. } => Fault::Request,
            Error::FileTooLarge { .. }
            | Error::DirectoryTooLarge { .. }
            | Error::TooDeep { .. }
            | Error::SizeTooSmall { .. }
            | Error::SizeTooLarge { .. }
            | Error::Full { .. } => Fault::Limit,
            Error::NotFat { .. } | Error::Read { .. } => Fault::Input,
            Error::Damaged { .. } => Fault::Damaged,
            Error::Image(error) => error.fault(),
        }
    }
}

fn full(
    needed: u64,
    free: u64,
    available: u64,
    size: u64,
    variant: Variant,
    largest: &[LargeFile],
) -> String {
    let mut text = format!(
        "the tree does not fit: {needed} bytes are needed in clusters ({free} of them promised free), and {variant} of \
         {size} bytes has {available}, {} too few",
        needed.saturating_sub(available)
    );
    let files: Vec<String> = largest
        .iter()
        .map(|file| format!("{} ({} bytes)", file.path, file.len))
        .collect();
    if !files.is_empty() {
        text += "; the largest files are ";
        text += &files.join(", ");
    }
    text
}
