//! The bytes of a VMDK's sparse extent. All integers are little-endian, and places are sectors.
//!
//! The names are those of VMware's *Virtual Disk Format 5.0*.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a sector.
pub(crate) const SECTOR: u64 = 512;
/// `magic_number`.
pub(crate) const MAGIC: [u8; 4] = *b"KDMV";
/// `flags`: the bytes that tell whether somebody has changed line ends are right.
pub(crate) const NEWLINE_TEST: u32 = 1;
/// `flags`: there is a second copy of the tables.
pub(crate) const REDUNDANT: u32 = 1 << 1;
/// `flags`: grains are compressed.
pub(crate) const COMPRESSED: u32 = 1 << 16;
/// `flags`: markers say what comes next.
pub(crate) const MARKERS: u32 = 1 << 17;
/// `grain_size` of ours, in sectors.
pub(crate) const GRAIN: u64 = 128;
/// Bytes of a grain of ours.
pub(crate) const GRAIN_BYTES: u64 = GRAIN * SECTOR;
/// `num_gtes_per_gt`: the only number of entries of a grain table (GT).
pub(crate) const ENTRIES: u64 = 512;
/// Sectors of a grain table.
pub(crate) const TABLE: u64 = ENTRIES * 4 / SECTOR;
/// `gd_offset` of a header whose grain directory (GD) is found through the footer.
pub(crate) const AT_END: u64 = u64::MAX;
/// The line ends behind `unclean_shutdown`.
pub(crate) const LINE_ENDS: [u8; 4] = *b"\n \r\n";
/// `compress_algorithm`: zlib.
pub(crate) const DEFLATE: u16 = 1;
/// A marker's type: the file's end.
pub(crate) const END_OF_STREAM: u32 = 0;
/// A marker's type: a grain table comes.
pub(crate) const GRAIN_TABLE: u32 = 1;
/// A marker's type: the grain directory comes.
pub(crate) const GRAIN_DIRECTORY: u32 = 2;
/// A marker's type: the footer comes, which is a header.
pub(crate) const FOOTER: u32 = 3;

/// The first sector of a file, and the footer of one that is a stream.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) magic_number: [u8; 4],
    pub(crate) version: U32,
    pub(crate) flags: U32,
    pub(crate) capacity: U64,
    pub(crate) grain_size: U64,
    pub(crate) descriptor_offset: U64,
    pub(crate) descriptor_size: U64,
    pub(crate) num_gtes_per_gt: U32,
    pub(crate) rgd_offset: U64,
    pub(crate) gd_offset: U64,
    pub(crate) over_head: U64,
    pub(crate) unclean_shutdown: u8,
    pub(crate) line_ends: [u8; 4],
    pub(crate) compress_algorithm: U16,
    pub(crate) pad: [u8; 433],
}

const _: () = assert!(size_of::<Header>() == 512);

/// What comes before each compressed grain.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct GrainMarker {
    pub(crate) lba: U64,
    pub(crate) size: U32,
}

const _: () = assert!(size_of::<GrainMarker>() == 12);

/// What comes before everything else in a stream.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Marker {
    pub(crate) num_sectors: U64,
    pub(crate) size: U32,
    pub(crate) kind: U32,
    pub(crate) pad: [u8; 496],
}

const _: () = assert!(size_of::<Marker>() == 512);
