//! The vocabulary of Kiln: a tree goes in, an image comes out.
//!
//! ```text
//!  Tree ──► a format's plan ──► Image ──► write
//!   │                             │
//!   └─ names, modes, links        └─ a size, and sorted, disjoint, labelled extents
//!      and where bytes come from     of Content
//! ```
//!
//! * [`Tree`]: a file system as a value. It says what is in a file system, never where it lies. Names are
//!   bytes and entries are sorted by them, so every writer sees one order.
//! * [`Content`]: bytes whose length is known now and that are read later.
//! * [`Image`]: a size and a list of labelled extents of [`Content`]. A gap between extents promises nothing
//!   (it is a hole in a sparse file); zeros that a reader relies on are extents.
//! * [`Layout`]: collects extents and checks that no two of them overlap.
//! * [`write()`]: the only code that makes files, each whole or not at all. On its way into a file an image can go
//!   [`Through`] what makes other bytes of it ([`Encode`]) or listens ([`Listen`]). Each file is known by its
//!   [`FsVerity`] digest. [`write_tree`] makes a folder of a tree in the same way.
//!
//! * [`Spool`]: where a compressing format keeps its output until an image takes it from there.
//!
//! [`scan`] is the one place that lists folders of the host; [`Seed`] derives every id; [`Progress`] hears how
//! far long work is, and can stop it.

mod content;
mod copy;
mod data;
mod equal;
mod error;
mod extents;
mod fsverity;
mod progress;
mod ranges;
mod regular;
mod scan;
mod seed;
mod slice;
mod spool;
mod structure;
mod tree;
mod write;
mod zeros;

pub use content::{Content, HostFile, ReadAt, Reader, Spooled};
pub use data::Data;
pub use equal::{Compared, compare};
pub use error::{Error, Fault, Result};
pub use extents::{Extent, Image, Layout, MapLine};
pub use fsverity::FsVerity;
pub use progress::{Cancelled, Progress, Silent};
pub use regular::{open_regular, read_regular};
pub use scan::{FOLLOWED_MAX, Keep, scan, scan_entries, scan_path, scan_without};
pub use seed::Seed;
pub use spool::Spool;
pub use structure::{Shared, Structure};
pub use tree::{Device, Directory, Entry, Kind, Meta, NAME_MAX, Node, NodeId, Tree, Unit, Walk, Xattr, show};
pub use write::{
    Digests, Encode, Folder, Listen, Nameless, Obstacle, Owners, Piece, Sums, Target, Through, Written,
    abandon, write, write_tree,
};
pub use zeros::{DataFinder, find_data_runs};
