//! The bytes of an ext4 file system, field by field. All integers are little-endian.
//!
//! The specification is the kernel's [ext4 Data Structures and Algorithms](https://www.kernel.org/doc/html/latest/filesystems/ext4/index.html);
//! field names are its own without their prefixes.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a block that Kiln writes.
pub(crate) const BLOCK: u64 = BLOCK_LEN as u64;
/// The same, as the length of a buffer.
pub(crate) const BLOCK_LEN: usize = 4096;
/// Bytes of an inode that Kiln writes.
pub(crate) const INODE_SIZE: u16 = 256;
/// Blocks of a group that Kiln writes: as many as one bitmap block counts.
pub(crate) const BLOCKS_PER_GROUP: u32 = 32768;

/// Where the superblock begins, in bytes.
pub(crate) const SUPERBLOCK_START: u64 = 1024;
pub(crate) const SUPERBLOCK_MAGIC: u16 = 0xef53;
pub(crate) const EXTENT_MAGIC: u16 = 0xf30a;
pub(crate) const XATTR_MAGIC: u32 = 0xea02_0000;
pub(crate) const JOURNAL_MAGIC: u32 = 0xc03b_3998;
/// The kind of journal block that a version 2 journal superblock is.
pub(crate) const JOURNAL_SUPERBLOCK_V2: u32 = 4;
pub(crate) const JOURNAL_SUPERBLOCK_V1: u32 = 3;
/// [`Superblock::jnl_blocks`] is a copy of the journal's inode.
pub(crate) const JOURNAL_BACKUP: u8 = 1;

pub(crate) const ROOT_INODE: u32 = 2;
pub(crate) const RESIZE_INODE: u32 = 7;
pub(crate) const JOURNAL_INODE: u32 = 8;
/// The first inode that is not reserved; lost+found has it.
pub(crate) const FIRST_INODE: u32 = 11;

pub(crate) mod compat {
    pub(crate) const HAS_JOURNAL: u32 = 0x4;
    pub(crate) const EXT_ATTR: u32 = 0x8;
    pub(crate) const RESIZE_INODE: u32 = 0x10;
    pub(crate) const DIR_INDEX: u32 = 0x20;
    pub(crate) const SPARSE_SUPER2: u32 = 0x200;
    pub(crate) const ORPHAN_FILE: u32 = 0x1000;
}

pub(crate) mod incompat {
    pub(crate) const FILETYPE: u32 = 0x2;
    pub(crate) const RECOVER: u32 = 0x4;
    pub(crate) const EXTENTS: u32 = 0x40;
    pub(crate) const BIT64: u32 = 0x80;
    pub(crate) const FLEX_BG: u32 = 0x200;
    pub(crate) const CSUM_SEED: u32 = 0x2000;
}

pub(crate) mod ro_compat {
    pub(crate) const SPARSE_SUPER: u32 = 0x1;
    pub(crate) const LARGE_FILE: u32 = 0x2;
    pub(crate) const HUGE_FILE: u32 = 0x8;
    pub(crate) const GDT_CSUM: u32 = 0x10;
    pub(crate) const DIR_NLINK: u32 = 0x20;
    pub(crate) const EXTRA_ISIZE: u32 = 0x40;
    pub(crate) const QUOTA: u32 = 0x100;
    pub(crate) const METADATA_CSUM: u32 = 0x400;
    pub(crate) const READONLY: u32 = 0x1000;
    pub(crate) const PROJECT: u32 = 0x2000;
}

/// The file system was unmounted cleanly.
pub(crate) const STATE_VALID: u16 = 1;
/// The kernel found errors.
pub(crate) const STATE_ERRORS: u16 = 2;
/// Errors are ignored, as `mke2fs` says too.
pub(crate) const ERRORS_CONTINUE: u16 = 1;
/// Hashes of names treat bytes as signed, as `mke2fs` on most hosts says.
pub(crate) const SIGNED_HASH: u32 = 1;
pub(crate) const UNSIGNED_HASH: u32 = 2;
/// Half MD4.
pub(crate) const HASH_HALF_MD4: u8 = 1;
/// Mount options that are on by default: extended attributes and access lists.
pub(crate) const DEFAULT_MOUNT_OPTIONS: u32 = 0x4 | 0x8;
/// CRC-32C.
pub(crate) const CHECKSUM_CRC32C: u8 = 1;

