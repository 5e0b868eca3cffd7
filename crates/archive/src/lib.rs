//! What others have packed: tar archives as trees.
//!
//! ```text
//!  root.tar.zst ── decode ──► headers ──► members ──► Tree ──► a format's plan
//!                                │                      ▲
//!                                └─ contents ──► Spool  │
//!  layer.tar.gz ── decode ──► headers ──► members ──────┘
//! ```
//!
//! [`tar()`] reads an archive once, from its first byte to its last, in bounded memory, and makes the tree that
//! [`image::scan`] would make of the folder that `tar` unpacks it to. [`layer`] puts one more layer of an OCI image onto a
//! tree. Headers of v7, POSIX (ustar, pax), GNU tar and star are known, and sparse files in all of their ways.
//!
//! # What an archive means
//!
//! What GNU tar and bsdtar agree on, as `tests/differential` shows: root unpacks, with permissions, numbers of owners,
//! attributes and access lists, into an empty folder.
//!
//! * What comes later takes the place of what came before: of files and links always, of a folder when it is empty or when
//!   the new one is a folder too. A second name keeps what it was a name of.
//! * A hard link leads to what came before it.
//! * Names begin at the root of the tree, `/` at their begin or not. Types that are not known are files.
//! * The archive ends with a block of zeros. What is behind that is nobody's, unless it is one more header.
//!
//! Where the two do not agree, this holds:
//!
//! | | GNU tar | bsdtar | here |
//! |---|---|---|---|
//! | a way through a link to what is beside it or below | goes there | refuses | goes there |
//! | a folder's time, said twice | the later | the first | the later |
//! | a hard link to itself | nothing happens | refuses | nothing happens |
//! | a global header of pax | counts | does not count | counts, as in POSIX |
//! | a record without a value | is no value | means the header's | means the header's, as in POSIX |
//! | a record's path, and GNU's long name | the record's | the first | the record's |
//! | attributes in bsdtar's own records | are not read | are read | are read |
//! | `%3D` and such in the names of attributes | are read | are not | are read |
//! | access lists with names | the host's numbers | refuses, unless numbers are beside them | refuses, unless numbers are beside them |
//! | a fraction of a second before 1970 | leads away from 1970 | leads towards it | leads away, as in POSIX |
//! | a sparse file that ends with a hole that only its length tells | is too short | is whole | is whole |
//! | star's sparse files | are read | are not | are read |
//! | two extended headers for one entry | the later | refuses | is refused |
//! | parts of files in other volumes | refuses | are files | are refused |
//! | numbers that are blank, or not all digits | refuses | guesses | are refused |
//!
//! An archive is taken whole or refused. So these are refused, although both take them:
//!
//! * An archive without a block of zeros at its end: it may have been cut off between two entries. Where it is compressed,
//!   the compressor's own end vouches for it.
//! * Headers behind the end: several archives in one file, of which all but the first would be lost.
//! * Access lists that make no sense, ways of being sparse that are not known, parts of a sparse file that overlap, and
//!   names with a zero byte in them.

mod acl;
mod attributes;
mod error;
mod kinds;
mod pax;
mod tar;

pub use error::{Error, Result};
pub use tar::{Packed, layer, read_tar, tar};
