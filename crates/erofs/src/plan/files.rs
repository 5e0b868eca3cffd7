//! Where the bytes of files that are not compressed go: blocks in one piece, chunks, and what is behind an inode.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use image::{Content, Kind, Layout, NodeId, ReadAt, Tree};
use rayon::prelude::*;

use super::{Looking, equal};
use crate::format::BLOCK;
use crate::{Options, Result};

/// The largest chunk, as the logarithm of its blocks.
const CHUNK_BITS_MAX: u8 = 20;
/// Bytes of a chunk's entry.
const CHUNK_ENTRY: u64 = 4;
/// The most entries of a file, so that they take little of the metadata.
const CHUNKS_MAX: u64 = 1 << 16;

/// All files that are stored as they are.
#[derive(Default)]
pub(super) struct Files {
    /// The shape of each, by [`NodeId::index`]; none for other nodes.
    shapes: BTreeMap<NodeId, Shape>,
    /// The first of all files with the same bytes, for files.
    firsts: BTreeMap<NodeId, NodeId>,
}

/// How a file lies in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Whole blocks in one piece, and a rest that lies behind the inode if there is room, and otherwise in one more block.
    Piece {
        /// The first block, once it is known.
        block: u64,
        /// Whether the rest is in a block, too, because some file with these bytes has no room for it.
        whole: bool,
    },
    /// Chunks.
    Chunks {
        /// The logarithm of a chunk's blocks.
        bits: u8,
        /// The chunks that are there, and the first block of each run of them, once it is known.
        runs: Vec<(Range<u64>, u64)>,
    },
}

/// A rest of a file that is less than a block.
pub(super) fn rest(len: u64) -> u64 {
    len % BLOCK
}

impl Files {
    /// Decides for all files that `is_own` says are stored as they are; finds holes and equal files for that.
    pub(super) fn plan(
        tree: &Tree,
        order: &[NodeId],
        is_own: impl Fn(NodeId) -> bool,
        options: &Options,
        looking: &Looking,
    ) -> Result<Files> {
        let file = |id: &NodeId| match &tree.node(*id).kind {
            Kind::File(content) if !content.is_empty() && is_own(*id) => Some((*id, content)),
            _ => None,
        };
        let files: Vec<(NodeId, &Content)> = order.iter().filter_map(file).collect();
        // What lies behind inodes cannot be shared.
        let shareable =
            |(id, content): &(NodeId, &Content)| content.len() >= BLOCK && !options.stored.contains(id);
        let comparable: Vec<(NodeId, &Content)> =
            files.iter().filter(|file| shareable(file)).copied().collect();
        let firsts = equal::firsts(&comparable, looking)?;
        let own = |(id, _): &&(NodeId, &Content)| firsts.get(id).is_none_or(|first| first == id);
        let firsts_only: Vec<(NodeId, &Content)> = files.iter().filter(own).copied().collect();
        let shape = |(id, content): &(NodeId, &Content)| Ok((*id, Shape::of(content)?));
        let shapes: Vec<(NodeId, Shape)> = looking
            .pool()?
            .install(|| firsts_only.par_iter().map(shape).collect::<Result<_>>())?;
        Ok(Files {
            shapes: shapes.into_iter().collect(),
            firsts,
        })
    }

    /// The shape of a file, and whose blocks it has, if it is stored as it is.
    pub(super) fn shape(&self, id: NodeId) -> Option<&Shape> {
        self.shapes.get(self.firsts.get(&id).unwrap_or(&id))
    }

    /// Gives blocks to all files, in this order, from `block` on; answers the first that is free. `is_inline` says whose
    /// rest lies behind the inode.
    pub(super) fn place(
        &mut self,
        tree: &Tree,
        order: &[NodeId],
        is_inline: impl Fn(NodeId) -> bool,
        mut block: u64,
    ) -> u64 {
        for id in order.iter().filter(|id| !is_inline(**id)) {
            let first = self.firsts.get(id).unwrap_or(id);
            if let Some(Shape::Piece { whole, .. }) = self.shapes.get_mut(first) {
                *whole = true;
            }
        }
        for id in order {
            let Some(shape) = self.shapes.get_mut(id) else {
                continue;
            };
            for (own, bytes) in shape.pieces(content(tree, *id).len()) {
                *own = block;
                block += bytes.div_ceil(BLOCK);
            }
        }
        block
    }

