//! The inode that keeps room for more group descriptors.
//!
//! Its doubly indirect block leads to the blocks that are kept behind the first superblock's descriptors, and each of
//! those is a block of pointers to the ones kept in its place behind the copies.

use crate::Result;
use crate::format::{RESIZE_INODE, compat};
use crate::read::pointers::{DIRECT, numbers};
use crate::read::{FileSystem, damaged, system};
use zerocopy::IntoBytes;

pub(super) fn check(file_system: &FileSystem) -> Result<()> {
    let geometry = &file_system.geometry;
    if geometry.compat & compat::RESIZE_INODE == 0 || geometry.reserved_blocks == 0 {
        return Ok(());
    }
    let broken = |problem: String| damaged("room for more groups, inode 7", problem);
    let Some(inode) = system::hidden(file_system, RESIZE_INODE)? else {
        return Err(broken("has no blocks".into()));
    };
    let others = numbers(inode.fields.block.as_bytes())
        .enumerate()
        .any(|(index, block)| index != DIRECT + 1 && block != 0);
    if others {
        return Err(broken("has blocks that are not doubly indirect".into()));
    }
    let starts: Vec<u64> = (0..geometry.groups)
        .filter(|group| geometry.has_superblock(*group))
        .map(|group| geometry.group_start(group) + 1 + geometry.descriptor_blocks())
        .collect();
    let Some((first, copies)) = starts.split_first() else {
        return Ok(());
    };
    let reserved = u64::from(geometry.reserved_blocks);
    let per_block = u64::from(geometry.block_size / 4);
    let lists = |block: u64, wanted: &dyn Fn(u64) -> u64| {
        let bytes = file_system.block(&"room for more groups, inode 7", block)?;
        for (index, found) in (0..).zip(numbers(&bytes)) {
            let wanted = wanted(index);
            if u64::from(found) != wanted {
                let problem = format!("pointer {index} of its block {block} is {found}, not {wanted}");
                return Err(broken(problem));
            }
        }
        Ok(())
    };
    // The slot of a descriptor block is its number, around the end of the block.
    lists(system::doubly_indirect(&inode).into(), &|index| {
        let slot = (index + per_block - geometry.descriptor_blocks() % per_block) % per_block;
        if slot < reserved { first + slot } else { 0 }
    })?;
    for slot in 0..reserved {
        lists(first + slot, &|index| {
            let copy = usize::try_from(index).ok().and_then(|index| copies.get(index));
            copy.map_or(0, |start| start + slot)
        })?;
    }
    let used = 1 + reserved * starts.len() as u64;
    let used = used * u64::from(geometry.block_size / 512);
    match inode.sectors(file_system) {
        Some(counted) if counted == used => Ok(()),
        counted => Err(broken(format!(
            "its blocks have {used} sectors, and it counts {}",
            counted.unwrap_or(u64::MAX)
        ))),
    }
}
