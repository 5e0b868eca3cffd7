//! Everything is read, and what is there twice is compared.
//!
//! A block of data may belong to several files, and then lies at the same place in all of them. What describes files belongs
//! to one inode.

use std::collections::BTreeMap;
use std::sync::Arc;

use image::{Kind, NodeId, Tree};

use super::inodes::Inode;
use super::walk::{Walked, walk};
use super::{Inner, damaged};
use crate::Result;
use crate::format::SLOT;

/// How many bytes are read at once.
const PIECE: usize = 1 << 20;

pub(super) fn check(inner: &Arc<Inner>) -> Result<()> {
    let Walked { tree, inodes } = walk(inner)?;
    links(&tree, &inodes)?;
    apart(inner, &inodes)?;
    let mut buffer = vec![0; PIECE];
    for (_, node) in tree.nodes() {
        let Kind::File(content) = &node.kind else { continue };
        let mut reader = content.reader()?;
        while reader.remaining() > 0 {
            reader.fill(&mut buffer)?;
        }
        reader.finish()?;
    }
    Ok(())
}

/// Compares how often inodes are referred to with what they say.
fn links(tree: &Tree, inodes: &[Inode]) -> Result<()> {
    let mut counts = tree.link_counts();
    for (id, node) in tree.nodes() {
        if let Kind::Directory(directory) = &node.kind {
            let is_directory = |id: &NodeId| matches!(tree.node(*id).kind, Kind::Directory(_));
            let below = directory.iter().filter(|(_, child)| is_directory(child)).count();
            counts[id.index()] = u32::try_from(below).map_or(u32::MAX, |below| below.saturating_add(2));
        }
    }
    for (inode, count) in inodes.iter().zip(counts) {
        if inode.links != count {
            let problem = format!("says that it has {} links, and there are {count}", inode.links);
            return Err(damaged(inode.name(), problem));
        }
    }
    Ok(())
}

/// Finds inodes that lie in each other.
fn apart(inner: &Inner, inodes: &[Inode]) -> Result<()> {
    let start = |inode: &Inode| inner.geometry.meta + inode.number * SLOT;
    let ranges: BTreeMap<u64, &Inode> = inodes.iter().map(|inode| (start(inode), inode)).collect();
    for ((_, first), (next, second)) in ranges.iter().zip(ranges.iter().skip(1)) {
        if first.end > *next {
            let problem = format!("lies in {}", first.name());
            return Err(damaged(second.name(), problem));
        }
    }
    Ok(())
}
