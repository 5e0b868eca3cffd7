//! A file system as a value.

mod names;
mod node;
mod remove;
mod walk;

use std::collections::BTreeMap;
use std::collections::btree_map;

use crate::error::{Error, Result};
use names::check;
pub use names::{NAME_MAX, show};
pub use node::{Device, Directory, Kind, Meta, Node, Xattr};
pub use walk::{Entry, Walk};

/// A file system: names, modes, links, and where each file's bytes come from.
///
/// Nodes live in one list and are named by [`NodeId`]; two directory entries with the same id are hard links.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    units: BTreeMap<NodeId, Unit>,
}

/// The number of a node in its tree. The root is [`NodeId::ROOT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

impl NodeId {
    /// The root directory of every tree.
    pub const ROOT: NodeId = NodeId(0);

    /// The position in lists that hold one element per node of a tree.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A subtree whose bytes depend on nothing around it: a store path.
///
/// Formats that can keep a unit's data together; reports name units when something is too large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// What units are sorted by, before their names. It should stay the same when a unit is made anew with
    /// another hash.
    pub order: Box<[u8]>,
    /// The name for people, unique in the tree.
    pub name: Box<[u8]>,
}

impl Default for Tree {
    fn default() -> Self {
        Tree::new(Node::directory())
    }
}

impl Tree {
    /// A tree with this root and nothing else. The root may be a file or link, as in a store path that is one.
    #[must_use]
    pub fn new(root: Node) -> Tree {
        Tree {
            nodes: vec![root],
            units: BTreeMap::new(),
        }
    }

    /// The node of this number.
    ///
    /// # Panics
    /// When the number is another tree's and larger than any here.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The node of this number, to be changed.
    ///
    /// # Panics
    /// When the number is another tree's and larger than any here.
    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.index()]
    }

    /// The number of nodes: files, directories, links and special files, each once however often linked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never: a tree has a root.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All nodes in the order they were added.
    #[must_use]
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (NodeId, &Node)> {
        self.nodes
            .iter()
            .enumerate()
            .map(|(index, node)| (NodeId(index_u32(index)), node))
    }

    /// Adds a node under a new name in a directory.
    ///
    /// # Errors
    /// When the name is taken or cannot be a name, or the parent is no directory.
    pub fn add(&mut self, parent: NodeId, name: &[u8], node: Node) -> Result<NodeId> {
        let id = NodeId(index_u32(self.nodes.len()));
        self.enter(parent, name, id)?;
        self.nodes.push(node);
        Ok(id)
    }

    /// Adds a second name for a node: a hard link.
    ///
    /// # Errors
    /// As [`Tree::add`]; and when the node is a directory.
    pub fn link(&mut self, parent: NodeId, name: &[u8], target: NodeId) -> Result<()> {
        if matches!(self.node(target).kind, Kind::Directory(_)) {
            let problem = "a directory cannot have two names";
            return Err(Error::BadName {
                path: show(name),
                problem,
            });
        }
        self.enter(parent, name, target)
    }

    fn enter(&mut self, parent: NodeId, name: &[u8], id: NodeId) -> Result<()> {
        check(name)?;
        let Kind::Directory(directory) = &mut self.nodes[parent.index()].kind else {
            return Err(Error::NotADirectory { path: show(name) });
        };
        match directory.entries.entry(name.into()) {
            btree_map::Entry::Occupied(_) => Err(Error::Exists { path: show(name) }),
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(id);
                Ok(())
            }
        }
    }

    /// Adds a node at a path, with directories of mode 0755 on the way where there are none.
    ///
    /// # Errors
    /// As [`Tree::add`].
    pub fn add_at(&mut self, path: &[u8], node: Node) -> Result<NodeId> {
        let mut names: Vec<&[u8]> = path
            .split(|&byte| byte == b'/')
            .filter(|name| !name.is_empty())
            .collect();
        let Some(last) = names.pop() else {
            return Err(Error::Exists { path: show(path) });
        };
        let parent = self.directory_at(&names, path)?;
        self.add(parent, last, node).map_err(|error| at(error, path))
    }

    /// The directory at a path, made with mode 0755 where there is none, and those on the way to it.
    ///
    /// # Errors
    /// As [`Tree::add`].
    pub fn make_directory(&mut self, path: &[u8]) -> Result<NodeId> {
        let names: Vec<&[u8]> = path
            .split(|&byte| byte == b'/')
            .filter(|name| !name.is_empty())
            .collect();
        self.directory_at(&names, path)
    }

    fn directory_at(&mut self, names: &[&[u8]], path: &[u8]) -> Result<NodeId> {
        let mut parent = NodeId::ROOT;
        for name in names {
            let Kind::Directory(directory) = &self.node(parent).kind else {
                return Err(Error::NotADirectory { path: show(path) });
            };
            parent = match directory.get(name) {
                Some(id) => id,
                None => self
                    .add(parent, name, Node::directory())
                    .map_err(|error| at(error, path))?,
            };
        }
        match self.node(parent).kind {
            Kind::Directory(_) => Ok(parent),
            _ => Err(Error::NotADirectory { path: show(path) }),
        }
    }

    /// Moves a whole tree to a new name in a directory, with its units.
    ///
    /// # Errors
    /// As [`Tree::add`].
    pub fn graft(&mut self, parent: NodeId, name: &[u8], other: Tree) -> Result<NodeId> {
        let base = index_u32(self.nodes.len());
        self.enter(parent, name, NodeId(base))?;
        self.nodes.extend(other.nodes.into_iter().map(|mut node| {
            if let Kind::Directory(directory) = &mut node.kind {
                directory.entries.values_mut().for_each(|id| id.0 += base);
            }
            node
        }));
        self.units.extend(
            other
                .units
                .into_iter()
                .map(|(id, unit)| (NodeId(id.0 + base), unit)),
        );
        Ok(NodeId(base))
    }

    /// Marks a subtree as a unit.
    pub fn mark_unit(&mut self, id: NodeId, unit: Unit) {
        self.units.insert(id, unit);
    }

    /// The units: the root of each, in the order in which the roots were added.
    #[must_use]
    pub fn units(&self) -> impl ExactSizeIterator<Item = (NodeId, &Unit)> {
        self.units.iter().map(|(id, unit)| (*id, unit))
    }

    /// The unit that has this root.
    #[must_use]
    pub fn unit(&self, root: NodeId) -> Option<&Unit> {
        self.units.get(&root)
    }

    /// The entries of a directory; none for anything else.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = (&[u8], NodeId)> {
        let directory = match &self.node(id).kind {
            Kind::Directory(directory) => Some(directory),
            _ => None,
        };
        directory.into_iter().flat_map(Directory::iter)
    }

    /// The node at a path from the root. Symbolic links are not followed.
    #[must_use]
    pub fn lookup(&self, path: &[u8]) -> Option<NodeId> {
        let mut id = NodeId::ROOT;
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            let Kind::Directory(directory) = &self.node(id).kind else {
                return None;
            };
            id = directory.get(name)?;
        }
        Some(id)
    }

    /// Every entry, depth first, in the order of the names' bytes. A hard-linked node comes once per name.
    #[must_use]
    pub fn walk(&self) -> Walk<'_> {
        self.walk_from(NodeId::ROOT)
    }

    /// The same for the subtree of a node; paths start at that node.
    #[must_use]
    pub fn walk_from(&self, id: NodeId) -> Walk<'_> {
        Walk::new(self, id)
    }

    /// The number of names of each node, by [`NodeId::index`]. The root counts as named once.
    #[must_use]
    pub fn link_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.nodes.len()];
        counts[0] = 1;
        for node in &self.nodes {
            if let Kind::Directory(directory) = &node.kind {
                directory.entries.values().for_each(|id| counts[id.index()] += 1);
            }
        }
        counts
    }

    /// The sum of the lengths of all regular files, hard-linked ones counted once.
    #[must_use]
    pub fn content_len(&self) -> u64 {
        let len = |node: &Node| match &node.kind {
            Kind::File(content) => content.len(),
            _ => 0,
        };
        self.nodes.iter().map(len).sum()
    }
}

