//! An environment beside its store: links, hard links or copies.

use image::{Kind, Meta, Node, NodeId, Tree};

use crate::error::{Error, Result};
use crate::report::Report;
use crate::{LaidOut, env_in};

/// What comes in the place of a link to a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// The link.
    Links,
    /// A second name of the file.
    HardLinks,
    /// A file of its own.
    Copies,
}

/// Folders that link to folders that link to folders make many entries of few.
const ENTRIES_MAX: usize = 1 << 24;

/// A folder that is to be filled.
struct Open {
    into: NodeId,
    from: NodeId,
    /// Where it is in the store, without links on the way.
    path: Vec<u8>,
    /// How many folders lie between it and the one in which links may stay: the environment, or what a link led to.
    depth: usize,
    /// The folders of the store that it was reached through.
    way: Vec<NodeId>,
}

pub(crate) fn lay_out(store: &Tree, env: &[u8], how: How) -> Result<LaidOut> {
    let found = env_in(store, env)?;
    let mut tree = store.clone();
    let mut report = Report::default();
    let mut open = vec![Open {
        into: NodeId::ROOT,
        from: found.node,
        path: found.path,
        depth: 0,
        way: vec![found.node],
    }];
    while let Some(folder) = open.pop() {
        for (name, id) in store.children(folder.from) {
            if tree.len() > ENTRIES_MAX {
                return Err(Error::TooManyEntries {
                    env: env.into(),
                    limit: ENTRIES_MAX,
                });
            }
            let inside = || nix::Found {
                path: [&folder.path, &b"/"[..], name].concat(),
                node: id,
            };
            let (found, depth) = match led_to(store, &folder, id, how) {
                Led::NoLink => (inside(), folder.depth + 1),
                Led::To(found) => {
                    report.rewritten_links += 1;
                    (found, 0)
                }
                Led::Stays => {
                    tree.add(folder.into, name, store.node(id).clone())?;
                    continue;
                }
            };
            let node = store.node(found.node);
            match node.kind {
                Kind::Directory(_) => open.push(Open {
                    into: directory(&mut tree, folder.into, name)?,
                    from: found.node,
                    path: found.path,
                    depth,
                    way: [&folder.way[..], &[found.node]].concat(),
                }),
                Kind::File(_) if how == How::HardLinks => tree.link(folder.into, name, found.node)?,
                _ => drop(tree.add(folder.into, name, writable(node))?),
            }
        }
    }
    Ok(LaidOut { tree, report })
}

/// What an entry of the environment is in the place of.
enum Led {
    NoLink,
    /// It stays as it is.
    Stays,
    To(nix::Found),
}

fn led_to(store: &Tree, folder: &Open, id: NodeId, how: How) -> Led {
    let Kind::Symlink(target) = &store.node(id).kind else {
        return Led::NoLink;
    };
    if how == How::Links || stays_inside(target, folder.depth) {
        return Led::Stays;
    }
    let path = if target.starts_with(b"/") {
        target.to_vec()
    } else {
        [&folder.path, &b"/"[..], target].concat()
    };
    match nix::resolve(store, &path) {
        // A folder in itself would have no end.
        Some(found) if !folder.way.contains(&found.node) => Led::To(found),
        _ => Led::Stays,
    }
}

/// Whether a link's target is in a folder that the link is as deep in.
fn stays_inside(target: &[u8], depth: usize) -> bool {
    let mut depth = Some(depth).filter(|_| !target.starts_with(b"/"));
    for name in target.split(|byte| *byte == b'/') {
        depth = match name {
            b"" | b"." => depth,
            b".." => depth.and_then(|depth| depth.checked_sub(1)),
            _ => depth.map(|depth| depth + 1),
        };
    }
    depth.is_some()
}

/// The folder of a name, made when there is none: the store's own way is in the root already.
fn directory(tree: &mut Tree, parent: NodeId, name: &[u8]) -> Result<NodeId> {
    let existing = match &tree.node(parent).kind {
        Kind::Directory(directory) => directory.get(name),
        _ => None,
    };
    match existing {
        Some(existing) => Ok(existing),
        None => Ok(tree.add(parent, name, Node::directory())?),
    }
}

