//! VHD: the disk, and a footer behind it; or blocks of 2 MiB with a table in front.
//!
//! ```text
//!  fixed    │ the disk                                           │ footer │
//!  dynamic  │ footer │ header │ BAT │ bitmap, block │ bitmap, block │ … │ footer │
//!            0        512      1536    512  2 MiB
//! ```
//!
//! Readers disagree about a disk's size: the footer has it in bytes and as a geometry of cylinders, heads and sectors,
//! which rounds down. Ours is the geometry that stands for all disks too large for one, and the creator is one whose disks
//! are taken by their bytes, so that all see every byte. A table's copy at the end of the disk depends on that.

pub(crate) mod format;
mod plan;

pub(crate) use plan::{dynamic, fixed};

/// The largest disk: a BAT counts sectors in 32 bits.
pub(crate) const SIZE_MAX: u64 = 2040 << 30;
