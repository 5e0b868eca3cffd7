//! The bytes of a VDI. All integers are little-endian.
//!
//! Nobody describes the format but the programs that read it; the names are VirtualBox'.

use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `text`: what people see, up to the first zero byte.
pub(crate) const TEXT: &[u8] = b"<<< Kiln VM Virtual Disk Image >>>\n";
/// `signature`.
pub(crate) const SIGNATURE: u32 = 0xbeda_107f;
/// `version`: 1.1.
pub(crate) const VERSION: u32 = 0x0001_0001;
/// `header_size`: the bytes from itself on.
pub(crate) const HEADER_SIZE: u32 = 400;
/// `image_type` of a disk of which blocks are there.
pub(crate) const DYNAMIC: u32 = 1;
/// `image_type` of a disk whose blocks are all there.
pub(crate) const STATIC: u32 = 2;
/// Bytes of a block.
pub(crate) const BLOCK: u64 = 1 << 20;
/// Where the map of ours begins.
pub(crate) const MAP: u64 = 512;
/// An entry of the map for a block that is not there.
pub(crate) const ABSENT: u32 = u32::MAX;
/// The same for one that was discarded.
pub(crate) const DISCARDED: u32 = u32::MAX - 1;

/// The first bytes of a file.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
#[expect(clippy::struct_field_names, reason = "the format's own names")]
pub(crate) struct Header {
    pub(crate) text: [u8; 64],
    pub(crate) signature: U32,
    pub(crate) version: U32,
    pub(crate) header_size: U32,
    pub(crate) image_type: U32,
    pub(crate) image_flags: U32,
    pub(crate) description: [u8; 256],
    pub(crate) offset_bmap: U32,
    pub(crate) offset_data: U32,
    pub(crate) cylinders: U32,
    pub(crate) heads: U32,
    pub(crate) sectors: U32,
    pub(crate) sector_size: U32,
    pub(crate) unused: U32,
    pub(crate) disk_size: U64,
    pub(crate) block_size: U32,
    pub(crate) block_extra: U32,
    pub(crate) blocks_in_image: U32,
    pub(crate) blocks_allocated: U32,
    pub(crate) uuid_image: [u8; 16],
    pub(crate) uuid_last_snap: [u8; 16],
    pub(crate) uuid_link: [u8; 16],
    pub(crate) uuid_parent: [u8; 16],
    pub(crate) padding: [u8; 56],
}

const _: () = assert!(size_of::<Header>() == 512);
