//! What lies where: inodes, and the blocks and clusters of files.

use image::{NodeId, Structure, Tree};

use super::inodes::{self, Inode};
use super::map::{self, Place};
use super::walk::{Walked, walk};
use super::{FileSystem, Inner};
use crate::Result;
use crate::format::{SLOT, layout};

impl FileSystem {
    /// What lies where, in the order of its places. Blocks and clusters that several files have belong to the first that is
    /// named; a cluster of small files has no node.
    ///
    /// # Errors
    /// As [`FileSystem::tree`].
    pub fn structures(&self) -> Result<Vec<Structure>> {
        let inner = &self.inner;
        let Walked { tree, inodes } = walk(inner)?;
        let block = inner.geometry.block();
        let mut structures = vec![Structure::new(0, block.max(2048), "superblock")];
        for ((id, _), inode) in tree.nodes().zip(&inodes) {
            let start = inner.geometry.meta + inode.number * SLOT;
            let own = Structure::new(start, inode.end.saturating_sub(start), "inode");
            structures.push(own.of(id));
            of_data(inner, &tree, id, inode, &mut structures)?;
        }
        // Where no file lies in it, nobody reads it, and what it says does not matter.
        let packed = inner.geometry.packed.map(|number| inodes::read(inner, number));
        if let Some(Ok(packed)) = packed
            && packed.size > 0
            && packed.is_compressed()
        {
            let own = clusters(inner, &packed).unwrap_or_default().into_iter();
            structures.extend(own.map(|(start, len)| Structure::new(start, len, "cluster of small files")));
        }
        structures.sort_by_key(|structure| structure.start);
        structures.dedup_by(|next, first| (next.start, next.end) == (first.start, first.end));
        Ok(structures)
    }
}

fn of_data(
    inner: &Inner,
    tree: &Tree,
    id: NodeId,
    inode: &Inode,
    structures: &mut Vec<Structure>,
) -> Result<()> {
    let is_directory = inode.is_directory();
    let is_file = matches!(tree.node(id).kind, image::Kind::File(_));
    if inode.size == 0 || !(is_directory || is_file) {
        return Ok(());
    }
    let block = inner.geometry.block();
    let pieces = match inode.layout {
        layout::PLAIN => inode.size.next_multiple_of(block),
        layout::INLINE => inode.size - inode.size % block,
        _ => 0,
    };
    if pieces > 0 {
        let what = if is_directory { "directory" } else { "data" };
        let start = inode.place * block;
        structures.push(Structure::new(start, pieces, what).of(id));
    }
    if inode.is_compressed() {
        for (start, len) in clusters(inner, inode)? {
            structures.push(Structure::new(start, len, "cluster").of(id));
        }
    }
    Ok(())
}

/// Where a file's own clusters are.
fn clusters(inner: &Inner, inode: &Inode) -> Result<Vec<(u64, u64)>> {
    let map = map::read(inner, inode)?;
    let own = map.extents.iter().filter_map(|extent| match extent.place {
        Place::Cluster { start, len, .. } => Some((start, len)),
        Place::Plain { start, .. } => Some((start, extent.len.max(inner.geometry.block()))),
        Place::Fragment { .. } | Place::Hole => None,
    });
    Ok(own.collect())
}
