//! The bytes of SquashFS 4.0 on disk. All integers are little-endian.
//!
//! The names are those of the kernel's `squashfs_fs.h`; the format is described in
//! <https://dr-emann.github.io/squashfs/>.

use zerocopy::byteorder::little_endian::{I16, I32, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// "hsqs" in file order.
pub(crate) const MAGIC: u32 = 0x7371_7368;
/// The only version that current kernels mount.
pub(crate) const VERSION_MAJOR: u16 = 4;
/// Bytes of a metadata block before compression.
pub(crate) const METADATA_SIZE: usize = 8192;
/// The bit of a metadata block's header that says that the block is stored as it is.
pub(crate) const METADATA_RAW: u16 = 0x8000;
/// The bit of a data block's size that says that the block is stored as it is.
pub(crate) const DATA_RAW: u32 = 1 << 24;
/// A file without a fragment.
pub(crate) const NO_FRAGMENT: u32 = u32::MAX;
/// An inode without extended attributes.
pub(crate) const NO_XATTR: u32 = u32::MAX;
/// A table that is not there.
pub(crate) const NO_TABLE: u64 = u64::MAX;
/// The most entries under one directory header.
pub(crate) const DIRECTORY_RUN_MAX: usize = 256;
/// What a directory's size counts beyond its listing, for `.` and `..`.
pub(crate) const DIRECTORY_EXTRA: u32 = 3;
/// The longest name.
pub(crate) const NAME_MAX: usize = 256;

/// `compressor` of the superblock, for xz.
pub(crate) const XZ: u16 = 4;

/// `flags` of the superblock.
pub(crate) mod flag {
    pub(crate) const UNCOMPRESSED_INODES: u16 = 0x0001;
    pub(crate) const UNCOMPRESSED_DATA: u16 = 0x0002;
    pub(crate) const UNCOMPRESSED_FRAGMENTS: u16 = 0x0008;
    pub(crate) const DUPLICATES: u16 = 0x0040;
    pub(crate) const EXPORTABLE: u16 = 0x0080;
    pub(crate) const UNCOMPRESSED_XATTRS: u16 = 0x0100;
    pub(crate) const NO_XATTRS: u16 = 0x0200;
    pub(crate) const COMPRESSOR_OPTIONS: u16 = 0x0400;
    pub(crate) const UNCOMPRESSED_IDS: u16 = 0x0800;
}

/// Types of inodes; those of directory entries are always the basic ones.
pub(crate) mod inode_type {
    pub(crate) const DIRECTORY: u16 = 1;
    pub(crate) const FILE: u16 = 2;
    pub(crate) const SYMLINK: u16 = 3;
    pub(crate) const BLOCK_DEVICE: u16 = 4;
    pub(crate) const CHAR_DEVICE: u16 = 5;
    pub(crate) const FIFO: u16 = 6;
    pub(crate) const SOCKET: u16 = 7;
    /// An extended inode's type is the basic one plus this.
    pub(crate) const EXTENDED: u16 = 7;

    /// The bits of the mode that stand for a basic type.
    pub(crate) fn mode(basic_type: u16) -> u16 {
        match basic_type {
            DIRECTORY => 0o040_000,
            FILE => 0o100_000,
            SYMLINK => 0o120_000,
            BLOCK_DEVICE => 0o060_000,
            CHAR_DEVICE => 0o020_000,
            FIFO => 0o010_000,
            SOCKET => 0o140_000,
            _ => 0,
        }
    }
}

/// The first bytes of the image.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Superblock {
    pub(crate) magic: U32,
    pub(crate) inode_count: U32,
    pub(crate) mkfs_time: U32,
    pub(crate) block_size: U32,
    pub(crate) fragment_count: U32,
    pub(crate) compressor: U16,
    pub(crate) block_log: U16,
    pub(crate) flags: U16,
    pub(crate) id_count: U16,
    pub(crate) version_major: U16,
    pub(crate) version_minor: U16,
    pub(crate) root_inode: U64,
    pub(crate) bytes_used: U64,
    pub(crate) id_table_start: U64,
    pub(crate) xattr_table_start: U64,
    pub(crate) inode_table_start: U64,
    pub(crate) directory_table_start: U64,
    pub(crate) fragment_table_start: U64,
    pub(crate) export_table_start: U64,
}

/// What all inodes begin with.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct InodeHeader {
    pub(crate) inode_type: U16,
    pub(crate) mode: U16,
    pub(crate) uid_index: U16,
    pub(crate) gid_index: U16,
    pub(crate) mtime: U32,
    pub(crate) inode_number: U32,
}

/// A directory whose listing is under 64 KiB.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct BasicDirectory {
    pub(crate) start_block: U32,
    pub(crate) nlink: U32,
    pub(crate) file_size: U16,
    pub(crate) offset: U16,
    pub(crate) parent_inode: U32,
}

