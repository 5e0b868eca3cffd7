//! The trees that describe the others and themselves: the extent tree, the free space tree, the block group tree.
//!
//! Each node of theirs is an extent, which they list. So their sizes are guessed, counted, and guessed again:
//!
//! 1. chunks are laid out for so many nodes, behind those of the data, whose places depend on nothing else;
//! 2. in these chunks the trees get addresses, and their items are counted; where they need more nodes than they have,
//!    they get more, and are counted again;
//! 3. when all trees together need more room than the chunks have, the chunks get more, and the trees begin anew: with
//!    other chunks, one of them can need less.
//!
//! In 2. and in 3. numbers only grow, so this ends. A tree that would need a node less than it has got in 2. gets a leaf
//! with one item.

use super::chunks::{Chunk, Chunks, Wanted};
use super::data::{Data, File};
use super::items::Take;
use super::trees::{Counter, Shape};
use crate::checksum::data_ref_hash;
use crate::format::{
    BlockGroupItem, DataRef, EXTENT_DATA, EXTENT_TREE_BLOCK, ExtentItem, FreeSpaceInfo, GENERATION,
    INLINE_REFS_MAX, Key, NODE, TreeBlockRef, group, kind, object,
};
use crate::{Options, Profile, Result};
use zerocopy::IntoBytes;

/// Metadata that is free when nothing was promised: enough to grow.
const FREE_LEAST: u64 = 256 << 10;
/// What the kernel sets aside at least for emergencies, and what it wants besides to begin anything.
const RESERVE_LEAST: u64 = 6 << 20;
const WORKING_ROOM: u64 = 10 << 20;
/// Of this many free bytes of data, one is for their metadata.
const DATA_PER_METADATA: u64 = 64;

/// Every tree with its place.
#[derive(Clone, Debug)]
pub(super) struct Forest {
    pub(super) chunks: Chunks,
    /// The chunk tree, alone in its chunk.
    pub(super) chunk_tree: Shape,
    /// All other trees, in the order of their nodes.
    pub(super) trees: Vec<(u64, Shape)>,
}

/// What does not depend on places.
pub(super) struct Known<'a> {
    pub(super) options: &'a Options,
    pub(super) data: &'a Data,
    /// All trees but the chunk tree, in the order of their nodes. The sizes of those that depend on places are guesses.
    pub(super) trees: Vec<(u64, Shape)>,
}

impl Forest {
    /// Finds a place for everything.
    pub(super) fn grow(known: &Known) -> Result<Forest> {
        let Known { options, data, trees } = known;
        let of_data = Chunks::of_data(data, options.free);
        let mut trees = trees.clone();
        for (_, shape) in trees.iter_mut().filter(|(tree, _)| *tree == object::CSUM_TREE) {
            let mut counter = Counter::default();
            super::sums::items(data, &of_data, &mut |_, item| {
                counter.add(item.len());
                Ok(())
            })?;
            *shape = counter.shape();
        }
        let (mut system, mut nodes, mut reserve) = (1, count(&trees), 0);
        loop {
            let wanted = Wanted {
                copies: options.metadata,
                system: (4 * system + 4) * NODE,
                metadata: (nodes * NODE).saturating_add(reserve),
            };
            let chunks = of_data.clone().with_nodes(&wanted);
            let mut forest = Forest {
                chunk_tree: chunk_shape(&chunks),
                chunks,
                trees: trees.clone(),
            };
            forest.settle(options.profile, data)?;
            let needed = (
                forest.chunk_tree.nodes(),
                count(&forest.trees),
                free_metadata(options, &forest.trees),
            );
            if needed.0 <= system && needed.1 <= nodes && needed.2 <= reserve {
                return Ok(forest);
            }
            system = system.max(needed.0);
            nodes = nodes.max(needed.1);
            reserve = reserve.max(needed.2);
        }
    }

    /// The inner loop: gives the trees as many nodes as they need in these chunks.
    fn settle(&mut self, profile: Profile, data: &Data) -> Result<()> {
        loop {
            let mut has_grown = false;
            for number in 0..self.trees.len() {
                let (tree, planned) = &self.trees[number];
                let (tree, nodes) = (*tree, planned.nodes());
                if let Some(counted) = self.count(tree, planned.leaves(), profile, data)? {
                    has_grown |= counted.nodes() > nodes;
                    self.trees[number].1 = counted;
                }
            }
            if !has_grown {
                return Ok(());
            }
        }
    }

