//! From the root tree to all files.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use image::{Kind, Node, NodeId, Tree};
use zerocopy::FromBytes;

use super::data::{Data, Sums};
use super::files::{Entry, Inode, Inodes, Names};
use super::nodes::Nodes;
use super::superblock::Root;
use super::{Contents, FileSystem, damaged};
use crate::format::{DirItem, Key, ROOT_READONLY, RootItem, kind, object};
use crate::{Access, Result};

/// What the root tree says.
#[derive(Default)]
pub(super) struct Roots {
    pub(super) list: BTreeMap<u64, (Root, Access)>,
    default: Option<u64>,
}

/// Reads all that can be reached.
pub(super) fn walk(system: &FileSystem) -> Result<Contents> {
    let mut nodes = Nodes::new(&system.source, &system.geometry, &system.chunks);
    let mut roots = Roots::default();
    nodes.tree(system.geometry.root, &mut |key, item| roots.add(key, item))?;
    let mut sums = Sums::default();
    nodes.tree(roots.find(object::CSUM_TREE)?.0, &mut |key, item| {
        sums.add(key, item)
    })?;
    let data = Arc::new(Data {
        source: system.source.clone(),
        chunks: Arc::clone(&system.chunks),
        sums,
    });
    let mut contents = Contents {
        tree: Tree::default(),
        subvolumes: BTreeMap::new(),
        default_subvolume: NodeId::ROOT,
    };
    let mut known = BTreeMap::from([(object::FS_TREE, NodeId::ROOT)]);
    let mut waiting = VecDeque::from([object::FS_TREE]);
    while let Some(id) = waiting.pop_front() {
        let (root, access) = roots.find(id)?;
        let place = known[&id];
        if place != NodeId::ROOT {
            contents.subvolumes.insert(place, access);
        }
        let mut inodes = Inodes::default();
        nodes.tree(root, &mut |key, item| inodes.add(key, item))?;
        let mut subvolume = Subvolume {
            id,
            tree: &mut contents.tree,
            data: &data,
            inodes,
            met: BTreeMap::new(),
        };
        for (id, place) in subvolume.plant(place)? {
            if known.insert(id, place).is_some() {
                return Err(damaged(format!("subvolume {id}"), "has a second name"));
            }
            waiting.push_back(id);
        }
    }
    let default = roots.default.unwrap_or(object::FS_TREE);
    let default = known.get(&default).copied();
    contents.default_subvolume = default.ok_or_else(|| damaged("default subvolume", "has no name"))?;
    Ok(contents)
}

impl Roots {
    pub(super) fn add(&mut self, key: Key, item: &[u8]) -> Result<()> {
        if (key.objectid, key.kind) == (object::ROOT_TREE_DIR, kind::DIR_ITEM) {
            self.default = DirItem::read_from_prefix(item)
                .ok()
                .map(|(item, _)| item.location.objectid.get());
        }
        if key.kind != kind::ROOT {
            return Ok(());
        }
        let mut bytes = item.to_vec();
        // Older kernels have written shorter ones.
        bytes.resize(size_of::<RootItem>(), 0);
        let Ok(root) = RootItem::read_from_bytes(&bytes) else {
            return Err(damaged(format!("tree {}", key.objectid), "its item is too short"));
        };
        let access = if root.flags.get() & ROOT_READONLY == 0 {
            Access::Writable
        } else {
            Access::ReadOnly
        };
        let place = Root {
            tree: key.objectid,
            address: root.bytenr.get(),
            level: root.level,
            generation: root.generation.get(),
        };
        self.list.insert(key.objectid, (place, access));
        Ok(())
    }

    fn find(&self, tree: u64) -> Result<(Root, Access)> {
        let found = self.list.get(&tree).copied();
        found.ok_or_else(|| damaged(format!("tree {tree}"), "is missing"))
    }
}

/// A subvolume that becomes a part of the tree.
struct Subvolume<'a> {
    id: u64,
    tree: &'a mut Tree,
    data: &'a Arc<Data>,
    inodes: Inodes,
    /// The files that have a node already, and the names of theirs that nobody has come by yet.
    met: BTreeMap<u64, (NodeId, Names)>,
}

impl Subvolume<'_> {
    /// Adds everything below its root. Answers the subvolumes that have their names in it.
    fn plant(&mut self, root: NodeId) -> Result<Vec<(u64, NodeId)>> {
        let mut others = Vec::new();
        let mut inode = self.take(object::FIRST_FREE)?;
        let node = inode.node(object::FIRST_FREE, self.data)?;
        if !matches!(node.kind, Kind::Directory(_)) {
            return Err(damaged(
                format!("subvolume {}", self.id),
                "its root is no directory",
            ));
        }
        self.tree.node_mut(root).meta = node.meta;
        let mut stack = vec![(object::FIRST_FREE, root, inode.entries)];
        while let Some((directory, place, entries)) = stack.pop() {
            for entry in entries {
                if entry.location.kind == kind::ROOT {
                    let node = Node::directory();
                    others.push((entry.location.objectid, self.tree.add(place, &entry.name, node)?));
                } else if let Some(next) = self.enter(directory, place, &entry)? {
                    stack.push(next);
                }
            }
        }
        if let Some((number, _)) = self.inodes.list.iter().find(|(_, inode)| !inode.is_orphan()) {
            return Err(self.wrong(*number, "has no name"));
        }
        if let Some((number, _)) = self.met.iter().find(|(_, (_, names))| !names.is_empty()) {
            return Err(self.wrong(*number, "has a name that no directory has"));
        }
        Ok(others)
    }

    /// Adds an entry. Answers what has to be gone into.
    fn enter(
        &mut self,
        directory: u64,
        place: NodeId,
        entry: &Entry,
    ) -> Result<Option<(u64, NodeId, Vec<Entry>)>> {
        let number = entry.location.objectid;
        if entry.location != Key::new(number, kind::INODE, 0) {
            return Err(self.wrong(directory, "has an entry that leads nowhere"));
        }
        let name = (directory, entry.name.clone());
        if let Some((id, names)) = self.met.get_mut(&number) {
            if !names.remove(&name) {
                return Err(self.wrong(number, "does not know one of its names"));
            }
            self.tree.link(place, &entry.name, *id)?;
            return Ok(None);
        }
        let mut inode = self.take(number)?;
        let node = inode.node(number, self.data)?;
        if !inode.names.remove(&name) {
            return Err(self.wrong(number, "does not know one of its names"));
        }
        let is_directory = matches!(node.kind, Kind::Directory(_));
        let id = self.tree.add(place, &entry.name, node)?;
        if is_directory {
            return Ok(Some((number, id, inode.entries)));
        }
        self.met.insert(number, (id, inode.names));
        Ok(None)
    }

    fn take(&mut self, number: u64) -> Result<Inode> {
        let inode = self.inodes.list.remove(&number);
        inode.ok_or_else(|| self.wrong(number, "is missing, or a directory with two names"))
    }

    fn wrong(&self, number: u64, problem: &str) -> crate::Error {
        damaged(format!("inode {number} of tree {}", self.id), problem)
    }
}
