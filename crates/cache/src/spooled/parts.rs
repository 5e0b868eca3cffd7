//! Segments in parts. Caches keep all blocks of a segment; an image may leave some of them out, since it has the same bytes
//! elsewhere. The others then lie behind each other, as they do in the image, and those that are left out in another
//! spool.
//!
//! ```text
//!  segment     │ 0 │ 1 │ 2 │ 3 │ 4 │         the image leaves 1 and 2 out
//!  spool       │ 0 │ 3 │ 4 │ next segment
//!  left out    │ 1 │ 2 │
//! ```

use image::{Content, Spool};

use super::{Blocks, Spooled, Wanted};

/// Bytes in a spool.
#[derive(Clone, Debug)]
pub struct Part {
    /// Where they are.
    pub spool: Spool,
    /// The first of them.
    pub start: u64,
    /// How many.
    pub len: u64,
}

impl Part {
    /// The bytes.
    #[must_use]
    pub fn content(&self) -> Content {
        self.spool.span(self.start, self.len)
    }
}

/// Blocks behind each other that have the same fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Their bytes.
    pub(super) len: u64,
    /// Whether the image leaves them out.
    pub(super) left_out: bool,
}

impl Wanted {
    /// Whether the image leaves a block out.
    pub(super) fn leaves_out(&self, block: usize) -> bool {
        let next = self.left_out.partition_point(|blocks| blocks.end <= block);
        self.left_out
            .get(next)
            .is_some_and(|blocks| blocks.contains(&block))
    }

    /// The runs of a segment whose blocks have these words.
    pub(super) fn runs<B: Blocks>(&self, blocks: &B, sizes: &[u32]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (block, word) in self.blocks.clone().zip(sizes) {
            let len = blocks.stored_len(block, *word).unwrap_or(0).into();
            let left_out = self.leaves_out(block);
            match runs.last_mut() {
                _ if len == 0 => {}
                Some(run) if run.left_out == left_out => run.len += len,
                _ => runs.push(Run { len, left_out }),
            }
        }
        runs
    }
}

/// How many bytes the image has of these runs.
pub(super) fn placed(runs: &[Run]) -> u64 {
    let placed = runs.iter().filter(|run| !run.left_out);
    placed.map(|run| run.len).sum()
}

/// How many bytes the image leaves out of these runs.
pub(super) fn left_out(runs: &[Run]) -> u64 {
    runs.iter().map(|run| run.len).sum::<u64>() - placed(runs)
}

/// Follows the blocks of a segment through its parts.
pub(super) struct Walk<'a> {
    parts: &'a [Part],
    used: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(parts: &'a [Part]) -> Walk<'a> {
        Walk { parts, used: 0 }
    }

    /// Where the next block is, which has this many bytes; none when there are no more parts.
    pub(super) fn next(&mut self, len: u64) -> Option<(&'a Spool, u64)> {
        while let Some((part, others)) = self.parts.split_first() {
            if self.used < part.len || len == 0 {
                let start = part.start + self.used;
                self.used += len;
                return Some((&part.spool, start));
            }
            (self.parts, self.used) = (others, 0);
        }
        None
    }
}

impl<N> Spooled<N> {
    /// The first bytes of blocks of these lengths: all of the segment's, in their order. Those that the image leaves out
    /// lie in another spool.
    pub fn places(&self, lens: impl Iterator<Item = u64>) -> impl Iterator<Item = u64> {
        let mut walk = Walk::new(&self.parts);
        lens.map(move |len| walk.next(len).map_or(self.start, |(_, start)| start))
    }
}
