//! What can go wrong with planning and reading.

use image::Fault;

/// A file and its length, as errors tell the largest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeFile {
    /// The path in the tree, with odd bytes escaped; for a store path, its name.
    pub path: String,
    /// Its bytes in whole blocks.
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
        problem: String,
    },
    /// A tree whose root is no directory, or whose `lost+found` is none.
    #[error("{path}: ext4 needs a directory here, and the tree has {what}")]
    NoDirectory {
        /// The path in the tree.
        path: &'static str,
        /// What the tree has there.
        what: &'static str,
    },
    /// A file with too many names.
    #[error("{path}: the file has {links} names, ext4's limit is {limit}")]
    TooManyLinks {
        /// One of its paths.
        path: String,
        /// How many names.
        links: u32,
        /// The most that there can be.
        limit: u32,
    },
    /// A symbolic link whose target does not fit into a block.
    #[error("{path}: the link's target is {len} bytes long, ext4's limit is {limit}")]
    TargetTooLong {
        /// The path in the tree.
        path: String,
        /// The target's bytes.
        len: usize,
        /// The most that there can be.
        limit: usize,
    },
    /// A symbolic link without a target.
    #[error("{path}: the link's target is empty")]
    TargetEmpty {
        /// The path in the tree.
        path: String,
    },
    /// A symbolic link with a zero byte in its target, where Linux would see its end.
    #[error("{path}: the link's target has a zero byte")]
    TargetWithZero {
        /// The path in the tree.
        path: String,
    },
    /// A file that is larger than the profile can hold.
    #[error("{path}: the file is {len} bytes long, the limit of this profile is {limit}")]
    FileTooLarge {
        /// The path in the tree.
        path: String,
        /// The file's bytes.
        len: u64,
        /// The most that there can be.
        limit: u64,
    },
    /// A directory with more names than a hash tree of two levels holds.
    #[error("{path}: the directory's names need {blocks} blocks of 4 KiB, the limit is {limit}")]
    DirectoryTooLarge {
        /// The path in the tree.
        path: String,
        /// How many blocks its names need.
        blocks: usize,
        /// The most that there can be.
        limit: usize,
    },
    /// A time that an inode cannot hold.
    #[error("{path}: the time {time} is outside of what ext4 can hold, {least} to {most} seconds since 1970")]
    TimeOutOfRange {
        /// The path in the tree.
        path: String,
        /// The time.
        time: i64,
        /// The first that can be held.
        least: i64,
        /// The last that can be held.
        most: i64,
    },
    /// A device number that Linux has no room for.
    #[error("{path}: device {major}:{minor}: the limits are 4095 and 1048575")]
    DeviceNumber {
        /// The path in the tree.
        path: String,
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
    /// An owner or a group that is none for Linux.
    #[error("{path}: it belongs to {id}, which Linux takes for nobody")]
    Nobody {
        /// The path in the tree.
        path: String,
        /// The number.
        id: u32,
    },
    /// An extended attribute that ext4 cannot hold.
    #[error("{path}: the extended attribute {name}: {problem}")]
    BadXattr {
        /// The path in the tree.
        path: String,
        /// The attribute's name, with odd bytes escaped.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// More inodes than can be numbered.
    #[error("{needed} inodes are needed ({promised} of them promised free), ext4's limit is {limit}")]
    TooManyInodes {
        /// How many the tree and the promise need.
        needed: u64,
        /// Those of them that are the promise.
        promised: u64,
        /// The most that there can be.
        limit: u64,
    },
    /// A tree that does not fit.
    #[error("{}", full(*.needed, *.free, *.size, largest))]
    Full {
        /// The size that would do.
        needed: u64,
        /// Those of its bytes that are the promise.
        free: u64,
        /// The size that was asked for.
        size: u64,
        /// The largest store paths, or files where there are none, the largest first.
        largest: Vec<LargeFile>,
    },
    /// An image that holds no ext4.
    #[error("not ext4: {problem}")]
    NotExt4 {
        /// What is missing or different.
        problem: String,
    },
    /// An image with features that this reader does not know.
    #[error("the file system uses {feature}, which kiln does not read")]
    Unsupported {
        /// The feature's name, or its bits.
        feature: String,
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
    /// A content that cannot be read, or a layout that contradicts itself.
    #[error(transparent)]
    Image(#[from] image::Error),
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::BadOption { .. }
            | Error::NoDirectory { .. }
            | Error::TimeOutOfRange { .. }
            | Error::Nobody { .. } => Fault::Request,
            Error::TooManyLinks { .. }
            | Error::TargetTooLong { .. }
            | Error::TargetWithZero { .. }
            | Error::FileTooLarge { .. }
            | Error::DirectoryTooLarge { .. }
            | Error::TooManyInodes { .. }
            | Error::Full { .. } => Fault::Limit,
            Error::NotExt4 { .. }
            | Error::Unsupported { .. }
            | Error::Read { .. }
            | Error::TargetEmpty { .. }
            | Error::DeviceNumber { .. }
            | Error::BadXattr { .. } => Fault::Input,
            Error::Damaged { .. } => Fault::Damaged,
            Error::Image(error) => error.fault(),
        }
    }
}

fn full(needed: u64, free: u64, size: u64, largest: &[LargeFile]) -> String {
    let mut text = format!(
        "the tree does not fit: {needed} bytes would do ({free} of them promised free), and {size} were asked for, {} \
         too few",
        needed.saturating_sub(size)
    );
    let files: Vec<String> = largest
        .iter()
        .map(|file| format!("{} ({} bytes)", file.path, file.len))
        .collect();
    if !files.is_empty() {
        text += "; the largest are ";
        text += &files.join(", ");
    }
    text
}
