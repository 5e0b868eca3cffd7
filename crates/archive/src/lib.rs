//! What others have packed: tar archives as trees.
//!
//! ```text
//!  root.tar.zst ── decode ──► headers ──► Tree ──► a format's plan
//!                                    └─ contents ──► Spool, from which they are read later
//! ```
//!
//! [`tar()`] reads an archive once, from its first byte to its last, in bounded memory, and makes the tree that
//! [`image::scan`] makes of the folder that the archive has packed. Headers of POSIX (ustar, pax) and GNU are known;
//! sparse files, parts of larger archives and incremental backups are refused.

mod error;
mod pax;
mod tar;

pub use error::{Error, Result};
pub use tar::{read_tar, tar};
