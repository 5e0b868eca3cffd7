//! Which blocks and inodes are in use.

use std::ops::Range;

use crate::Result;
use crate::format::{GROUP_BLOCK_UNINIT, GROUP_INODE_UNINIT};
use crate::read::claims::Owner;
use crate::read::groups::Group;
use crate::read::walk::Walk;
use crate::read::{FileSystem, damaged};

/// Compares the bitmaps and the counts of free blocks and inodes.
pub(super) fn check(file_system: &FileSystem, walk: &Walk) -> Result<()> {
    let geometry = &file_system.geometry;
    let (mut blocks, mut inodes) = (0, 0);
    for (number, group) in (0..).zip(file_system.groups.iter()) {
        blocks += check_blocks(file_system, walk, number, group)?;
        inodes += check_inodes(file_system, walk, number, group)?;
    }
    let superblock = &file_system.superblock;
    let counted = geometry.wide(
        superblock.free_blocks_count_lo.get(),
        superblock.free_blocks_count_hi.get(),
    );
    count("superblock", "blocks", blocks, counted)?;
    let counted = superblock.free_inodes_count.get();
    count("superblock", "inodes", inodes, counted.into())
}

fn count(place: &str, what: &str, free: u64, counted: u64) -> Result<()> {
    if free == counted {
        return Ok(());
    }
    let problem = format!("{free} {what} are free, and it counts {counted}");
    Err(damaged(place, problem))
}

/// Checks the block bitmap of a group; answers how many blocks are free.
fn check_blocks(file_system: &FileSystem, walk: &Walk, number: u32, group: &Group) -> Result<u64> {
    let geometry = &file_system.geometry;
    let range = geometry.group_start(number)..geometry.group_end(number);
    let place = format!("block bitmap of group {number}");
    let mut used = 0;
    let mut wanted = Bits::new(geometry.block_len());
    for (blocks, owner) in walk.claims.within(range.clone()) {
        if group.flags & GROUP_BLOCK_UNINIT != 0 && owner != Owner::System {
            let problem = format!("was never made, and block {} is of {owner}", blocks.start);
            return Err(damaged(place, problem));
        }
        used += blocks.end - blocks.start;
        wanted.set(blocks.start - range.start..blocks.end - range.start);
    }
    let all = range.end - range.start;
    if group.flags & GROUP_BLOCK_UNINIT == 0 {
        wanted.set(all..u64::from(geometry.block_size) * 8);
        let found = file_system.block(&place, group.block_bitmap)?;
        let len = geometry.blocks_per_group / 8;
        check_checksum(file_system, &found, len, group.block_bitmap_checksum)
            .and_then(|()| wanted.compare("block", range.start, &found))
            .map_err(|problem| damaged(place, problem))?;
    }
    let place = format!("descriptor of group {number}");
    count(&place, "blocks", all - used, group.free_blocks.into())?;
    Ok(all - used)
}

/// Checks the inode bitmap of a group; answers how many inodes are free.
fn check_inodes(file_system: &FileSystem, walk: &Walk, number: u32, group: &Group) -> Result<u64> {
    let geometry = &file_system.geometry;
    let per_group = u64::from(geometry.inodes_per_group);
    let first = 1 + u64::from(number) * per_group;
    let range = first..first + per_group;
    let place = format!("inode bitmap of group {number}");
    let mut wanted = Bits::new(geometry.block_len());
    let in_use = in_use(walk, &range);
    for inode in &in_use {
        wanted.set(inode - first..inode + 1 - first);
    }
    if group.flags & GROUP_INODE_UNINIT == 0 {
        wanted.set(per_group..u64::from(geometry.block_size) * 8);
        let found = file_system.block(&place, group.inode_bitmap)?;
        let len = geometry.inodes_per_group / 8;
        check_checksum(file_system, &found, len, group.inode_bitmap_checksum)
            .and_then(|()| wanted.compare("inode", first, &found))
            .map_err(|problem| damaged(place, problem))?;
    }
    let place = format!("descriptor of group {number}");
    let free = per_group - in_use.len() as u64;
    count(&place, "inodes", free, group.free_inodes.into())?;
    let directories = inode_numbers(&range).map_or(0, |range| {
        let seen = walk.inodes.range(range);
        seen.filter(|(_, seen)| seen.is_directory()).count()
    });
    if directories as u64 != u64::from(group.directories) {
        let problem = format!(
            "{directories} inodes are directories, and it counts {}",
            group.directories
        );
        return Err(damaged(place, problem));
    }
    Ok(free)
}