/// A file of the store with the mode of one that is not.
pub(crate) fn writable(node: &Node) -> Node {
    let mode = match node.kind {
        Kind::Symlink(_) => 0o777,
        _ if node.meta.mode & 0o100 != 0 => 0o755,
        _ => 0o644,
    };
    Node {
        meta: Meta::root(mode),
        kind: node.kind.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefixes::tests::path;
    use image::show;
    use std::fmt::Write as _;

    /// A package, its documentation, and an environment of both.
    fn store() -> (Tree, String) {
        let (env, hello, docs) = (path('z', "env"), path('a', "hello"), path('b', "docs"));
        let mut tree = Tree::default();
        let mut add = |path: String, node: Node| tree.add_at(path.as_bytes(), node).unwrap();
        let file = |text: &str, mode| Node::file(text.as_bytes()).mode(mode);
        add(format!("{hello}/bin/hello"), file("hello", 0o555));
        add(format!("{hello}/bin/hi"), Node::symlink("hello"));
        add(format!("{docs}/share/doc/hello/README"), file("read", 0o444));
        add(
            format!("{docs}/share/doc/hello/LICENSE"),
            Node::symlink("../../licenses/MIT"),
        );
        add(format!("{docs}/share/doc/hello/again"), Node::symlink("README"));
        add(
            format!("{docs}/share/doc/self"),
            Node::symlink(format!("{docs}/share/doc")),
        );
        add(format!("{docs}/share/licenses/MIT"), file("mit", 0o444));
        add(
            format!("{env}/bin/hello"),
            Node::symlink(format!("{hello}/bin/hello")),
        );
        add(format!("{env}/bin/hi"), Node::symlink(format!("{hello}/bin/hi")));
        add(format!("{env}/bin/sh"), Node::symlink("hello"));
        add(format!("{env}/sbin"), Node::symlink("bin"));
        add(format!("{env}/etc/own"), file("own", 0o444));
        add(format!("{env}/etc/mtab"), Node::symlink("/proc/mounts"));
        add(
            format!("{env}/share/doc"),
            Node::symlink(format!("{docs}/share/doc")),
        );
        (tree, env.to_string())
    }

    fn listed(how: How) -> String {
        let (store, env) = store();
        let LaidOut { tree, report } = lay_out(&store, env.as_bytes(), how).unwrap();
        let mut text = format!("{} links replaced\n", report.rewritten_links);
        for entry in tree.walk() {
            if entry.path.starts_with(b"/nix") {
                continue;
            }
            let node = tree.node(entry.id);
            let what = match &node.kind {
                Kind::Directory(_) => "/".to_string(),
                Kind::Symlink(target) => format!(" -> {}", show(target)),
                Kind::File(_) if entry.id.index() < store.len() => " = the store's".into(),
                Kind::File(content) => format!(" = {}", show(&content.to_vec().unwrap())),
                other => panic!("{other:?}"),
            };
            writeln!(text, "{:o} {}{what}", node.meta.mode, show(&entry.path)).unwrap();
        }
        for entry in store.walk() {
            assert_eq!(tree.lookup(&entry.path), Some(entry.id), "the store is as it was");
        }
        text
    }

    #[test]
    fn links_are_those_of_the_environment() {
        insta::assert_snapshot!(listed(How::Links));
    }

    #[test]
    fn hard_links_share_the_files_of_the_store() {
        insta::assert_snapshot!(listed(How::HardLinks));
    }

    #[test]
    fn copies_are_files_of_their_own() {
        insta::assert_snapshot!(listed(How::Copies));
    }

    #[test]
    fn links_that_leave_are_told_from_those_that_stay() {
        for (target, depth, stays) in [
            ("a", 0, true),
            ("../a", 0, false),
            ("../a", 1, true),
            ("./../a/..//../b", 1, false),
            ("a/../../b", 0, false),
            ("/a", 9, false),
        ] {
            assert_eq!(stays_inside(target.as_bytes(), depth), stays, "{target}");
        }
    }

    #[test]
    fn environments_are_folders() {
        let (store, env) = store();
        let error = |path: String| {
            let error = lay_out(&store, path.as_bytes(), How::Links).map(drop);
            error.unwrap_err().to_string()
        };
        assert_eq!(
            error(format!("{env}/none")),
            format!("{env}/none: is not in the closure")
        );
        assert_eq!(
            error(format!("{env}/bin/hello")),
            format!("{env}/bin/hello: is no folder, so it cannot become a root")
        );
    }
}
