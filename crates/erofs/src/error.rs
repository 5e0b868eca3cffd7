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
    #[error("the root of an erofs must be a directory")]
    RootNotADirectory,
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
    /// An owner or a group that is none for Linux.
    #[error("{path}: it belongs to {id}, which Linux takes for nobody")]
    Nobody {
        /// The path in the tree.
        path: String,
        /// The number.
        id: u32,
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
    /// An extended attribute that erofs cannot hold.
    #[error("{path}: the extended attribute {name}: {problem}")]
    BadXattr {
        /// The path in the tree.
        path: String,
        /// The attribute's name, with odd bytes escaped.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// More than the format can count.
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
    /// An image that holds no erofs.
    #[error("not erofs: {problem}")]
    NotErofs {
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
            Error::BadOption { .. } | Error::RootNotADirectory | Error::Nobody { .. } => Fault::Request,
            Error::FileTooLarge { .. } | Error::TooMany { .. } => Fault::Limit,
            Error::TargetTooLong { .. }
            | Error::TargetEmpty { .. }
            | Error::TargetWithZero { .. }
            | Error::DeviceNumber { .. }
            | Error::NotErofs { .. }
            | Error::Unsupported { .. }
            | Error::Read { .. }
            | Error::BadXattr { .. } => Fault::Input,
            Error::Damaged { .. } => Fault::Damaged,
            Error::ThreadLost | Error::NoThread(_) | Error::Compressor { .. } => Fault::Output,
            Error::Image(error) => error.fault(),
        }
    }
}

impl From<cache::cut::TooMany> for Error {
    fn from(too_many: cache::cut::TooMany) -> Self {
        Error::TooMany {
            what: "clusters".to_string(),
            count: too_many.count,
            limit: too_many.limit,
        }
    }
}

impl From<cache::Threads> for Error {
    fn from(threads: cache::Threads) -> Self {
        match threads {
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
