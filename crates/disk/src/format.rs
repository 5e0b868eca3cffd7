//! The bytes of a GUID Partition Table and of the MBR that protects it.

use uuid::Uuid;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first eight bytes of a header.
pub(crate) const SIGNATURE: [u8; 8] = *b"EFI PART";

/// Revision 1.0.
pub(crate) const REVISION: u32 = 0x0001_0000;

/// The bytes of a header that mean something and that its CRC covers; the rest of its sector is zero.
pub(crate) const HEADER_SIZE: u32 = 92;

/// The bytes of an entry.
pub(crate) const ENTRY_SIZE: u32 = 128;

/// The UTF-16 units of a partition's name.
pub(crate) const NAME_UNITS: usize = 36;

/// The last two bytes of an MBR.
pub(crate) const MBR_SIGNATURE: [u8; 2] = [0x55, 0xaa];

/// The type of the MBR partition that covers a disk with a GPT.
pub(crate) const GPT_PROTECTIVE: u8 = 0xee;

/// A GUID as the table stores it: the first three groups little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(transparent)]
pub(crate) struct Guid([u8; 16]);

impl From<Uuid> for Guid {
    fn from(uuid: Uuid) -> Guid {
        Guid(uuid.to_bytes_le())
    }
}

impl From<Guid> for Uuid {
    fn from(guid: Guid) -> Uuid {
        Uuid::from_bytes_le(guid.0)
    }
}

/// A [legacy MBR](https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html#protective-mbr).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Mbr {
    /// Of no use here.
    pub(crate) boot_code: [u8; 440],
    /// Of no use here.
    pub(crate) unique_mbr_disk_signature: [u8; 4],
    /// Zero.
    pub(crate) unknown: [u8; 2],
    /// One partition that covers the disk, and three empty ones.
    pub(crate) partition_record: [MbrPartition; 4],
    /// [`MBR_SIGNATURE`].
    pub(crate) signature: [u8; 2],
}

/// A partition record of an MBR.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct MbrPartition {
    /// Zero.
    pub(crate) boot_indicator: u8,
    /// The address of the first block for systems that count heads.
    pub(crate) starting_chs: [u8; 3],
    /// [`GPT_PROTECTIVE`].
    pub(crate) os_type: u8,
    /// The address of the last block for systems that count heads.
    pub(crate) ending_chs: [u8; 3],
    /// The first block.
    pub(crate) starting_lba: U32,
    /// How many blocks, or as many as fit here.
    pub(crate) size_in_lba: U32,
}

/// A [GPT header](https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html#gpt-header).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
#[expect(clippy::struct_field_names, reason = "the specification's field names")]
pub(crate) struct Header {
    /// [`SIGNATURE`].
    pub(crate) signature: [u8; 8],
    /// [`REVISION`].
    pub(crate) revision: U32,
    /// [`HEADER_SIZE`].
    pub(crate) header_size: U32,
    /// The CRC-32 of the header's bytes, with this field as zero.
    pub(crate) header_crc32: U32,
    /// Zero.
    pub(crate) reserved: U32,
    /// Where this header is.
    pub(crate) my_lba: U64,
    /// Where the other one is.
    pub(crate) alternate_lba: U64,
    /// The first block that a partition may have.
    pub(crate) first_usable_lba: U64,
    /// The last block that a partition may have.
    pub(crate) last_usable_lba: U64,
    /// The disk's own GUID.
    pub(crate) disk_guid: Guid,
    /// Where this header's entries begin.
    pub(crate) partition_entry_lba: U64,
    /// How many entries there are.
    pub(crate) number_of_partition_entries: U32,
    /// The bytes of one entry.
    pub(crate) size_of_partition_entry: U32,
    /// The CRC-32 of all entries.
    pub(crate) partition_entry_array_crc32: U32,
}

/// A [GPT entry](https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html#gpt-partition-entry-array).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Entry {
    /// What the partition holds; zero in an unused entry.
    pub(crate) partition_type_guid: Guid,
    /// The partition's own GUID.
    pub(crate) unique_partition_guid: Guid,
    /// The first block.
    pub(crate) starting_lba: U64,
    /// The last block.
    pub(crate) ending_lba: U64,
    /// Bits.
    pub(crate) attributes: U64,
    /// UTF-16, padded with zeros.
    pub(crate) partition_name: [U16; NAME_UNITS],
}

const _: () = assert!(size_of::<MbrPartition>() == 16);
const _: () = assert!(size_of::<Mbr>() == 512);
const _: () = assert!(size_of::<Header>() == HEADER_SIZE as usize);
const _: () = assert!(size_of::<Entry>() == ENTRY_SIZE as usize);
