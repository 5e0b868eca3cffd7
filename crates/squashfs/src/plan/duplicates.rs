//! Which files have the same bytes.

use std::collections::BTreeMap;

use image::{Compared, Content, Kind, NodeId, Tree};

use super::Work;
use crate::{Error, Options};

/// Which files are equal.
pub(super) struct Equal {
    /// For each node the class of its bytes: equal for regular files with equal bytes, and of no meaning for other nodes.
    pub(super) classes: Vec<u32>,
    /// The SHA-256 of the files that were read.
    pub(super) digests: BTreeMap<NodeId, [u8; 32]>,
}

/// Compares all files but stored ones, and those that are shorter than `len_min`, which are not read.
pub(super) fn originals(tree: &Tree, options: &Options, len_min: u64, work: &Work) -> Result<Equal, Error> {
    let mut files: Vec<(NodeId, &Content)> = Vec::new();
    for (id, node) in tree.nodes() {
        if let Kind::File(content) = &node.kind
            && content.len() >= len_min
            && !options.stored.contains(&id)
        {
            files.push((id, content));
        }
    }
    let compared = work
        .pool()?
        .install(|| image::compare(&files, |id, content| digest(id, content, work)))?;
    let mut classes: Vec<u32> = (0..).take(tree.len()).collect();
    let mut digests = BTreeMap::new();
    for Compared { file, first, digest } in compared {
        classes[file.index()] = classes[first.index()];
        digests.extend(digest.map(|digest| (file, digest)));
    }
    Ok(Equal { classes, digests })
}

/// The SHA-256 of a file.
pub(super) fn digest(id: NodeId, content: &Content, work: &Work) -> Result<[u8; 32], Error> {
    match work.digests.get(id.index()) {
        Some(Some(digest)) => Ok(*digest),
        _ => Ok(content.sha256(work.progress)?),
    }
}
