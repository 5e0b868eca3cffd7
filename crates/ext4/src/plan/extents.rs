//! Extent trees: which of a file's blocks lie where.

use zerocopy::IntoBytes;

use super::inodes::{halves, shorts};
use super::place::{Blocks, NODE_EXTENTS, ROOT_EXTENTS, Run};
use crate::checksum::crc32c;
use crate::format::{BLOCK_LEN, EXTENT_MAGIC, Extent, ExtentHeader, ExtentIndex, INLINE};

/// Bytes of an entry, of whichever kind.
const ENTRY: usize = 12;

/// The root of the tree, as it stands in the inode.
pub(super) fn root(place: &Blocks) -> [u8; INLINE] {
    let (_, top) = levels(place);
    let mut bytes = [0; INLINE];
    let node = node(&top.entries, ROOT_EXTENTS, top.depth);
    bytes[..node.len()].copy_from_slice(&node);
    bytes
}

/// All other nodes, in the order of [`Blocks::nodes`], with checksums if there are any.
pub(super) fn nodes(place: &Blocks, seed: Option<u32>) -> Vec<Vec<u8>> {
    let (mut nodes, _) = levels(place);
    for node in &mut nodes {
        // The checksum follows the last entry that there is room for.
        node.resize(ENTRY + NODE_EXTENTS * ENTRY, 0);
        let checksum = seed.map_or(0, |seed| crc32c(seed, node));
        node.extend_from_slice(&checksum.to_le_bytes());
    }
    nodes
}

/// The entries of one level.
struct Level {
    depth: u16,
    entries: Vec<[u8; ENTRY]>,
    /// The first block of the file that each entry covers.
    firsts: Vec<u32>,
}

/// The nodes of all levels below the root, and the root's entries.
fn levels(place: &Blocks) -> (Vec<Vec<u8>>, Level) {
    let mut nodes = Vec::new();
    let mut blocks = place.nodes.iter();
    let mut level = Level {
        depth: 0,
        entries: place.runs.iter().map(leaf_entry).collect(),
        firsts: place.runs.iter().map(|run| run.logical).collect(),
    };
    while level.entries.len() > ROOT_EXTENTS {
        let mut above = Level {
            depth: level.depth + 1,
            entries: Vec::new(),
            firsts: Vec::new(),
        };
        for (entries, firsts) in level
            .entries
            .chunks(NODE_EXTENTS)
            .zip(level.firsts.chunks(NODE_EXTENTS))
        {
            nodes.push(node(entries, NODE_EXTENTS, level.depth));
            let block = blocks.next().copied().unwrap_or(0);
            above.entries.push(index_entry(firsts[0], block));
            above.firsts.push(firsts[0]);
        }
        level = above;
    }
    (nodes, level)
}

fn node(entries: &[[u8; ENTRY]], max: usize, depth: u16) -> Vec<u8> {
    let short = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
    let header = ExtentHeader {
        magic: EXTENT_MAGIC.into(),
        entries: short(entries.len()).into(),
        max: short(max).into(),
        depth: depth.into(),
        generation: 0.into(),
    };
    let mut bytes = Vec::with_capacity(BLOCK_LEN);
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend(entries.as_flattened());
    bytes
}

fn leaf_entry(run: &Run) -> [u8; ENTRY] {
    let [lo, hi] = halves(run.start);
    let extent = Extent {
        block: run.logical.into(),
        len: shorts(run.len)[0].into(),
        start_hi: shorts(hi)[0].into(),
        start_lo: lo.into(),
    };
    zerocopy::transmute!(extent)
}

fn index_entry(first: u32, block: u64) -> [u8; ENTRY] {
    let [lo, hi] = halves(block);
    let index = ExtentIndex {
        block: first.into(),
        leaf_lo: lo.into(),
        leaf_hi: shorts(hi)[0].into(),
        unused: 0.into(),
    };
    zerocopy::transmute!(index)
}