/// The [superblock](https://www.kernel.org/doc/html/latest/filesystems/ext4/globals.html#super-block).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Superblock {
    pub(crate) inodes_count: U32,
    pub(crate) blocks_count_lo: U32,
    pub(crate) r_blocks_count_lo: U32,
    pub(crate) free_blocks_count_lo: U32,
    pub(crate) free_inodes_count: U32,
    pub(crate) first_data_block: U32,
    pub(crate) log_block_size: U32,
    pub(crate) log_cluster_size: U32,
    pub(crate) blocks_per_group: U32,
    pub(crate) clusters_per_group: U32,
    pub(crate) inodes_per_group: U32,
    pub(crate) mtime: U32,
    pub(crate) wtime: U32,
    pub(crate) mnt_count: U16,
    pub(crate) max_mnt_count: U16,
    pub(crate) magic: U16,
    pub(crate) state: U16,
    pub(crate) errors: U16,
    pub(crate) minor_rev_level: U16,
    pub(crate) lastcheck: U32,
    pub(crate) checkinterval: U32,
    pub(crate) creator_os: U32,
    pub(crate) rev_level: U32,
    pub(crate) def_resuid: U16,
    pub(crate) def_resgid: U16,
    pub(crate) first_ino: U32,
    pub(crate) inode_size: U16,
    pub(crate) block_group_nr: U16,
    pub(crate) feature_compat: U32,
    pub(crate) feature_incompat: U32,
    pub(crate) feature_ro_compat: U32,
    pub(crate) uuid: [u8; 16],
    pub(crate) volume_name: [u8; 16],
    pub(crate) last_mounted: [u8; 64],
    pub(crate) algorithm_usage_bitmap: U32,
    pub(crate) prealloc_blocks: u8,
    pub(crate) prealloc_dir_blocks: u8,
    pub(crate) reserved_gdt_blocks: U16,
    pub(crate) journal_uuid: [u8; 16],
    pub(crate) journal_inum: U32,
    pub(crate) journal_dev: U32,
    pub(crate) last_orphan: U32,
    pub(crate) hash_seed: [u8; 16],
    pub(crate) def_hash_version: u8,
    pub(crate) jnl_backup_type: u8,
    pub(crate) desc_size: U16,
    pub(crate) default_mount_opts: U32,
    pub(crate) first_meta_bg: U32,
    pub(crate) mkfs_time: U32,
    pub(crate) jnl_blocks: [U32; 17],
    pub(crate) blocks_count_hi: U32,
    pub(crate) r_blocks_count_hi: U32,
    pub(crate) free_blocks_count_hi: U32,
    pub(crate) min_extra_isize: U16,
    pub(crate) want_extra_isize: U16,
    pub(crate) flags: U32,
    pub(crate) raid_stride: U16,
    pub(crate) mmp_interval: U16,
    pub(crate) mmp_block: U64,
    pub(crate) raid_stripe_width: U32,
    pub(crate) log_groups_per_flex: u8,
    pub(crate) checksum_type: u8,
    pub(crate) reserved_pad: U16,
    pub(crate) kbytes_written: U64,
    pub(crate) snapshot: [u8; 20],
    pub(crate) error_records: [u8; 108],
    pub(crate) mount_opts: [u8; 64],
    pub(crate) quota_inums: [U32; 2],
    pub(crate) overhead_clusters: U32,
    pub(crate) backup_bgs: [U32; 2],
    pub(crate) encrypt: [u8; 20],
    pub(crate) lpf_ino: U32,
    pub(crate) prj_quota_inum: U32,
    pub(crate) checksum_seed: U32,
    pub(crate) times_hi: [u8; 12],
    pub(crate) orphan_file_inum: U32,
    pub(crate) reserved: [U32; 94],
    pub(crate) checksum: U32,
}

