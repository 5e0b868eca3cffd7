//! Paths as the running system follows them.

use image::{Kind, Node, NodeId, Tree, show};

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

/// A link that cannot become what it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfollowed {
    /// Where it is in the tree.
    pub path: String,
    /// Why.
    pub problem: Unfollowable,
}

/// Why a link cannot become what it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfollowable {
    /// It leads to nothing in the tree.
    Nothing,
    /// It leads to a folder that it lies in.
    Back,
    /// There are more files than there may be.
    TooMany,
}

/// A folder whose copy is to be filled.
struct Open {
    into: NodeId,
    from: Found,
    /// The folders on the way to it, which it must not lead back to.
    above: Vec<NodeId>,
}

/// A copy of what was found, in which every symbolic link has become what it leads to, as after `cp -L`. Hard links become
/// files of their own.
///
/// # Errors
/// When a link leads nowhere or back, or there are more than `files_max` files then: links to folders of links can stand
/// for any number.
pub fn followed(tree: &Tree, found: &Found, files_max: usize) -> Result<Tree, Unfollowed> {
    let mut copy = Tree::new(bare(tree.node(found.node)));
    let mut open = vec![Open {
        into: NodeId::ROOT,
        from: found.clone(),
        above: Vec::new(),
    }];
    while let Some(Open {
        into,
        from,
        mut above,
    }) = open.pop()
    {
        above.push(from.node);
        for (name, _) in tree.children(from.node) {
            let path = [&from.path, &b"/"[..], name].concat();
            let unfollowed = |problem| Unfollowed {
                path: show(&path),
                problem,
            };
            let next = resolve(tree, &path).ok_or_else(|| unfollowed(Unfollowable::Nothing))?;
            if above.contains(&next.node) {
                return Err(unfollowed(Unfollowable::Back));
            }
            if copy.len() >= files_max {
                return Err(unfollowed(Unfollowable::TooMany));
            }
            let node = tree.node(next.node);
            // Its name is one in another folder, so it is one here.
            let added = copy
                .add(into, name, bare(node))
                .map_err(|_| unfollowed(Unfollowable::Nothing))?;
            if let Kind::Directory(_) = node.kind {
                open.push(Open {
                    into: added,
                    from: next,
                    above: above.clone(),
                });
            }
        }
    }
    Ok(copy)
}

/// A node without what is in it, when it is a folder.
fn bare(node: &Node) -> Node {
    match node.kind {
        Kind::Directory(_) => Node {
            meta: node.meta.clone(),
            ..Node::directory()
        },
        _ => node.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(resolve(&tree, nothing), None, "{}", show(nothing));
        }
    }

    fn shown(tree: &Tree) -> Vec<String> {
        let line = |entry: image::Entry| match &tree.node(entry.id).kind {
            Kind::File(content) => {
                let bytes = content.to_vec().unwrap();
                format!("{} {}", show(&entry.path), String::from_utf8_lossy(&bytes))
            }
            _ => show(&entry.path),
        };
        tree.walk().map(line).collect()
    }

    #[test]
    fn links_become_what_they_lead_to() {
        let mut tree = Tree::default();
        tree.add_at(b"/store/a/bin/tool", Node::file(&b"tool"[..]))
            .unwrap();
        tree.add_at(b"/store/a/lib", Node::symlink("../b/lib")).unwrap();
        tree.add_at(b"/store/b/lib/so", Node::file(&b"so"[..])).unwrap();
        tree.add_at(b"/env/a", Node::symlink("/store/a")).unwrap();
        tree.add_at(b"/env/tool", Node::symlink("a/bin/tool")).unwrap();
        let at = |tree: &Tree, path: &[u8], files_max| {
            let found = resolve(tree, path).unwrap();
            followed(tree, &found, files_max).map_err(|error| (error.path, error.problem))
        };
        assert_eq!(
            shown(&at(&tree, b"/env", 7).unwrap()),
            [
                "/",
                "/a",
                "/a/bin",
                "/a/bin/tool tool",
                "/a/lib",
                "/a/lib/so so",
                "/tool tool"
            ]
        );
        assert_eq!(shown(&at(&tree, b"/env/tool", 1).unwrap()), ["/ tool"]);
        let error = at(&tree, b"/env", 6).unwrap_err();
        assert_eq!(error.1, Unfollowable::TooMany);
        tree.add_at(b"/store/b/lib/up", Node::symlink("..")).unwrap();
        let error = at(&tree, b"/env", 100).unwrap_err();
        assert_eq!(error, ("/store/b/lib".into(), Unfollowable::Back));
        tree.add_at(b"/env/dead", Node::symlink("none")).unwrap();
        let error = at(&tree, b"/env", 100).unwrap_err();
        assert_eq!(error, ("/env/dead".into(), Unfollowable::Nothing));
    }

    /// Thirty folders, each of which has the next one twice: a thousand million files.
    #[test]
    fn links_to_folders_of_links_are_not_followed_for_ever() {
        let mut tree = Tree::default();
        for number in 0..30 {
            for name in ["one", "two"] {
                let link = Node::symlink(format!("../{}", number + 1));
                tree.add_at(format!("/{number}/{name}").as_bytes(), link).unwrap();
            }
        }
        tree.add_at(b"/30/file", Node::file(&b""[..])).unwrap();
        let found = resolve(&tree, b"/0").unwrap();
        let error = followed(&tree, &found, 10_000).unwrap_err();
        assert_eq!(error.problem, Unfollowable::TooMany);
    }
}
