//! The bytes of a VHDX. All integers are little-endian.
//!
//! The names are those of Microsoft's [MS-VHDX](https://learn.microsoft.com/openspecs/windows_protocols/ms-vhdx/).

use uuid::Uuid;
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What regions and blocks begin at multiples of.
pub(crate) const MIB: u64 = 1 << 20;
/// `Signature` of the file.
pub(crate) const FILE_SIGNATURE: [u8; 8] = *b"vhdxfile";
/// Where the two headers are.
pub(crate) const HEADERS: [u64; 2] = [64 << 10, 128 << 10];
/// Bytes that the checksum of a header is over.
pub(crate) const HEADER_LEN: usize = 4096;
/// `Signature` of a header.
pub(crate) const HEADER_SIGNATURE: [u8; 4] = *b"head";
/// Where the two region tables are.
pub(crate) const REGION_TABLES: [u64; 2] = [192 << 10, 256 << 10];
/// Bytes of a region table, and of the table of metadata.
pub(crate) const TABLE_LEN: usize = 64 << 10;
/// `Signature` of a region table.
pub(crate) const REGION_SIGNATURE: [u8; 4] = *b"regi";
/// `Signature` of the table of metadata.
pub(crate) const METADATA_SIGNATURE: [u8; 8] = *b"metadata";
/// Where the log of ours is, which is empty.
pub(crate) const LOG: u64 = MIB;
/// Where the metadata of ours are.
pub(crate) const METADATA: u64 = 2 * MIB;
/// Where the block allocation table (BAT) of ours begins.
pub(crate) const BAT: u64 = 3 * MIB;
/// The region of the BAT.
pub(crate) const BAT_GUID: Uuid = Uuid::from_u128(0x2dc2_7766_f623_4200_9d64_115e_9bfd_4a08);
/// The region of the metadata.
pub(crate) const METADATA_GUID: Uuid = Uuid::from_u128(0x8b7c_a206_4790_4b9a_b8fe_575f_050f_886e);
/// An item of metadata: `BlockSize`, and bits.
pub(crate) const FILE_PARAMETERS: Uuid = Uuid::from_u128(0xcaa1_6737_fa36_4d43_b3b6_33f0_aa44_e76b);
/// An item: `VirtualDiskSize`.
pub(crate) const VIRTUAL_DISK_SIZE: Uuid = Uuid::from_u128(0x2fa5_4224_cd1b_4876_b211_5dbe_d83b_f4b8);
/// An item: `VirtualDiskId`.
pub(crate) const VIRTUAL_DISK_ID: Uuid = Uuid::from_u128(0xbeca_12ab_b2e6_4523_93ef_c309_e000_c746);
/// An item: `LogicalSectorSize`.
pub(crate) const LOGICAL_SECTOR_SIZE: Uuid = Uuid::from_u128(0x8141_bf1d_a96f_4709_ba47_f233_a8fa_ab5f);
/// An item: `PhysicalSectorSize`.
pub(crate) const PHYSICAL_SECTOR_SIZE: Uuid = Uuid::from_u128(0xcda3_48c7_445d_4471_9cc9_e988_5251_c556);
/// Flags of an item: who does not know it must not read the file.
pub(crate) const IS_REQUIRED: u32 = 4;
/// Flags of an item: it is about the disk, not the file.
pub(crate) const IS_VIRTUAL_DISK: u32 = 2;
/// In the bits of the file parameters: another file has what is not in this one.
pub(crate) const HAS_PARENT: u32 = 2;
/// The bits of an entry of the BAT that are a state.
pub(crate) const STATE: u64 = 7;
/// A state: the block reads as zeros.
pub(crate) const ZERO: u64 = 2;
/// A state: the block is at the entry's offset.
pub(crate) const PRESENT: u64 = 6;
/// A state: parts of the block are in a parent.
pub(crate) const PARTIALLY_PRESENT: u64 = 7;
/// The bits of an entry that are an offset.
pub(crate) const OFFSET: u64 = !(MIB - 1);
/// Sectors that a block of a sector bitmap is for.
pub(crate) const BITMAP_SECTORS: u64 = 1 << 23;

/// A header, with which the file's state is found.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) signature: [u8; 4],
    pub(crate) checksum: U32,
    pub(crate) sequence_number: U64,
    pub(crate) file_write_guid: [u8; 16],
    pub(crate) data_write_guid: [u8; 16],
    pub(crate) log_guid: [u8; 16],
    pub(crate) log_version: U16,
    pub(crate) version: U16,
    pub(crate) log_length: U32,
    pub(crate) log_offset: U64,
}

const _: () = assert!(size_of::<Header>() == 80);

/// What a region table begins with.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct RegionTable {
    pub(crate) signature: [u8; 4],
    pub(crate) checksum: U32,
    pub(crate) entry_count: U32,
    pub(crate) reserved: U32,
}

const _: () = assert!(size_of::<RegionTable>() == 16);

/// An entry of a region table.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Region {
    pub(crate) guid: [u8; 16],
    pub(crate) file_offset: U64,
    pub(crate) length: U32,
    pub(crate) required: U32,
}

const _: () = assert!(size_of::<Region>() == 32);

/// What the table of metadata begins with.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct MetadataTable {
    pub(crate) signature: [u8; 8],
    pub(crate) reserved: U16,
    pub(crate) entry_count: U16,
    pub(crate) reserved2: [u8; 20],
}

const _: () = assert!(size_of::<MetadataTable>() == 32);

/// An entry of the table of metadata.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
#[expect(clippy::struct_field_names, reason = "the format's own names")]
pub(crate) struct Item {
    pub(crate) item_id: [u8; 16],
    pub(crate) offset: U32,
    pub(crate) length: U32,
    pub(crate) flags: U32,
    pub(crate) reserved2: U32,
}

const _: () = assert!(size_of::<Item>() == 32);

/// How many entries of blocks come before one of a sector bitmap.
pub(crate) fn chunk_ratio(block: u64) -> u64 {
    BITMAP_SECTORS * 512 / block
}

/// Sets the checksum of a structure, in its fifth to eighth byte.
pub(crate) fn seal(bytes: &mut [u8]) {
    bytes[4..8].fill(0);
    let checksum = crc32c::crc32c(bytes);
    bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
}
