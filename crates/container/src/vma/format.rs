//! The bytes of a VMA. All integers are big-endian, but for the lengths in the header's buffer.
//!
//! The names are those of `vma.h` in Proxmox' QEMU, as its `vma_spec.txt` describes the format.

use zerocopy::byteorder::big_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `magic` of a file.
pub(crate) const MAGIC: [u8; 4] = *b"VMA\0";
/// `magic` of an extent.
pub(crate) const EXTENT_MAGIC: [u8; 4] = *b"VMAE";
/// `version`.
pub(crate) const VERSION: u32 = 1;
/// Bytes of a block.
pub(crate) const BLOCK: u64 = 4096;
/// Blocks of a cluster, which have a bit each.
pub(crate) const CLUSTER_BLOCKS: u64 = 16;
/// Clusters of an extent.
pub(crate) const CLUSTERS: usize = 59;
/// The device's number: 0 is none.
pub(crate) const DEVICE: u64 = 1;
/// What a header's length is a multiple of.
pub(crate) const HEADER_MULTIPLE: u64 = 512;

/// The first bytes of a file. The buffer follows, and zeros up to `header_size`.
#[derive(Clone, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
#[expect(clippy::struct_field_names, reason = "the format's own names")]
pub(crate) struct Header {
    pub(crate) magic: [u8; 4],
    pub(crate) version: U32,
    pub(crate) uuid: [u8; 16],
    /// Seconds since 1970.
    pub(crate) ctime: I64,
    /// Of all bytes up to `header_size`, these being zeros.
    pub(crate) md5sum: [u8; 16],
    pub(crate) blob_buffer_offset: U32,
    pub(crate) blob_buffer_size: U32,
    pub(crate) header_size: U32,
    pub(crate) reserved: [u8; 1984],
    /// Places in the buffer; 0 for none.
    pub(crate) config_names: [U32; 256],
    pub(crate) config_data: [U32; 256],
    pub(crate) reserved1: [u8; 4],
    pub(crate) dev_info: [Device; 256],
}

const _: () = assert!(size_of::<Header>() == 12288);

/// A disk.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Device {
    /// A place in the buffer.
    pub(crate) devname_ptr: U32,
    pub(crate) reserved: U32,
    pub(crate) size: U64,
    pub(crate) reserved1: [u8; 16],
}

const _: () = assert!(size_of::<Device>() == 32);

/// What stands before the blocks of some clusters.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Extent {
    pub(crate) magic: [u8; 4],
    pub(crate) reserved1: U16,
    /// How many blocks follow.
    pub(crate) block_count: U16,
    /// The file's.
    pub(crate) uuid: [u8; 16],
    /// Of these 512 bytes, these being zeros.
    pub(crate) md5sum: [u8; 16],
    /// Which blocks are there, the device and the cluster's number; zeros for no cluster.
    pub(crate) blockinfo: [U64; CLUSTERS],
}

const _: () = assert!(size_of::<Extent>() == 512);