/// A [block group descriptor](https://www.kernel.org/doc/html/latest/filesystems/ext4/globals.html#block-group-descriptors)
/// of 64 bytes. One of 32 bytes ends before `block_bitmap_hi`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct GroupDescriptor {
    pub(crate) block_bitmap_lo: U32,
    pub(crate) inode_bitmap_lo: U32,
    pub(crate) inode_table_lo: U32,
    pub(crate) free_blocks_count_lo: U16,
    pub(crate) free_inodes_count_lo: U16,
    pub(crate) used_dirs_count_lo: U16,
    pub(crate) flags: U16,
    pub(crate) exclude_bitmap_lo: U32,
    pub(crate) block_bitmap_csum_lo: U16,
    pub(crate) inode_bitmap_csum_lo: U16,
    pub(crate) itable_unused_lo: U16,
    pub(crate) checksum: U16,
    pub(crate) block_bitmap_hi: U32,
    pub(crate) inode_bitmap_hi: U32,
    pub(crate) inode_table_hi: U32,
    pub(crate) free_blocks_count_hi: U16,
    pub(crate) free_inodes_count_hi: U16,
    pub(crate) used_dirs_count_hi: U16,
    pub(crate) itable_unused_hi: U16,
    pub(crate) exclude_bitmap_hi: U32,
    pub(crate) block_bitmap_csum_hi: U16,
    pub(crate) inode_bitmap_csum_hi: U16,
    pub(crate) reserved: U32,
}

/// Where the checksum of a group descriptor lies.
pub(crate) const DESCRIPTOR_CHECKSUM: std::ops::Range<usize> = 30..32;
/// No inode of the group was ever used.
pub(crate) const GROUP_INODE_UNINIT: u16 = 1;
/// No block of the group was ever used for a file; its bitmap may be anything.
pub(crate) const GROUP_BLOCK_UNINIT: u16 = 2;
/// The unused part of the inode table is zeros.
pub(crate) const GROUP_INODE_ZEROED: u16 = 4;

/// An [inode](https://www.kernel.org/doc/html/latest/filesystems/ext4/dynamic.html#index-nodes), up to the 32
/// bytes behind the classic 128. Extended attributes may follow it.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Inode {
    pub(crate) mode: U16,
    pub(crate) uid_lo: U16,
    pub(crate) size_lo: U32,
    pub(crate) atime: U32,
    pub(crate) ctime: U32,
    pub(crate) mtime: U32,
    pub(crate) dtime: U32,
    pub(crate) gid_lo: U16,
    pub(crate) links_count: U16,
    pub(crate) blocks_lo: U32,
    pub(crate) flags: U32,
    pub(crate) version: U32,
    pub(crate) block: [[u8; 12]; 5],
    pub(crate) generation: U32,
    pub(crate) file_acl_lo: U32,
    pub(crate) size_high: U32,
    pub(crate) obso_faddr: U32,
    pub(crate) blocks_high: U16,
    pub(crate) file_acl_high: U16,
    pub(crate) uid_high: U16,
    pub(crate) gid_high: U16,
    pub(crate) checksum_lo: U16,
    pub(crate) reserved: U16,
    pub(crate) extra_isize: U16,
    pub(crate) checksum_hi: U16,
    pub(crate) ctime_extra: U32,
    pub(crate) mtime_extra: U32,
    pub(crate) atime_extra: U32,
    pub(crate) crtime: U32,
    pub(crate) crtime_extra: U32,
    pub(crate) version_hi: U32,
    pub(crate) projid: U32,
}

