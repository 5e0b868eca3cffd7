//! Which files have the same bytes.

use std::collections::BTreeMap;

use image::{Compared, Content, NodeId};

use super::Looking;
use crate::Result;

/// For each file the first of these that has its bytes.
pub(super) fn firsts(files: &[(NodeId, &Content)], looking: &Looking) -> Result<BTreeMap<NodeId, NodeId>> {
    let digest = |id: NodeId, content: &Content| match looking.digests.get(id.index()) {
        Some(Some(digest)) => Ok(*digest),
        _ => content.sha256(looking.progress),
    };
    let compared = looking.pool()?.install(|| image::compare(files, digest))?;
    let firsts = compared
        .into_iter()
        .map(|Compared { file, first, .. }| (file, first));
    Ok(firsts.collect())
}
