//! Links that are followed: what they lead to stands in their place, as after `cp -L`.

use image::{Kind, Node, NodeId, Tree, show};

/// What lies at a path of a tree, with every symbolic link in it replaced by what it leads to in that tree. Hard links become
/// files of their own.
///
/// # Errors
/// Which link leads nowhere, or back to a folder that it lies in.
pub(crate) fn followed(tree: &Tree, path: &[u8]) -> Result<Tree, String> {
    let nowhere = |path: &[u8]| format!("{}: leads to nothing", show(path));
    let start = nix::resolve(tree, path).ok_or_else(|| nowhere(path))?;
    let mut copy = Tree::new(shallow(tree.node(start.node)));
    // Folders that are still to be copied, their paths in the copy, and where they lie without links, the outermost first.
    let mut open = vec![(NodeId::ROOT, path.to_vec(), vec![(start.node, start.path)])];
    while let Some((into, inside, trail)) = open.pop() {
        let Some((from, here)) = trail.last() else {
            continue;
        };
        for (name, child) in tree.children(*from) {
            let path = [&here[..], b"/", name].concat();
            let (child, path) = match &tree.node(child).kind {
                Kind::Symlink(_) => {
                    let found = nix::resolve(tree, &path).ok_or_else(|| nowhere(&path))?;
                    (found.node, found.path)
                }
                _ => (child, path),
            };
            let node = tree.node(child);
            let is_folder = matches!(node.kind, Kind::Directory(_));
            let inside = [inside.strip_suffix(b"/").unwrap_or(&inside), b"/", name].concat();
            if is_folder && trail.iter().any(|(folder, _)| *folder == child) {
                let (link, back) = (show(&inside), show(&path));
                return Err(format!("{link}: leads back to {back}, which it lies in"));
            }
            let node = shallow(node);
            let added = copy.add(into, name, node).map_err(|error| error.to_string())?;
            if is_folder {
                let mut trail = trail.clone();
                trail.push((child, path));
                open.push((added, inside, trail));
            }
        }
    }
    Ok(copy)
}

/// A node like another one, without what is in it when it is a folder.
fn shallow(node: &Node) -> Node {
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
        assert_eq!(
            shown(&followed(&tree, b"/env").unwrap()),
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
        assert_eq!(shown(&followed(&tree, b"/env/tool").unwrap()), ["/ tool"]);
        tree.add_at(b"/store/b/lib/up", Node::symlink("..")).unwrap();
        let error = followed(&tree, b"/env").unwrap_err();
        assert_eq!(
            error,
            "/env/a/lib/up/lib: leads back to /store/b/lib, which it lies in"
        );
        tree.add_at(b"/env/dead", Node::symlink("none")).unwrap();
        assert_eq!(
            followed(&tree, b"/env").unwrap_err(),
            "/env/dead: leads to nothing"
        );
    }
}
