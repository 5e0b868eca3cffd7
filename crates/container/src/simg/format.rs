//! The bytes of an Android sparse image. All integers are little-endian.
//!
//! The names are those of AOSP's `sparse_format.h`.

use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `magic`.
pub(crate) const MAGIC: u32 = 0xed26_ff3a;
/// Bytes of a block.
pub(crate) const BLOCK: u64 = 4096;
/// `chunk_type`: the bytes of the blocks follow.
pub(crate) const RAW: u16 = 0xcac1;
/// `chunk_type`: four bytes follow that fill the blocks.
pub(crate) const FILL: u16 = 0xcac2;
/// `chunk_type`: nobody cares what is in the blocks.
pub(crate) const DONT_CARE: u16 = 0xcac3;

/// The first bytes of a file.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) magic: U32,
    pub(crate) major_version: U16,
    pub(crate) minor_version: U16,
    pub(crate) file_hdr_sz: U16,
    pub(crate) chunk_hdr_sz: U16,
    pub(crate) blk_sz: U32,
    pub(crate) total_blks: U32,
    pub(crate) total_chunks: U32,
    pub(crate) image_checksum: U32,
}

const _: () = assert!(size_of::<Header>() == 28);

/// What each chunk begins with.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
#[expect(clippy::struct_field_names, reason = "the format's own names")]
pub(crate) struct Chunk {
    pub(crate) chunk_type: U16,
    pub(crate) reserved1: U16,
    pub(crate) chunk_sz: U32,
    pub(crate) total_sz: U32,
}

const _: () = assert!(size_of::<Chunk>() == 12);