/// The inodes of a range that are in use.
fn in_use(walk: &Walk, range: &Range<u64>) -> Vec<u64> {
    let Some(numbers) = inode_numbers(range) else {
        return Vec::new();
    };
    let hidden = walk.hidden.range(numbers.clone()).copied();
    let named = walk.inodes.range(numbers).map(|(number, _)| *number);
    let mut all: Vec<u64> = named.chain(hidden).map(u64::from).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// All inodes have numbers of 32 bits; the one behind the last may have none.
fn inode_numbers(range: &Range<u64>) -> Option<std::ops::RangeInclusive<u32>> {
    let last = range.end.checked_sub(1)?;
    Some(u32::try_from(range.start).ok()?..=u32::try_from(last).ok()?)
}

fn check_checksum(file_system: &FileSystem, bitmap: &[u8], len: u32, found: u32) -> Result<(), String> {
    let geometry = &file_system.geometry;
    if !geometry.checksums.are_everywhere() {
        return Ok(());
    }
    let bytes = bitmap.get(..len as usize).unwrap_or(bitmap);
    let wanted = geometry.checksums.bitmap(bytes);
    // Small descriptors have one half of it.
    let mask = if geometry.descriptor_size < 64 {
        0xffff
    } else {
        u32::MAX
    };
    if found & mask == wanted & mask {
        return Ok(());
    }
    Err(format!("its checksum is {found:#010x}, not {wanted:#010x}"))
}

/// The bits of a block.
struct Bits {
    bytes: Vec<u8>,
}

impl Bits {
    fn new(len: usize) -> Bits {
        Bits { bytes: vec![0; len] }
    }

    fn set(&mut self, bits: Range<u64>) {
        let first = usize::try_from(bits.start / 8).unwrap_or(usize::MAX);
        let bytes = self.bytes.get_mut(first..).unwrap_or_default();
        for (index, byte) in (bits.start / 8 * 8..bits.end).step_by(8).zip(bytes) {
            for bit in bits.start.max(index)..bits.end.min(index + 8) {
                *byte |= 1 << (bit - index);
            }
        }
    }

    /// Names the first bit that differs.
    fn compare(&self, what: &str, first: u64, found: &[u8]) -> Result<(), String> {
        for (index, (wanted, found)) in (first..).step_by(8).zip(self.bytes.iter().zip(found)) {
            let different = wanted ^ found;
            if different != 0 {
                let bit = different.trailing_zeros();
                let number = index + u64::from(bit);
                let [is, says] = match wanted >> bit & 1 {
                    0 => ["free", "in use"],
                    _ => ["in use", "free"],
                };
                return Err(format!("{what} {number} is {is}, and it says {says}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_set_and_compared() {
        let mut bits = Bits::new(4);
        bits.set(3..5);
        bits.set(7..18);
        bits.set(31..32);
        assert_eq!(bits.bytes, [0b1001_1000, 0xff, 0b11, 0x80]);
        assert_eq!(bits.compare("block", 100, &bits.bytes), Ok(()));
        let found = bits.compare("block", 100, &[0b1001_1000, 0xff, 0b10, 0x80]);
        assert_eq!(found.unwrap_err(), "block 116 is in use, and it says free");
        let found = bits.compare("inode", 1, &[0b1001_1010, 0xff, 0b11, 0x80]);
        assert_eq!(found.unwrap_err(), "inode 2 is free, and it says in use");
    }
}
