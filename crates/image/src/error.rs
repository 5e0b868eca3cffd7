//! What can go wrong with trees, contents, images and files, and whose fault it is.

use std::io;
use std::path::PathBuf;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whose fault an error is. The command line makes its exit codes from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What the caller asked for makes no sense or cannot be expressed in the format.
    Request,
    /// Something that was to be read is missing, unreadable or not what it claims to be.
    Input,
    /// What was asked for does not fit: a size, a count or a slot is too small.
    Limit,
    /// The result could not be stored.
    Output,
    /// An image or file that was read is damaged.
    Damaged,
    /// A signature that is intact, and not by somebody who is trusted or not over these bytes.
    Untrusted,
    /// The user asked to stop.
    Cancelled,
}

/// An error of trees, contents, images and the writer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that no file system can hold.
    #[error("{path}: {problem}")]
    BadName {
        /// The folder and the name, with odd bytes escaped.
        path: String,
        /// What is wrong with the name.
        problem: &'static str,
    },
    /// A name longer than 255 bytes.
    #[error("{path}: the name is {len} bytes long, the limit is 255")]
    NameTooLong {
        /// The folder and the name, with odd bytes escaped.
        path: String,
        /// The name's bytes.
        len: usize,
    },
    /// Two entries of one folder with the same name.
    #[error("{path}: is in the tree already")]
    Exists {
        /// The path of both.
        path: String,
    },
    /// A path that goes through something that is no directory.
    #[error("{path}: is not a directory")]
    NotADirectory {
        /// The path of the thing.
        path: String,
    },
    /// A file or folder of the host that cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The path on the host.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A source that is not a file with a path cannot be read.
    #[error("{what}: cannot be read: {source}")]
    ReadSource {
        /// What the source calls itself.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// A file that is not what planning saw.
    #[error("{}: changed after it was planned: {}", path.display(), change(*planned, *found))]
    Changed {
        /// The path on the host.
        path: PathBuf,
        /// Bytes when the tree was made.
        planned: u64,
        /// Bytes when the file was read.
        found: u64,
    },
    /// Two extents of an image that overlap.
    #[error(
        "{first} (bytes {first_start} to {first_end}) and {second} (bytes {second_start} to {second_end}) overlap"
    )]
    Overlap {
        /// The label of the extent that starts first.
        first: String,
        /// Its first byte.
        first_start: u64,
        /// One past its last byte.
        first_end: u64,
        /// The label of the other.
        second: String,
        /// Its first byte.
        second_start: u64,
        /// One past its last byte.
        second_end: u64,
    },
    /// An extent that ends behind the end of its image.
    #[error("{label} ends at byte {end}, behind the image's size of {size} bytes")]
    BeyondEnd {
        /// The label of the extent.
        label: String,
        /// One past its last byte.
        end: u64,
        /// The image's size.
        size: u64,
    },
    /// An output that cannot be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Write {
        /// The path of the output.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something that only root can put into a folder of the host.
    #[error("{path}: {what}, and only root can make that")]
    NeedsRoot {
        /// The path in the tree.
        path: String,
        /// What it is.
        what: String,
    },
    /// An output that another process is writing.
    #[error("{}: another kiln is writing it", path.display())]
    Busy {
        /// The path of the output.
        path: PathBuf,
    },
    /// The user asked to stop.
    #[error("stopped")]
    Cancelled,
}

/// How a file changed, for people.
fn change(planned: u64, found: u64) -> String {
    if planned == found {
        return format!("it has {found} bytes still, but was written to or replaced");
    }
    format!("{planned} bytes then, {found} bytes now")
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::Exists { .. } | Error::NotADirectory { .. } | Error::Overlap { .. } => Fault::Request,
            // An image says so of its own bytes.
            Error::ReadSource { source, .. } if source.kind() == io::ErrorKind::InvalidData => Fault::Damaged,
            Error::BadName { .. }
            | Error::NameTooLong { .. }
            | Error::Read { .. }
            | Error::ReadSource { .. }
            | Error::Changed { .. } => Fault::Input,
            Error::BeyondEnd { .. } => Fault::Limit,
            Error::Write { .. } | Error::Busy { .. } | Error::NeedsRoot { .. } => Fault::Output,
            Error::Cancelled => Fault::Cancelled,
        }
    }
}
