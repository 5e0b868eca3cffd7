//! The bytes of a qcow2. All integers are big-endian.
//!
//! The names are those of QEMU's [description](https://www.qemu.org/docs/master/interop/qcow2.html).

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `magic`.
pub(crate) const MAGIC: [u8; 4] = *b"QFI\xfb";
/// `version`: the newer of the two.
pub(crate) const VERSION: u32 = 3;
/// `cluster_bits` of ours.
pub(crate) const CLUSTER_BITS: u32 = 16;
/// Bytes of a cluster of ours.
pub(crate) const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// Entries of an L1 or L2 table in a cluster of ours.
pub(crate) const ENTRIES: u64 = CLUSTER / 8;
/// `refcount_order` of ours: reference counts of 16 bits.
pub(crate) const REFCOUNT_ORDER: u32 = 4;
/// Reference counts in a cluster of ours.
pub(crate) const REFCOUNTS: u64 = CLUSTER / 2;
/// `incompatible_features`: the file was not closed.
pub(crate) const DIRTY: u64 = 1;
/// `incompatible_features`: somebody has found the file to be damaged.
pub(crate) const CORRUPT: u64 = 1 << 1;
/// `incompatible_features`: the disk's bytes lie in another file.
pub(crate) const DATA_FILE: u64 = 1 << 2;
/// `incompatible_features`: `compression_type` is not 0.
pub(crate) const COMPRESSION_TYPE: u64 = 1 << 3;
/// `incompatible_features`: entries of L2 tables are twice as long.
pub(crate) const EXTENDED_L2: u64 = 1 << 4;
/// `compression_type`: raw deflate, which looks back 4096 bytes.
pub(crate) const DEFLATE: u8 = 0;
/// `compression_type`: a zstd frame.
pub(crate) const ZSTD: u8 = 1;
/// In an entry: what it leads to is referred to once.
pub(crate) const COPIED: u64 = 1 << 63;
/// In an entry of an L2 table: the cluster is compressed.
pub(crate) const COMPRESSED: u64 = 1 << 62;
/// In an entry of an L2 table: the cluster reads as zeros, whatever is there.
pub(crate) const ZERO: u64 = 1;
/// The bits of an entry that are an offset.
pub(crate) const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
/// The unit in which entries count the bytes of compressed clusters.
pub(crate) const SECTOR: u64 = 512;

/// The first bytes of a file. Those of version 2 end before `incompatible_features`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
#[expect(clippy::struct_field_names, reason = "the format's own names")]
pub(crate) struct Header {
    pub(crate) magic: [u8; 4],
    pub(crate) version: U32,
    pub(crate) backing_file_offset: U64,
    pub(crate) backing_file_size: U32,
    pub(crate) cluster_bits: U32,
    pub(crate) size: U64,
    pub(crate) crypt_method: U32,
    pub(crate) l1_size: U32,
    pub(crate) l1_table_offset: U64,
    pub(crate) refcount_table_offset: U64,
    pub(crate) refcount_table_clusters: U32,
    pub(crate) nb_snapshots: U32,
    pub(crate) snapshots_offset: U64,
    pub(crate) incompatible_features: U64,
    pub(crate) compatible_features: U64,
    pub(crate) autoclear_features: U64,
    pub(crate) refcount_order: U32,
    pub(crate) header_length: U32,
    pub(crate) compression_type: u8,
    pub(crate) padding: [u8; 7],
}

/// The bytes of a header of version 2.
pub(crate) const HEADER_V2: usize = 72;
/// The bytes of the shortest header of version 3.
pub(crate) const HEADER_V3: usize = 104;

const _: () = assert!(size_of::<Header>() == 112);
