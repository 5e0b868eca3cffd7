//! Taking names away, and the nodes that have none left.

use std::collections::BTreeMap;

use super::{NodeId, Tree, index_u32};
use crate::tree::Kind;

impl Tree {
    /// Takes a name out of a directory, and answers what it named. The node, and everything below it, stays in the
    /// list of nodes until the tree is [swept](Tree::swept).
    pub fn remove(&mut self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        match &mut self.node_mut(parent).kind {
            Kind::Directory(directory) => directory.entries.remove(name),
            _ => None,
        }
    }

    /// The same tree without the nodes that no path leads to, in the order in which they were added. Nodes get new
    /// numbers.
    #[must_use]
    pub fn swept(self) -> Tree {
        let mut named = vec![false; self.nodes.len()];
        let mut open = vec![NodeId::ROOT];
        while let Some(id) = open.pop() {
            if !std::mem::replace(&mut named[id.index()], true) {
                open.extend(self.children(id).map(|(_, id)| id));
            }
        }
        let mut count = 0;
        let numbers: Vec<NodeId> = named
            .iter()
            .map(|named| {
                let number = NodeId(index_u32(count));
                count += usize::from(*named);
                number
            })
            .collect();
        let mut nodes = Vec::with_capacity(count);
        for (mut node, _) in self.nodes.into_iter().zip(&named).filter(|(_, named)| **named) {
            if let Kind::Directory(directory) = &mut node.kind {
                directory
                    .entries
                    .values_mut()
                    .for_each(|id| *id = numbers[id.index()]);
            }
            nodes.push(node);
        }
        let units = self.units.into_iter().filter(|(id, _)| named[id.index()]);
        let units: BTreeMap<_, _> = units.map(|(id, unit)| (numbers[id.index()], unit)).collect();
        Tree { nodes, units }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Content, Kind, Node, NodeId, Tree, Unit};

    #[test]
    fn what_has_no_name_left_is_swept_away() {
        let mut tree = Tree::default();
        let one = tree.add_at(b"/a/b/one", Node::file(&b"1"[..])).unwrap();
        tree.add_at(b"/a/b/two", Node::file(&b"22"[..])).unwrap();
        let unit = Unit {
            order: (*b"x").into(),
            name: (*b"x").into(),
        };
        tree.mark_unit(tree.lookup(b"/a/b").unwrap(), unit.clone());
        let kept = tree.add_at(b"/kept", Node::file(&b"333"[..])).unwrap();
        tree.mark_unit(kept, unit);
        tree.link(NodeId::ROOT, b"second", one).unwrap();
        let a = tree.lookup(b"/a").unwrap();
        assert!(tree.remove(a, b"b").is_some());
        assert!(tree.remove(a, b"b").is_none());
        assert!(tree.remove(one, b"b").is_none(), "no directory");
        assert_eq!((tree.len(), tree.link_counts()[one.index()]), (6, 2));
        let swept = tree.swept();
        let paths: Vec<_> = swept.walk().map(|entry| crate::show(&entry.path)).collect();
        assert_eq!(paths, ["/", "/a", "/kept", "/second"]);
        assert_eq!((swept.len(), swept.content_len()), (4, 4));
        assert_eq!(swept.link_counts(), [1; 4]);
        let kept = swept.lookup(b"/kept").unwrap();
        assert_eq!(swept.units().map(|(id, _)| id).collect::<Vec<_>>(), [kept]);
        let Kind::File(Content::Bytes(bytes)) = &swept.node(swept.lookup(b"/second").unwrap()).kind else {
            panic!("no file")
        };
        assert_eq!(**bytes, *b"1");
    }
}