/// Any directory; `index_count` of [`DirectoryIndex`] and their names follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ExtendedDirectory {
    pub(crate) nlink: U32,
    pub(crate) file_size: U32,
    pub(crate) start_block: U32,
    pub(crate) parent_inode: U32,
    pub(crate) index_count: U16,
    pub(crate) offset: U16,
    pub(crate) xattr: U32,
}

/// Where in a long listing a name begins; the name follows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DirectoryIndex {
    pub(crate) index: U32,
    pub(crate) start_block: U32,
    /// The name's bytes less one.
    pub(crate) name_size: U32,
}

/// A file under 4 GiB with one name, in the first 4 GiB; block sizes follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct BasicFile {
    pub(crate) start_block: U32,
    pub(crate) fragment: U32,
    pub(crate) offset: U32,
    pub(crate) file_size: U32,
}

/// Any file; block sizes follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ExtendedFile {
    pub(crate) start_block: U64,
    pub(crate) file_size: U64,
    pub(crate) sparse: U64,
    pub(crate) nlink: U32,
    pub(crate) fragment: U32,
    pub(crate) offset: U32,
    pub(crate) xattr: U32,
}

/// A symbolic link; the target follows, and in the extended form the attributes' index after it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Symlink {
    pub(crate) nlink: U32,
    pub(crate) target_size: U32,
}

/// A device; in the extended form the attributes' index follows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DeviceInode {
    pub(crate) nlink: U32,
    pub(crate) rdev: U32,
}

/// A run of directory entries whose inodes lie in one metadata block.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DirectoryHeader {
    /// The number of entries less one.
    pub(crate) count: U32,
    pub(crate) start_block: U32,
    pub(crate) inode_number: U32,
}

/// A directory entry; the name follows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DirectoryEntry {
    pub(crate) offset: U16,
    /// The inode's number less the header's.
    pub(crate) inode_delta: I16,
    pub(crate) inode_type: U16,
    /// The name's bytes less one.
    pub(crate) name_size: U16,
}

/// Where a fragment block lies.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FragmentEntry {
    pub(crate) start: U64,
    pub(crate) size: U32,
    pub(crate) unused: U32,
}

/// The head of the table of extended attributes; the places of its [`XattrId`] blocks follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct XattrTable {
    pub(crate) xattr_start: U64,
    pub(crate) id_count: U32,
    pub(crate) unused: U32,
}

/// One set of extended attributes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct XattrId {
    pub(crate) xattr: U64,
    pub(crate) count: U32,
    pub(crate) size: U32,
}

/// An attribute's name without its prefix follows, then [`XattrValue`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct XattrKey {
    pub(crate) prefix: U16,
    pub(crate) name_size: U16,
}

/// `prefix` of a key whose value is a reference to another value.
pub(crate) const XATTR_OUT_OF_LINE: u16 = 0x100;

/// The longest attribute name in Linux, with its prefix.
pub(crate) const XATTR_NAME_MAX: usize = 255;

/// The longest attribute value in Linux.
pub(crate) const XATTR_VALUE_MAX: usize = 64 << 10;

/// The prefixes of attribute names, by number.
pub(crate) const XATTR_PREFIXES: [&[u8]; 3] = [b"user.", b"trusted.", b"security."];

/// An attribute's value follows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct XattrValue {
    pub(crate) value_size: U32,
}

/// Options of gzip.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct GzipOptions {
    pub(crate) level: I32,
    pub(crate) window_size: I16,
    pub(crate) strategies: I16,
}

/// Options of xz.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct XzOptions {
    pub(crate) dictionary_size: U32,
    /// A bit for each branch filter that blocks may have.
    pub(crate) flags: U32,
}

/// Options of zstd.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ZstdOptions {
    pub(crate) level: I32,
}

const _: () = {
    assert!(size_of::<Superblock>() == 96);
    assert!(size_of::<InodeHeader>() == 16);
    assert!(size_of::<BasicDirectory>() == 16);
    assert!(size_of::<ExtendedDirectory>() == 24);
    assert!(size_of::<DirectoryIndex>() == 12);
    assert!(size_of::<BasicFile>() == 16);
    assert!(size_of::<ExtendedFile>() == 40);
    assert!(size_of::<Symlink>() == 8);
    assert!(size_of::<DeviceInode>() == 8);
    assert!(size_of::<DirectoryHeader>() == 12);
    assert!(size_of::<DirectoryEntry>() == 8);
    assert!(size_of::<FragmentEntry>() == 16);
    assert!(size_of::<XattrTable>() == 16);
    assert!(size_of::<XattrId>() == 16);
    assert!(size_of::<XattrKey>() == 4);
    assert!(size_of::<XattrValue>() == 4);
    assert!(size_of::<GzipOptions>() == 8);
    assert!(size_of::<XzOptions>() == 8);
    assert!(size_of::<ZstdOptions>() == 4);
};
