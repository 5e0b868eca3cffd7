//! The bytes of a GUID Partition Table and of an MBR.

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

/// The bytes of an MBR that are code.
pub(crate) const BOOT_CODE_SIZE: usize = 440;

/// The mark of the partition that a BIOS boots.
pub(crate) const ACTIVE: u8 = 0x80;

/// The type of the MBR partition that covers a disk with a GPT.
pub(crate) const GPT_PROTECTIVE: u8 = 0xee;

/// The type of a partition that has others in it, whose place is an LBA.
pub(crate) const EXTENDED_LBA: u8 = 0x0f;

/// The type that says in an extended boot record where the next one is.
pub(crate) const EXTENDED: u8 = 0x05;

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

/// A [legacy MBR](https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html#mbr-format). An extended boot
/// record has the same fields.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct LegacyMbr {
    /// What a BIOS runs.
    pub(crate) boot_code: [u8; BOOT_CODE_SIZE],
    /// What tells the disk from others; zero before a GPT and in an extended boot record.
    pub(crate) unique_mbr_disk_signature: U32,
    /// Zero.
    pub(crate) unknown: [u8; 2],
    /// The partitions. In an extended boot record: the logical partition, and the way to the next record.
    pub(crate) partition_record: [PartitionRecord; 4],
    /// [`MBR_SIGNATURE`].
    pub(crate) signature: [u8; 2],
}

/// A [partition record](https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html#mbr-format) of an MBR.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct PartitionRecord {
    /// [`ACTIVE`] or zero.
    pub(crate) boot_indicator: u8,
    /// The address of the first block for systems that count heads.
    pub(crate) starting_chs: [u8; 3],
    /// What the partition holds; zero in an unused record.
    pub(crate) os_type: u8,
    /// The address of the last block for systems that count heads.
    pub(crate) ending_chs: [u8; 3],
    /// The first block. In an extended boot record it counts from that record, or, on the way to the next one, from
    /// the start of the extended partition.
    pub(crate) starting_lba: U32,
    /// How many blocks; before a GPT, as many as fit here.
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
pub(crate) struct GptEntry {
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

const _: () = assert!(size_of::<PartitionRecord>() == 16);
const _: () = assert!(size_of::<LegacyMbr>() == 512);
const _: () = assert!(size_of::<Header>() == HEADER_SIZE as usize);
const _: () = assert!(size_of::<GptEntry>() == ENTRY_SIZE as usize);
