//! The bytes of a btrfs, field by field. All integers are little-endian.
//!
//! The specification is the [on-disk format](https://btrfs.readthedocs.io/en/latest/dev/On-disk-format.html) of btrfs'
//! documentation; field names are its own without their prefixes.

mod numbers;

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub(crate) use numbers::*;

/// What trees are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) objectid: u64,
    pub(crate) kind: u8,
    pub(crate) offset: u64,
}

impl Key {
    pub(crate) const fn new(objectid: u64, kind: u8, offset: u64) -> Key {
        Key {
            objectid,
            kind,
            offset,
        }
    }

    pub(crate) fn disk(self) -> DiskKey {
        DiskKey {
            objectid: self.objectid.into(),
            kind: self.kind,
            offset: self.offset.into(),
        }
    }
}

/// A [`Key`] on disk.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DiskKey {
    pub(crate) objectid: U64,
    pub(crate) kind: u8,
    pub(crate) offset: U64,
}

/// The head of every node.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) csum: [u8; 32],
    pub(crate) fsid: [u8; 16],
    pub(crate) bytenr: U64,
    pub(crate) flags: U64,
    pub(crate) chunk_tree_uuid: [u8; 16],
    pub(crate) generation: U64,
    pub(crate) owner: U64,
    pub(crate) nritems: U32,
    pub(crate) level: u8,
}

/// An item of a leaf. Its data lies `offset` bytes behind the header.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ItemHead {
    pub(crate) key: DiskKey,
    pub(crate) offset: U32,
    pub(crate) size: U32,
}

/// An entry of an inner node: a node, and its first key.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct KeyPointer {
    pub(crate) key: DiskKey,
    pub(crate) blockptr: U64,
    pub(crate) generation: U64,
}

/// A time: seconds since 1970, and nanoseconds.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Timespec {
    pub(crate) sec: U64,
    pub(crate) nsec: U32,
}

/// The one device, in the superblock and in the chunk tree.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DevItem {
    pub(crate) devid: U64,
    pub(crate) total_bytes: U64,
    pub(crate) bytes_used: U64,
    pub(crate) io_align: U32,
    pub(crate) io_width: U32,
    pub(crate) sector_size: U32,
    pub(crate) kind: U64,
    pub(crate) generation: U64,
    pub(crate) start_offset: U64,
    pub(crate) dev_group: U32,
    pub(crate) seek_speed: u8,
    pub(crate) bandwidth: u8,
    pub(crate) uuid: [u8; 16],
    pub(crate) fsid: [u8; 16],
}

/// The superblock up to its array of system chunks; [`SuperblockTail`] follows that.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Superblock {
    pub(crate) csum: [u8; 32],
    pub(crate) fsid: [u8; 16],
    pub(crate) bytenr: U64,
    pub(crate) flags: U64,
    pub(crate) magic: [u8; 8],
    pub(crate) generation: U64,
    pub(crate) root: U64,
    pub(crate) chunk_root: U64,
    pub(crate) log_root: U64,
    pub(crate) log_root_transid: U64,
    pub(crate) total_bytes: U64,
    pub(crate) bytes_used: U64,
    pub(crate) root_dir_objectid: U64,
    pub(crate) num_devices: U64,
    pub(crate) sectorsize: U32,
    pub(crate) nodesize: U32,
    pub(crate) leafsize: U32,
    pub(crate) stripesize: U32,
    pub(crate) sys_chunk_array_size: U32,
    pub(crate) chunk_root_generation: U64,
    pub(crate) compat_flags: U64,
    pub(crate) compat_ro_flags: U64,
    pub(crate) incompat_flags: U64,
    pub(crate) csum_type: U16,
    pub(crate) root_level: u8,
    pub(crate) chunk_root_level: u8,
    pub(crate) log_root_level: u8,
    pub(crate) dev_item: DevItem,
    pub(crate) label: [u8; 256],
    pub(crate) cache_generation: U64,
    pub(crate) uuid_tree_generation: U64,
    pub(crate) metadata_uuid: [u8; 16],
    pub(crate) nr_global_roots: U64,
    pub(crate) reserved: [u8; 216],
}

