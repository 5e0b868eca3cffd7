//! Which files have the same bytes.

use std::collections::BTreeMap;

use image::{Compared, Content, NodeId};

use super::Work;
use crate::Result;

/// For each file the first of these that has its bytes.
pub(super) fn firsts(files: &[(NodeId, &Content)], work: &Work) -> Result<BTreeMap<NodeId, NodeId>> {
    let digest = |id: NodeId, content: &Content| match work.digests.get(id.index()) {
        Some(Some(digest)) => Ok(*digest),
        _ => content.sha256(work.progress),
    };
    let compared = work.pool()?.install(|| image::compare(files, digest))?;
    let firsts = compared
        .into_iter()
        .map(|Compared { file, first, .. }| (file, first));
    Ok(firsts.collect())
}
