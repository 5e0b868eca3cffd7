//! Which files have the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use image::{Compared, Content, Kind, NodeId, Progress, Tree};

/// Which files are equal.
#[derive(Debug)]
pub struct Equal {
    /// For each node the class of its bytes: equal for regular files with equal bytes, and of no meaning for other nodes.
    pub classes: Vec<u32>,
    /// The SHA-256 of the files that were read.
    pub digests: BTreeMap<NodeId, [u8; 32]>,
}

/// Compares all files but stored ones, and those that are shorter than `len_min`, which are not read; on the threads of the
/// pool that this is called in. `known` has SHA-256 of files by [`NodeId::index`].
///
/// # Errors
/// When a file cannot be read, or the work shall stop.
pub fn equal_files(
    tree: &Tree,
    stored: &BTreeSet<NodeId>,
    len_min: u64,
    known: &[Option<[u8; 32]>],
    progress: &dyn Progress,
) -> image::Result<Equal> {
    let mut files: Vec<(NodeId, &Content)> = Vec::new();
    for (id, node) in tree.nodes() {
        if let Kind::File(content) = &node.kind
            && content.len() >= len_min
            && !stored.contains(&id)
        {
            files.push((id, content));
        }
    }
    let compared = image::compare(&files, |id, content| digest(id, content, known, progress))?;
    let mut classes: Vec<u32> = (0..).take(tree.len()).collect();
    let mut digests = BTreeMap::new();
    for Compared { file, first, digest } in compared {
        classes[file.index()] = classes[first.index()];
        digests.extend(digest.map(|digest| (file, digest)));
    }
    Ok(Equal { classes, digests })
}

/// The SHA-256 of a file.
pub(super) fn digest(
    id: NodeId,
    content: &Content,
    known: &[Option<[u8; 32]>],
    progress: &dyn Progress,
) -> image::Result<[u8; 32]> {
    match known.get(id.index()) {
        Some(Some(digest)) => Ok(*digest),
        _ => content.sha256(progress),
    }
}
