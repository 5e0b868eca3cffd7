//! What can go wrong with unified kernel images.

use image::Fault;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with unified kernel images.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that is no PE file, or whose headers contradict each other.
    #[error("{what}: is no sound PE file: {problem}")]
    NoPe {
        /// What the file is: the stub, the kernel, or its name.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// A stub with which no image can be made.
    #[error("the stub cannot be used: {0}")]
    BadStub(String),
    /// A part that cannot stand in an image.
    #[error("{section}: {problem}")]
    BadSection {
        /// The section that it is for.
        section: String,
        /// What is wrong.
        problem: String,
    },
    /// Stub and kernel of different machines.
    #[error("the stub is for {stub}, the kernel for {kernel}")]
    Machines {
        /// What the stub is for.
        stub: String,
        /// What the kernel is for.
        kernel: String,
    },
    /// More sections than the stub's headers have room for.
    #[error("{wanted} sections: the stub has room for {limit}")]
    TooManySections {
        /// How many there would be.
        wanted: usize,
        /// How many fit.
        limit: usize,
    },
    /// An image that ends behind 4 GiB.
    #[error("the image ends at byte {0}: the limit of PE files is 4 GiB")]
    TooLarge(u64),
    /// A file that has a signature already, or cannot have one.
    #[error("{what}: cannot be signed: {problem}")]
    NoSigning {
        /// What the file is.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// A signature could not be made, or is not good.
    #[error(transparent)]
    Signature(#[from] signature::Error),
    /// Reading failed.
    #[error(transparent)]
    Image(#[from] image::Error),
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::NoPe { .. } | Error::BadStub(_) | Error::Machines { .. } | Error::NoSigning { .. } => {
                Fault::Input
            }
            Error::BadSection { .. } => Fault::Request,
            Error::TooManySections { .. } | Error::TooLarge(_) => Fault::Limit,
            Error::Signature(error) => error.fault(),
            Error::Image(error) => error.fault(),
        }
    }
}
