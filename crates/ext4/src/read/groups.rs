//! Reads and doubts the group descriptors.

use zerocopy::FromBytes;

use super::superblock::Geometry;
use super::{Source, damaged};
use crate::Result;
use crate::format::{GroupDescriptor, incompat};

/// A group's descriptor.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) block_bitmap: u64,
    pub(super) inode_bitmap: u64,
    pub(super) inode_table: u64,
    pub(super) free_blocks: u32,
    pub(super) free_inodes: u32,
    pub(super) directories: u32,
    /// Inodes at the end of the table that were never used.
    pub(super) unused_inodes: u32,
    pub(super) flags: u16,
    pub(super) block_bitmap_checksum: u32,
    pub(super) inode_bitmap_checksum: u32,
}

/// The descriptors behind the first superblock.
pub(super) fn read(source: &Source, geometry: &Geometry) -> Result<Vec<Group>> {
    read_copy(source, geometry, 0)
}

/// The descriptors behind the superblock of a group.
pub(super) fn read_copy(source: &Source, geometry: &Geometry, group: u32) -> Result<Vec<Group>> {
    let place = |index: u32| match group {
        0 => format!("descriptor of group {index}"),
        copy => format!("descriptor of group {index}, copy in group {copy}"),
    };
    let start = (geometry.group_start(group) + 1) * u64::from(geometry.block_size);
    let len = geometry.descriptor_size as usize;
    let mut groups = Vec::new();
    let chunk_groups = geometry.block_len() / len;
    for index in (0..geometry.groups).step_by(chunk_groups) {
        let count = (geometry.groups - index).min(geometry.block_size / geometry.descriptor_size);
        let start = start + u64::from(index) * u64::from(geometry.descriptor_size);
        let bytes = source.read(&"group descriptors", start, count as usize * len)?;
        for (number, bytes) in (index..).zip(bytes.chunks_exact(len)) {
            let group = decode(bytes, geometry, number).and_then(|group| {
                check(&group, geometry, number)?;
                Ok(group)
            });
            groups.push(group.map_err(|problem| damaged(place(number), problem))?);
        }
    }
    Ok(groups)
}

fn decode(bytes: &[u8], geometry: &Geometry, number: u32) -> Result<Group, String> {
    let mut whole = [0; size_of::<GroupDescriptor>()];
    whole
        .iter_mut()
        .zip(bytes)
        .for_each(|(target, byte)| *target = *byte);
    let found = GroupDescriptor::read_from_bytes(&whole).map_err(|_| "is cut off".to_string())?;
    let has_flags = geometry.has_group_flags();
    if has_flags {
        let (found, wanted) = (found.checksum.get(), geometry.checksums.descriptor(number, bytes));
        if found != wanted {
            return Err(format!("its checksum is {found:#06x}, not {wanted:#06x}"));
        }
    }
    let wide = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    let double = |low: u16, high: u16| u32::from(high) << 16 | u32::from(low);
    Ok(Group {
        block_bitmap: wide(found.block_bitmap_lo.get(), found.block_bitmap_hi.get()),
        inode_bitmap: wide(found.inode_bitmap_lo.get(), found.inode_bitmap_hi.get()),
        inode_table: wide(found.inode_table_lo.get(), found.inode_table_hi.get()),
        free_blocks: double(found.free_blocks_count_lo.get(), found.free_blocks_count_hi.get()),
        free_inodes: double(found.free_inodes_count_lo.get(), found.free_inodes_count_hi.get()),
        directories: double(found.used_dirs_count_lo.get(), found.used_dirs_count_hi.get()),
        unused_inodes: if has_flags {
            double(found.itable_unused_lo.get(), found.itable_unused_hi.get())
        } else {
            0
        },
        flags: if has_flags { found.flags.get() } else { 0 },
        block_bitmap_checksum: double(found.block_bitmap_csum_lo.get(), found.block_bitmap_csum_hi.get()),
        inode_bitmap_checksum: double(found.inode_bitmap_csum_lo.get(), found.inode_bitmap_csum_hi.get()),
    })
}

fn check(group: &Group, geometry: &Geometry, number: u32) -> Result<(), String> {
    let own = geometry.group_start(number)..geometry.group_end(number);
    for (what, start, count) in [
        ("block bitmap", group.block_bitmap, 1),
        ("inode bitmap", group.inode_bitmap, 1),
        ("inode table", group.inode_table, geometry.table_blocks()),
    ] {
        if !geometry.holds(start, count) {
            let blocks = geometry.blocks;
            return Err(format!(
                "the {what} is at block {start}, and there are {blocks} blocks"
            ));
        }
        let inside = own.contains(&start) && start + count <= own.end;
        if geometry.incompat & incompat::FLEX_BG == 0 && !inside {
            return Err(format!(
                "the {what} is at block {start}, outside of the group, without flex_bg"
            ));
        }
    }
    let limit = geometry.inodes_per_group;
    if [group.free_inodes, group.unused_inodes, group.directories]
        .iter()
        .any(|count| *count > limit)
    {
        return Err(format!("it counts more than {limit} inodes"));
    }
    Ok(())
}
