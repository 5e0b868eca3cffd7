//! Which files have the same bytes.

use image::{Compared, Content, Kind, NodeId};

use super::Looking;
use super::data::{Place, place};
use super::survey::Survey;
use crate::Result;

/// For each node the first that has its bytes, in the order of the survey; the node itself where it is the first, and for all
/// that have no extents.
pub(super) fn originals(survey: &Survey, looking: &Looking) -> Result<Vec<NodeId>> {
    let tree = survey.tree;
    let file = |(_, id)| match &tree.node(id).kind {
        Kind::File(content) if place(content) == Place::Extents => Some((id, content)),
        _ => None,
    };
    let files: Vec<(NodeId, &Content)> = survey.nodes().filter_map(file).collect();
    let digest = |id: NodeId, content: &Content| match looking.digests.get(id.index()) {
        Some(Some(digest)) => Ok(*digest),
        _ => content.sha256(looking.progress),
    };
    let compared = looking.pool()?.install(|| image::compare(&files, digest))?;
    let mut originals: Vec<NodeId> = tree.nodes().map(|(id, _)| id).collect();
    for Compared { file, first, .. } in compared {
        originals[file.index()] = first;
    }
    Ok(originals)
}
