//! The bytes of a VHD. All integers are big-endian.
//!
//! The names are those of Microsoft's *Virtual Hard Disk Image Format Specification*, version 1.0 of 2006.

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a sector.
pub(crate) const SECTOR: u64 = 512;
/// `cookie` of a footer.
pub(crate) const FOOTER_COOKIE: [u8; 8] = *b"conectix";
/// `cookie` of the header of a dynamic disk.
pub(crate) const HEADER_COOKIE: [u8; 8] = *b"cxsparse";
/// `features`: the bit that is always set.
pub(crate) const FEATURES: u32 = 2;
/// `file_format_version` and `header_version`.
pub(crate) const VERSION: u32 = 0x0001_0000;
/// `data_offset` of what has nothing behind it: 64 bits, as Windows wants it, and not the 32 of the specification.
pub(crate) const NO_OFFSET: u64 = u64::MAX;
/// `creator_application`: one of those whose disks QEMU and others take by `current_size`, and not by the geometry.
pub(crate) const CREATOR: [u8; 4] = *b"win ";
/// `creator_version`: 10.0.
pub(crate) const CREATOR_VERSION: u32 = 0x000a_0000;
/// `creator_host_os`: Windows; the other one is Macintosh.
pub(crate) const CREATOR_HOST: [u8; 4] = *b"Wi2k";
/// `disk_type` of a disk whose bytes all lie in the file.
pub(crate) const FIXED: u32 = 2;
/// `disk_type` of a disk of which blocks lie in the file.
pub(crate) const DYNAMIC: u32 = 3;
/// `disk_type` of a disk that is what another one has become.
pub(crate) const DIFFERENCING: u32 = 4;
/// Bytes of a block.
pub(crate) const BLOCK: u64 = 2 << 20;
/// Each byte of an entry of the block allocation table (BAT) for a block that is not there.
pub(crate) const ABSENT: u8 = 0xff;
/// Where the BAT of ours begins.
pub(crate) const TABLE_OFFSET: u64 = 1536;

/// The last 512 bytes of a file, and of a dynamic disk also the first.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Footer {
    pub(crate) cookie: [u8; 8],
    pub(crate) features: U32,
    pub(crate) file_format_version: U32,
    pub(crate) data_offset: U64,
    pub(crate) time_stamp: U32,
    pub(crate) creator_application: [u8; 4],
    pub(crate) creator_version: U32,
    pub(crate) creator_host_os: [u8; 4],
    pub(crate) original_size: U64,
    pub(crate) current_size: U64,
    pub(crate) cylinders: U16,
    pub(crate) heads: u8,
    pub(crate) sectors_per_track: u8,
    pub(crate) disk_type: U32,
    pub(crate) checksum: U32,
    pub(crate) unique_id: [u8; 16],
    pub(crate) saved_state: u8,
    pub(crate) reserved: [u8; 427],
}

const _: () = assert!(size_of::<Footer>() == 512);

/// The header of a dynamic disk.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
#[expect(clippy::struct_field_names, reason = "the format's own names")]
pub(crate) struct Header {
    pub(crate) cookie: [u8; 8],
    pub(crate) data_offset: U64,
    pub(crate) table_offset: U64,
    pub(crate) header_version: U32,
    pub(crate) max_table_entries: U32,
    pub(crate) block_size: U32,
    pub(crate) checksum: U32,
    pub(crate) parent_unique_id: [u8; 16],
    pub(crate) parent_time_stamp: U32,
    pub(crate) reserved1: U32,
    pub(crate) parent_unicode_name: [u8; 512],
    pub(crate) parent_locator_entries: [u8; 192],
    pub(crate) reserved2: [u8; 256],
}

const _: () = assert!(size_of::<Header>() == 1024);

/// The checksum of a footer or header whose own one is 0.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    !bytes
        .iter()
        .fold(0u32, |sum, byte| sum.wrapping_add((*byte).into()))
}