/// Bytes of the array of system chunks.
pub(crate) const SYS_CHUNK_ARRAY: usize = 2048;

/// What follows the array of system chunks.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct SuperblockTail {
    pub(crate) backups: [BackupRoot; 4],
    pub(crate) reserved: [u8; 565],
}

/// Where trees were at one generation.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct BackupRoot {
    pub(crate) tree_root: U64,
    pub(crate) tree_root_gen: U64,
    pub(crate) chunk_root: U64,
    pub(crate) chunk_root_gen: U64,
    pub(crate) extent_root: U64,
    pub(crate) extent_root_gen: U64,
    pub(crate) fs_root: U64,
    pub(crate) fs_root_gen: U64,
    pub(crate) dev_root: U64,
    pub(crate) dev_root_gen: U64,
    pub(crate) csum_root: U64,
    pub(crate) csum_root_gen: U64,
    pub(crate) total_bytes: U64,
    pub(crate) bytes_used: U64,
    pub(crate) num_devices: U64,
    pub(crate) unused: [U64; 4],
    pub(crate) levels: [u8; 6],
    pub(crate) unused_levels: [u8; 10],
}

/// A chunk: what a range of logical addresses holds; a [`Stripe`] for each copy follows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ChunkItem {
    pub(crate) length: U64,
    pub(crate) owner: U64,
    pub(crate) stripe_len: U64,
    pub(crate) kind: U64,
    pub(crate) io_align: U32,
    pub(crate) io_width: U32,
    pub(crate) sector_size: U32,
    pub(crate) num_stripes: U16,
    pub(crate) sub_stripes: U16,
}

/// Where a copy of a chunk lies.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Stripe {
    pub(crate) devid: U64,
    pub(crate) offset: U64,
    pub(crate) dev_uuid: [u8; 16],
}

/// A range of the device, and the chunk that lies there.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DevExtent {
    pub(crate) chunk_tree: U64,
    pub(crate) chunk_objectid: U64,
    pub(crate) chunk_offset: U64,
    pub(crate) length: U64,
    pub(crate) chunk_tree_uuid: [u8; 16],
}

/// How much of a chunk is used.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct BlockGroupItem {
    pub(crate) used: U64,
    pub(crate) chunk_objectid: U64,
    pub(crate) flags: U64,
}

/// How many free ranges a chunk has.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FreeSpaceInfo {
    pub(crate) extent_count: U32,
    pub(crate) flags: U32,
}

/// An extent that is used; inline references follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ExtentItem {
    pub(crate) refs: U64,
    pub(crate) generation: U64,
    pub(crate) flags: U64,
}

/// The inline reference to a node, from a tree.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct TreeBlockRef {
    pub(crate) kind: u8,
    pub(crate) root: U64,
}

/// The reference to data, from a file. Inline, the byte of its type comes before it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DataRef {
    pub(crate) root: U64,
    pub(crate) objectid: U64,
    pub(crate) offset: U64,
    pub(crate) count: U32,
}

/// An inode.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct InodeItem {
    pub(crate) generation: U64,
    pub(crate) transid: U64,
    pub(crate) size: U64,
    pub(crate) nbytes: U64,
    pub(crate) block_group: U64,
    pub(crate) nlink: U32,
    pub(crate) uid: U32,
    pub(crate) gid: U32,
    pub(crate) mode: U32,
    pub(crate) rdev: U64,
    pub(crate) flags: U64,
    pub(crate) sequence: U64,
    pub(crate) reserved: [U64; 4],
    pub(crate) atime: Timespec,
    pub(crate) ctime: Timespec,
    pub(crate) mtime: Timespec,
    pub(crate) otime: Timespec,
}

/// A name of an inode in the directory that the key names; the name follows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct InodeRef {
    pub(crate) index: U64,
    pub(crate) name_len: U16,
}

/// A name of an inode that has no room with the others; the name follows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct InodeExtref {
    pub(crate) parent: U64,
    pub(crate) index: U64,
    pub(crate) name_len: U16,
}

/// An entry of a directory, or an extended attribute; the name and the value follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DirItem {
    pub(crate) location: DiskKey,
    pub(crate) transid: U64,
    pub(crate) data_len: U16,
    pub(crate) name_len: U16,
    pub(crate) kind: u8,
}

