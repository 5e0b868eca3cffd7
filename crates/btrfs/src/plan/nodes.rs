//! The nodes of all trees get into the spool, where the image has their first copies.

use std::ops::Range;

use image::{Layout, Spool};

use super::fixpoint::Forest;
use crate::Result;
use crate::format::{NODE, group, object};

/// Nodes are put into the spool in pieces of this many bytes.
const PIECE: usize = 1 << 20;

/// Puts the nodes of all trees into their chunks. In the spool, each lies `base` bytes behind its first place in the image;
/// `make` makes those of one tree.
pub(super) fn put(
    forest: &Forest,
    layout: &mut Layout,
    spool: &Spool,
    base: u64,
    make: &dyn Fn(u64, &mut Shelf) -> Result<()>,
) -> Result<()> {
    let all: Vec<u64> = forest.trees.iter().map(|(tree, _)| *tree).collect();
    let kinds = [
        (group::SYSTEM, "chunk tree", &[object::CHUNK_TREE][..]),
        (group::METADATA, "metadata", &all),
    ];
    for (kind, label, trees) in kinds {
        let nodes = trees.iter().map(|tree| forest.tree(*tree).1.nodes()).sum();
        let pieces = forest.chunks.pieces(kind, nodes);
        let ranges = pieces.iter().map(|(nodes, copies)| {
            let start = base + copies[0];
            start..start + (nodes.end - nodes.start) * NODE
        });
        let mut shelf = Shelf::new(spool, ranges.clone().collect());
        for tree in trees {
            make(*tree, &mut shelf)?;
        }
        shelf.flush()?;
        for (range, (_, copies)) in ranges.zip(&pieces) {
            for copy in *copies {
                layout.put(*copy, label, spool.span(range.start, range.end - range.start));
            }
        }
    }
    Ok(())
}

/// Collects nodes for the spool.
pub(super) struct Shelf<'a> {
    spool: &'a Spool,
    /// Where there is room for nodes, from the last to the first.
    rooms: Vec<Range<u64>>,
    nodes: Vec<u8>,
}

impl Shelf<'_> {
    fn new(spool: &Spool, mut rooms: Vec<Range<u64>>) -> Shelf<'_> {
        rooms.reverse();
        Shelf {
            spool,
            rooms,
            nodes: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, node: &[u8]) -> Result<()> {
        self.nodes.extend_from_slice(node);
        if self.nodes.len() < PIECE {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        let mut nodes = &self.nodes[..];
        while let Some(room) = self.rooms.last_mut()
            && !nodes.is_empty()
        {
            let free = usize::try_from(room.end - room.start).unwrap_or(usize::MAX);
            let (here, others) = nodes.split_at(free.min(nodes.len()));
            self.spool.write_at(here, room.start)?;
            room.start += here.len() as u64;
            nodes = others;
            if room.is_empty() {
                self.rooms.pop();
            }
        }
        self.nodes.clear();
        Ok(())
    }
}
