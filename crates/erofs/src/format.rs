//! The bytes of an erofs, field by field. All integers are little-endian.
//!
//! The specification is the [on-disk format](https://erofs.docs.kernel.org/en/latest/ondisk/index.html) of erofs'
//! documentation, as far as it goes, and Linux's `fs/erofs/erofs_fs.h`; field names are near to theirs.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Where the superblock lies.
pub(crate) const SUPERBLOCK: u64 = 1024;
pub(crate) const MAGIC: u32 = 0xE0F5_E1E2;
/// Bytes of a block, as we write them, and their logarithm.
pub(crate) const BLOCK: u64 = 4096;
pub(crate) const BLOCK_LEN: usize = 4096;
pub(crate) const BLOCK_BITS: u8 = 12;
/// Inodes begin at multiples of this, and are numbered by it.
pub(crate) const SLOT: u64 = 32;
/// The block of a file that has none.
pub(crate) const NO_BLOCK: u32 = u32::MAX;
/// The longest target of a symbolic link.
pub(crate) const TARGET_MAX: usize = 4095;
/// The most bytes of a label, so that a zero byte follows.
pub(crate) const LABEL_MAX: usize = 15;

/// What readers may ignore.
pub(crate) mod compat {
    /// The superblock has a checksum.
    pub(crate) const CHECKSUM: u32 = 1;
    /// Times are those of changes, not of making.
    pub(crate) const MTIME: u32 = 2;
}

/// What readers have to know.
pub(crate) mod incompat {
    /// Compressed data ends with its block, and zeros are in front of it.
    pub(crate) const ZERO_PADDING: u32 = 1;
    /// There are configurations of compressors, and clusters of many blocks.
    pub(crate) const CONFIGURATIONS: u32 = 2;
    /// Files consist of chunks.
    pub(crate) const CHUNKS: u32 = 4;
    /// Data lies on several devices.
    pub(crate) const DEVICES: u32 = 8;
    /// Compressed ends of files lie behind their inodes.
    pub(crate) const INLINE_CLUSTERS: u32 = 0x10;
    /// Files and their ends lie in one file that has no name; parts of clusters are used.
    pub(crate) const FRAGMENTS: u32 = 0x20;
    /// Names of attributes begin with strings that lie elsewhere.
    pub(crate) const XATTR_PREFIXES: u32 = 0x40;
    /// Addresses have 48 bits, maps may be records, and small inodes have times.
    pub(crate) const WIDE: u32 = 0x80;
}

/// How a file's bytes are laid out: bits 1 to 3 of an inode's format.
pub(crate) mod layout {
    /// Blocks in one piece.
    pub(crate) const PLAIN: u16 = 0;
    /// Compressed, with an index of 8 bytes for each block of input.
    pub(crate) const FULL: u16 = 1;
    /// Blocks in one piece, and the rest behind the inode.
    pub(crate) const INLINE: u16 = 2;
    /// Compressed, with an index of 2 or 4 bytes for each block of input.
    pub(crate) const COMPACT: u16 = 3;
    /// Chunks of blocks, some of which are holes.
    pub(crate) const CHUNKS: u16 = 4;
}

/// What wide file systems say in an inode's format: of a directory, that its list has no entry for itself; of other small
/// inodes, that there is one link, and that its place is longer.
pub(crate) const WIDE_INODE: u16 = 1 << 4;

/// How the addresses of chunks are written: bits of what their inode says.
pub(crate) mod chunks {
    /// The logarithm of a chunk's blocks.
    pub(crate) const BITS: u32 = 0x1f;
    /// Entries have eight bytes.
    pub(crate) const LONG: u32 = 0x20;
    /// Of which two are more of the address.
    pub(crate) const WIDE: u32 = 0x40;
}

/// The kind of a logical cluster, which is a block of input: bits 0 and 1 of its index.
pub(crate) mod cluster {
    /// Stored as it is.
    pub(crate) const PLAIN: u16 = 0;
    /// Compressed data begins in it.
    pub(crate) const HEAD: u16 = 1;
    /// Belongs to the data that begins before it.
    pub(crate) const REST: u16 = 2;
    /// As a head, by another compressor.
    pub(crate) const HEAD2: u16 = 3;
    /// A part of shared data begins in it: a flag beside the kind.
    pub(crate) const PARTIAL: u16 = 1 << 15;
    /// A distance that is a count of blocks instead.
    pub(crate) const COUNT: u16 = 0x800;
}

