//! Every entry of a tree, in order.

use super::{NodeId, Tree};

/// One step of a [walk](Tree::walk) over a tree.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The path from the root, starting with `/`; the root itself is `/`.
    pub path: Vec<u8>,
    /// The node's number.
    pub id: NodeId,
}

/// The iterator behind [`Tree::walk`].
pub struct Walk<'a> {
    tree: &'a Tree,
    stack: Vec<Entry>,
}

impl Iterator for Walk<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let entry = self.stack.pop()?;
        let first = self.stack.len();
        for (name, id) in self.tree.children(entry.id) {
            let mut path = entry.path.clone();
            if path.last() != Some(&b'/') {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            self.stack.push(Entry { path, id });
        }
        self.stack[first..].reverse();
        Some(entry)
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(tree: &'a Tree, id: NodeId) -> Walk<'a> {
        Walk {
            tree,
            stack: vec![Entry {
                path: b"/".to_vec(),
                id,
            }],
        }
    }
}
