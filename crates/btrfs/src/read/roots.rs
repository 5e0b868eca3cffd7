//! The root tree: where all others are, and how subvolumes hang together.

use std::collections::BTreeMap;

use zerocopy::FromBytes;

use super::damaged;
use super::superblock::Root;
use crate::format::{DirItem, Key, ROOT_READONLY, RootItem, RootRef, kind, object};
use crate::{Access, Error, Result};

/// What the root tree says.
#[derive(Debug, Default)]
pub(super) struct Roots {
    pub(super) list: BTreeMap<u64, Described>,
    pub(super) default: Option<u64>,
    /// For a subvolume and another in it the name of the latter, as the outer one has it.
    pub(super) down: BTreeMap<(u64, u64), Named>,
    /// The same, as the inner one has it.
    pub(super) up: BTreeMap<(u64, u64), Named>,
}

/// A tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Described {
    pub(super) root: Root,
    pub(super) access: Access,
    pub(super) item: RootItem,
}

/// The name of a subvolume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) directory: u64,
    pub(super) index: u64,
    pub(super) name: Box<[u8]>,
}

/// Bytes of the oldest form of a root item.
const SHORTEST: usize = 239;

impl Roots {
    pub(super) fn add(&mut self, key: Key, item: &[u8]) -> Result<()> {
        match key.kind {
            kind::DIR_ITEM if key.objectid == object::ROOT_TREE_DIR => {
                let item = DirItem::read_from_prefix(item).ok();
                self.default = item.map(|(item, _)| item.location.objectid.get());
            }
            kind::ROOT => return self.add_root(key, item),
            kind::ROOT_REF => {
                self.down.insert((key.objectid, key.offset), named(key, item)?);
            }
            kind::ROOT_BACKREF => {
                self.up.insert((key.offset, key.objectid), named(key, item)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn add_root(&mut self, key: Key, item: &[u8]) -> Result<()> {
        let place = || format!("tree {}", key.objectid);
        let mut bytes = item.to_vec();
        // Older kernels have written shorter ones.
        bytes.resize(size_of::<RootItem>(), 0);
        let Some(root) = RootItem::read_from_bytes(&bytes)
            .ok()
            .filter(|_| item.len() >= SHORTEST)
        else {
            return Err(damaged(place(), "its item is too short"));
        };
        let access = if root.flags.get() & ROOT_READONLY == 0 {
            Access::Writable
        } else {
            Access::ReadOnly
        };
        let described = Described {
            root: Root {
                tree: key.objectid,
                address: root.bytenr.get(),
                level: root.level,
                generation: root.generation.get(),
            },
            access,
            item: root,
        };
        let is_second = self.list.insert(key.objectid, described).is_some();
        if is_second && key.objectid != object::TREE_RELOC {
            return Err(damaged(place(), "has a second item"));
        }
        Ok(())
    }

    pub(super) fn find(&self, tree: u64) -> Result<Described> {
        let found = self.list.get(&tree).copied();
        found.ok_or_else(|| damaged(format!("tree {tree}"), "is missing"))
    }

    /// Whether an entry is where a subvolume really is. A snapshot has the entries of subvolumes too, and nothing behind
    /// them.
    pub(super) fn is_there(&self, outer: u64, inner: u64, directory: u64, name: &[u8]) -> bool {
        let named = self.down.get(&(outer, inner));
        named.is_some_and(|named| (named.directory, &*named.name) == (directory, name))
    }

    /// Finds what has been interrupted, and makes trees that look wrong.
    pub(super) fn check_at_rest(&self) -> Result<()> {
        let unsupported = |feature: &str| {
            Err(Error::Unsupported {
                feature: feature.to_string(),
            })
        };
        if self.list.contains_key(&object::TREE_RELOC) {
            return unsupported("a balance that has not ended");
        }
        let is_going =
            |found: &Described| found.item.refs.get() == 0 && found.item.drop_progress.objectid.get() != 0;
        if self.list.values().any(is_going) {
            return unsupported("a subvolume whose removal has not ended");
        }
        Ok(())
    }
}

fn named(key: Key, item: &[u8]) -> Result<Named> {
    let wrong = || {
        damaged(
            format!("tree {}", key.objectid),
            "a name of a subvolume contradicts itself",
        )
    };
    let (head, name) = RootRef::read_from_prefix(item).map_err(|_| wrong())?;
    if name.len() != usize::from(head.name_len.get()) {
        return Err(wrong());
    }
    Ok(Named {
        directory: head.dirid.get(),
        index: head.sequence.get(),
        name: name.into(),
    })
}