    /// The shape of a tree that depends on places, with at least so many leaves; none for others.
    fn count(&self, tree: u64, least: u64, profile: Profile, data: &Data) -> Result<Option<Shape>> {
        let mut short = 0;
        loop {
            let mut counter = Counter::with_short_leaves(short);
            let mut take = |_: Key, item: &[u8]| {
                counter.add(item.len());
                Ok(())
            };
            match tree {
                object::EXTENT_TREE => self.extents(data, profile, &mut take)?,
                object::FREE_SPACE_TREE => self.free_space(&mut take)?,
                object::BLOCK_GROUP_TREE => self.block_groups(&mut take)?,
                object::DEV_TREE => super::devices::device_items(&self.chunks, [0; 16], &mut take)?,
                _ => return Ok(None),
            }
            let shape = counter.shape();
            if shape.leaves() >= least || short >= least {
                return Ok(Some(shape));
            }
            short += 1;
        }
    }

    /// Where a tree's first node lies, and its shape.
    pub(super) fn tree(&self, tree: u64) -> (u64, &Shape) {
        if tree == object::CHUNK_TREE {
            return (self.chunks.system, &self.chunk_tree);
        }
        let mut start = self.chunks.metadata;
        for (id, shape) in &self.trees {
            if *id == tree {
                return (start, shape);
            }
            start += shape.nodes() * NODE;
        }
        (0, &self.chunk_tree)
    }

    /// The address of a tree's root.
    pub(super) fn root(&self, tree: u64) -> u64 {
        let (start, shape) = self.tree(tree);
        start + shape.root() * NODE
    }

    /// How many bytes of a chunk are used.
    pub(super) fn used(&self, chunk: &Chunk) -> u64 {
        if chunk.is_data() {
            return chunk.data;
        }
        let (start, nodes) = if chunk.kind & group::SYSTEM != 0 {
            (self.chunks.system, self.chunk_tree.nodes())
        } else {
            (self.chunks.metadata, count(&self.trees))
        };
        (start + nodes * NODE).saturating_sub(chunk.start).min(chunk.len)
    }

    /// How many bytes of all chunks are used.
    pub(super) fn all_used(&self) -> u64 {
        self.chunks.list.iter().map(|chunk| self.used(chunk)).sum()
    }

    /// The items of the extent tree.
    pub(super) fn extents(&self, data: &Data, profile: Profile, take: Take) -> Result<()> {
        let mut groups = match profile {
            Profile::Portable => &self.chunks.list[..],
            Profile::Modern => &[],
        };
        let mut merged = |key: Key, item: &[u8]| {
            while let Some((group, others)) = groups.split_first()
                && self.group(group).0 < key
            {
                let (key, item) = self.group(group);
                take(key, item.as_bytes())?;
                groups = others;
            }
            take(key, item)
        };
        let mut item = Vec::new();
        for number in &self.chunks.order {
            let extent = &data.extents[*number];
            let address = self.chunks.addresses[*number];
            let key = Key::new(address, kind::EXTENT, extent.disk_len.into());
            data_refs(data.file(extent), extent.start, key, &mut item, &mut merged)?;
        }
        self.nodes(object::CHUNK_TREE, &self.chunk_tree, &mut merged)?;
        for (tree, shape) in &self.trees {
            self.nodes(*tree, shape, &mut merged)?;
        }
        for group in groups {
            let (key, item) = self.group(group);
            take(key, item.as_bytes())?;
        }
        Ok(())
    }

    /// The nodes of a tree.
    fn nodes(&self, tree: u64, shape: &Shape, take: Take) -> Result<()> {
        let head = ExtentItem {
            refs: 1.into(),
            generation: GENERATION.into(),
            flags: EXTENT_TREE_BLOCK.into(),
        };
        let reference = TreeBlockRef {
            kind: kind::TREE_BLOCK_REF,
            root: tree.into(),
        };
        let item = [head.as_bytes(), reference.as_bytes()].concat();
        let (mut address, _) = self.tree(tree);
        for level in shape.levels() {
            take(Key::new(address, kind::METADATA, level.into()), &item)?;
            address += NODE;
        }
        Ok(())
    }

    fn group(&self, chunk: &Chunk) -> (Key, BlockGroupItem) {
        let item = BlockGroupItem {
            used: self.used(chunk).into(),
            chunk_objectid: object::FIRST_CHUNK_TREE.into(),
            flags: chunk.kind.into(),
        };
        (Key::new(chunk.start, kind::BLOCK_GROUP, chunk.len), item)
    }

    /// The items of the block group tree.
    pub(super) fn block_groups(&self, take: Take) -> Result<()> {
        for chunk in &self.chunks.list {
            let (key, item) = self.group(chunk);
            take(key, item.as_bytes())?;
        }
        Ok(())
    }

    /// The items of the free space tree. What is free in a chunk is its end, and its beginning where nothing could lie.
    pub(super) fn free_space(&self, take: Take) -> Result<()> {
        for chunk in &self.chunks.list {
            let used = chunk.start + chunk.lead + self.used(chunk);
            let free = [chunk.start..chunk.start + chunk.lead, used..chunk.end()];
            let free = free.iter().filter(|free| !free.is_empty());
            let info = FreeSpaceInfo {
                extent_count: u32::try_from(free.clone().count()).unwrap_or(0).into(),
                flags: 0.into(),
            };
            let key = Key::new(chunk.start, kind::FREE_SPACE_INFO, chunk.len);
            take(key, info.as_bytes())?;
            for free in free {
                let key = Key::new(free.start, kind::FREE_SPACE_EXTENT, free.end - free.start);
                take(key, &[])?;
            }
        }
        Ok(())
    }
}

