//! Compressed segments, kept between builds, here and for others.
//!
//! ```text
//!  DIR/segments/5f/5f0c…e1   one segment: blocks │ sizes │ trailer        named by its key
//!  DIR/growing/…             segments that are being written, each locked by its writer
//! ```
//!
//! A *segment* is a run of compressed blocks that depends on nothing around it. Its [`Key`] is a hash of everything
//! that it does depend on, so whoever has the key knows the bytes before they are made, and may take them from where
//! they were made before: from a [`Cache`], off a [`Shelf`], or out of an [`Earlier`] output. Entries never change, so a place that
//! only knows keys and bytes can keep them: a web server or a bucket, which [`Shared`] asks and [`Uploads`] fills.
//!
//! Nothing here is believed. A segment comes with a digest over its key, its blocks and their sizes, and whoever takes
//! it computes that digest over the very bytes that it goes on to use. What does not match is [rejected], removed, and
//! made anew: a cache can save work, and can never change a byte. What a digest cannot say, whether blocks are such that
//! every reader understands them, is up to whoever knows the format: as a [`Look`] at all entries, and at each segment that
//! comes from a place that is not [one's own](Segments::is_own).
//!
//! Entries grow under names of their own and get their key as a name when they are complete, so processes need not
//! wait for each other, and one that is killed leaves nothing that looks like an entry. Entries are not forced to the
//! disk: what a power cut makes of them is found by their digests.
//!
//! [rejected]: Segments::reject

pub mod cut;
mod earlier;
mod entry;
mod even;
mod folder;
mod key;
pub mod libraries;
mod names;
mod push;
mod shared;
mod shelf;
mod spooled;
mod upkeep;
mod uploads;
mod warnings;

use std::path::PathBuf;
use std::sync::Arc;

use image::{Fault, ReadAt};

pub use earlier::{Earlier, Record};
pub use even::is_even;
pub use folder::Cache;
pub use key::{Checksum, Fields, Key};
pub use names::{Confirm, Names, Outline, Reuse};
pub use push::Pushed;
pub use shared::{Fetched, Shared, Take};
pub use shelf::Shelf;
pub use spooled::{Asked, Blocks, Depth, Output, Part, Spooled, Spooling, Threads, Wanted, spool};
pub use upkeep::{Damage, Pruned, Usage, Verified};
pub use uploads::{Sent, Uploads};

/// Places where compressed segments can be. All of them may be asked from many threads and processes at once.
pub trait Segments: Sync {
    /// The segment of a key, when it is here. Its bytes are not checked yet.
    fn find(&self, key: &Key) -> Option<Found>;
    /// Hears that what was found under a key is not what its digest says, and forgets it.
    fn reject(&self, key: &Key, problem: &str);
    /// Keeps a segment that was made. Failing to do so is no failure of the build.
    fn keep(&self, key: &Key, made: &Made);
    /// Whether only Kiln puts segments here, each of them looked at before. Those of others are decompressed before they
    /// are used.
    fn is_own(&self) -> bool {
        false
    }
    /// Whether what is kept is read out of its spool later: then that must stay as it is.
    fn reads_later(&self) -> bool {
        false
    }
}

/// Looks at the blocks of a segment, which this crate knows nothing about, and says what is wrong with them.
pub type Look<'a> = &'a (dyn Fn(&Found) -> Result<(), String> + Sync);

/// All places that a build knows.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// These are asked first, in this order. What one does not have, and a later one has or is made, it is asked to
    /// keep.
    pub near: &'a [&'a dyn Segments],
    /// These are asked for what is missing then, while it is being made; whichever is ready first is taken.
    pub shared: &'a [Shared],
}

/// A segment that was found.
#[derive(Debug)]
pub struct Found {
    /// What its blocks are read from.
    pub source: Arc<dyn ReadAt>,
    /// The first byte of the first block; the others follow.
    pub start: u64,
    /// The bytes of all blocks.
    pub len: u64,
    /// A word for each block, as the format has it: how long it is, and how it is stored.
    pub sizes: Vec<u32>,
    /// What the [`Checksum`] of all that must be.
    pub digest: [u8; 32],
}

/// A segment that was made.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// Where its blocks are, one part after the other.
    pub parts: &'a [Part],
    /// The bytes of all blocks.
    pub len: u64,
    /// A word for each block.
    pub sizes: &'a [u32],
    /// The [`Checksum`] of all that.
    pub digest: [u8; 32],
}

/// What can go wrong with a cache that was asked for. A build goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be made, listed or written to.
    #[error("{}: {source}", path.display())]
    Folder {
        /// The folder, or what is in it.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The address of a shared cache makes no sense, or it does not take what is pushed.
    #[error(transparent)]
    Remote(#[from] remote::Error),
    /// The system has no thread left to give.
    #[error("cannot start a thread: {0}")]
    NoThread(std::io::Error),
    /// A folder that is to be read has no segments.
    #[error("{}: there are no segments in it", folder.display())]
    NoSegments {
        /// The folder.
        folder: PathBuf,
    },
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::Folder { .. } | Error::NoThread(_) => Fault::Output,
            Error::NoSegments { .. } => Fault::Input,
            Error::Remote(error) => match error.fault() {
                Fault::Request => Fault::Request,
                // Nothing is read from there that a failure could be about.
                _ => Fault::Output,
            },
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let error = match self {
            Error::Folder { .. } | Error::NoThread(_) => return None,
            Error::NoSegments { .. } => {
                return Some(
                    "a folder to reuse is a cache, or one that `kiln segments make` has filled".into(),
                );
            }
            Error::Remote(error) => error,
        };
        match error {
            remote::Error::Status {
                status: 405 | 413 | 501, ..
            } => {
                Some("a web server has to allow the method PUT there, for objects of any size; a bucket needs an s3:// address".into())
            }
            remote::Error::Refused { .. } => error.hint(),
            remote::Error::BadAddress { .. }
            | remote::Error::Certificates { .. }
            | remote::Error::Netrc { .. } => None,
            _ => Some("what was sent is there, and the next push sends what is left".into()),
        }
    }
}