    /// Puts the files' blocks into their places.
    pub(super) fn lay_out(&mut self, tree: &Tree, order: &[NodeId], layout: &mut Layout) {
        let [label, end]: [Arc<str>; 2] = ["files", "ends of files"].map(Into::into);
        for id in order {
            let Some(shape) = self.shapes.get_mut(id) else {
                continue;
            };
            let content = content(tree, *id);
            let starts = shape.starts();
            for ((block, len), start) in shape.pieces(content.len()).into_iter().zip(starts) {
                let place = *block * BLOCK;
                layout.put(place, Arc::clone(&label), part(content, start, len));
                let rest = len.next_multiple_of(BLOCK) - len;
                layout.put(place + len, Arc::clone(&end), Content::Zeros(rest));
            }
        }
    }
}

fn content(tree: &Tree, id: NodeId) -> &Content {
    match &tree.node(id).kind {
        Kind::File(content) => content,
        _ => &Content::Zeros(0),
    }
}

/// How many bytes of a file of this length are in a run of chunks.
fn run_bytes(run: &Range<u64>, bits: u8, len: u64) -> u64 {
    let chunk = BLOCK << bits;
    (run.end * chunk).min(len) - run.start * chunk
}

impl Shape {
    /// The one that takes the least.
    fn of(content: &Content) -> Result<Shape> {
        let len = content.len();
        let data = if len < BLOCK {
            Vec::new()
        } else {
            content.data_runs()?
        };
        let stored: u64 = data.iter().map(|run| run.end - run.start).sum();
        let mut best = (
            len,
            Shape::Piece {
                block: 0,
                whole: false,
            },
        );
        if len < BLOCK || len - stored < BLOCK {
            return Ok(best.1);
        }
        for bits in 0..=CHUNK_BITS_MAX {
            let chunk = BLOCK << bits;
            let count = len.div_ceil(chunk);
            if count > CHUNKS_MAX && bits < CHUNK_BITS_MAX {
                continue;
            }
            let runs = chunk_runs(&data, chunk);
            let bytes: u64 = runs
                .iter()
                .map(|run| run_bytes(run, bits, len).next_multiple_of(BLOCK))
                .sum();
            let cost = bytes + count * CHUNK_ENTRY;
            if cost < best.0 {
                let runs = runs.into_iter().map(|run| (run, 0)).collect();
                best = (cost, Shape::Chunks { bits, runs });
            }
        }
        Ok(best.1)
    }

    /// The runs of blocks of a file of this length, and how many bytes each holds.
    fn pieces(&mut self, len: u64) -> Vec<(&mut u64, u64)> {
        match self {
            Shape::Piece { block, whole: true } => vec![(block, len)],
            Shape::Piece { block, whole: false } => vec![(block, len - rest(len))],
            Shape::Chunks { bits, runs } => {
                let bits = *bits;
                runs.iter_mut()
                    .map(|(run, block)| (block, run_bytes(run, bits, len)))
                    .collect()
            }
        }
    }

    /// Where in the file these begin.
    fn starts(&self) -> Vec<u64> {
        match self {
            Shape::Piece { .. } => vec![0],
            Shape::Chunks { bits, runs } => runs.iter().map(|(run, _)| run.start * (BLOCK << bits)).collect(),
        }
    }

    /// How many bytes of entries stand behind the inode.
    pub(super) fn entries_len(&self, len: u64) -> u64 {
        match self {
            Shape::Piece { .. } => 0,
            Shape::Chunks { bits, .. } => len.div_ceil(BLOCK << bits) * CHUNK_ENTRY,
        }
    }
}

/// Which chunks have data.
fn chunk_runs(data: &[Range<u64>], chunk: u64) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for run in data {
        let own = run.start / chunk..run.end.div_ceil(chunk);
        match runs.last_mut() {
            Some(last) if last.end >= own.start => last.end = own.end,
            _ => runs.push(own),
        }
    }
    runs
}

/// A part of a content.
pub(super) fn part(content: &Content, start: u64, len: u64) -> Content {
    if len == content.len() {
        return content.clone();
    }
    let source: Arc<dyn ReadAt> = Arc::new(content.clone());
    Content::Span { source, start, len }
}
