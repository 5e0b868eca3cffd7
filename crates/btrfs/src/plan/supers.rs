//! The superblock, and its copies.

use image::NodeId;
use zerocopy::{FromZeros, IntoBytes};

use super::devices;
use super::fixpoint::Forest;
use super::trees::Ids;
use crate::checksum::seal;
use crate::format::{
    BackupRoot, GENERATION, MAGIC, NODE_LEN, SECTOR, SUPERBLOCK_FLAGS, SYS_CHUNK_ARRAY, Superblock,
    SuperblockTail, compat_ro, incompat, object,
};
use crate::{Compression, Options, Profile};

/// The superblock at a place.
pub(super) fn superblock(place: u64, size: u64, forest: &Forest, options: &Options, ids: &Ids) -> Vec<u8> {
    let chunks = devices::system_chunks(&forest.chunks, ids);
    let root = |tree: u64| forest.root(tree).into();
    let level = |tree: u64| forest.tree(tree).1.level();
    let node = u32::try_from(NODE_LEN).unwrap_or(0).into();
    let sector = u32::try_from(SECTOR).unwrap_or(0).into();
    let mut label = [0; 256];
    let text = options.label.as_deref().unwrap_or_default().as_bytes();
    label[..text.len()].copy_from_slice(text);
    let superblock = Superblock {
        fsid: ids.fsid,
        bytenr: place.into(),
        flags: SUPERBLOCK_FLAGS.into(),
        magic: MAGIC,
        generation: GENERATION.into(),
        root: root(object::ROOT_TREE),
        chunk_root: root(object::CHUNK_TREE),
        total_bytes: size.into(),
        bytes_used: forest.all_used().into(),
        root_dir_objectid: object::ROOT_TREE_DIR.into(),
        num_devices: 1.into(),
        sectorsize: sector,
        nodesize: node,
        leafsize: node,
        stripesize: sector,
        sys_chunk_array_size: u32::try_from(chunks.len()).unwrap_or(u32::MAX).into(),
        chunk_root_generation: GENERATION.into(),
        compat_ro_flags: compat_ro_flags(options).into(),
        incompat_flags: incompat_flags(options).into(),
        root_level: level(object::ROOT_TREE),
        chunk_root_level: level(object::CHUNK_TREE),
        dev_item: devices::device(&forest.chunks, size, ids),
        label,
        uuid_tree_generation: GENERATION.into(),
        ..Superblock::new_zeroed()
    };
    let mut bytes = superblock.as_bytes().to_vec();
    let end = bytes.len() + SYS_CHUNK_ARRAY;
    bytes.extend(chunks);
    bytes.resize(end, 0);
    let mut tail = SuperblockTail::new_zeroed();
    tail.backups[0] = backup(size, forest);
    bytes.extend_from_slice(tail.as_bytes());
    seal(&mut bytes);
    bytes
}

fn incompat_flags(options: &Options) -> u64 {
    let compression = match options.compression {
        Compression::None | Compression::Zlib { .. } => 0,
        Compression::Lzo => incompat::COMPRESS_LZO,
        Compression::Zstd { .. } => incompat::COMPRESS_ZSTD,
    };
    let default = match options.default_subvolume {
        NodeId::ROOT => 0,
        _ => incompat::DEFAULT_SUBVOLUME,
    };
    compression
        | default
        | incompat::MIXED_BACKREF
        | incompat::BIG_METADATA
        | incompat::EXTENDED_IREF
        | incompat::SKINNY_METADATA
        | incompat::NO_HOLES
}

fn compat_ro_flags(options: &Options) -> u64 {
    let free_space = compat_ro::FREE_SPACE_TREE | compat_ro::FREE_SPACE_TREE_VALID;
    match options.profile {
        Profile::Portable => free_space,
        Profile::Modern => free_space | compat_ro::BLOCK_GROUP_TREE,
    }
}

/// Where the trees are, as a generation that can be gone back to.
fn backup(size: u64, forest: &Forest) -> BackupRoot {
    let root = |tree: u64| forest.root(tree).into();
    let trees = [
        object::ROOT_TREE,
        object::CHUNK_TREE,
        object::EXTENT_TREE,
        object::FS_TREE,
        object::DEV_TREE,
        object::CSUM_TREE,
    ];
    BackupRoot {
        tree_root: root(object::ROOT_TREE),
        tree_root_gen: GENERATION.into(),
        chunk_root: root(object::CHUNK_TREE),
        chunk_root_gen: GENERATION.into(),
        extent_root: root(object::EXTENT_TREE),
        extent_root_gen: GENERATION.into(),
        fs_root: root(object::FS_TREE),
        fs_root_gen: GENERATION.into(),
        dev_root: root(object::DEV_TREE),
        dev_root_gen: GENERATION.into(),
        csum_root: root(object::CSUM_TREE),
        csum_root_gen: GENERATION.into(),
        total_bytes: size.into(),
        bytes_used: forest.all_used().into(),
        num_devices: 1.into(),
        levels: trees.map(|tree| forest.tree(tree).1.level()),
        ..BackupRoot::default()
    }
}
