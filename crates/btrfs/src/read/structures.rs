//! What lies where.

use std::collections::BTreeSet;

use image::Structure;

use super::FileSystem;
use super::nodes::{ALL, Place, Visit};
use super::roots::Roots;
use super::walk::{self, Seen};
use crate::Result;
use crate::format::{Key, SECTOR, SUPERBLOCKS, group, object};

impl FileSystem {
    /// What lies where, in the order of its places: superblocks, nodes of trees, extents of files, and what is left of chunks.
    /// Nodes are those of [`FileSystem::tree`]; of files that share an extent, the first is named.
    ///
    /// # Errors
    /// As [`FileSystem::contents`].
    pub fn structures(&self) -> Result<Vec<Structure>> {
        let mut found = Found {
            system: self,
            list: Vec::new(),
            met: BTreeSet::new(),
        };
        let copies = (1_usize..).zip(SUPERBLOCKS);
        for (number, start) in copies.filter(|(_, start)| start + SECTOR <= self.geometry.total) {
            let superblock = Structure::new(start, SECTOR, format!("superblock {number}"));
            found.list.push(superblock);
        }
        let mut nodes = self.nodes();
        let mut roots = Roots::default();
        nodes.tree(self.geometry.root, &mut |key, item| roots.add(key, item))?;
        let others = roots.list.values().map(|described| described.root);
        for root in [self.geometry.root, self.geometry.chunk_root]
            .into_iter()
            .chain(others)
        {
            nodes.visit(root, &ALL, &mut found)?;
        }
        let mut extents = Vec::new();
        walk::walk(self, &mut |seen| {
            match seen {
                Seen::Inode(_, inode, _) => {
                    let places = inode
                        .extents()
                        .map(|(_, tail)| (tail.disk_bytenr.get(), tail.disk_num_bytes.get()));
                    extents = places.collect();
                }
                Seen::Node(id) => {
                    for (address, len) in extents.drain(..) {
                        found.put(address, len, &|place| Structure::new(place, len, "extent").of(id));
                    }
                }
            }
            Ok(())
        })?;
        Ok(found.with_chunks())
    }
}

/// What was found so far.
struct Found<'a> {
    system: &'a FileSystem,
    list: Vec<Structure>,
    /// The addresses of nodes and extents.
    met: BTreeSet<u64>,
}

impl Found<'_> {
    /// All copies of what lies at an address, unless it is known already.
    fn put(&mut self, address: u64, len: u64, structure: &dyn Fn(u64) -> Structure) -> bool {
        if !self.met.insert(address) {
            return false;
        }
        let copies = (0..2).filter_map(|copy| self.system.chunks.copy(address, len, copy));
        self.list.extend(copies.map(structure));
        true
    }

    /// With what is left of chunks, sorted.
    fn with_chunks(self) -> Vec<Structure> {
        let mut list = self.list;
        list.sort_by_key(|structure| structure.start);
        let mut rests = Vec::new();
        for (place, start, len) in self.system.chunks.places() {
            let what = match self.system.chunks.kind(start, len).unwrap_or_default() {
                kind if kind & group::DATA != 0 => "chunk of data",
                kind if kind & group::SYSTEM != 0 => "chunk of the chunk tree",
                _ => "chunk of trees",
            };
            let end = place.saturating_add(len);
            let mut at = place;
            let first = list.partition_point(|structure| structure.start < place);
            let inside = list[first..].iter().take_while(|structure| structure.start < end);
            for structure in inside {
                if structure.start > at {
                    rests.push(Structure::new(at, structure.start - at, what).free());
                }
                at = at.max(structure.end);
            }
            if at < end {
                rests.push(Structure::new(at, end - at, what).free());
            }
        }
        list.append(&mut rests);
        list.sort_by_key(|structure| structure.start);
        list
    }
}

impl Visit for Found<'_> {
    fn enter(&mut self, place: &Place) -> Result<bool> {
        let what = format!("node of {}, level {}", name(place.tree), place.level);
        let len = self.system.geometry.node.into();
        // What snapshots share is gone through once.
        Ok(self.put(place.address, len, &|start| {
            Structure::new(start, len, what.clone())
        }))
    }

    fn item(&mut self, _: &Place, _: u64, _: Key, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// A tree by its number, and what is in it.
fn name(tree: u64) -> String {
    let what = match tree {
        object::ROOT_TREE => "roots",
        object::EXTENT_TREE => "extents",
        object::CHUNK_TREE => "chunks",
        object::DEV_TREE => "devices",
        object::FS_TREE => "files",
        object::CSUM_TREE => "checksums",
        object::UUID_TREE => "ids",
        object::FREE_SPACE_TREE => "free space",
        object::BLOCK_GROUP_TREE => "block groups",
        object::DATA_RELOC_TREE => "relocation",
        _ => return format!("tree {}", tree.cast_signed()),
    };
    format!("tree {} ({what})", tree.cast_signed())
}
