//! The blocks of inodes without extents: twelve pointers, and blocks of pointers of one, two and three levels.

use zerocopy::IntoBytes;

use super::FileSystem;
use super::blocks::{Blocks, FILE_BLOCKS_MAX, Run, State, claim};
use super::claims::Claims;
use super::damaged;
use super::inodes::Inode;
use crate::Result;

/// Pointers in the inode: first those to blocks of the content, then one for each level.
pub(super) const DIRECT: usize = 12;
const LEVELS: usize = 3;

/// The blocks of an inode with pointers.
pub(super) fn read(file_system: &FileSystem, inode: &Inode, claims: &mut Claims) -> Result<Blocks> {
    let per_block = u64::from(file_system.geometry.block_size / 4);
    let mut reader = Reader {
        file_system,
        inode,
        claims,
        blocks: Blocks::default(),
        per_block,
    };
    let pointers = numbers(inode.fields.block.as_bytes());
    let mut first = 0;
    for (index, block) in pointers.take(DIRECT + LEVELS).enumerate() {
        let level = (index + 1).saturating_sub(DIRECT);
        reader.pointer(block, level, first)?;
        first += reader.span(level);
    }
    Ok(reader.blocks)
}

/// Numbers of blocks, one after the other.
pub(super) fn numbers(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes
        .chunks_exact(4)
        .map(|bytes| bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)))
}

struct Reader<'a> {
    file_system: &'a FileSystem,
    inode: &'a Inode,
    claims: &'a mut Claims,
    blocks: Blocks,
    per_block: u64,
}

impl Reader<'_> {
    /// Blocks of the content that a pointer of a level stands for.
    fn span(&self, level: usize) -> u64 {
        (0..level).fold(1, |span, _| span * self.per_block)
    }

    /// Follows a pointer. This calls itself once for each level, of which there are at most three.
    fn pointer(&mut self, block: u32, level: usize, first: u64) -> Result<()> {
        if block == 0 {
            return Ok(());
        }
        if first >= FILE_BLOCKS_MAX {
            return Err(damaged(self.inode.place(), format!("has a block {first}")));
        }
        let start = u64::from(block);
        claim(self.file_system, self.inode, self.claims, start, 1)?;
        let Some(below) = level.checked_sub(1) else {
            self.blocks.push(Run {
                first,
                count: 1,
                start,
                state: State::Written,
            });
            return Ok(());
        };
        self.blocks.index_blocks += 1;
        let bytes = self.file_system.block(&self.inode.place(), start)?;
        let span = self.span(below);
        for (index, block) in (0..).zip(numbers(&bytes)) {
            self.pointer(block, below, first + index * span)?;
        }
        Ok(())
    }
}
