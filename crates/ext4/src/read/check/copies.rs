//! Copies of the superblock and the group descriptors.

use zerocopy::FromBytes;

use crate::Result;
use crate::format::{Superblock, ro_compat};
use crate::read::{FileSystem, damaged, groups, superblock};

/// Compares every copy with the first. Counts and times may be older.
pub(super) fn check(file_system: &FileSystem) -> Result<()> {
    let geometry = &file_system.geometry;
    for group in (1..geometry.groups).filter(|group| geometry.has_superblock(*group)) {
        let place = format!("superblock of group {group}");
        let start = geometry.group_start(group) * u64::from(geometry.block_size);
        let bytes = file_system.source.read(&place, start, size_of::<Superblock>())?;
        let copy = Superblock::read_from_bytes(&bytes).map_err(|_| damaged(&place, "is cut off"))?;
        check_superblock(file_system, &copy, group).map_err(|problem| damaged(&place, problem))?;
        let copies = groups::read_copy(&file_system.source, geometry, group)?;
        for (number, (first, copy)) in (0_u32..).zip(file_system.groups.iter().zip(&copies)) {
            let places = |group: &groups::Group| (group.block_bitmap, group.inode_bitmap, group.inode_table);
            if places(first) != places(copy) {
                let place = format!("descriptor of group {number}, copy in group {group}");
                return Err(damaged(place, "has other places than the first"));
            }
        }
    }
    Ok(())
}

fn check_superblock(file_system: &FileSystem, copy: &Superblock, group: u32) -> Result<(), String> {
    let differs = |name: &str, first: u64, copy: u64| {
        if first == copy {
            return Ok(());
        }
        Err(format!(
            "its {name} is {copy:#x}, and the first one's is {first:#x}"
        ))
    };
    for ((name, first), (_, copy)) in fixed(&file_system.superblock).into_iter().zip(fixed(copy)) {
        differs(name, first, copy)?;
    }
    // Large numbers of groups are cut off.
    let number = u64::from(group & 0xffff);
    let found = u64::from(copy.block_group_nr.get());
    if found != number {
        return Err(format!("it says that it is of group {found}"));
    }
    if file_system.geometry.checksums.are_everywhere() {
        superblock::check_checksum(copy, file_system.geometry.checksums)?;
    }
    Ok(())
}

/// What does not change when a file system is used.
fn fixed(superblock: &Superblock) -> [(&'static str, u64); 27] {
    let half = |bytes: &[u8], index: usize| {
        let mut chunks = bytes.chunks_exact(8);
        let chunk = chunks.nth(index).and_then(|chunk| chunk.first_chunk());
        chunk.map_or(0, |chunk| u64::from_le_bytes(*chunk))
    };
    // The kernel adds this one when the first large file comes.
    let ro_compat = superblock.feature_ro_compat.get() & !ro_compat::LARGE_FILE;
    [
        ("magic", superblock.magic.get().into()),
        ("inodes_count", superblock.inodes_count.get().into()),
        ("blocks_count_lo", superblock.blocks_count_lo.get().into()),
        ("blocks_count_hi", superblock.blocks_count_hi.get().into()),
        ("first_data_block", superblock.first_data_block.get().into()),
        ("log_block_size", superblock.log_block_size.get().into()),
        ("log_cluster_size", superblock.log_cluster_size.get().into()),
        ("blocks_per_group", superblock.blocks_per_group.get().into()),
        ("clusters_per_group", superblock.clusters_per_group.get().into()),
        ("inodes_per_group", superblock.inodes_per_group.get().into()),
        ("rev_level", superblock.rev_level.get().into()),
        ("creator_os", superblock.creator_os.get().into()),
        ("first_ino", superblock.first_ino.get().into()),
        ("inode_size", superblock.inode_size.get().into()),
        ("feature_incompat", superblock.feature_incompat.get().into()),
        ("feature_ro_compat", ro_compat.into()),
        ("uuid", half(&superblock.uuid, 0)),
        ("uuid", half(&superblock.uuid, 1)),
        ("reserved_gdt_blocks", superblock.reserved_gdt_blocks.get().into()),
        ("hash_seed", half(&superblock.hash_seed, 0)),
        ("hash_seed", half(&superblock.hash_seed, 1)),
        ("def_hash_version", superblock.def_hash_version.into()),
        ("desc_size", superblock.desc_size.get().into()),
        ("mkfs_time", superblock.mkfs_time.get().into()),
        ("log_groups_per_flex", superblock.log_groups_per_flex.into()),
        ("checksum_type", superblock.checksum_type.into()),
        ("checksum_seed", superblock.checksum_seed.get().into()),
    ]
}
