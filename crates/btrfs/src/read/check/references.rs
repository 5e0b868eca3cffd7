//! Who really refers to nodes and data.

use std::collections::BTreeMap;

use zerocopy::FromBytes;

use super::super::nodes::{ALL, Place, Visit, is_of_files};
use super::super::roots::Roots;
use super::super::{FileSystem, damaged};
use super::extents::Extents;
use super::{Use, Used};
use crate::Result;
use crate::format::{FILE_INLINE, FileExtentHead, FileExtentTail, Key, kind, object};

/// How often each refers to what.
pub(super) type References = BTreeMap<(u64, Reference), u64>;

/// Who refers to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reference {
    /// A tree whose root it is, or whose nodes lead to it.
    Tree(u64),
    /// This node. Linux names it instead of its tree where trees share it.
    Node(u64),
    /// A file.
    File { tree: u64, inode: u64, offset: u64 },
    /// Files in this leaf.
    Leaf(u64),
}

/// Goes through all trees, and through what they share once.
struct Collect<'a> {
    node: u64,
    extents: &'a Extents,
    references: References,
    used: Used,
}

/// All references, and all that is in use.
pub(super) fn collect(system: &FileSystem, roots: &Roots, extents: &Extents) -> Result<(References, Used)> {
    let mut collect = Collect {
        node: system.geometry.node.into(),
        extents,
        references: References::new(),
        used: Used::new(),
    };
    let mut nodes = system.nodes();
    let own = [system.geometry.chunk_root, system.geometry.root];
    for root in own.into_iter().chain(roots.list.values().map(|found| found.root)) {
        nodes.visit(root, &ALL, &mut collect)?;
    }
    Ok((collect.references, collect.used))
}

impl Collect<'_> {
    /// Whether what a node leads to names the node.
    fn is_parent(&self, address: u64) -> bool {
        self.extents
            .list
            .get(&address)
            .is_some_and(|extent| extent.is_parent)
    }
}

impl Visit for Collect<'_> {
    fn enter(&mut self, place: &Place) -> Result<bool> {
        let is_shared = is_of_files(place.tree) || place.tree == object::DATA_RELOC_TREE;
        if !is_shared && self.is_parent(place.address) {
            return Err(damaged(
                format!("extent {}", place.address),
                "it says that its tree can be shared",
            ));
        }
        let reference = match place.above {
            Some((above, _)) if self.is_parent(above) => Reference::Node(above),
            Some((_, owner)) => Reference::Tree(owner),
            None => Reference::Tree(place.tree),
        };
        *self.references.entry((place.address, reference)).or_default() += 1;
        let node = Use::Node {
            len: self.node,
            level: place.level,
        };
        Ok(self.used.insert(place.address, node).is_none())
    }

    fn item(&mut self, leaf: &Place, owner: u64, key: Key, item: &[u8]) -> Result<()> {
        let has_files = is_of_files(owner) || [object::ROOT_TREE, object::DATA_RELOC_TREE].contains(&owner);
        if !has_files || key.kind != kind::EXTENT_DATA {
            return Ok(());
        }
        let wrong = |problem: &str| damaged(format!("inode {}", key.objectid), problem);
        let short = || wrong("a part of it is too short");
        let (head, rest) = FileExtentHead::read_from_prefix(item).map_err(|_| short())?;
        if head.kind == FILE_INLINE {
            return Ok(());
        }
        let tail = FileExtentTail::read_from_bytes(rest).map_err(|_| short())?;
        let (address, len) = (tail.disk_bytenr.get(), tail.disk_num_bytes.get());
        if address == 0 {
            return Ok(());
        }
        let reference = if self.is_parent(leaf.address) {
            Reference::Leaf(leaf.address)
        } else {
            Reference::File {
                tree: owner,
                inode: key.objectid,
                offset: key.offset.wrapping_sub(tail.offset.get()),
            }
        };
        *self.references.entry((address, reference)).or_default() += 1;
        let before = self.used.insert(address, Use::Data { len });
        if before.is_some_and(|before| before != Use::Data { len }) {
            return Err(wrong("a part of it is something else as well"));
        }
        Ok(())
    }
}
