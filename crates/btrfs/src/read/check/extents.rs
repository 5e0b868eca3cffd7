//! The extent tree: what it says is in use, and by whom.

use std::collections::BTreeMap;

use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::{U32, U64};

use super::super::damaged;
use super::Use;
use super::references::{Reference, References};
use crate::Result;
use crate::checksum::data_ref_hash;
use crate::format::{DataRef, EXTENT_DATA, EXTENT_FULL_BACKREF, EXTENT_TREE_BLOCK, ExtentItem, Key, kind};

/// All that is said to be in use.
pub(super) struct Extents {
    node: u64,
    pub(super) list: BTreeMap<u64, Extent>,
    pub(super) references: References,
}

/// A range that is said to be in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) used: Use,
    pub(super) refs: u64,
    /// What it leads to has references to it, and not to its tree.
    pub(super) is_parent: bool,
}

/// Bytes in front of the references to a node in the older form: its first key, and its level.
const TREE_BLOCK_INFO: usize = 18;

impl Extents {
    pub(super) fn new(node: u32) -> Extents {
        Extents {
            node: node.into(),
            list: BTreeMap::new(),
            references: References::new(),
        }
    }

    pub(super) fn add(&mut self, key: Key, item: &[u8]) -> Result<()> {
        let done = match key.kind {
            kind::METADATA | kind::EXTENT => self.add_extent(key, item),
            kind::TREE_BLOCK_REF => self.refer(key.objectid, Reference::Tree(key.offset), 1),
            kind::SHARED_BLOCK_REF => self.refer(key.objectid, Reference::Node(key.offset), 1),
            kind::EXTENT_DATA_REF => self.add_far(key, item),
            kind::SHARED_DATA_REF => U32::read_from_bytes(item)
                .ok()
                .and_then(|count| self.refer(key.objectid, Reference::Leaf(key.offset), count.get())),
            kind::BLOCK_GROUP => Some(()),
            _ => None,
        };
        done.ok_or_else(|| damaged(format!("extent {}", key.objectid), "its item contradicts itself"))
    }

    fn add_extent(&mut self, key: Key, item: &[u8]) -> Option<()> {
        let (head, mut rest) = ExtentItem::read_from_prefix(item).ok()?;
        let flags = head.flags.get();
        let is_node = flags & EXTENT_TREE_BLOCK != 0;
        let used = if key.kind == kind::METADATA {
            Use::Node {
                len: self.node,
                level: u8::try_from(key.offset).ok()?,
            }
        } else if is_node {
            let (info, refs) = rest.split_at_checked(TREE_BLOCK_INFO)?;
            rest = refs;
            Use::Node {
                len: key.offset,
                level: info[TREE_BLOCK_INFO - 1],
            }
        } else {
            Use::Data { len: key.offset }
        };
        let wanted = match used {
            Use::Node { .. } => EXTENT_TREE_BLOCK,
            Use::Data { .. } => EXTENT_DATA,
        };
        let is_parent = flags & EXTENT_FULL_BACKREF != 0;
        let is_right = flags == wanted || is_node && flags == wanted | EXTENT_FULL_BACKREF;
        is_right.then_some(())?;
        while let Some((kind, body)) = rest.split_first() {
            rest = self.add_near(key.objectid, *kind, body)?;
        }
        let extent = Extent {
            used,
            refs: head.refs.get(),
            is_parent,
        };
        self.list.insert(key.objectid, extent).is_none().then_some(())
    }

    /// A reference in an extent's own item. Answers what is behind it.
    fn add_near<'a>(&mut self, address: u64, kind: u8, body: &'a [u8]) -> Option<&'a [u8]> {
        if kind == kind::EXTENT_DATA_REF {
            let (item, rest) = DataRef::read_from_prefix(body).ok()?;
            self.refer(address, of_file(&item), item.count.get())?;
            return Some(rest);
        }
        let (number, rest) = U64::read_from_prefix(body).ok()?;
        let number = number.get();
        match kind {
            kind::TREE_BLOCK_REF => self.refer(address, Reference::Tree(number), 1)?,
            kind::SHARED_BLOCK_REF => self.refer(address, Reference::Node(number), 1)?,
            kind::SHARED_DATA_REF => {
                let (count, rest) = U32::read_from_prefix(rest).ok()?;
                self.refer(address, Reference::Leaf(number), count.get())?;
                return Some(rest);
            }
            _ => return None,
        }
        Some(rest)
    }

    /// A reference that has no room in the extent's item. It stands behind others with its hash.
    fn add_far(&mut self, key: Key, item: &[u8]) -> Option<()> {
        let item = DataRef::read_from_bytes(item).ok()?;
        let hash = data_ref_hash(item.root.get(), item.objectid.get(), item.offset.get());
        (key.offset.wrapping_sub(hash) < 1 << 16).then_some(())?;
        self.refer(key.objectid, of_file(&item), item.count.get())
    }

    /// Each stands there once, and for something.
    fn refer(&mut self, address: u64, reference: Reference, count: u32) -> Option<()> {
        let before = self.references.insert((address, reference), count.into());
        (before.is_none() && count > 0).then_some(())
    }
}

fn of_file(item: &DataRef) -> Reference {
    Reference::File {
        tree: item.root.get(),
        inode: item.objectid.get(),
        offset: item.offset.get(),
    }
}