/// What a map of clusters says of itself.
pub(crate) mod advise {
    /// Compact: packs of sixteen entries in 32 bytes.
    pub(crate) const PACKS: u16 = 1;
    /// Full and wide: records in place of an index.
    pub(crate) const RECORDS: u16 = 1;
    /// The logarithm of a record's length, less two.
    pub(crate) const RECORD_BITS: u16 = 3 << 1;
    /// Clusters have several blocks.
    pub(crate) const MANY_BLOCKS: u16 = 2;
    /// The same for those of the second compressor.
    pub(crate) const MANY_BLOCKS2: u16 = 4;
    /// The last cluster lies behind the index.
    pub(crate) const INLINE: u16 = 8;
    /// Plain clusters begin at the place in their block that they have in the file.
    pub(crate) const INTERLACED: u16 = 0x10;
    /// The end of the file lies in the packed file.
    pub(crate) const FRAGMENT: u16 = 0x20;
}

/// What a record says beside the length of its data.
pub(crate) mod record {
    /// Bits of the length.
    pub(crate) const LEN: u32 = (2 << 20) - 1;
    /// Only the first bytes of a cluster are wanted.
    pub(crate) const PARTIAL: u32 = 1 << 27;
    /// Where the compressor's number begins, which is one more than in maps; zero is none.
    pub(crate) const KIND_SHIFT: u32 = 28;
}

/// Compressors, as maps number them.
pub(crate) mod algorithm {
    pub(crate) const LZ4: u8 = 0;
    pub(crate) const LZMA: u8 = 1;
    pub(crate) const DEFLATE: u8 = 2;
    pub(crate) const ZSTD: u8 = 3;
}

/// The kind of a directory's entry.
pub(crate) mod entry {
    pub(crate) const FILE: u8 = 1;
    pub(crate) const DIRECTORY: u8 = 2;
    pub(crate) const CHAR_DEVICE: u8 = 3;
    pub(crate) const BLOCK_DEVICE: u8 = 4;
    pub(crate) const FIFO: u8 = 5;
    pub(crate) const SOCKET: u8 = 6;
    pub(crate) const SYMLINK: u8 = 7;
}

/// The kind of an inode: the upper bits of its mode.
pub(crate) mod mode {
    pub(crate) const MASK: u16 = 0o170_000;
    pub(crate) const FILE: u16 = 0o100_000;
    pub(crate) const DIRECTORY: u16 = 0o040_000;
    pub(crate) const CHAR_DEVICE: u16 = 0o020_000;
    pub(crate) const BLOCK_DEVICE: u16 = 0o060_000;
    pub(crate) const FIFO: u16 = 0o010_000;
    pub(crate) const SOCKET: u16 = 0o140_000;
    pub(crate) const SYMLINK: u16 = 0o120_000;
}

/// The superblock.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Superblock {
    pub(crate) magic: U32,
    /// CRC-32C of all of the block from the superblock on, without the last inversion.
    pub(crate) checksum: U32,
    pub(crate) compat: U32,
    pub(crate) block_bits: u8,
    pub(crate) extension_slots: u8,
    pub(crate) root: U16,
    pub(crate) inodes: U64,
    /// The time of compact inodes.
    pub(crate) epoch: U64,
    pub(crate) epoch_nanoseconds: U32,
    pub(crate) blocks: U32,
    /// The block that inodes are numbered from.
    pub(crate) meta_block: U32,
    /// The block that shared attributes are numbered from.
    pub(crate) xattr_block: U32,
    pub(crate) uuid: [u8; 16],
    pub(crate) label: [u8; 16],
    pub(crate) incompat: U32,
    /// Which compressors have a configuration; the distance of lz4 where none has.
    pub(crate) algorithms: U16,
    pub(crate) extra_devices: U16,
    pub(crate) device_slot: U16,
    pub(crate) directory_block_bits: u8,
    pub(crate) xattr_prefix_count: u8,
    pub(crate) xattr_prefix_start: U32,
    /// The file that fragments lie in.
    pub(crate) packed: U64,
    pub(crate) xattr_filter: u8,
    pub(crate) reserved: [u8; 3],
    /// Seconds from the epoch to when the file system was made.
    pub(crate) build_time: U32,
    /// Wide: the root, when it is not zero. Then the other field has the upper part of `blocks`.
    pub(crate) wide_root: U64,
    pub(crate) reserved2: [u8; 8],
}

