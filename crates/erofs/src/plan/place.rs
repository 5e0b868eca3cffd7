//! Where inodes lie: each with what stands behind it inside one block, if it is no longer than a block.
//!
//! What a block has left is given to the inodes that come later and fit into it: a rest of a file that is almost a block long
//! leaves room for directories and links.

use std::collections::BTreeMap;

use crate::format::{BLOCK, SLOT};

/// Gives places, in bytes from where inodes are numbered.
pub(super) struct Places {
    end: u64,
    /// What blocks have left, by its length.
    gaps: BTreeMap<u64, Vec<u64>>,
}

impl Places {
    /// Nothing is placed. The first number stays free: programs take an inode 0 for none.
    pub(super) fn new() -> Places {
        Places {
            end: SLOT,
            gaps: BTreeMap::new(),
        }
    }

    /// A place for so many bytes.
    pub(super) fn take(&mut self, len: u64) -> u64 {
        let len = len.next_multiple_of(SLOT);
        if let Some((gap, start)) = self.smallest(len) {
            self.keep(start + len, gap - len);
            return start;
        }
        let left = self.end.next_multiple_of(BLOCK) - self.end;
        if len > left && len <= BLOCK {
            self.keep(self.end, left);
            self.end += left;
        }
        let start = self.end;
        self.end += len;
        start
    }

    /// The smallest gap of at least so many bytes: of equal ones, the first that was left.
    fn smallest(&mut self, len: u64) -> Option<(u64, u64)> {
        let (gap, starts) = self.gaps.range_mut(len..).next()?;
        let gap = *gap;
        let start = starts.pop()?;
        if starts.is_empty() {
            self.gaps.remove(&gap);
        }
        Some((gap, start))
    }

    fn keep(&mut self, start: u64, len: u64) {
        if len > 0 {
            self.gaps.entry(len).or_default().push(start);
        }
    }

    /// One past the last byte.
    pub(super) fn end(&self) -> u64 {
        self.end
    }
}

/// The most that so many bytes take, with what is left free in front of them.
pub(super) fn most(len: u64) -> u64 {
    let len = len.next_multiple_of(SLOT);
    if len <= BLOCK { 2 * len } else { len }
}
