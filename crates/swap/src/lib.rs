//! Swap areas.
//!
//! ```text
//!  0            1024                                    4086         4096
//!  ┌─────────────┬───────────────────────────────────────┬────────────┬──────────────────────────┐
//!  │ left to     │ version, last page, UUID, label;      │ SWAPSPACE2 │ pages, which Linux fills │
//!  │ boot loaders│ zeros                                 │            │ when memory runs out     │
//!  └─────────────┴───────────────────────────────────────┴────────────┴──────────────────────────┘
//!   └───────────────────────── page 0: the header ────────────────────┘
//! ```
//!
//! [`plan`] makes the header as `mkswap` does, and leaves a hole behind it: nobody reads a page that was not written
//! before. The header counts pages of 4096 bytes. A kernel with other pages (some arm64 ones have 16 or 64 KiB) takes no
//! such area, and says so when it is turned on.

mod format;
mod plan;
mod read;

use image::Fault;
use uuid::Uuid;

pub use plan::plan;
pub use read::read;

/// Bytes of a page.
pub const PAGE_SIZE: u64 = 4096;

/// The smallest area: `mkswap` makes none of fewer pages.
pub const SIZE_MIN: u64 = 10 * PAGE_SIZE;

/// The largest area: the header counts pages in 32 bits.
pub const SIZE_MAX: u64 = PAGE_SIZE << 32;

/// The most bytes of a label; a zero ends it.
pub const LABEL_MAX: usize = 15;

/// What a swap area is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Its bytes, of which a last part of a page stays unused.
    pub size: u64,
    /// Its UUID.
    pub uuid: Uuid,
    /// Its label: up to [`LABEL_MAX`] bytes, none of them zero.
    pub label: Option<String>,
}

/// Why there is no swap area.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Fewer bytes than an area has.
    #[error("a swap area of {size} bytes: it has at least {SIZE_MIN}")]
    TooSmall {
        /// How many.
        size: u64,
    },
    /// More bytes than the header counts.
    #[error("a swap area of {size} bytes: it has at most {SIZE_MAX}")]
    TooLarge {
        /// How many.
        size: u64,
    },
    /// More than a label has.
    #[error("label {label:?} has {len} bytes, a swap area's has at most {LABEL_MAX}", len = label.len())]
    LabelTooLong {
        /// The label.
        label: String,
    },
    /// A label that would end early.
    #[error("label {label:?} has a zero in it")]
    LabelHasZero {
        /// The label.
        label: String,
    },
    /// An image that does not begin as a swap area does.
    #[error("no swap area: {0}")]
    Damaged(String),
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::TooSmall { .. } | Error::TooLarge { .. } => Fault::Limit,
            Error::LabelTooLong { .. } | Error::LabelHasZero { .. } => Fault::Request,
            Error::Damaged(_) => Fault::Damaged,
        }
    }
}

impl Options {
    /// Finds what is wrong with them.
    ///
    /// # Errors
    /// When the size or the label cannot be.
    pub fn check(&self) -> Result<(), Error> {
        let size = self.size;
        if size < SIZE_MIN {
            return Err(Error::TooSmall { size });
        }
        if size > SIZE_MAX {
            return Err(Error::TooLarge { size });
        }
        match &self.label {
            Some(label) if label.len() > LABEL_MAX => Err(Error::LabelTooLong { label: label.clone() }),
            Some(label) if label.contains('\0') => Err(Error::LabelHasZero { label: label.clone() }),
            _ => Ok(()),
        }
    }
}
