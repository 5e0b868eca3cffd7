//! What can go wrong with objects far away, and whose fault it is.

use std::io;

use image::Fault;

use crate::pace::TOO_SLOW;
use crate::refusal::Refusal;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of remotes. `object` is always the whole address.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text that is no address.
    #[error("{address}: not an address: {problem}")]
    BadAddress {
        /// The text.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Certificates that cannot be used.
    #[error("the certificates for https: {problem}")]
    Certificates {
        /// What is wrong with them.
        problem: String,
    },
    /// A netrc file that makes no sense.
    #[error("{file}, line {line}: {problem}")]
    Netrc {
        /// What the file is called.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An answer that says no to who asks.
    #[error("{object}: {refusal}")]
    Refused {
        /// What was asked for.
        object: String,
        /// Who says no to whom.
        refusal: Box<Refusal>,
    },
    /// An answer that says no.
    #[error("{object}: the server answers {status}{}", tried(*tries))]
    Status {
        /// What was asked for.
        object: String,
        /// The status of HTTP.
        status: u16,
        /// How often it was asked for.
        tries: u32,
    },
    /// A connection that cannot be made, breaks or stalls.
    #[error("{object}: {problem}{}", tried(*tries))]
    Connection {
        /// What was asked for.
        object: String,
        /// What happened.
        problem: String,
        /// How often it was tried.
        tries: u32,
    },
    /// An object that is not what it was when its transfer began.
    #[error("{object}: changed while it was read: had {before} bytes, now {now}")]
    Changed {
        /// The object.
        object: String,
        /// Its bytes at first.
        before: u64,
        /// Its bytes later.
        now: u64,
    },
    /// An object that is too large to be what it should be.
    #[error("{object}: has more than {limit} bytes, the limit")]
    TooLarge {
        /// The object.
        object: String,
        /// The most bytes that it may have.
        limit: u64,
    },
    /// A file or folder that cannot be read or written.
    #[error("{object}: {source}")]
    File {
        /// Its path.
        object: String,
        /// What the system says.
        source: io::Error,
    },
}

fn tried(tries: u32) -> String {
    match tries {
        0 | 1 => String::new(),
        _ => format!(" (tried {tries} times)"),
    }
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::BadAddress { .. } => Fault::Request,
            Error::Certificates { .. }
            | Error::Netrc { .. }
            | Error::Refused { .. }
            | Error::Status { .. }
            | Error::Connection { .. }
            | Error::Changed { .. }
            | Error::TooLarge { .. }
            | Error::File { .. } => Fault::Input,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Refused { refusal, .. } => Some(refusal.hint()),
            Error::Connection { problem, .. } if problem.starts_with(TOO_SLOW) => Some(
                "try again later, or name another address that has it; what was fetched into --download-dir is used again"
                    .into(),
            ),
            Error::Connection { .. } => {
                Some("check the address and the network; what was fetched into --download-dir is used again".into())
            }
            _ => None,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::other(error)
    }
}
