//! Sizes, limits, types and flags.

use super::{Header, ItemHead, KeyPointer};

/// Bytes of a sector, the unit of data.
pub(crate) const SECTOR: u64 = SECTOR_LEN as u64;
/// The same, as the length of a buffer.
pub(crate) const SECTOR_LEN: usize = 4096;
/// Bytes of a node, the unit of metadata.
pub(crate) const NODE: u64 = NODE_LEN as u64;
/// The same, as the length of a buffer.
pub(crate) const NODE_LEN: usize = 16384;
/// Chunks, and their places on the device, are multiples of this.
pub(crate) const STRIPE: u64 = 65536;
/// The first mebibyte of the device belongs to no chunk.
pub(crate) const RESERVED: u64 = 1 << 20;
/// Where superblocks lie, as far as the device has the place.
pub(crate) const SUPERBLOCKS: [u64; 3] = [64 << 10, 64 << 20, 256 << 30];
/// The one generation of everything that Kiln writes.
pub(crate) const GENERATION: u64 = 1;

/// Bytes of a leaf for items and their data.
pub(crate) const LEAF_ROOM: usize = NODE_LEN - size_of::<Header>();
/// The longest data of an item.
pub(crate) const ITEM_MAX: usize = LEAF_ROOM - size_of::<ItemHead>();
/// Pointers of an inner node.
pub(crate) const POINTERS_MAX: usize = LEAF_ROOM / size_of::<KeyPointer>();
/// The longest bytes of inline references of an extent; further ones are items of their own.
pub(crate) const INLINE_REFS_MAX: usize = 33;
/// The most checksums of one item.
pub(crate) const CHECKSUMS_MAX: usize = (LEAF_ROOM - 2 * size_of::<ItemHead>()) / 4 - 1;
/// The most names of a file.
pub(crate) const LINKS_MAX: u32 = 65_535;

pub(crate) const MAGIC: [u8; 8] = *b"_BHRfS_M";

/// Objects with numbers of their own.
pub(crate) mod object {
    pub(crate) const ROOT_TREE: u64 = 1;
    pub(crate) const EXTENT_TREE: u64 = 2;
    pub(crate) const CHUNK_TREE: u64 = 3;
    pub(crate) const DEV_TREE: u64 = 4;
    pub(crate) const FS_TREE: u64 = 5;
    pub(crate) const ROOT_TREE_DIR: u64 = 6;
    pub(crate) const CSUM_TREE: u64 = 7;
    pub(crate) const UUID_TREE: u64 = 9;
    pub(crate) const FREE_SPACE_TREE: u64 = 10;
    pub(crate) const BLOCK_GROUP_TREE: u64 = 11;
    pub(crate) const DATA_RELOC_TREE: u64 = 0_u64.wrapping_sub(9);
    pub(crate) const EXTENT_CSUM: u64 = 0_u64.wrapping_sub(10);
    /// The root directory of every tree of files.
    pub(crate) const FIRST_FREE: u64 = 256;
    /// Behind the last number that a subvolume can have.
    pub(crate) const LAST_FREE: u64 = 0_u64.wrapping_sub(255);
    /// What moves when chunks do.
    pub(crate) const TREE_RELOC: u64 = 0_u64.wrapping_sub(8);
    /// The only chunk tree's object, and the only device.
    pub(crate) const FIRST_CHUNK_TREE: u64 = 256;
    pub(crate) const DEVICE: u64 = 1;
    pub(crate) const DEV_ITEMS: u64 = 1;
    pub(crate) const DEV_STATS: u64 = 0;
}

