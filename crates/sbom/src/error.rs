//! What can go wrong with what is handed over.

use image::Fault;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no bill.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is known of packages makes no sense.
    #[error("{place}:{line}:{column}: {message}")]
    Meta {
        /// What errors call the file.
        place: String,
        /// The line, from 1.
        line: usize,
        /// The character in the line, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// It is more than anybody has.
    #[error("{place}: has {len} bytes, more than {limit}")]
    MetaTooLong {
        /// What errors call the file.
        place: String,
        /// Its bytes.
        len: usize,
        /// The most.
        limit: usize,
    },
    /// The documents have no such time.
    #[error("{time}: is behind {limit}, the last second of the year 9999")]
    Time {
        /// In seconds since 1970.
        time: u64,
        /// The last.
        limit: u64,
    },
    /// A document could not be written down.
    #[error("the document cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::Meta { .. } | Error::MetaTooLong { .. } => Fault::Input,
            Error::Time { .. } | Error::Json(_) => Fault::Request,
        }
    }
}
