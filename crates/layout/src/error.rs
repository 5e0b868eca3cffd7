//! What can go wrong with layouts.

use image::{Fault, show};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a closure cannot be laid out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The environment is not there.
    #[error("{}: is not in the closure", show(env))]
    NoEnv {
        /// Its path.
        env: Vec<u8>,
    },
    /// The environment is a file.
    #[error("{}: is no folder, so it cannot become a root", show(env))]
    EnvIsNoFolder {
        /// Its path.
        env: Vec<u8>,
    },
    /// Links that lead to folders full of links, over and over.
    #[error("{}: links to folders make more than {limit} entries of it", show(env))]
    TooManyEntries {
        /// The environment's path.
        env: Vec<u8>,
        /// How many there can be.
        limit: usize,
    },
    /// A tree that cannot be, or a file that cannot be read.
    #[error(transparent)]
    Image(#[from] image::Error),
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::NoEnv { .. } | Error::EnvIsNoFolder { .. } => Fault::Request,
            Error::TooManyEntries { .. } => Fault::Limit,
            Error::Image(error) => error.fault(),
        }
    }
}
