//! Groups: how many, and where their descriptors, bitmaps and inode tables lie.

use std::ops::Range;

use super::features::Features;
use crate::format::BLOCKS_PER_GROUP;

/// Groups whose bitmaps and tables lie together.
const FLEX: u32 = 16;
pub(super) const LOG_GROUPS_PER_FLEX: u8 = 4;
/// The fewest blocks besides its overhead that `mke2fs` and the kernel's growing want in the last group.
const LAST_GROUP_MIN: u64 = 50;
/// Inodes of 256 bytes that fill a block of a table.
const INODES_PER_BLOCK: u32 = 16;
/// As many inodes as one bitmap block counts.
pub(super) const INODES_PER_GROUP_MAX: u32 = 32768;

/// A number of groups, and the places of everything that is not data.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    pub(super) groups: u32,
    pub(super) inodes_per_group: u32,
    /// Blocks of an inode table.
    pub(super) table_blocks: u64,
    /// Blocks of group descriptors.
    pub(super) descriptor_blocks: u64,
    /// Blocks kept for more of them.
    pub(super) reserved_blocks: u64,
    pub(super) places: Vec<Places>,
    /// Everything that is not data, sorted and disjoint.
    pub(super) taken: Vec<Range<u64>>,
}

/// Where the parts of a group lie.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Places {
    pub(super) block_bitmap: u64,
    pub(super) inode_bitmap: u64,
    pub(super) inode_table: u64,
}

impl Geometry {
    pub(super) fn new(groups: u32, inodes_per_group: u32, features: &Features) -> Geometry {
        let per_block = features.descriptors_per_block();
        let descriptor_blocks = u64::from(groups).div_ceil(per_block);
        let most_groups = features.grow_to_blocks.div_ceil(BLOCKS_PER_GROUP.into());
        let mut geometry = Geometry {
            groups,
            inodes_per_group,
            table_blocks: u64::from(inodes_per_group / INODES_PER_BLOCK),
            descriptor_blocks,
            reserved_blocks: most_groups.div_ceil(per_block).saturating_sub(descriptor_blocks),
            places: vec![Places::default(); groups as usize],
            taken: Vec::new(),
        };
        geometry.taken = (0..groups)
            .filter(|group| has_superblock(*group))
            .map(|group| start(group)..start(group) + geometry.superblock_blocks())
            .collect();
        for first in (0..groups).step_by(FLEX as usize) {
            geometry.place_flex(first);
        }
        geometry
    }

    /// Blocks of a superblock, the descriptors behind it, and the room for more.
    pub(super) fn superblock_blocks(&self) -> u64 {
        1 + self.descriptor_blocks + self.reserved_blocks
    }

    /// Gives the bitmaps and tables of some groups their places, at the front of the first of them.
    fn place_flex(&mut self, first: u32) {
        let members = first..self.groups.min(first + FLEX);
        let mut free = Free::from(&self.taken, start(first));
        let mut new = Vec::new();
        for group in members.clone() {
            self.places[group as usize].block_bitmap = free.piece(1, &mut new);
        }
        for group in members.clone() {
            self.places[group as usize].inode_bitmap = free.piece(1, &mut new);
        }
        for group in members {
            self.places[group as usize].inode_table = free.piece(self.table_blocks, &mut new);
        }
        self.taken.extend(new);
        self.taken.sort_by_key(|range| range.start);
        self.taken.dedup_by(|next, before| {
            let touches = before.end == next.start;
            if touches {
                before.end = next.end;
            }
            touches
        });
    }

    /// Blocks that are not data.
    pub(super) fn overhead(&self) -> u64 {
        self.taken.iter().map(|range| range.end - range.start).sum()
    }

    /// The fewest blocks of a file system with this many groups.
    pub(super) fn blocks_min(&self) -> u64 {
        let last = self.groups - 1;
        let superblock = if has_superblock(last) {
            self.superblock_blocks()
        } else {
            0
        };
        let end = self.taken.last().map_or(0, |range| range.end);
        let least = start(last) + superblock + 2 + self.table_blocks + LAST_GROUP_MIN;
        if self.groups == 1 { end } else { least.max(end) }
    }
}

/// The first block of a group.
pub(super) fn start(group: u32) -> u64 {
    u64::from(group) * u64::from(BLOCKS_PER_GROUP)
}

/// Whether a group begins with a copy of the superblock: 0, 1, and powers of 3, 5 and 7.
pub(super) fn has_superblock(group: u32) -> bool {
    let is_power = |base: u32| {
        let mut power = base;
        while power < group {
            power = power.saturating_mul(base);
        }
        power == group
    };
    group <= 1 || is_power(3) || is_power(5) || is_power(7)
}

/// Inodes per group for a number of inodes in all; more than [`INODES_PER_GROUP_MAX`] means more groups are needed.
pub(super) fn inodes_per_group(inodes: u64, groups: u32, features: &Features) -> u64 {
    let even = inodes.div_ceil(groups.into());
    even.max(features.inodes_per_group.into())
        .next_multiple_of(INODES_PER_BLOCK.into())
}

/// Hands out blocks in order, around those that are taken.
pub(super) struct Free<'a> {
    taken: &'a [Range<u64>],
    next: u64,
}

impl Free<'_> {
    /// Blocks from this one on.
    pub(super) fn from(taken: &[Range<u64>], next: u64) -> Free<'_> {
        let first = taken.partition_point(|range| range.end <= next);
        let mut free = Free {
            taken: &taken[first..],
            next,
        };
        free.skip_taken();
        free
    }

    fn skip_taken(&mut self) {
        while let Some((first, rest)) = self.taken.split_first()
            && first.start <= self.next
        {
            self.next = self.next.max(first.end);
            self.taken = rest;
        }
    }

    /// Blocks that are free in one piece from the next one on.
    fn room(&self) -> u64 {
        self.taken.first().map_or(u64::MAX, |range| range.start) - self.next
    }

    /// One piece of this many blocks. What is free before it stays free for others.
    fn piece(&mut self, count: u64, new: &mut Vec<Range<u64>>) -> u64 {
        while self.room() < count {
            self.next += self.room();
            self.skip_taken();
        }
        let start = self.next;
        if count > 0 {
            new.push(start..start + count);
        }
        self.next += count;
        self.skip_taken();
        start
    }

    /// This many blocks, in as few pieces as there can be, each of at most `most`.
    pub(super) fn take(&mut self, mut count: u64, most: u64, mut each: impl FnMut(Range<u64>)) {
        while count > 0 {
            let len = count.min(self.room()).min(most);
            each(self.next..self.next + len);
            self.next += len;
            count -= len;
            self.skip_taken();
        }
    }

    /// The next free block.
    pub(super) fn next(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_the_superblock() {
        let groups: Vec<u32> = (0..130).filter(|group| has_superblock(*group)).collect();
        assert_eq!(groups, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }

    #[test]
    fn blocks_go_around_what_is_taken() {
        let taken = [0..3, 5..6, 6..8, 20..21];
        let mut free = Free::from(&taken, 0);
        let mut pieces = Vec::new();
        free.take(8, 4, |piece| pieces.push(piece));
        assert_eq!(pieces, [3..5, 8..12, 12..14]);
        assert_eq!(Free::from(&taken, 4).piece(3, &mut Vec::new()), 8);
        assert_eq!(Free::from(&taken, 5).next(), 8);
    }
}
