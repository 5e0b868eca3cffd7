//! From the root tree to all files.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use image::{Kind, Meta, Node, NodeId, Tree};

use super::data::{Data, Known, Sums};
use super::files::{Entry, Inode, Inodes, Names};
use super::roots::Roots;
use super::{Contents, FileSystem, damaged};
use crate::Result;
use crate::format::{Key, kind, object};

/// Looks at every inode.
pub(super) type Look<'a> = &'a mut dyn FnMut(Seen) -> Result<()>;

/// What is looked at: each inode twice.
pub(super) enum Seen<'a> {
    /// Its number and itself, and the data of all.
    Inode(u64, &'a Inode, &'a Arc<Data>),
    /// What became of it.
    Node(NodeId),
}

/// Reads all that can be reached.
pub(super) fn walk(system: &FileSystem, look: Look) -> Result<Contents> {
    let mut nodes = system.nodes();
    let mut roots = Roots::default();
    nodes.tree(system.geometry.root, &mut |key, item| roots.add(key, item))?;
    let mut sums = Sums::default();
    nodes.tree(roots.find(object::CSUM_TREE)?.root, &mut |key, item| {
        sums.add(key, item)
    })?;
    let data = Arc::new(Data {
        system: system.clone(),
        sums: Known::All(sums),
    });
    let mut contents = Contents {
        tree: Tree::default(),
        subvolumes: BTreeMap::new(),
        default_subvolume: NodeId::ROOT,
    };
    let mut known = BTreeMap::from([(object::FS_TREE, NodeId::ROOT)]);
    let mut waiting = VecDeque::from([object::FS_TREE]);
    while let Some(id) = waiting.pop_front() {
        let found = roots.find(id)?;
        let place = known[&id];
        if place != NodeId::ROOT {
            contents.subvolumes.insert(place, found.access);
        }
        let mut inodes = Inodes::default();
        nodes.tree(found.root, &mut |key, item| inodes.add(key, item))?;
        let mut subvolume = Subvolume {
            id,
            roots: &roots,
            tree: &mut contents.tree,
            data: &data,
            inodes,
            look,
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

/// What Linux shows where a snapshot has an entry of a subvolume that it has not.
pub(super) fn hollow(above: &Meta) -> Node {
    Node {
        meta: Meta {
            mode: 0o755,
            xattrs: Vec::new(),
            ..above.clone()
        },
        ..Node::directory()
    }
}

/// A subvolume that becomes a part of the tree.
struct Subvolume<'a> {
    id: u64,
    roots: &'a Roots,
    tree: &'a mut Tree,
    data: &'a Arc<Data>,
    inodes: Inodes,
    look: Look<'a>,
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
        (self.look)(Seen::Node(root))?;
        let mut stack = vec![(object::FIRST_FREE, root, inode.entries)];
        while let Some((directory, place, entries)) = stack.pop() {
            for entry in entries {
                if entry.location.kind == kind::ROOT {
                    let number = entry.location.objectid;
                    let is_there = self.roots.is_there(self.id, number, directory, &entry.name);
                    let node = hollow(&self.tree.node(place).meta);
                    let id = self.tree.add(place, &entry.name, node)?;
                    others.extend(is_there.then_some((number, id)));
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
            if names.remove(&name) != Some(entry.index) {
                return Err(self.wrong(number, "does not know one of its names"));
            }
            self.tree.link(place, &entry.name, *id)?;
            return Ok(None);
        }
        let mut inode = self.take(number)?;
        let node = inode.node(number, self.data)?;
        if inode.names.remove(&name) != Some(entry.index) {
            return Err(self.wrong(number, "does not know one of its names"));
        }
        if !entry.is_of(&inode) {
            return Err(self.wrong(number, "is not what its entry says"));
        }
        let is_directory = matches!(node.kind, Kind::Directory(_));
        let id = self.tree.add(place, &entry.name, node)?;
        (self.look)(Seen::Node(id))?;
        if is_directory {
            return Ok(Some((number, id, inode.entries)));
        }
        self.met.insert(number, (id, inode.names));
        Ok(None)
    }

    fn take(&mut self, number: u64) -> Result<Inode> {
        let inode = self.inodes.list.remove(&number);
        let inode = inode.ok_or_else(|| self.wrong(number, "is missing, or a directory with two names"))?;
        if inode.is_directory() {
            inode.check_entries(number)?;
        }
        (self.look)(Seen::Inode(number, &inode, self.data))?;
        Ok(inode)
    }

    fn wrong(&self, number: u64, problem: &str) -> crate::Error {
        damaged(format!("inode {number} of tree {}", self.id), problem)
    }
}
