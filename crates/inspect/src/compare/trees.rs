//! Files that came, went, or changed.

use image::{Kind, Node, NodeId, Tree};
use rayon::prelude::*;

use super::bytes::first_difference;
use crate::{Result, Work};

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is in the second alone.
    Added,
    /// It is in the first alone.
    Removed,
    /// It is in both, and differs.
    Changed,
}

/// Something that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its path.
    pub path: Vec<u8>,
    /// What became of it.
    pub kind: ChangeKind,
    /// Of what is in both: what differs.
    pub fields: Vec<&'static str>,
    /// The bytes of its content before and after; 0 where it has none.
    pub bytes: (u64, u64),
}

/// Two nodes of one path.
struct Pair<'a> {
    path: Vec<u8>,
    a: &'a Node,
    b: &'a Node,
    links: (u32, u32),
}

/// All differences of two trees, sorted by their paths. Contents are read.
///
/// # Errors
/// When reading fails, or work is stopped.
pub fn changes(a: &Tree, b: &Tree, work: &Work) -> Result<Vec<Change>> {
    let (links_a, links_b) = (a.link_counts(), b.link_counts());
    let links = |links: &[u32], id: NodeId| links.get(id.index()).copied().unwrap_or(1);
    let (mut changes, mut pairs) = (Vec::new(), Vec::new());
    let mut waiting = vec![(b"/".to_vec(), NodeId::ROOT, NodeId::ROOT)];
    while let Some((path, left, right)) = waiting.pop() {
        let mut theirs = b.children(right).peekable();
        for (name, id) in a.children(left) {
            while let Some((added, id)) = theirs.next_if(|(other, _)| *other < name) {
                alone(b, id, &join(&path, added), ChangeKind::Added, &mut changes);
            }
            let path = join(&path, name);
            match theirs.next_if(|(other, _)| *other == name) {
                Some((_, other)) => waiting.push((path, id, other)),
                None => alone(a, id, &path, ChangeKind::Removed, &mut changes),
            }
        }
        for (added, id) in theirs {
            alone(b, id, &join(&path, added), ChangeKind::Added, &mut changes);
        }
        pairs.push(Pair {
            path,
            a: a.node(left),
            b: b.node(right),
            links: (links(&links_a, left), links(&links_b, right)),
        });
    }
    let compared = pairs.into_par_iter().map(|pair| compare(pair, work));
    let compared: Vec<Option<Change>> = compared.collect::<Result<_>>()?;
    changes.extend(compared.into_iter().flatten());
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(changes)
}

/// Something that is in one tree alone, and all below it.
fn alone(tree: &Tree, id: NodeId, path: &[u8], kind: ChangeKind, changes: &mut Vec<Change>) {
    for entry in tree.walk_from(id) {
        let below: &[u8] = if entry.path == b"/" { b"" } else { &entry.path };
        let len = len(tree.node(entry.id));
        changes.push(Change {
            path: [path, below].concat(),
            kind,
            fields: Vec::new(),
            bytes: match kind {
                ChangeKind::Added => (0, len),
                _ => (len, 0),
            },
        });
    }
}

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    [path.strip_suffix(b"/").unwrap_or(path), b"/", name].concat()
}

fn len(node: &Node) -> u64 {
    match &node.kind {
        Kind::File(content) => content.len(),
        _ => 0,
    }
}

fn compare(pair: Pair, work: &Work) -> Result<Option<Change>> {
    let Pair { path, a, b, links } = pair;
    let mut fields = Vec::new();
    let mut put = |differs: bool, what| {
        if differs {
            fields.push(what);
        }
    };
    let differs = match (&a.kind, &b.kind) {
        (Kind::File(left), Kind::File(right)) => {
            let differs = left.len() != right.len() || first_difference(left, right, work)?.is_some();
            differs.then_some("content")
        }
        (Kind::Symlink(left), Kind::Symlink(right)) => (left != right).then_some("target"),
        (Kind::CharDevice(left), Kind::CharDevice(right))
        | (Kind::BlockDevice(left), Kind::BlockDevice(right)) => (left != right).then_some("device"),
        (left, right) => (std::mem::discriminant(left) != std::mem::discriminant(right)).then_some("type"),
    };
    put(differs.is_some(), differs.unwrap_or_default());
    put(a.meta.mode != b.meta.mode, "mode");
    put((a.meta.uid, a.meta.gid) != (b.meta.uid, b.meta.gid), "owner");
    put(a.meta.mtime != b.meta.mtime, "time");
    put(a.meta.xattrs != b.meta.xattrs, "attributes");
    let is_folder = matches!(a.kind, Kind::Directory(_));
    put(!is_folder && links.0 != links.1, "links");
    Ok((!fields.is_empty()).then(|| Change {
        bytes: (len(a), len(b)),
        path,
        kind: ChangeKind::Changed,
        fields,
    }))
}
