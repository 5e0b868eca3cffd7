//! VDI: blocks of 1 MiB, and a map that says which is where.
//!
//! ```text
//!  │ header │ map             │ block │ block │ …
//!   512      4 bytes a block   from the next multiple of 1 MiB on
//! ```

pub(crate) mod format;
mod plan;

pub(crate) use plan::plan;

/// The largest disk: QEMU reads maps of so many blocks.
pub(crate) const SIZE_MAX: u64 = 0x1fff_ffff * format::BLOCK;