/// Types of keys.
pub(crate) mod kind {
    pub(crate) const INODE: u8 = 1;
    pub(crate) const INODE_REF: u8 = 12;
    pub(crate) const INODE_EXTREF: u8 = 13;
    pub(crate) const XATTR: u8 = 24;
    pub(crate) const DIR_ITEM: u8 = 84;
    pub(crate) const DIR_INDEX: u8 = 96;
    pub(crate) const EXTENT_DATA: u8 = 108;
    pub(crate) const EXTENT_CSUM: u8 = 128;
    pub(crate) const ROOT: u8 = 132;
    pub(crate) const ROOT_BACKREF: u8 = 144;
    pub(crate) const ROOT_REF: u8 = 156;
    pub(crate) const EXTENT: u8 = 168;
    pub(crate) const METADATA: u8 = 169;
    pub(crate) const TREE_BLOCK_REF: u8 = 176;
    pub(crate) const EXTENT_DATA_REF: u8 = 178;
    pub(crate) const SHARED_BLOCK_REF: u8 = 182;
    pub(crate) const SHARED_DATA_REF: u8 = 184;
    pub(crate) const BLOCK_GROUP: u8 = 192;
    pub(crate) const FREE_SPACE_INFO: u8 = 198;
    pub(crate) const FREE_SPACE_EXTENT: u8 = 199;
    pub(crate) const FREE_SPACE_BITMAP: u8 = 200;
    pub(crate) const DEV_EXTENT: u8 = 204;
    pub(crate) const DEV: u8 = 216;
    pub(crate) const CHUNK: u8 = 228;
    pub(crate) const PERSISTENT: u8 = 249;
    pub(crate) const UUID_SUBVOLUME: u8 = 251;
    pub(crate) const UUID_RECEIVED: u8 = 252;
}

/// What a reader must know.
pub(crate) mod incompat {
    pub(crate) const MIXED_BACKREF: u64 = 0x1;
    pub(crate) const DEFAULT_SUBVOLUME: u64 = 0x2;
    pub(crate) const COMPRESS_LZO: u64 = 0x8;
    pub(crate) const COMPRESS_ZSTD: u64 = 0x10;
    pub(crate) const BIG_METADATA: u64 = 0x20;
    pub(crate) const EXTENDED_IREF: u64 = 0x40;
    pub(crate) const SKINNY_METADATA: u64 = 0x100;
    pub(crate) const NO_HOLES: u64 = 0x200;
}

/// What a writer must know.
pub(crate) mod compat_ro {
    pub(crate) const FREE_SPACE_TREE: u64 = 0x1;
    pub(crate) const FREE_SPACE_TREE_VALID: u64 = 0x2;
    pub(crate) const BLOCK_GROUP_TREE: u64 = 0x8;
}

/// How an extent is compressed.
pub(crate) mod compression {
    pub(crate) const NONE: u8 = 0;
    pub(crate) const ZLIB: u8 = 1;
    pub(crate) const LZO: u8 = 2;
    pub(crate) const ZSTD: u8 = 3;
}

/// What a chunk holds, and how often.
pub(crate) mod group {
    pub(crate) const DATA: u64 = 1;
    pub(crate) const SYSTEM: u64 = 2;
    pub(crate) const METADATA: u64 = 4;
    pub(crate) const DUP: u64 = 32;
}

/// [`ExtentItem::flags`](super::ExtentItem::flags): data of files.
pub(crate) const EXTENT_DATA: u64 = 1;
/// [`ExtentItem::flags`](super::ExtentItem::flags): a node.
pub(crate) const EXTENT_TREE_BLOCK: u64 = 2;
/// [`ExtentItem::flags`](super::ExtentItem::flags): what the node leads to has references to it, and not to its tree.
pub(crate) const EXTENT_FULL_BACKREF: u64 = 256;
/// [`FreeSpaceInfo::flags`](super::FreeSpaceInfo::flags): bitmaps say what is free.
pub(crate) const FREE_SPACE_BITMAPS: u32 = 1;
/// [`Header::flags`](super::Header::flags): written, in the newer form of back references.
pub(crate) const HEADER_FLAGS: u64 = 1 | 1 << 56;
/// [`Superblock::flags`](super::Superblock::flags): written.
pub(crate) const SUPERBLOCK_FLAGS: u64 = 1;
/// [`RootItem::flags`](super::RootItem::flags): nobody writes to the subvolume.
pub(crate) const ROOT_READONLY: u64 = 1;
/// [`InodeItem::flags`](super::InodeItem::flags) of a subvolume's root item.
pub(crate) const ROOT_ITEM_INIT: u64 = 1 << 31;
/// [`FileExtentHead::kind`](super::FileExtentHead::kind): the data follows.
pub(crate) const FILE_INLINE: u8 = 0;
/// [`FileExtentHead::kind`](super::FileExtentHead::kind): the data lies in an extent.
pub(crate) const FILE_REGULAR: u8 = 1;
/// The type of an entry that is an extended attribute.
pub(crate) const FILE_TYPE_XATTR: u8 = 8;
pub(crate) const FILE_TYPE_DIRECTORY: u8 = 2;
