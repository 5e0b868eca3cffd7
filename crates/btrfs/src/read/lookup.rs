//! What is at a path, without the rest.

use std::sync::Arc;

use image::{Node, NodeId, Tree};

use super::data::{Data, Known};
use super::files::Inode;
use super::nodes::Nodes;
use super::roots::Roots;
use super::walk::hollow;
use super::{Entry, FileSystem, at, damaged};
use crate::Result;
use crate::checksum::name_hash;
use crate::format::{Key, kind, object};

/// Looks for inodes.
pub(super) struct Lookup<'a> {
    nodes: Nodes<'a>,
    roots: Roots,
    data: Arc<Data>,
}

/// Where something is.
#[derive(Clone, Copy, Debug)]
enum Found {
    Inode {
        tree: u64,
        number: u64,
    },
    /// An entry of a subvolume that is somewhere else, in that directory.
    Nothing {
        tree: u64,
        directory: u64,
    },
}

impl Lookup<'_> {
    pub(super) fn new(system: &FileSystem) -> Result<Lookup<'_>> {
        let mut nodes = system.nodes();
        let mut roots = Roots::default();
        nodes.tree(system.geometry.root, &mut |key, item| roots.add(key, item))?;
        let data = Arc::new(Data {
            system: system.clone(),
            sums: Known::None(roots.find(object::CSUM_TREE)?.root),
        });
        Ok(Lookup { nodes, roots, data })
    }

    /// The node at a path.
    pub(super) fn find(&mut self, path: &[u8]) -> Result<Option<Node>> {
        let found = self.locate(path).map_err(|error| at(error, path))?;
        let node = found.map(|found| self.node(found)).transpose();
        node.map_err(|error| at(error, path))
    }

    /// The entries of the directory at a path.
    pub(super) fn list(&mut self, path: &[u8]) -> Result<Option<Vec<Entry>>> {
        let Some(found) = self.locate(path).map_err(|error| at(error, path))? else {
            return Ok(None);
        };
        let Found::Inode { tree, number } = found else {
            return Ok(Some(Vec::new()));
        };
        let with_path = |error| at(error, path);
        let mut inode = self.inode(tree, number).map_err(with_path)?;
        if !inode.is_directory() {
            return Ok(None);
        }
        let range = Key::new(number, kind::DIR_ITEM, 0)..=Key::new(number, kind::DIR_INDEX, u64::MAX);
        let root = self.roots.find(tree)?.root;
        let done = self
            .nodes
            .range(root, &range, &mut |key, item| inode.add(key, item));
        done.and_then(|()| inode.check_entries(number))
            .map_err(with_path)?;
        // A tree knows what can be a name.
        let mut listed = Tree::default();
        for entry in &inode.entries {
            let found = self.behind(tree, number, entry.location, &entry.name);
            let node = found.and_then(|found| self.node(found));
            let folder = path.strip_suffix(b"/").unwrap_or(path);
            let node = node.map_err(|error| at(error, &[folder, &entry.name].join(&b'/')))?;
            listed.add(NodeId::ROOT, &entry.name, node)?;
        }
        let entry = |(name, id): (&[u8], NodeId)| Entry {
            name: name.into(),
            node: listed.node(id).clone(),
        };
        Ok(Some(listed.children(NodeId::ROOT).map(entry).collect()))
    }

    fn locate(&mut self, path: &[u8]) -> Result<Option<Found>> {
        let mut found = Found::Inode {
            tree: object::FS_TREE,
            number: object::FIRST_FREE,
        };
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            let Found::Inode { tree, number } = found else {
                return Ok(None);
            };
            let key = Key::new(number, kind::DIR_ITEM, name_hash(name));
            let mut directory = Inode::default();
            let root = self.roots.find(tree)?.root;
            self.nodes
                .range(root, &(key..=key), &mut |key, item| directory.add(key, item))?;
            let Some(location) = directory.location(name) else {
                return Ok(None);
            };
            found = self.behind(tree, number, location, name)?;
        }
        Ok(Some(found))
    }

    /// What an entry of a directory leads to.
    fn behind(&self, tree: u64, directory: u64, location: Key, name: &[u8]) -> Result<Found> {
        let number = location.objectid;
        if location == Key::new(number, kind::INODE, 0) {
            return Ok(Found::Inode { tree, number });
        }
        if location.kind != kind::ROOT {
            return Err(damaged(
                format!("inode {directory} of tree {tree}"),
                "has an entry that leads nowhere",
            ));
        }
        if self.roots.is_there(tree, number, directory, name) {
            return Ok(Found::Inode {
                tree: number,
                number: object::FIRST_FREE,
            });
        }
        Ok(Found::Nothing { tree, directory })
    }

    fn node(&mut self, found: Found) -> Result<Node> {
        match found {
            Found::Inode { tree, number } => self.inode(tree, number)?.node(number, &self.data),
            Found::Nothing { tree, directory } => {
                let above = self.inode(tree, directory)?;
                Ok(hollow(&above.meta()))
            }
        }
    }

    /// An inode without what a directory has in it.
    fn inode(&mut self, tree: u64, number: u64) -> Result<Inode> {
        let root = self.roots.find(tree)?.root;
        let mut inode = None;
        let mut range = Key::new(number, 0, 0)..=Key::new(number, kind::XATTR, u64::MAX);
        let wrong = || damaged(format!("inode {number} of tree {tree}"), "is missing");
        let mut add = |key: Key, item: &[u8]| {
            if key.kind == kind::INODE {
                inode = Some(Inode::new(key, item)?);
                return Ok(());
            }
            inode.as_mut().ok_or_else(wrong)?.add(key, item)
        };
        self.nodes.range(root, &range, &mut add)?;
        let mut inode = inode.ok_or_else(wrong)?;
        if !inode.is_directory() {
            range = Key::new(number, kind::XATTR + 1, 0)..=Key::new(number, u8::MAX, u64::MAX);
            self.nodes
                .range(root, &range, &mut |key, item| inode.add(key, item))?;
        }
        Ok(inode)
    }
}