/// The head of a part of a file. The data itself follows, or a [`FileExtentTail`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FileExtentHead {
    pub(crate) generation: U64,
    pub(crate) ram_bytes: U64,
    pub(crate) compression: u8,
    pub(crate) encryption: u8,
    pub(crate) other_encoding: U16,
    pub(crate) kind: u8,
}

/// Where a part of a file lies.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FileExtentTail {
    pub(crate) disk_bytenr: U64,
    pub(crate) disk_num_bytes: U64,
    pub(crate) offset: U64,
    pub(crate) num_bytes: U64,
}

/// Where a tree's root node lies, and what subvolumes have besides.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct RootItem {
    pub(crate) inode: InodeItem,
    pub(crate) generation: U64,
    pub(crate) root_dirid: U64,
    pub(crate) bytenr: U64,
    pub(crate) byte_limit: U64,
    pub(crate) bytes_used: U64,
    pub(crate) last_snapshot: U64,
    pub(crate) flags: U64,
    pub(crate) refs: U32,
    pub(crate) drop_progress: DiskKey,
    pub(crate) drop_level: u8,
    pub(crate) level: u8,
    pub(crate) generation_v2: U64,
    pub(crate) uuid: [u8; 16],
    pub(crate) parent_uuid: [u8; 16],
    pub(crate) received_uuid: [u8; 16],
    pub(crate) ctransid: U64,
    pub(crate) otransid: U64,
    pub(crate) stransid: U64,
    pub(crate) rtransid: U64,
    pub(crate) ctime: Timespec,
    pub(crate) otime: Timespec,
    pub(crate) stime: Timespec,
    pub(crate) rtime: Timespec,
    pub(crate) reserved: [U64; 8],
}

/// The name of a subvolume in the one that has it; the name follows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct RootRef {
    pub(crate) dirid: U64,
    pub(crate) sequence: U64,
    pub(crate) name_len: U16,
}

const _: () = {
    assert!(size_of::<RootRef>() == 18);
    assert!(size_of::<DiskKey>() == 17);
    assert!(size_of::<Header>() == 101);
    assert!(size_of::<ItemHead>() == 25);
    assert!(size_of::<KeyPointer>() == 33);
    assert!(size_of::<Timespec>() == 12);
    assert!(size_of::<DevItem>() == 98);
    assert!(size_of::<Superblock>() == 811);
    assert!(std::mem::offset_of!(Superblock, csum_type) == 196);
    assert!(std::mem::offset_of!(Superblock, dev_item) == 201);
    assert!(std::mem::offset_of!(Superblock, label) == 299);
    assert!(std::mem::offset_of!(Superblock, metadata_uuid) == 571);
    assert!(size_of::<SuperblockTail>() + SYS_CHUNK_ARRAY + size_of::<Superblock>() == 4096);
    assert!(size_of::<BackupRoot>() == 168);
    assert!(size_of::<ChunkItem>() == 48);
    assert!(size_of::<Stripe>() == 32);
    assert!(size_of::<DevExtent>() == 48);
    assert!(size_of::<BlockGroupItem>() == 24);
    assert!(size_of::<FreeSpaceInfo>() == 8);
    assert!(size_of::<ExtentItem>() == 24);
    assert!(size_of::<TreeBlockRef>() == 9);
    assert!(size_of::<DataRef>() == 28);
    assert!(size_of::<InodeItem>() == 160);
    assert!(size_of::<InodeRef>() == 10);
    assert!(size_of::<InodeExtref>() == 18);
    assert!(size_of::<DirItem>() == 30);
    assert!(size_of::<FileExtentHead>() == 21);
    assert!(size_of::<FileExtentTail>() == 32);
    assert!(size_of::<RootItem>() == 439);
    assert!(std::mem::offset_of!(RootItem, bytenr) == 176);
    assert!(std::mem::offset_of!(RootItem, level) == 238);
    assert!(std::mem::offset_of!(RootItem, uuid) == 247);
    assert!(ITEM_MAX == 16258 && POINTERS_MAX == 493 && CHECKSUMS_MAX == 4057);
};