/// A position in the list of nodes. More than 2^32 nodes would need hundreds of gigabytes before this matters.
fn index_u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// The same error with the whole path in place of the last name.
fn at(error: Error, whole: &[u8]) -> Error {
    match error {
        Error::Exists { .. } => Error::Exists { path: show(whole) },
        Error::NotADirectory { .. } => Error::NotADirectory { path: show(whole) },
        Error::BadName { problem, .. } => Error::BadName {
            path: show(whole),
            problem,
        },
        Error::NameTooLong { len, .. } => Error::NameTooLong {
            path: show(whole),
            len,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(tree: &Tree) -> Vec<String> {
        tree.walk().map(|entry| show(&entry.path)).collect()
    }

    #[test]
    fn walks_in_byte_order() {
        let mut tree = Tree::default();
        for path in [&b"/b/x"[..], b"/a", b"/b/\xe9", b"/B"] {
            tree.add_at(path, Node::file(&b""[..])).unwrap();
        }
        assert_eq!(paths(&tree), ["/", "/B", "/a", "/b", "/b/x", "/b/\\xe9"]);
    }

    #[test]
    fn grafts_keep_links_and_units() {
        let mut other = Tree::default();
        let file = other.add(NodeId::ROOT, b"one", Node::file(&b"1"[..])).unwrap();
        other.link(NodeId::ROOT, b"two", file).unwrap();
        other.mark_unit(
            NodeId::ROOT,
            Unit {
                order: (*b"x").into(),
                name: (*b"x").into(),
            },
        );
        let mut tree = Tree::default();
        let store = tree.make_directory(b"/nix/store").unwrap();
        let id = tree.graft(store, b"x", other).unwrap();
        assert_eq!(tree.lookup(b"/nix/store/x/one"), tree.lookup(b"/nix/store/x/two"));
        assert_eq!(tree.units().map(|(id, _)| id).collect::<Vec<_>>(), [id]);
        assert_eq!(tree.link_counts(), [1, 1, 1, 1, 2]);
    }

    #[test]
    fn bad_names_are_refused() {
        let mut tree = Tree::default();
        for name in [&b""[..], b".", b"..", b"a/b", b"a\0b", &[b'x'; 256]] {
            assert!(
                tree.add(NodeId::ROOT, name, Node::directory()).is_err(),
                "{}",
                show(name)
            );
        }
        tree.add(NodeId::ROOT, &[b'x'; 255], Node::directory()).unwrap();
        assert!(tree.add(NodeId::ROOT, &[b'x'; 255], Node::directory()).is_err());
    }
}