/// Bytes of an inode that have no extended attributes in them.
pub(crate) const INODE_CLASSIC: usize = 128;
/// The bytes of [`Inode`] behind the classic 128.
pub(crate) const EXTRA_ISIZE: u16 = 32;
/// Where an inode's two checksum halves lie.
pub(crate) const INODE_CHECKSUM_LO: std::ops::Range<usize> = 124..126;
pub(crate) const INODE_CHECKSUM_HI: std::ops::Range<usize> = 130..132;
/// Bytes of [`Inode::block`]: the root of an extent tree, or a short link's target.
pub(crate) const INLINE: usize = 60;

/// The directory has a hash tree.
pub(crate) const INODE_INDEX: u32 = 0x1000;
/// The blocks are in an extent tree.
pub(crate) const INODE_EXTENTS: u32 = 0x8_0000;
/// The blocks are counted in blocks, not in sectors.
pub(crate) const INODE_HUGE_FILE: u32 = 0x4_0000;
/// What makes an inode's content something else than its bytes.
pub(crate) const INODE_UNREAD: [(u32, &str); 6] = [
    (0x4, "compressed files"),
    (0x800, "encrypted files"),
    (0x10_0000, "files with fs-verity"),
    (0x20_0000, "attributes in inodes"),
    (0x1000_0000, "files in inodes"),
    (0x4000_0000, "directories without upper and lower case"),
];

/// The most names that a file, and with names of subdirectories a directory, can count.
pub(crate) const LINKS_MAX: u32 = 65_000;

/// The head of every node of an [extent tree](https://www.kernel.org/doc/html/latest/filesystems/ext4/dynamic.html#extent-tree).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ExtentHeader {
    pub(crate) magic: U16,
    pub(crate) entries: U16,
    pub(crate) max: U16,
    pub(crate) depth: U16,
    pub(crate) generation: U32,
}

/// An entry of an inner node: the node that covers blocks of the file from `block`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ExtentIndex {
    pub(crate) block: U32,
    pub(crate) leaf_lo: U32,
    pub(crate) leaf_hi: U16,
    pub(crate) unused: U16,
}

/// An entry of a leaf: `len` blocks of the file from `block` lie at `start`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Extent {
    pub(crate) block: U32,
    pub(crate) len: U16,
    pub(crate) start_hi: U16,
    pub(crate) start_lo: U32,
}

/// The most blocks of an extent. Longer ones count as reserved but never written.
pub(crate) const EXTENT_LEN_MAX: u32 = 32768;
/// The deepest extent tree that the kernel reads.
pub(crate) const EXTENT_DEPTH_MAX: u16 = 5;

/// The head of a [directory entry](https://www.kernel.org/doc/html/latest/filesystems/ext4/dynamic.html#linear-classic-directories);
/// the name follows.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DirEntry {
    pub(crate) inode: U32,
    pub(crate) rec_len: U16,
    pub(crate) name_len: u8,
    pub(crate) file_type: u8,
}

/// The end of a directory block with a checksum: an entry without a name.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DirTail {
    pub(crate) entry: DirEntry,
    pub(crate) checksum: U32,
}

/// The `file_type` of a [`DirTail`].
pub(crate) const DIR_TAIL_TYPE: u8 = 0xde;

/// What the root of a [hash tree](https://www.kernel.org/doc/html/latest/filesystems/ext4/dynamic.html#hash-tree-directories)
/// says behind its entries `.` and `..`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct HashRootInfo {
    pub(crate) reserved_zero: U32,
    pub(crate) hash_version: u8,
    pub(crate) info_length: u8,
    pub(crate) indirect_levels: u8,
    pub(crate) unused_flags: u8,
}

/// Where [`HashRootInfo`] lies in the first block of a directory.
pub(crate) const HASH_ROOT_INFO: usize = 24;
/// Where the entries of a hash tree's root begin, and of its other nodes.
pub(crate) const HASH_ROOT_ENTRIES: usize = 32;
pub(crate) const HASH_NODE_ENTRIES: usize = 8;

