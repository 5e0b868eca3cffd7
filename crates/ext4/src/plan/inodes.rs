//! Inodes: what says everything about a file but its name.

use image::{Device, Kind};
use zerocopy::IntoBytes;

use super::Context;
use super::extents;
use super::place::Blocks;
use super::survey::{Data, Item};
use crate::checksum::{Checksums, crc32c};
use crate::format::{
    BLOCK, EXTRA_ISIZE, INLINE, INODE_CHECKSUM_HI, INODE_CHECKSUM_LO, INODE_EXTENTS, INODE_INDEX, INODE_SIZE,
    Inode, JOURNAL_INODE, LINKS_MAX, RESIZE_INODE,
};

/// Sectors of 512 bytes in a block: the unit of an inode's count of blocks.
const SECTORS: u64 = BLOCK / 512;
/// Where an indirect block's pointers of two levels go.
const DOUBLE_INDIRECT: usize = 13;

/// The bytes of an inode.
pub(super) type Bytes = [u8; INODE_SIZE as usize];

/// The inode of an item of the tree.
pub(super) fn item(item: &Item, place: &Blocks, context: &Context) -> Bytes {
    let meta = &item.node.meta;
    let xattr_block = item.xattrs.block.map(|index| context.placed.xattr_blocks[index]);
    let [size_lo, size_hi] = halves(len(item));
    let [acl_lo, acl_hi] = halves(xattr_block.unwrap_or(0));
    let [uid_lo, uid_hi] = shorts(meta.uid);
    let [gid_lo, gid_hi] = shorts(meta.gid);
    let (inline, flags) = inline(item, place);
    let mut inode = Inode {
        mode: (type_bits(&item.node.kind) | (meta.mode & 0o7777)).into(),
        uid_lo: uid_lo.into(),
        uid_high: uid_hi.into(),
        gid_lo: gid_lo.into(),
        gid_high: gid_hi.into(),
        size_lo: size_lo.into(),
        size_high: size_hi.into(),
        links_count: links(item).into(),
        flags: flags.into(),
        file_acl_lo: acl_lo.into(),
        file_acl_high: shorts(acl_hi)[0].into(),
        ..Inode::default()
    };
    set_inline(&mut inode, &inline);
    set_blocks(&mut inode, place.count() + u64::from(xattr_block.is_some()));
    set_times(&mut inode, meta.mtime);
    finish(
        item.number,
        inode,
        &item.xattrs.inline,
        context.features.checksums,
    )
}

/// The inode of the journal.
pub(super) fn journal(place: &Blocks, context: &Context) -> Bytes {
    let count: u64 = place.runs.iter().map(|run| u64::from(run.len)).sum();
    let [size_lo, size_hi] = halves(count * BLOCK);
    let mut inode = Inode {
        size_lo: size_lo.into(),
        size_high: size_hi.into(),
        flags: INODE_EXTENTS.into(),
        ..hidden(context)
    };
    set_inline(&mut inode, &extents::root(place));
    set_blocks(&mut inode, place.count());
    finish(JOURNAL_INODE, inode, &[], context.features.checksums)
}

/// The inode of the blocks that are kept for more group descriptors. `copies` says how many groups have a copy of
/// each.
pub(super) fn resize(block: u64, copies: u64, context: &Context) -> Bytes {
    // As large as a file with indirect blocks of two levels can be.
    let pointers = BLOCK / 4;
    let [size_lo, size_hi] = halves((12 + pointers + pointers * pointers) * BLOCK);
    let mut inode = Inode {
        size_lo: size_lo.into(),
        size_high: size_hi.into(),
        ..hidden(context)
    };
    let mut inline = [0; INLINE];
    let [block_lo, _] = halves(block);
    inline[DOUBLE_INDIRECT * 4..][..4].copy_from_slice(&block_lo.to_le_bytes());
    set_inline(&mut inode, &inline);
    set_blocks(&mut inode, 1 + context.placed.geometry.reserved_blocks * copies);
    finish(RESIZE_INODE, inode, &[], context.features.checksums)
}

/// A regular file that only root sees, as all inodes of the file system itself are.
fn hidden(context: &Context) -> Inode {
    let mut inode = Inode {
        mode: 0o100_600.into(),
        links_count: 1.into(),
        ..Inode::default()
    };
    set_times(&mut inode, context.options.time.into());
    inode
}