fn chunk_shape(chunks: &Chunks) -> Shape {
    let mut counter = Counter::default();
    super::devices::chunk_lens(chunks).for_each(|len| counter.add(len));
    counter.shape()
}

fn count(trees: &[(u64, Shape)]) -> u64 {
    trees.iter().map(|(_, shape)| shape.nodes()).sum()
}

/// How much metadata is to be free: as much as the kernel sets aside, what it works with, and what describes the promised
/// data.
fn free_metadata(options: &Options, trees: &[(u64, Shape)]) -> u64 {
    if options.free == 0 {
        return FREE_LEAST;
    }
    let is_reserved = |tree: u64| {
        matches!(
            tree,
            object::ROOT_TREE
                | object::EXTENT_TREE
                | object::CSUM_TREE
                | object::FREE_SPACE_TREE
                | object::BLOCK_GROUP_TREE
        )
    };
    let reserved = trees.iter().filter(|(tree, _)| is_reserved(*tree));
    let reserved: u64 = reserved.map(|(_, shape)| shape.nodes() * NODE).sum();
    let reserve = reserved.max(RESERVE_LEAST);
    reserve + WORKING_ROOM + (options.free / DATA_PER_METADATA).next_multiple_of(NODE)
}

/// The item of an extent, with as many references as it may have, and items for the rest.
fn data_refs(file: &File, start: u64, key: Key, item: &mut Vec<u8>, take: Take) -> Result<()> {
    let head = ExtentItem {
        refs: (file.users.len() as u64).into(),
        generation: GENERATION.into(),
        flags: EXTENT_DATA.into(),
    };
    item.clear();
    item.extend_from_slice(head.as_bytes());
    let mut refs: Vec<(u64, DataRef)> = file.users.iter().map(|user| data_ref(*user, start)).collect();
    refs.sort_unstable_by_key(|(hash, _)| std::cmp::Reverse(*hash));
    let inline = refs.len().min(INLINE_REFS_MAX);
    for (_, reference) in &refs[..inline] {
        item.push(kind::EXTENT_DATA_REF);
        item.extend_from_slice(reference.as_bytes());
    }
    take(key, item)?;
    let mut next = 0;
    for (hash, reference) in refs[inline..].iter().rev() {
        // A hash that is taken goes to the next.
        let hash = next.max(*hash);
        let key = Key::new(key.objectid, kind::EXTENT_DATA_REF, hash);
        take(key, reference.as_bytes())?;
        next = hash + 1;
    }
    Ok(())
}

fn data_ref((root, inode): (u64, u64), start: u64) -> (u64, DataRef) {
    let reference = DataRef {
        root: root.into(),
        objectid: inode.into(),
        offset: start.into(),
        count: 1.into(),
    };
    (data_ref_hash(root, inode, start), reference)
}

#[cfg(test)]
mod tests {
    use image::Seed;

    use super::*;

    /// Where chunks of nodes end before the copy of the superblock, the number of chunks changes with their size, and not
    /// always upwards.
    #[test]
    fn sizes_are_found_wherever_chunks_end() {
        let seed = Seed::new(b"test");
        let options = Options::new(seed.uuid("fs"), seed);
        for mebibytes in [50, 58, 61, 66, 90, 1100] {
            let data = Data::of_extents(mebibytes);
            for leaves in (300..560).step_by(4).chain([2000, 2034]) {
                let own = [
                    object::ROOT_TREE,
                    object::EXTENT_TREE,
                    object::DEV_TREE,
                    object::FREE_SPACE_TREE,
                ];
                let mut trees: Vec<(u64, Shape)> = own.map(|tree| (tree, Shape::of_leaves(1))).into();
                trees.push((object::CSUM_TREE, Shape::of_leaves(1)));
                trees.push((object::FS_TREE, Shape::of_leaves(leaves)));
                let known = Known {
                    options: &options,
                    data: &data,
                    trees,
                };
                let forest = Forest::grow(&known).unwrap();
                for (tree, shape) in &forest.trees {
                    let counted = forest
                        .count(*tree, shape.leaves(), options.profile, &data)
                        .unwrap();
                    assert!(
                        counted.is_none_or(|counted| counted == *shape),
                        "{tree} {mebibytes} {leaves}"
                    );
                }
                let room = forest.chunks.list.iter().filter(|chunk| chunk.kind & 4 != 0);
                let room: u64 = room.map(|chunk| chunk.len).sum();
                assert!(room >= count(&forest.trees) * NODE + FREE_LEAST);
            }
        }
    }
}
