//! What lies where: inodes, and the blocks and clusters of files.

use std::collections::BTreeMap;

use image::{NodeId, Shared, Structure, Tree};

use super::data::is_nowhere;
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

    /// Whose bytes the clusters of small files hold, in the order of their places. Nodes are those of [`FileSystem::tree`]; of
    /// those that have the same bytes, the first is named.
    ///
    /// # Errors
    /// As [`FileSystem::tree`].
    pub fn shared(&self) -> Result<Vec<Shared>> {
        let inner = &self.inner;
        let packed = inner.geometry.packed.map(|number| inodes::read(inner, number));
        let Some(Ok(packed)) = packed.filter(|packed| {
            packed
                .as_ref()
                .is_ok_and(|packed| packed.size > 0 && packed.is_compressed())
        }) else {
            return Ok(Vec::new());
        };
        let Walked { tree, inodes } = walk(inner)?;
        // By their places in the packed file.
        let mut pieces = BTreeMap::new();
        for ((id, _), inode) in tree.nodes().zip(&inodes) {
            let is_file = matches!(tree.node(id).kind, image::Kind::File(_));
            if !is_file || inode.size == 0 || !inode.is_compressed() {
                continue;
            }
            for extent in map::read(inner, inode)?.extents {
                if let Place::Fragment { start } = extent.place {
                    pieces.entry(start).or_insert((extent.len, id));
                }
            }
        }
        let mut shared = Vec::new();
        for extent in map::read(inner, &packed)?.extents {
            let Some((start, _)) = extent.place.stored() else {
                continue;
            };
            let end = extent.start.saturating_add(extent.len);
            // A piece is not longer than what is before it is apart from it, unless files share some of their bytes.
            let before = pieces.range(..extent.start).next_back();
            let here = pieces.range(extent.start..end);
            let owners = before.into_iter().chain(here).filter_map(|(at, (len, id))| {
                let last = at.saturating_add(*len).min(end);
                let bytes = last.checked_sub(extent.start.max(*at))?;
                (bytes > 0).then_some((*id, bytes))
            });
            shared.push(Shared {
                start,
                owners: owners.collect(),
            });
        }
        shared.sort_by_key(|shared| shared.start);
        Ok(shared)
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
        layout::PLAIN if is_nowhere(inner, inode) => 0,
        layout::PLAIN => inode.size.next_multiple_of(block),
        layout::INLINE => inode.size - inode.size % block,
        _ => 0,
    };
    if pieces > 0 {
        let what = if is_directory { "directory" } else { "data" };
        let start = inode.place * block;
        structures.push(Structure::new(start, pieces, what).of(id));
    }
    if inode.layout == layout::INLINE && !inode.size.is_multiple_of(block) {
        structures.push(Structure::new(inode.end, inode.size % block, "end").of(id));
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
    Ok(map
        .extents
        .iter()
        .filter_map(|extent| extent.place.stored())
        .collect())
}
