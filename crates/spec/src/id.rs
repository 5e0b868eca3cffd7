//! Names for what a file system holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use image::{Content, Device, Kind, Meta, Node, NodeId, Tree, Unit};
use nix::StorePath;
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::gather::{Gathered, Hashes};

/// 32 hexadecimal digits that change when anything in a tree changes, and with nothing else. Store paths that
/// are as in the closure count by their registered hash; everything else is read.
pub(crate) fn tree_id(tree: &Tree, gathered: &Gathered) -> Result<String> {
    let mut fields = Fields(Sha256::new());
    // The order in which nodes were first met tells hard links from copies.
    let mut met: BTreeMap<NodeId, u64> = BTreeMap::new();
    let mut stack = vec![NodeId::ROOT];
    while let Some(id) = stack.pop() {
        let number = met.len() as u64;
        let known = *met.entry(id).or_insert(number);
        fields.number(known);
        if known != number {
            continue;
        }
        let node = tree.node(id);
        fields.meta(&node.meta);
        if let Some(hash) = registered_hash(tree, id, gathered) {
            fields.tag(b'S');
            fields.bytes(&hash.0);
            continue;
        }
        match &node.kind {
            Kind::Directory(directory) => {
                fields.tag(b'D');
                fields.number(directory.len() as u64);
                for (name, child) in directory.iter() {
                    fields.bytes(name);
                    stack.push(child);
                }
            }
            Kind::File(content) => fields.content(content)?,
            Kind::Symlink(target) => {
                fields.tag(b'L');
                fields.bytes(target);
            }
            Kind::CharDevice(device) => fields.device(b'C', *device),
            Kind::BlockDevice(device) => fields.device(b'B', *device),
            Kind::Fifo => fields.tag(b'P'),
            Kind::Socket => fields.tag(b'O'),
        }
    }
    Ok(hex(&fields.0.finalize()[..16]))
}

/// Fields of a digest that cannot be mistaken for each other: each has its length, or always the same one.
struct Fields(Sha256);

