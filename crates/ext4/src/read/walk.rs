//! Goes through all directories.

use std::collections::{BTreeMap, BTreeSet};

use image::{Kind, NodeId, Tree};

use super::claims::Claims;
use super::directories::{self, Entry};
use super::inodes::FileType;
use super::nodes::{self, Loaded};
use super::{FileSystem, at, damaged, system};
use crate::Result;
use crate::format::ROOT_INODE;

/// Linux cannot name what lies deeper.
const DEPTH_MAX: u32 = 2048;

/// What was found in a whole file system.
pub(super) struct Walk<'a> {
    file_system: &'a FileSystem,
    pub(super) tree: Tree,
    pub(super) claims: Claims,
    /// The inodes that names lead to.
    pub(super) inodes: BTreeMap<u32, Seen>,
    /// The inodes that are in use without a name.
    pub(super) hidden: BTreeSet<u32>,
    /// All directories, those before their subdirectories; the root is the first.
    directories: Vec<Named>,
}

/// An inode that a name led to.
pub(super) struct Seen {
    pub(super) id: NodeId,
    file_type: FileType,
    /// The names that it says it has.
    pub(super) links: u32,
    /// Those that were found. A directory's own entry and those of its subdirectories count too.
    pub(super) names: u32,
}

impl Seen {
    pub(super) fn is_directory(&self) -> bool {
        self.file_type == FileType::Directory
    }
}

/// The name of a directory, and where the directory that it is in stands among all.
struct Named {
    parent: usize,
    name: Box<[u8]>,
}

/// A directory that waits to be read.
struct Waiting {
    /// Where it stands among all.
    index: usize,
    id: NodeId,
    parent: u32,
    depth: u32,
    loaded: Loaded,
}

/// Reads all inodes and directories that the root leads to.
pub(super) fn walk(file_system: &FileSystem) -> Result<Walk<'_>> {
    let mut claims = Claims::default();
    system::claim(file_system, &mut claims)?;
    let root = nodes::read(file_system, ROOT_INODE, &mut claims).map_err(|error| at(error, b"/"))?;
    let Kind::Directory(_) = root.node.kind else {
        return Err(damaged("/", "is no directory"));
    };
    let mut walk = Walk {
        file_system,
        tree: Tree::new(root.node.clone()),
        claims,
        inodes: BTreeMap::new(),
        hidden: system::inodes(file_system).collect(),
        directories: Vec::new(),
    };
    walk.see(&root, NodeId::ROOT);
    let mut waiting = vec![walk.waiting(root, NodeId::ROOT, ROOT_INODE, None)];
    while let Some(directory) = waiting.pop() {
        let before = waiting.len();
        walk.directory(&directory, &mut waiting)?;
        // The last that waits is the next: they shall come in the order of their names.
        if let Some(new) = waiting.get_mut(before..) {
            new.reverse();
        }
    }
    Ok(walk)
}

impl Walk<'_> {
    fn see(&mut self, loaded: &Loaded, id: NodeId) {
        let seen = Seen {
            id,
            file_type: loaded.file_type,
            links: loaded.inode.fields.links_count.get().into(),
            names: 1,
        };
        self.inodes.insert(loaded.inode.number, seen);
    }

    fn waiting(
        &mut self,
        loaded: Loaded,
        id: NodeId,
        parent: u32,
        place: Option<(&Waiting, &[u8])>,
    ) -> Waiting {
        self.directories.push(Named {
            parent: place.map_or(0, |(parent, _)| parent.index),
            name: place.map_or(Box::default(), |(_, name)| name.into()),
        });
        Waiting {
            index: self.directories.len() - 1,
            id,
            parent,
            depth: place.map_or(0, |(parent, _)| parent.depth + 1),
            loaded,
        }
    }

    fn directory(&mut self, directory: &Waiting, waiting: &mut Vec<Waiting>) -> Result<()> {
        let Loaded { inode, blocks, .. } = &directory.loaded;
        let with_path = |walk: &Self, error| at(error, &walk.path(directory.index, b""));
        let listing = directories::read(self.file_system, inode, blocks);
        let mut listing = listing.map_err(|error| with_path(self, error))?;
        if listing.parent != directory.parent {
            let problem = format!(
                "its entry .. is inode {}, and it is in inode {}",
                listing.parent, directory.parent
            );
            return Err(with_path(self, damaged(inode.place(), problem)));
        }
        if directory.depth >= DEPTH_MAX && !listing.entries.is_empty() {
            let problem = format!("directories more than {DEPTH_MAX} deep");
            return Err(with_path(self, damaged(inode.place(), problem)));
        }
        listing.entries.sort_by(|a, b| a.name.cmp(&b.name));
        let mut names = 0;
        for entry in listing.entries {
            let added = self.entry(directory, &entry);
            let added = added.map_err(|error| at(error, &self.path(directory.index, &entry.name)))?;
            if let Some((id, loaded)) = added {
                names += 1;
                let place = Some((directory, &*entry.name));
                let next = self.waiting(loaded, id, inode.number, place);
                waiting.push(next);
            }
        }
        if let Some(seen) = self.inodes.get_mut(&inode.number) {
            // Its own entry, and those of its subdirectories.
            seen.names += 1 + names;
        }
        Ok(())
    }

    /// Adds what a name leads to; answers it when it is a directory.
    fn entry(&mut self, directory: &Waiting, entry: &Entry) -> Result<Option<(NodeId, Loaded)>> {
        let broken = |problem: String| damaged(format!("inode {}", entry.inode), problem);
        let check_type = |file_type| match entry.file_type {
            Some(found) if found != file_type as u8 => {
                let problem = format!("its type is {}, and its name's is {found}", file_type as u8);
                Err(broken(problem))
            }
            _ => Ok(()),
        };
        if let Some(seen) = self.inodes.get_mut(&entry.inode) {
            check_type(seen.file_type)?;
            seen.names += 1;
            let linked = self.tree.link(directory.id, &entry.name, seen.id);
            return linked.map(|()| None).map_err(|error| broken(error.to_string()));
        }
        let loaded = nodes::read(self.file_system, entry.inode, &mut self.claims)?;
        check_type(loaded.file_type)?;
        let added = self.tree.add(directory.id, &entry.name, loaded.node.clone());
        let id = added.map_err(|error| broken(error.to_string()))?;
        self.see(&loaded, id);
        let is_directory = matches!(loaded.node.kind, Kind::Directory(_));
        Ok(is_directory.then_some((id, loaded)))
    }

    /// The path of a name in a directory.
    fn path(&self, mut index: usize, name: &[u8]) -> Vec<u8> {
        let mut names = vec![name];
        while let Some(directory) = self.directories.get(index).filter(|_| index > 0) {
            names.push(&directory.name);
            index = directory.parent;
        }
        names.push(b"");
        names.reverse();
        let mut path = names.join(&b'/');
        if path.len() > 1 && path.last() == Some(&b'/') {
            path.pop();
        }
        path
    }
}
