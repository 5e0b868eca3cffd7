//! What can be wrong with a device.

use image::Fault;

use crate::Version;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A value that cannot be.
    #[error("{what} {value:?}: {problem}")]
    BadValue {
        /// What it is: `compatible`, `slot boot`.
        what: String,
        /// The value.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A number that cannot be.
    #[error("{what}: is {value}, must be {allowed}")]
    OutOfRange {
        /// What it is.
        what: String,
        /// The number.
        value: u64,
        /// What it may be.
        allowed: String,
    },
    /// A version that makes no sense.
    #[error("{text:?}: is no version of RAUC, which looks like 1.8")]
    BadVersion {
        /// The text.
        text: String,
    },
    /// A name that nothing has.
    #[error("{place}: there is no {what} called {name:?}")]
    Unknown {
        /// Who refers to it.
        place: String,
        /// What it should be: `partition`, `class of slots`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Two things with the same name, number or purpose.
    #[error("{first} and {second}: both have {what}")]
    Twice {
        /// One of them.
        first: String,
        /// The other.
        second: String,
        /// What they share.
        what: String,
    },
    /// Two things that must be alike.
    #[error(
        "{first} and {second}: {what} is {first_value} for one and {second_value} for the other, must be the same"
    )]
    Differ {
        /// One of them.
        first: String,
        /// The other.
        second: String,
        /// What differs.
        what: &'static str,
        /// That of the first.
        first_value: String,
        /// That of the second.
        second_value: String,
    },
    /// Two things on the same bytes.
    #[error(
        "{first} (bytes {first_start} to {first_end}) and {second} (bytes {second_start} to {second_end}) overlap"
    )]
    Overlap {
        /// One of them.
        first: String,
        /// Its first byte.
        first_start: u64,
        /// One past its last byte.
        first_end: u64,
        /// The other.
        second: String,
        /// Its first byte.
        second_start: u64,
        /// One past its last byte.
        second_end: u64,
    },
    /// Something that ends behind what it lies in.
    #[error("{what} ends at byte {end}, behind the end of {within} at byte {limit}")]
    Outside {
        /// What it is.
        what: String,
        /// One past its last byte.
        end: u64,
        /// What it should lie in.
        within: String,
        /// One past the last byte of that.
        limit: u64,
    },
    /// An image that is larger than its slots.
    #[error("slot {class}: its image has {len} bytes, its partition {partition} has {limit}")]
    ImageTooLarge {
        /// The class.
        class: String,
        /// The image's bytes.
        len: u64,
        /// The partition.
        partition: String,
        /// Its bytes.
        limit: u64,
    },
    /// A partition that the first boot would put over a loader.
    #[error(
        "partition {partition}: systemd-repart puts {size} bytes or more into the smallest gap that has them, and {gap} \
         has them, with {region} in it"
    )]
    OverLoader {
        /// The partition.
        partition: String,
        /// The least bytes that it has.
        size: u64,
        /// The gap: its bytes, and where it is.
        gap: String,
        /// What lies in it.
        region: String,
    },
    /// A setting that RAUC does not have.
    #[error("{key}: is no setting of RAUC's system.conf")]
    UnknownSetting {
        /// Section and key.
        key: String,
    },
    /// A setting that follows from the device.
    #[error("{key}: follows from the device and cannot be set")]
    Derived {
        /// Section and key.
        key: String,
    },
    /// A setting that the device's RAUC would refuse.
    #[error(
        "{key}: RAUC knows it since {since}, the device has {rauc}, which refuses files with keys it does not know"
    )]
    TooNew {
        /// Section and key.
        key: String,
        /// The first version with it.
        since: Version,
        /// The device's.
        rauc: Version,
    },
    /// An environment.
    #[error("environment: {0}")]
    Environment(#[from] uboot::EnvironmentError),
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::Outside { .. } | Error::ImageTooLarge { .. } => Fault::Limit,
            Error::Environment(error) => error.fault(),
            _ => Fault::Request,
        }
    }
}
