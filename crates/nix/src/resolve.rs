//! Paths as the running system follows them.

use image::{Kind, NodeId, Tree};

/// As many symbolic links as Linux follows.
const LINKS_MAX: usize = 40;

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The path without links, from the root of the tree.
    pub path: Vec<u8>,
    /// What it is.
    pub node: NodeId,
}

/// What lies at a path of a tree, with symbolic links followed, which never lead out of the tree. Nothing when
/// there is nothing, or when more than forty links are on the way.
#[must_use]
pub fn resolve(tree: &Tree, path: &[u8]) -> Option<Found> {
    let mut ways: Vec<Vec<u8>> = names(path);
    let mut trail: Vec<(Vec<u8>, NodeId)> = Vec::new();
    let mut links = 0;
    while let Some(name) = ways.pop() {
        let here = trail.last().map_or(NodeId::ROOT, |(_, node)| *node);
        let Kind::Directory(directory) = &tree.node(here).kind else {
            return None;
        };
        match name.as_slice() {
            b"." => continue,
            b".." => {
                trail.pop();
                continue;
            }
            _ => {}
        }
        let next = directory.get(&name)?;
        if let Kind::Symlink(target) = &tree.node(next).kind {
            links += 1;
            if links > LINKS_MAX {
                return None;
            }
            if target.starts_with(b"/") {
                trail.clear();
            }
            ways.extend(names(target));
        } else {
            trail.push((name, next));
        }
    }
    let node = trail.last().map_or(NodeId::ROOT, |(_, node)| *node);
    let mut path = Vec::new();
    for (name, _) in trail {
        path.push(b'/');
        path.extend(name);
    }
    Some(Found { path, node })
}

/// The names of a path, the last one first.
fn names(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty())
        .map(<[u8]>::to_vec)
        .rev()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Node;

    #[test]
    fn links_are_followed_inside_the_tree() {
        let mut tree = Tree::default();
        let file = tree.add_at(b"/a/b/file", Node::file(&b""[..])).unwrap();
        tree.add_at(b"/a/up", Node::symlink("../../../a/b")).unwrap();
        tree.add_at(b"/abs", Node::symlink("/a/up/./file")).unwrap();
        tree.add_at(b"/loop", Node::symlink("loop")).unwrap();
        let found = Found {
            path: b"/a/b/file".to_vec(),
            node: file,
        };
        assert_eq!(resolve(&tree, b"/abs"), Some(found.clone()));
        assert_eq!(resolve(&tree, b"a/up/file"), Some(found));
        assert_eq!(resolve(&tree, b"/").unwrap().node, NodeId::ROOT);
        for nothing in [&b"/loop"[..], b"/abs/x", b"/abs/..", b"/a/b/file/.", b"/none"] {
            assert_eq!(resolve(&tree, nothing), None, "{}", image::show(nothing));
        }
    }
}