/// An entry of a hash tree: names with this hash and larger ones are in the block. The first entry of a node has
/// no hash; `limit` and `count` are in its place.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct HashEntry {
    pub(crate) hash: U32,
    pub(crate) block: U32,
}

/// The end of a hash tree's node with a checksum.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct HashTail {
    pub(crate) reserved: U32,
    pub(crate) checksum: U32,
}

/// The head of a block of [extended attributes](https://www.kernel.org/doc/html/latest/filesystems/ext4/dynamic.html#extended-attributes).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct XattrHeader {
    pub(crate) magic: U32,
    pub(crate) refcount: U32,
    pub(crate) blocks: U32,
    pub(crate) hash: U32,
    pub(crate) checksum: U32,
    pub(crate) reserved: [U32; 3],
}

/// Where the checksum of a block of extended attributes lies.
pub(crate) const XATTR_CHECKSUM: std::ops::Range<usize> = 16..20;

/// The head of an extended attribute; the name without its prefix follows.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct XattrEntry {
    pub(crate) name_len: u8,
    pub(crate) name_index: u8,
    pub(crate) value_offs: U16,
    pub(crate) value_inum: U32,
    pub(crate) value_size: U32,
    pub(crate) hash: U32,
}

/// The [journal's superblock](https://www.kernel.org/doc/html/latest/filesystems/ext4/journal.html#super-block),
/// as far as it is not zeros. Its integers are big-endian, as all of the journal's.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct JournalSuperblock {
    pub(crate) magic: zerocopy::byteorder::big_endian::U32,
    pub(crate) blocktype: zerocopy::byteorder::big_endian::U32,
    pub(crate) header_sequence: zerocopy::byteorder::big_endian::U32,
    pub(crate) blocksize: zerocopy::byteorder::big_endian::U32,
    pub(crate) maxlen: zerocopy::byteorder::big_endian::U32,
    pub(crate) first: zerocopy::byteorder::big_endian::U32,
    pub(crate) sequence: zerocopy::byteorder::big_endian::U32,
    pub(crate) start: zerocopy::byteorder::big_endian::U32,
    pub(crate) errno: zerocopy::byteorder::big_endian::U32,
    pub(crate) features: [zerocopy::byteorder::big_endian::U32; 3],
    pub(crate) uuid: [u8; 16],
    pub(crate) nr_users: zerocopy::byteorder::big_endian::U32,
}

const _: () = {
    assert!(size_of::<Superblock>() == 1024);
    assert!(std::mem::offset_of!(Superblock, uuid) == 0x68);
    assert!(std::mem::offset_of!(Superblock, hash_seed) == 0xec);
    assert!(std::mem::offset_of!(Superblock, blocks_count_hi) == 0x150);
    assert!(std::mem::offset_of!(Superblock, kbytes_written) == 0x178);
    assert!(std::mem::offset_of!(Superblock, overhead_clusters) == 0x248);
    assert!(std::mem::offset_of!(Superblock, checksum_seed) == 0x270);
    assert!(std::mem::offset_of!(Superblock, orphan_file_inum) == 0x280);
    assert!(std::mem::offset_of!(Inode, extra_isize) == INODE_CLASSIC);
    assert!(size_of::<GroupDescriptor>() == 64);
    assert!(size_of::<Inode>() == INODE_CLASSIC + EXTRA_ISIZE as usize);
    assert!(size_of::<ExtentHeader>() == 12);
    assert!(size_of::<ExtentIndex>() == 12);
    assert!(size_of::<Extent>() == 12);
    assert!(size_of::<DirEntry>() == 8);
    assert!(size_of::<DirTail>() == 12);
    assert!(size_of::<HashRootInfo>() == 8);
    assert!(size_of::<HashEntry>() == 8);
    assert!(size_of::<HashTail>() == 8);
    assert!(size_of::<XattrHeader>() == 32);
    assert!(size_of::<XattrEntry>() == 16);
    assert!(size_of::<JournalSuperblock>() == 68);
};
