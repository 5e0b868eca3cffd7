//! In which order inodes are written.

use image::{Kind, NodeId, Tree};

use crate::Error;

/// In which order inodes are written, which gives them their numbers.
pub(super) struct Order {
    /// All directories, parents before children.
    pub(super) directories: Vec<NodeId>,
    /// All nodes in the order of their inode numbers, which count from 1.
    pub(super) nodes: Vec<NodeId>,
    /// Each node's inode number, by [`NodeId::index`].
    pub(super) numbers: Vec<u32>,
}

impl Order {
    pub(super) fn of(tree: &Tree) -> Result<Order, Error> {
        let limit = u32::MAX - 2;
        if u32::try_from(tree.len()).is_ok_and(|count| count > limit) {
            return Err(Error::TooMany {
                what: "inodes".into(),
                count: tree.len() as u64,
                limit: limit.into(),
            });
        }
        let mut directories = Vec::new();
        let mut stack = vec![NodeId::ROOT];
        while let Some(id) = stack.pop() {
            let first = stack.len();
            stack.extend(
                tree.children(id)
                    .map(|(_, child)| child)
                    .filter(|child| is_directory(tree, *child)),
            );
            stack[first..].reverse();
            directories.push(id);
        }
        let mut order = Order {
            directories,
            nodes: Vec::new(),
            numbers: vec![0; tree.len()],
        };
        let children = order
            .directories
            .iter()
            .rev()
            .flat_map(|directory| tree.children(*directory));
        for id in children.map(|(_, child)| child).chain([NodeId::ROOT]) {
            if order.numbers[id.index()] == 0 {
                order.nodes.push(id);
                order.numbers[id.index()] = u32::try_from(order.nodes.len()).unwrap_or(u32::MAX);
            }
        }
        Ok(order)
    }

    pub(super) fn inode_count(&self) -> u32 {
        self.number(NodeId::ROOT)
    }

    pub(super) fn number(&self, id: NodeId) -> u32 {
        self.numbers[id.index()]
    }
}

fn is_directory(tree: &Tree, id: NodeId) -> bool {
    matches!(tree.node(id).kind, Kind::Directory(_))
}
