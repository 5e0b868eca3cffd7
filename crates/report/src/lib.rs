//! Reports for people: what takes the space in an image, what keeps it there, and what grew.
//!
//! ```text
//!  Found ──── assemble ────► Report ─┬─► page     one file of HTML: no network, nothing of what names say runs
//!  a tree of all of it,        ▲     ├─► svg      the treemap alone
//!  the closure, equal files    │     └─► JSON     the same as in the page
//!                            against an older Report
//! ```
//!
//! Nothing here reads, writes or knows a clock: the same image gives the same bytes. Two measures go through everything:
//! the bytes of something *in the image*, compressed and shared as they are there, and those of its files *unpacked*.
//!
//! * [`Found::assemble`] sums up, follows references, and leaves out what is too small to see.
//! * [`Report::against`] says what grew.
//! * [`page`] and [`svg`] draw.

mod assemble;
mod classes;
mod closure;
mod grown;
mod model;
mod page;
mod prune;
mod svg;
mod text;
mod treemap;

pub use assemble::{Found, Registered};
pub use classes::{class_of, most_of};
pub use grown::{Listed, Split};
pub use model::{
    Bytes, Change, Class, ClassBytes, Equal, File, Grown, Node, NodeKind, Problem, Region, RegionKind,
    Report, SCHEMA, StorePath, Totals,
};
pub use page::{json_of_page, page};
pub use svg::{Measure, svg};
pub use text::size;
pub use treemap::{Rect, squarify};
