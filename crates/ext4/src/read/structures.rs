//! What lies where.

use image::Structure;

use super::FileSystem;
use super::claims::Owner;
use super::walk::walk;
use crate::Result;
use crate::format::{JOURNAL_INODE, RESIZE_INODE};

/// Bytes before the first superblock, and of the superblock.
const SUPERBLOCK: u64 = 1024;

impl FileSystem {
    /// What lies where, in the order of its places. Nodes are those of [`FileSystem::tree`]. What is free has no name.
    ///
    /// # Errors
    /// As [`FileSystem::tree`].
    pub fn structures(&self) -> Result<Vec<Structure>> {
        let walk = walk(self)?;
        let size = u64::from(self.geometry.block_size);
        let mut structures = self.tables();
        for (blocks, owner) in walk.claims.within(0..self.geometry.blocks) {
            let named = |what: &'static str| {
                Structure::new(blocks.start * size, (blocks.end - blocks.start) * size, what)
            };
            let Owner::Inode(number) = owner else { continue };
            structures.push(match walk.inodes.get(&number) {
                Some(seen) if seen.is_directory() => named("directory").of(seen.id),
                Some(seen) => named("data").of(seen.id),
                None if number == JOURNAL_INODE => named("journal"),
                None if number == RESIZE_INODE => named("blocks kept for group descriptors"),
                None => named("blocks of an inode without a name"),
            });
        }
        structures.sort_by_key(|structure| structure.start);
        Ok(structures)
    }

    /// What belongs to the file system itself.
    fn tables(&self) -> Vec<Structure> {
        let geometry = &self.geometry;
        let size = u64::from(geometry.block_size);
        let mut structures = vec![Structure::new(0, SUPERBLOCK, "boot block")];
        for (number, group) in (0_u32..).zip(self.groups.iter()) {
            let mut put = |what: &str, start: u64, len: u64| {
                structures.push(Structure::new(start, len, format!("{what} of group {number}")));
            };
            if geometry.has_superblock(number) {
                let start = geometry.group_start(number) * size;
                let place = if number == 0 { SUPERBLOCK } else { start };
                put("superblock", place, SUPERBLOCK);
                let descriptors = geometry.descriptor_blocks() * size;
                put("group descriptors, copy", start + size, descriptors);
                let kept = u64::from(geometry.reserved_blocks) * size;
                put(
                    "blocks kept for group descriptors, copy",
                    start + size + descriptors,
                    kept,
                );
            }
            put("block bitmap", group.block_bitmap * size, size);
            put("inode bitmap", group.inode_bitmap * size, size);
            put(
                "inode table",
                group.inode_table * size,
                geometry.table_blocks() * size,
            );
        }
        structures
    }
}
