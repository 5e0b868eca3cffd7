//! How many levels a tree has, and where they lie.

use crate::error::Error;
use crate::{BLOCK_SIZE, FAN_OUT};

/// A level of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    /// Its first byte in the tree.
    pub(crate) start: u64,
    /// How many blocks it has.
    pub(crate) blocks: u64,
}

/// The bytes of the tree of so many bytes of data, without a superblock. A part of a block counts as a block.
#[must_use]
pub fn tree_size(data_len: u64) -> u64 {
    let levels = levels(data_len.div_ceil(BLOCK_SIZE));
    levels.iter().map(|level| level.blocks * BLOCK_SIZE).sum()
}

/// The levels of the tree of so many blocks, from level 0 up. The top level lies first.
pub(crate) fn levels(data_blocks: u64) -> Vec<Level> {
    let mut levels = Vec::new();
    let mut below = data_blocks;
    while below > 1 {
        below = below.div_ceil(FAN_OUT);
        levels.push(Level {
            start: 0,
            blocks: below,
        });
    }
    let mut start = 0;
    for level in levels.iter_mut().rev() {
        level.start = start;
        start += level.blocks * BLOCK_SIZE;
    }
    levels
}

/// How many blocks the data have.
pub(crate) fn data_blocks(data_len: u64) -> Result<u64, Error> {
    if data_len == 0 || !data_len.is_multiple_of(BLOCK_SIZE) {
        return Err(Error::DataLen { len: data_len });
    }
    Ok(data_len / BLOCK_SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_level_lies_first() {
        assert_eq!(levels(0), []);
        assert_eq!(levels(1), []);
        assert_eq!(levels(2), [Level { start: 0, blocks: 1 }]);
        assert_eq!(levels(128).len(), 1);
        assert_eq!(
            levels(129),
            [
                Level {
                    start: 4096,
                    blocks: 2
                },
                Level { start: 0, blocks: 1 }
            ]
        );
        assert_eq!(levels(128 * 128).len(), 2);
        assert_eq!(
            levels(128 * 128 + 1),
            [
                Level {
                    start: 3 * 4096,
                    blocks: 129
                },
                Level {
                    start: 4096,
                    blocks: 2
                },
                Level { start: 0, blocks: 1 }
            ]
        );
    }

    #[test]
    fn sizes_are_exact() {
        assert_eq!(tree_size(1 << 30), 8_458_240);
        assert_eq!([0, 1, 4096, 4097].map(tree_size), [0, 0, 0, 4096]);
        assert_eq!(tree_size(u64::MAX) % BLOCK_SIZE, 0);
    }
}
