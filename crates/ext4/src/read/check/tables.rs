//! Inodes that no name leads to.

use crate::Result;
use crate::format::{GROUP_INODE_UNINIT, ROOT_INODE};
use crate::read::walk::Walk;
use crate::read::{FileSystem, damaged};

/// How much of a table is read at once.
const WINDOW: u32 = 1 << 16;

/// Looks for inodes that say they are in use.
pub(super) fn check(file_system: &FileSystem, walk: &Walk) -> Result<()> {
    let geometry = &file_system.geometry;
    let at_once = WINDOW / u32::from(geometry.inode_size);
    for (number, group) in (0_u32..).zip(file_system.groups.iter()) {
        if group.flags & GROUP_INODE_UNINIT != 0 {
            continue;
        }
        let start = group.inode_table * u64::from(geometry.block_size);
        let first = number * geometry.inodes_per_group + 1;
        let made = geometry.inodes_per_group - group.unused_inodes;
        for index in (0..made).step_by(at_once as usize) {
            let count = at_once.min(made - index);
            let place = format!("inode table of group {number}");
            let start = start + u64::from(index) * u64::from(geometry.inode_size);
            let len = count as usize * usize::from(geometry.inode_size);
            let bytes = file_system.source.read(&place, start, len)?;
            let inodes = bytes.chunks_exact(geometry.inode_size.into());
            for (inode, bytes) in (first + index..).zip(inodes) {
                let is_zero = bytes.iter().all(|byte| *byte == 0);
                if is_zero
                    || inode == ROOT_INODE
                    || walk.hidden.contains(&inode)
                    || walk.inodes.contains_key(&inode)
                {
                    continue;
                }
                let found = file_system.decode(inode, bytes.to_vec())?;
                if found.fields.links_count.get() != 0 {
                    return Err(damaged(found.place(), "is in use and has no name"));
                }
            }
        }
    }
    Ok(())
}
