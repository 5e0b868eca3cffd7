//! What is too small to be seen is summed up.

use crate::model::{Bytes, Node, NodeKind};

/// A part that takes less than this part of the whole, in both measures, is summed up with others.
const SEEN_MIN: u64 = 8000;
/// How many parts a part has at most; of the image itself and of folders of store paths, there are [`PATHS_MAX`].
const PARTS_MAX: usize = 400;
/// How many store paths are shown apart.
const PATHS_MAX: usize = 50_000;
/// How deep parts are shown.
const DEPTH_MAX: usize = 24;

/// Sorts parts by what they take, and sums up the small ones.
pub(crate) fn prune(root: &mut Node) {
    let least = Bytes {
        image: root.bytes.image / SEEN_MIN,
        unpacked: root.bytes.unpacked / SEEN_MIN,
    };
    prune_below(root, least, 0);
}

fn prune_below(node: &mut Node, least: Bytes, depth: usize) {
    if depth >= DEPTH_MAX {
        node.children = Vec::new();
        return;
    }
    fold(node);
    let by_size = |a: &Node, b: &Node| {
        let (one, other) = (rank(a), rank(b));
        other.cmp(&one).then_with(|| a.name.cmp(&b.name))
    };
    let mut children = std::mem::take(&mut node.children);
    children.sort_by(by_size);
    let mut rest = Node {
        kind: NodeKind::Rest,
        ..Node::default()
    };
    let (mut kept, mut summed) = (Vec::new(), 0_u64);
    for mut child in children {
        let is_large = child.bytes.image > least.image || child.bytes.unpacked > least.unpacked;
        let is_kept = match child.kind {
            NodeKind::StorePath => kept.len() < PATHS_MAX,
            NodeKind::Image | NodeKind::Region | NodeKind::Tables | NodeKind::Free => true,
            _ => is_large && kept.len() < PARTS_MAX || has_paths(&child),
        };
        if is_kept {
            prune_below(&mut child, least, depth + 1);
            kept.push(child);
        } else {
            rest.bytes = rest.bytes.plus(child.bytes);
            rest.files += child.files;
            rest.class = if summed == 0 { child.class } else { rest.class };
            summed += 1;
        }
    }
    // What has nothing but small parts is shown as one.
    if summed > 0 && !kept.is_empty() && rest.bytes.most() > 0 {
        rest.name = match summed {
            1 => "1 smaller one".into(),
            summed => format!("{summed} smaller ones"),
        };
        kept.push(rest);
    }
    node.children = kept;
}

/// Free space comes last, tables before it.
fn rank(node: &Node) -> (u8, u64, u64) {
    let kind = match node.kind {
        NodeKind::Free => 0,
        NodeKind::Tables => 1,
        _ => 2,
    };
    (kind, node.bytes.most(), node.bytes.image)
}

fn has_paths(node: &Node) -> bool {
    node.kind == NodeKind::StorePath || node.kind == NodeKind::Folder && node.children.iter().any(has_paths)
}

/// A folder with nothing but another one is shown as one of both.
fn fold(node: &mut Node) {
    while node.kind == NodeKind::Folder
        && let [only] = &mut node.children[..]
        && only.kind == NodeKind::Folder
    {
        let only = std::mem::take(only);
        node.name = format!("{}/{}", node.name, only.name);
        node.children = only.children;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, kind: NodeKind, image: u64, children: Vec<Node>) -> Node {
        let sum = children
            .iter()
            .fold(Bytes::default(), |sum, child| sum.plus(child.bytes));
        Node {
            name: name.into(),
            kind,
            bytes: Bytes {
                image: image + sum.image,
                unpacked: sum.unpacked,
            },
            files: 1,
            children,
            ..Node::default()
        }
    }

    #[test]
    fn small_parts_are_summed_up_and_nothing_is_lost() {
        let files = (0..1000).map(|number| node(&format!("f{number}"), NodeKind::File, number, Vec::new()));
        let store = node(
            "store",
            NodeKind::Folder,
            0,
            vec![node("tiny", NodeKind::StorePath, 1, Vec::new())],
        );
        let nix = node("nix", NodeKind::Folder, 0, vec![store]);
        let mut root = node("x", NodeKind::Image, 0, files.chain([nix]).collect());
        let before = root.bytes;
        prune(&mut root);
        let sum = root
            .children
            .iter()
            .fold(Bytes::default(), |sum, child| sum.plus(child.bytes));
        assert_eq!((root.bytes, sum), (before, before));
        assert_eq!(root.children[0].name, "f999");
        assert_eq!(root.children.len(), PARTS_MAX + 2);
        assert_eq!(root.children[PARTS_MAX].name, "nix/store");
        assert_eq!(root.children[PARTS_MAX + 1].name, "600 smaller ones");
    }
}
