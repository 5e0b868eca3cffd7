//! VMDK: grains of 64 KiB, which a directory and its tables find.
//!
//! ```text
//!  monolithicSparse  │ header │ text │ GD │ GTs │ GD │ GTs │ grain │ grain │ …
//!                                     the first is a copy
//!
//!  streamOptimized   │ header │ text │ grain │ grain │ … │ GT │ grain │ … │ GT │ … │ GD │ footer │ end │
//!                                     compressed, each with its place in front
//! ```
//!
//! A grain table (GT) has 512 grains, 32 MiB of the disk. In a stream it follows its grains, so that who reads the file from
//! its begin to its end meets the disk in order.

mod descriptor;
pub(crate) mod format;
mod sparse;
mod stream;

use zerocopy::byteorder::little_endian::U64;

pub(crate) use sparse::sparse;
pub(crate) use stream::{stream, streamed};

/// The largest file: tables count sectors in 32 bits.
pub(crate) const FILE_MAX: u64 = format::SECTOR << 32;

/// The largest disk: VMware makes none with more bytes.
pub(crate) const SIZE_MAX: u64 = 62 << 40;

/// A header in which the tables are nowhere yet.
fn header(version: u32, flags: u32, sectors: u64) -> format::Header {
    format::Header {
        magic_number: format::MAGIC,
        version: version.into(),
        flags: flags.into(),
        capacity: sectors.into(),
        grain_size: format::GRAIN.into(),
        descriptor_offset: 1.into(),
        descriptor_size: U64::ZERO,
        num_gtes_per_gt: 512.into(),
        rgd_offset: U64::ZERO,
        gd_offset: U64::ZERO,
        over_head: U64::ZERO,
        unclean_shutdown: 0,
        line_ends: format::LINE_ENDS,
        compress_algorithm: 0.into(),
        pad: [0; 433],
    }
}
