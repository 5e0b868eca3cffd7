//! The files of a file system, with what each takes.

use image::{Content, Kind, NodeId, Tree, show};
use inspect::compare::is_store_name;
use report::{Bytes, Class, Node, NodeKind, class_of, most_of};

/// Deeper folders are summed up: nothing of them would be seen.
const DEPTH_MAX: usize = 64;

/// A file that may have the bytes of another one.
pub(super) struct Candidate {
    pub(super) path: String,
    pub(super) content: Content,
    pub(super) bytes: Bytes,
}

/// One walk over the files of a file system.
pub(super) struct Files<'a> {
    pub(super) tree: &'a Tree,
    /// What each node takes in the image, by its number; nothing where that is not known.
    pub(super) stored: &'a [u64],
    /// Files with several names count once.
    pub(super) met: Vec<bool>,
    pub(super) candidates: &'a mut Vec<Candidate>,
}

impl Files<'_> {
    /// All that is in a folder; its name is the end of its path.
    pub(super) fn node(&mut self, id: NodeId, name: &str, path: &str, depth: usize) -> Node {
        let node = self.tree.node(id);
        let mut found = Node {
            name: name.into(),
            kind: NodeKind::Folder,
            ..Node::default()
        };
        if std::mem::replace(&mut self.met[id.index()], true) {
            found.kind = NodeKind::File;
            found.class = class_of(path, false);
            return found;
        }
        let own = self.stored.get(id.index()).copied().unwrap_or_default();
        found.bytes.image = own;
        match &node.kind {
            Kind::Directory(_) if depth >= DEPTH_MAX => self.sum(id, &mut found),
            Kind::Directory(_) => {
                // Boot menus have copies of kernels under the names of their store paths.
                let is_store = depth == 0 || name.ends_with("store");
                for (entry, child) in self.tree.children(id) {
                    let name = show(entry);
                    let path = format!("{path}/{name}");
                    let mut child = self.node(child, &name, &path, depth + 1);
                    if is_store && is_store_name(entry) {
                        child.kind = NodeKind::StorePath;
                    }
                    found.bytes = found.bytes.plus(child.bytes);
                    found.files += child.files;
                    found.children.push(child);
                }
                found.class = most_of(&found.children);
            }
            Kind::File(content) => {
                found.kind = NodeKind::File;
                found.bytes.unpacked = content.len();
                found.files = 1;
                found.class = class_of(path, node.meta.mode & 0o111 != 0);
                self.candidates.push(Candidate {
                    path: path.into(),
                    content: content.clone(),
                    bytes: found.bytes,
                });
            }
            _ => {
                found.kind = NodeKind::File;
                found.class = Class::Data;
            }
        }
        found
    }

    /// The sums of what lies deep.
    fn sum(&mut self, id: NodeId, found: &mut Node) {
        let mut walk = self.tree.walk_from(id);
        walk.advance();
        while let Some((_, id)) = walk.advance() {
            if std::mem::replace(&mut self.met[id.index()], true) {
                continue;
            }
            let mut bytes = Bytes {
                image: self.stored.get(id.index()).copied().unwrap_or_default(),
                unpacked: 0,
            };
            if let Kind::File(content) = &self.tree.node(id).kind {
                bytes.unpacked = content.len();
                found.files += 1;
            }
            found.bytes = found.bytes.plus(bytes);
        }
    }
}
