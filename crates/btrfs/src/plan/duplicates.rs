//! Which files have the same bytes.

use std::collections::BTreeMap;

use image::{Compared, Content, Kind, NodeId};

use super::Looking;
use super::data::{Place, place};
use super::survey::Survey;
use crate::Result;

/// Which files are equal.
pub(super) struct Equal {
    /// For each node the first that has its bytes, in the order of the survey; the node itself where it is the first, and
    /// for all that have no extents.
    pub(super) originals: Vec<NodeId>,
    /// The SHA-256 of the files that were read.
    pub(super) digests: BTreeMap<NodeId, [u8; 32]>,
}

/// Compares all files with extents.
pub(super) fn originals(survey: &Survey, looking: &Looking) -> Result<Equal> {
    let tree = survey.tree;
    let file = |(_, id)| match &tree.node(id).kind {
        Kind::File(content) if place(content) == Place::Extents => Some((id, content)),
        _ => None,
    };
    let files: Vec<(NodeId, &Content)> = survey.nodes().filter_map(file).collect();
    let compared = looking
        .pool()?
        .install(|| image::compare(&files, |id, content| digest(id, content, looking)))?;
    let mut equal = Equal {
        originals: tree.nodes().map(|(id, _)| id).collect(),
        digests: BTreeMap::new(),
    };
    for Compared { file, first, digest } in compared {
        equal.originals[file.index()] = first;
        equal.digests.extend(digest.map(|digest| (file, digest)));
    }
    Ok(equal)
}

/// The SHA-256 of a file.
pub(super) fn digest(id: NodeId, content: &Content, looking: &Looking) -> Result<[u8; 32]> {
    match looking.digests.get(id.index()) {
        Some(Some(digest)) => Ok(*digest),
        _ => Ok(content.sha256(looking.progress)?),
    }
}