/// An inode of a small file with the time of the file system.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct CompactInode {
    /// Bit 0: extended; bits 1 to 3: the layout.
    pub(crate) format: U16,
    pub(crate) xattr_count: U16,
    pub(crate) mode: U16,
    pub(crate) links: U16,
    pub(crate) size: U32,
    /// Wide: seconds since the epoch.
    pub(crate) mtime: U32,
    /// The first block, the compressed blocks, the format of chunks, or a device.
    pub(crate) place: U32,
    pub(crate) serial: U32,
    pub(crate) uid: U16,
    pub(crate) gid: U16,
    pub(crate) reserved: U32,
}

/// Any inode.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ExtendedInode {
    pub(crate) format: U16,
    pub(crate) xattr_count: U16,
    pub(crate) mode: U16,
    /// Wide: the upper part of the place.
    pub(crate) wide_place: U16,
    pub(crate) size: U64,
    pub(crate) place: U32,
    pub(crate) serial: U32,
    pub(crate) uid: U32,
    pub(crate) gid: U32,
    pub(crate) mtime: U64,
    pub(crate) nanoseconds: U32,
    pub(crate) links: U32,
    pub(crate) reserved2: [u8; 16],
}

/// An entry of a directory; the names are behind all of a block's entries.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Dirent {
    pub(crate) inode: U64,
    /// Where the name begins in the block.
    pub(crate) name_start: U16,
    pub(crate) kind: u8,
    pub(crate) reserved: u8,
}

/// What the attributes of an inode begin with.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct XattrHeader {
    pub(crate) filter: U32,
    /// How many numbers of shared attributes follow.
    pub(crate) shared: u8,
    pub(crate) reserved: [u8; 7],
}

/// What an attribute begins with; name, value and padding to four bytes follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct XattrEntry {
    pub(crate) name_len: u8,
    pub(crate) prefix: u8,
    pub(crate) value_len: U16,
}

/// What the clusters of a compressed file begin with.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct MapHeader {
    /// The lower half of a fragment's place; or nothing, and the length of an inline cluster.
    pub(crate) fragment: U32,
    pub(crate) advise: U16,
    /// The compressor, and the one of second heads.
    pub(crate) algorithm: u8,
    /// Bits 0 to 2: the logarithm of a logical cluster less 12; bit 7: all of the file is a fragment.
    pub(crate) bits: u8,
}

/// An entry of a full index.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FullIndex {
    pub(crate) kind: U16,
    /// Where in the logical cluster the data begins.
    pub(crate) start: U16,
    /// The first block, or the distances to the head before and to the one behind.
    pub(crate) place: [U16; 2],
}

/// An entry of a map of records, in its long form: the others leave out what is at the end. Addresses are bytes, so what is
/// compressed has neither to begin nor to end with a block.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Record {
    /// The length of the data and its compressor; zeros are not stored.
    pub(crate) len: U32,
    pub(crate) place: [U32; 2],
    /// The first byte of the file that it holds.
    pub(crate) start: [U32; 2],
    pub(crate) reserved: [u8; 12],
}

const _: () = {
    assert!(size_of::<Superblock>() == 128);
    assert!(size_of::<CompactInode>() == 32);
    assert!(size_of::<ExtendedInode>() == 64);
    assert!(size_of::<Dirent>() == 12);
    assert!(size_of::<XattrHeader>() == 12);
    assert!(size_of::<XattrEntry>() == 4);
    assert!(size_of::<MapHeader>() == 8);
    assert!(size_of::<FullIndex>() == 8);
    assert!(size_of::<Record>() == 32);
};

/// What the names of attributes begin with, and the number of that; those of access lists are the whole name.
pub(crate) const XATTR_PREFIXES: [(&[u8], u8); 5] = [
    (b"user.", 1),
    (b"system.posix_acl_access", 2),
    (b"system.posix_acl_default", 3),
    (b"trusted.", 4),
    (b"security.", 6),
];

/// The checksum of a superblock's block, whose own is zero.
pub(crate) fn checksum(block: &[u8]) -> u32 {
    !crc32c::crc32c(block)
}

/// A device's numbers, as Linux encodes them for user space.
pub(crate) fn device(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}