impl Fields {
    fn tag(&mut self, tag: u8) {
        self.0.update([tag]);
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn meta(&mut self, meta: &Meta) {
        let Meta {
            mode,
            uid,
            gid,
            mtime,
            xattrs,
        } = meta;
        self.0.update(mode.to_le_bytes());
        self.0.update(uid.to_le_bytes());
        self.0.update(gid.to_le_bytes());
        self.0.update(mtime.to_le_bytes());
        self.number(xattrs.len() as u64);
        for xattr in xattrs {
            self.bytes(&xattr.name);
            self.bytes(&xattr.value);
        }
    }

    fn device(&mut self, tag: u8, device: Device) {
        self.tag(tag);
        self.0.update(device.major.to_le_bytes());
        self.0.update(device.minor.to_le_bytes());
    }

    fn content(&mut self, content: &Content) -> Result<()> {
        self.tag(b'F');
        self.number(content.len());
        let mut reader = content.reader()?;
        let mut chunk = vec![0; 256 << 10];
        while reader.remaining() > 0 {
            let len = reader.fill(&mut chunk)?;
            self.0.update(&chunk[..len]);
        }
        Ok(reader.finish()?)
    }
}

/// The hashes of the store paths in a tree that are as in the closure, by their roots; none when nobody vouches for them.
pub(crate) fn unit_hashes(tree: &Tree, gathered: &Gathered) -> BTreeMap<NodeId, [u8; 32]> {
    if gathered.hashes == Hashes::Claimed {
        return BTreeMap::new();
    }
    let hash = |(root, _)| registered_hash(tree, root, gathered).map(|hash| (root, hash.0));
    tree.units().filter_map(hash).collect()
}

/// The store paths that are units of a tree, by their roots.
pub(crate) fn paths(tree: &Tree, roots: &BTreeSet<NodeId>) -> Result<BTreeSet<StorePath>> {
    let units = roots.iter().filter_map(|root| tree.unit(*root));
    let path = |unit: &Unit| Ok(format!("{}/{}", nix::STORE_DIR, image::show(&unit.name)).parse()?);
    units.map(path).collect()
}

/// The hash of a store path, when the tree has it as the closure has it.
fn registered_hash(tree: &Tree, id: NodeId, gathered: &Gathered) -> Option<nix::Hash> {
    let unit = gathered
        .tree
        .unit(id)
        .filter(|unit| tree.unit(id) == Some(unit))?;
    let path = format!("{}/{}", nix::STORE_DIR, String::from_utf8_lossy(&unit.name));
    let hash = gathered.closure.get(&path.parse().ok()?)?.nar_hash?;
    same(tree, &gathered.tree, id).then_some(hash)
}

/// Whether two spans are of one thing: what only a listing knows of cannot be compared by its bytes.
fn is_one_span(one: &Content, other: &Content) -> bool {
    match (one, other) {
        (
            Content::Span { source, start, len },
            Content::Span {
                source: other_source,
                start: other_start,
                len: other_len,
            },
        ) => Arc::ptr_eq(source, other_source) && (start, len) == (other_start, other_len),
        _ => false,
    }
}

/// Whether two trees, one of which began as the other, still have the same below a node.
fn same(tree: &Tree, other: &Tree, id: NodeId) -> bool {
    let mut stack = vec![id];
    while let Some(id) = stack.pop() {
        let (Node { meta, kind }, other) = (tree.node(id), other.node(id));
        let same = *meta == other.meta
            && match (kind, &other.kind) {
                (Kind::Directory(one), Kind::Directory(other)) => one.iter().eq(other.iter()),
                (Kind::File(Content::File(one)), Kind::File(Content::File(other))) => one == other,
                (Kind::File(Content::Spooled(one)), Kind::File(Content::Spooled(other))) => one == other,
                (Kind::File(one @ Content::Span { .. }), Kind::File(other @ Content::Span { .. })) => {
                    is_one_span(one, other)
                }
                (Kind::Symlink(one), Kind::Symlink(other)) => one == other,
                _ => false,
            };
        if !same {
            return false;
        }
        stack.extend(tree.children(id).map(|(_, child)| child));
    }
    true
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Seed;

    const STORE_PATH: &str = "/nix/store/00000000000000000000000000000000-x";

    fn gathered(tree: &Tree) -> Gathered {
        let text = format!("{STORE_PATH}\n{}\n0\n\n0\n", "0".repeat(64));
        Gathered {
            closure: nix::Closure::from_registration(STORE_PATH.as_ref(), text.as_bytes()).unwrap(),
            tree: tree.clone(),
            digests: Vec::new(),
            archives: BTreeMap::new(),
            roots: BTreeMap::new(),
            rehashed: Vec::new(),
            hashes: Hashes::Compared,
            toplevel: None,
            seed: Seed::new(b""),
            name: String::new(),
            meta: sbom::Meta::default(),
        }
    }

    fn add(tree: &mut Tree, parent: NodeId, name: &[u8], node: Node) {
        tree.add(parent, name, node).unwrap();
    }

    #[test]
    fn every_change_shows() {
        let mut tree = Tree::default();
        let unit = tree.make_directory(STORE_PATH.as_bytes()).unwrap();
        let name: Box<[u8]> = STORE_PATH.as_bytes()[11..].into();
        tree.mark_unit(
            unit,
            Unit {
                order: name.clone(),
                name,
            },
        );
        let file = tree.add_at(b"/a", Node::file(&b"a"[..])).unwrap();
        let gathered = gathered(&tree);
        let mut ids = vec![tree_id(&tree, &gathered).unwrap()];
        let mut changed = |change: &dyn Fn(&mut Tree)| {
            let mut tree = tree.clone();
            change(&mut tree);
            ids.push(tree_id(&tree, &gathered).unwrap());
        };
        changed(&|tree| add(tree, unit, b"extra", Node::file(&b"in a store path"[..])));
        changed(&|tree| tree.node_mut(unit).meta.mode = 0o700);
        changed(&|tree| tree.link(NodeId::ROOT, b"b", file).unwrap());
        changed(&|tree| add(tree, NodeId::ROOT, b"b", Node::file(&b"a"[..])));
        changed(&|tree| add(tree, NodeId::ROOT, b"b", Node::symlink("a")));
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
