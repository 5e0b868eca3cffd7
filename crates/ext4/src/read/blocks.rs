//! Which blocks an inode has.

use std::sync::Arc;

use image::{Content, Layout};

use super::claims::{Claims, Owner};
use super::inodes::Inode;
use super::{FileSystem, damaged, extents, pointers};
use crate::format::{INODE_EXTENTS, incompat};
use crate::{Error, Result};

/// The block numbers of a file have 32 bits.
pub(super) const FILE_BLOCKS_MAX: u64 = 1 << 32;

/// The blocks of an inode's content, in the order of the content.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    runs: Vec<Run>,
    /// Blocks of extent trees and of pointers.
    pub(super) index_blocks: u64,
}

/// Neighbouring blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The first one's number in the content.
    pub(super) first: u64,
    pub(super) count: u64,
    /// Where the first one lies.
    pub(super) start: u64,
    pub(super) state: State,
}

/// Whether blocks have been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Written,
    /// They are kept for the file and read as zeros.
    Reserved,
}

impl Run {
    pub(super) fn end(&self) -> u64 {
        self.first + self.count
    }
}

/// Reads an inode's extents or pointers, and takes their blocks.
pub(super) fn read(file_system: &FileSystem, inode: &Inode, claims: &mut Claims) -> Result<Blocks> {
    if inode.fields.flags.get() & INODE_EXTENTS == 0 {
        return pointers::read(file_system, inode, claims);
    }
    if file_system.geometry.incompat & incompat::EXTENTS == 0 {
        let problem = "has extents, and the file system has none";
        return Err(damaged(inode.place(), problem));
    }
    extents::read(file_system, inode, claims)
}

impl Blocks {
    /// Adds blocks behind those that are there.
    pub(super) fn push(&mut self, run: Run) {
        if let Some(last) = self.runs.last_mut()
            && last.state == run.state
            && last.end() == run.first
            && last.start + last.count == run.start
        {
            last.count += run.count;
        } else {
            self.runs.push(run);
        }
    }

    /// All blocks of the content that have a place.
    pub(super) fn count(&self) -> u64 {
        self.runs.iter().map(|run| run.count).sum()
    }

    /// One past the last block of the content that was written.
    pub(super) fn written_end(&self) -> u64 {
        let written = self.runs.iter().filter(|run| run.state == State::Written);
        written.map(Run::end).max().unwrap_or(0)
    }

    /// Whether exactly the first blocks of the content are there, and written.
    pub(super) fn are_whole(&self, count: u64) -> bool {
        let next = |next: u64, run: &Run| {
            (run.first == next && run.state == State::Written).then_some(next + run.count)
        };
        self.runs.iter().try_fold(0, next) == Some(count)
    }

    /// Where a block of the content lies.
    pub(super) fn locate(&self, number: u64) -> Option<u64> {
        let after = self.runs.partition_point(|run| run.first <= number);
        let run = self.runs.get(after.checked_sub(1)?)?;
        let is_there = run.state == State::Written && number < run.end();
        is_there.then(|| run.start + (number - run.first))
    }

    /// The first `len` bytes of the content.
    pub(super) fn content(&self, file_system: &FileSystem, len: u64) -> Result<Content> {
        if len == 0 {
            return Ok(Content::from(&b""[..]));
        }
        let block_size = u64::from(file_system.geometry.block_size);
        let mut layout = Layout::new();
        let label: Arc<str> = "data".into();
        for run in self.runs.iter().filter(|run| run.state == State::Written) {
            let start = run.first * block_size;
            let count = (run.count * block_size).min(len.saturating_sub(start));
            let span = Content::Span {
                source: Arc::clone(&file_system.source.bytes),
                start: run.start * block_size,
                len: count,
            };
            if (start, count) == (0, len) {
                return Ok(span);
            }
            layout.put(start, Arc::clone(&label), span);
        }
        layout.finish(len).map(Content::from).map_err(Error::from)
    }
}

/// Takes blocks for an inode's content or index.
pub(super) fn claim(
    file_system: &FileSystem,
    inode: &Inode,
    claims: &mut Claims,
    start: u64,
    count: u64,
) -> Result<()> {
    if !file_system.geometry.holds(start, count) {
        let blocks = file_system.geometry.blocks;
        let problem = format!("has {count} blocks at block {start}, and there are {blocks}");
        return Err(damaged(inode.place(), problem));
    }
    claims
        .claim(start..start + count, Owner::Inode(inode.number))
        .map_err(|taken| damaged(inode.place(), taken.to_string()))
}
