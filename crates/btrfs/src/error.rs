//! What can go wrong with planning and reading.

use image::Fault;

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
    /// A tree whose root is no directory.
    #[error("the root of a btrfs must be a directory")]
    RootNotADirectory,
    /// A subvolume that is no directory.
    #[error("{path}: a subvolume must be a directory")]
    SubvolumeNotADirectory {
        /// The path in the tree.
        path: String,
    },
    /// A file with names in two subvolumes.
    #[error("{path}: the file has names in two subvolumes, and hard links cannot cross their borders")]
    LinkAcrossSubvolumes {
        /// One of its paths.
        path: String,
    },
    /// A file with too many names.
    #[error("{path}: the file has {links} names, btrfs' limit is {limit}")]
    TooManyLinks {
        /// One of its paths.
        path: String,
        /// How many names.
        links: u32,
        /// The most that there can be.
        limit: u32,
    },
    /// A symbolic link whose target is too long for Linux.
    #[error("{path}: the link's target is {len} bytes long, the limit is {limit}")]
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
    /// A device number that Linux cannot hold.
    #[error("{path}: device {major}:{minor}: the limits are 4095 and 1048575")]
    DeviceNumber {
        /// The device.
        path: String,
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
    /// A file that is larger than files can be.
    #[error("{path}: the file is {len} bytes long, the limit is {limit}")]
    FileTooLarge {
        /// The path in the tree.
        path: String,
        /// The file's bytes.
        len: u64,
        /// The most that there can be.
        limit: u64,
    },
    /// An owner or a group that is none for Linux.
    #[error("{path}: it belongs to {id}, which Linux takes for nobody")]
    Nobody {
        /// The path in the tree.
        path: String,
        /// The number.
        id: u32,
    },
    /// An extended attribute that btrfs cannot hold.
    #[error("{path}: the extended attribute {name}: {problem}")]
    BadXattr {
        /// The path in the tree.
        path: String,
        /// The attribute's name, with odd bytes escaped.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Names of one directory whose hashes are equal, and that are too many for that.
    #[error(
        "{path}: {count} names have the same hash, and their entries take {len} bytes; the limit is {limit}"
    )]
    TooManyCollisions {
        /// The directory.
        path: String,
        /// How many names.
        count: usize,
        /// The bytes of their entries.
        len: usize,
        /// The most that there can be.
        limit: usize,
    },
    /// A tree that does not fit.
    #[error(
        "the tree does not fit: {needed} bytes would do ({free} of them promised free), and {size} were asked for, {} \
         too few", needed.saturating_sub(*size)
    )]
    Full {
        /// The size that would do.
        needed: u64,
        /// Those of its bytes that are the promise.
        free: u64,
        /// The size that was asked for.
        size: u64,
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
    /// An image that holds no btrfs.
    #[error("not btrfs: {problem}")]
    NotBtrfs {
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
            | Error::RootNotADirectory
            | Error::Nobody { .. }
            | Error::SubvolumeNotADirectory { .. }
            | Error::LinkAcrossSubvolumes { .. } => Fault::Request,
            Error::TooManyLinks { .. }
            | Error::FileTooLarge { .. }
            | Error::TooManyCollisions { .. }
            | Error::Full { .. } => Fault::Limit,
            Error::TargetTooLong { .. }
            | Error::TargetWithZero { .. }
            | Error::TargetEmpty { .. }
            | Error::DeviceNumber { .. }
            | Error::NotBtrfs { .. }
            | Error::Unsupported { .. }
            | Error::Read { .. }
            | Error::BadXattr { .. } => Fault::Input,
            Error::Damaged { .. } => Fault::Damaged,
            Error::NoThread(_) | Error::ThreadLost | Error::Compressor { .. } => Fault::Output,
            Error::Image(error) => error.fault(),
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

impl From<image::Cancelled> for Error {
    fn from(cancelled: image::Cancelled) -> Self {
        Error::Image(cancelled.into())
    }
}
