//! VHDX: regions at multiples of 1 MiB, each found through a table of which there are two.
//!
//! ```text
//!  0       64K       192K       1M    2M         3M              3M + n
//!  │ file │ headers │ regions │ log │ metadata │ BAT           │ block │ block │ …
//!   id     twice     twice     none  5 items    8 bytes a block
//! ```
//!
//! Blocks are stored whole, so the smallest, of 1 MiB, make the smallest files. Disks of more than 1 TiB have larger ones, so
//! that the table stays below 8 MiB and a bit.

pub(crate) mod format;
mod plan;

pub(crate) use plan::plan;

/// The largest disk.
pub(crate) const SIZE_MAX: u64 = 64 << 40;
