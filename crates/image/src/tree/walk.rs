//! Every entry of a tree, in order.

use std::collections::btree_map;

use super::{Kind, NodeId, Tree};

/// One step of a [walk](Tree::walk) over a tree.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The path from the root, starting with `/`; the root itself is `/`.
    pub path: Vec<u8>,
    /// The node's number.
    pub id: NodeId,
}

/// The iterator behind [`Tree::walk`]. Its memory grows with the depth of the tree alone.
pub struct Walk<'a> {
    tree: &'a Tree,
    /// Where it begins, until it has begun.
    root: Option<NodeId>,
    /// The path of the last entry.
    path: Vec<u8>,
    /// The directories on the way: what is left of each, and how long its path is.
    open: Vec<(Entries<'a>, usize)>,
}

type Entries<'a> = btree_map::Iter<'a, Box<[u8]>, NodeId>;

impl<'a> Walk<'a> {
    pub(super) fn new(tree: &'a Tree, id: NodeId) -> Walk<'a> {
        Walk {
            tree,
            root: Some(id),
            path: Vec::new(),
            open: Vec::new(),
        }
    }

    /// The next entry, whose path is not copied.
    pub fn advance(&mut self) -> Option<(&[u8], NodeId)> {
        if let Some(id) = self.root.take() {
            self.enter(id, 0);
            return Some((b"/", id));
        }
        while let Some((entries, len)) = self.open.last_mut() {
            let Some((name, id)) = entries.next() else {
                self.open.pop();
                continue;
            };
            self.path.truncate(*len);
            self.path.push(b'/');
            self.path.extend_from_slice(name);
            self.enter(*id, self.path.len());
            return Some((&self.path, *id));
        }
        None
    }

    fn enter(&mut self, id: NodeId, len: usize) {
        if let Kind::Directory(directory) = &self.tree.node(id).kind {
            self.open.push((directory.entries.iter(), len));
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        self.advance().map(|(path, id)| Entry {
            path: path.to_vec(),
            id,
        })
    }
}
