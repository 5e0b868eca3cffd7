//! The blocks of the file system itself, and of inodes that no name leads to.

use super::claims::{Claims, Owner};
use super::inodes::Inode;
use super::{FileSystem, blocks, damaged, pointers};
use crate::Result;
use crate::format::{JOURNAL_INODE, RESIZE_INODE, ROOT_INODE, compat, ro_compat};
use zerocopy::IntoBytes;

/// Takes the blocks of everything that is not in a directory.
pub(super) fn claim(file_system: &FileSystem, claims: &mut Claims) -> Result<()> {
    let geometry = &file_system.geometry;
    let mut take = |what: &str, group: u32, start: u64, count: u64| {
        let place = || format!("{what} of group {group}");
        let end = start + count;
        if end > geometry.blocks {
            let problem = format!("ends at block {end}, and there are {}", geometry.blocks);
            return Err(damaged(place(), problem));
        }
        let claimed = claims.claim(start..end, Owner::System);
        claimed.map_err(|taken| damaged(place(), taken.to_string()))
    };
    if geometry.first_block > 0 {
        take("block 0", 0, 0, geometry.first_block.into())?;
    }
    let superblock = 1 + geometry.descriptor_blocks() + u64::from(geometry.reserved_blocks);
    for (number, group) in (0..).zip(file_system.groups.iter()) {
        if geometry.has_superblock(number) {
            take("superblock", number, geometry.group_start(number), superblock)?;
        }
        take("block bitmap", number, group.block_bitmap, 1)?;
        take("inode bitmap", number, group.inode_bitmap, 1)?;
        take("inode table", number, group.inode_table, geometry.table_blocks())?;
    }
    for number in inodes(file_system) {
        if let Some(inode) = hidden(file_system, number)? {
            claim_inode(file_system, &inode, claims)?;
        }
    }
    Ok(())
}

/// The inodes that are in use without a name.
pub(super) fn inodes(file_system: &FileSystem) -> impl Iterator<Item = u32> {
    let (superblock, geometry) = (&file_system.superblock, &file_system.geometry);
    let numbers = [
        (
            geometry.compat & compat::ORPHAN_FILE,
            superblock.orphan_file_inum.get(),
        ),
        (
            geometry.ro_compat & ro_compat::PROJECT,
            superblock.prj_quota_inum.get(),
        ),
    ];
    let first = geometry.first_inode;
    let behind = numbers
        .into_iter()
        .filter(move |(feature, number)| *feature != 0 && *number >= first)
        .map(|(_, number)| number);
    (1..first).filter(|number| *number != ROOT_INODE).chain(behind)
}

/// One of these inodes, if it has blocks.
pub(super) fn hidden(file_system: &FileSystem, number: u32) -> Result<Option<Inode>> {
    let bytes = file_system.inode_bytes(number)?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let inode = file_system.decode(number, bytes)?;
    Ok((inode.sectors(file_system) != Some(0)).then_some(inode))
}

fn claim_inode(file_system: &FileSystem, inode: &Inode, claims: &mut Claims) -> Result<()> {
    if inode.number == RESIZE_INODE && file_system.geometry.compat & compat::RESIZE_INODE != 0 {
        // The other blocks that it has are behind the superblocks' descriptors, and were taken with them.
        let block = doubly_indirect(inode);
        return blocks::claim(file_system, inode, claims, block.into(), 1);
    }
    let found = blocks::read(file_system, inode, claims)?;
    let used = found.count() + found.index_blocks + u64::from(inode.attribute_block(file_system) != 0);
    let used = used * u64::from(file_system.geometry.block_size / 512);
    let counted = inode.sectors(file_system).unwrap_or(u64::MAX);
    if used == counted {
        return Ok(());
    }
    let what = match inode.number {
        JOURNAL_INODE => "journal, inode 8".to_string(),
        _ => inode.place(),
    };
    let problem = format!("its blocks have {used} sectors, and it counts {counted}");
    Err(damaged(what, problem))
}

/// The block of an inode that leads to blocks of pointers.
pub(super) fn doubly_indirect(inode: &Inode) -> u32 {
    let mut pointers = pointers::numbers(inode.fields.block.as_bytes());
    pointers.nth(pointers::DIRECT + 1).unwrap_or(0)
}