/// The bytes that an inode says it has.
fn len(item: &Item) -> u64 {
    match (&item.node.kind, &item.data) {
        (Kind::Symlink(target), _) => target.len() as u64,
        (_, Data::Made(content)) => content.len(),
        (_, Data::File(content, _)) => content.len(),
        (_, Data::HashTree(bytes)) => bytes.len() as u64,
        (_, Data::None) => 0,
    }
}

/// Directories may have more subdirectories than can be counted; 1 says so.
fn links(item: &Item) -> u16 {
    if item.is_directory() && item.links > LINKS_MAX {
        return 1;
    }
    u16::try_from(item.links).unwrap_or(u16::MAX)
}

/// What an inode has in place of block numbers, and the flags that say what it is.
fn inline(item: &Item, place: &Blocks) -> ([u8; INLINE], u32) {
    match (&item.node.kind, &item.data) {
        (Kind::Symlink(target), Data::None) => {
            let mut inline = [0; INLINE];
            inline[..target.len()].copy_from_slice(target);
            (inline, 0)
        }
        (Kind::CharDevice(device) | Kind::BlockDevice(device), _) => (device_numbers(*device), 0),
        (Kind::Fifo | Kind::Socket, _) => ([0; INLINE], 0),
        (_, Data::HashTree(_)) => (extents::root(place), INODE_EXTENTS | INODE_INDEX),
        _ => (extents::root(place), INODE_EXTENTS),
    }
}

/// Small numbers in the old encoding, others in the new one behind it.
fn device_numbers(device: Device) -> [u8; INLINE] {
    let Device { major, minor } = device;
    let mut inline = [0; INLINE];
    if major < 256 && minor < 256 {
        inline[..4].copy_from_slice(&(major << 8 | minor).to_le_bytes());
    } else {
        let number = (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12);
        inline[4..8].copy_from_slice(&number.to_le_bytes());
    }
    inline
}

fn type_bits(kind: &Kind) -> u16 {
    match kind {
        Kind::Fifo => 0o010_000,
        Kind::CharDevice(_) => 0o020_000,
        Kind::Directory(_) => 0o040_000,
        Kind::BlockDevice(_) => 0o060_000,
        Kind::File(_) => 0o100_000,
        Kind::Symlink(_) => 0o120_000,
        Kind::Socket => 0o140_000,
    }
}

fn set_inline(inode: &mut Inode, bytes: &[u8; INLINE]) {
    for (to, from) in inode.block.iter_mut().flatten().zip(bytes) {
        *to = *from;
    }
}

fn set_blocks(inode: &mut Inode, blocks: u64) {
    let [lo, hi] = halves(blocks * SECTORS);
    inode.blocks_lo = lo.into();
    inode.blocks_high = shorts(hi)[0].into();
}

fn set_times(inode: &mut Inode, time: i64) {
    let [low, _] = halves(time.cast_unsigned());
    // The low half has a sign; the two bits in `_extra` count how often it has to be carried over.
    let carried = (time - i64::from(low.cast_signed())) >> 32;
    let [extra, _] = halves(carried.cast_unsigned() & 3);
    for field in [
        &mut inode.atime,
        &mut inode.ctime,
        &mut inode.mtime,
        &mut inode.crtime,
    ] {
        *field = low.into();
    }
    for field in [
        &mut inode.atime_extra,
        &mut inode.ctime_extra,
        &mut inode.mtime_extra,
        &mut inode.crtime_extra,
    ] {
        *field = extra.into();
    }
}

fn finish(number: u32, mut inode: Inode, xattrs: &[u8], checksums: Checksums) -> Bytes {
    inode.extra_isize = EXTRA_ISIZE.into();
    let mut bytes = [0; INODE_SIZE as usize];
    let fields = inode.as_bytes();
    bytes[..fields.len()].copy_from_slice(fields);
    bytes[fields.len()..][..xattrs.len()].copy_from_slice(xattrs);
    if let Some(seed) = checksums.inode_seed(number, 0) {
        let [lo, hi] = shorts(crc32c(seed, &bytes));
        bytes[INODE_CHECKSUM_LO].copy_from_slice(&lo.to_le_bytes());
        bytes[INODE_CHECKSUM_HI].copy_from_slice(&hi.to_le_bytes());
    }
    bytes
}

/// The low and the high half.
pub(super) fn halves(number: u64) -> [u32; 2] {
    [number & u64::from(u32::MAX), number >> 32].map(|half| u32::try_from(half).unwrap_or(u32::MAX))
}

/// The low and the high half.
pub(super) fn shorts(number: u32) -> [u16; 2] {
    let [a, b, c, d] = number.to_le_bytes();
    [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])]
}
