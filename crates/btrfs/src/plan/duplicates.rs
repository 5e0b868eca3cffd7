//! Which files have the same bytes.

use std::collections::HashMap;

use image::{Content, Kind, NodeId};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::Work;
use super::data::{Place, place};
use super::survey::Survey;
use crate::Result;

/// How many bytes are read at once.
const CHUNK_MAX: usize = 256 << 10;

/// For each node the first that has its bytes, in the order of the survey; the node itself where it is the first, and for all
/// that have no extents. Two files are equal when their lengths and SHA-256 are; only files that share their length with
/// another are read.
pub(super) fn originals(survey: &Survey, work: &Work) -> Result<Vec<NodeId>> {
    let tree = survey.tree;
    let files = || {
        survey.nodes().filter_map(|(_, id)| match &tree.node(id).kind {
            Kind::File(content) if place(content) == Place::Extents => Some((id, content)),
            _ => None,
        })
    };
    let mut by_len: HashMap<u64, u32> = HashMap::new();
    for (_, content) in files() {
        *by_len.entry(content.len()).or_default() += 1;
    }
    let is_candidate = |(_, content): &(NodeId, &Content)| by_len[&content.len()] > 1;
    let candidates: Vec<(NodeId, &Content)> = files().filter(is_candidate).collect();
    let digests: Vec<[u8; 32]> = work.pool()?.install(|| {
        let digest = |(id, content): &(NodeId, &Content)| digest(*id, content, work);
        candidates.par_iter().map(digest).collect::<Result<_>>()
    })?;
    let mut originals: Vec<NodeId> = tree.nodes().map(|(id, _)| id).collect();
    let mut first: HashMap<(u64, [u8; 32]), NodeId> = HashMap::new();
    for ((id, content), digest) in candidates.into_iter().zip(digests) {
        originals[id.index()] = *first.entry((content.len(), digest)).or_insert(id);
    }
    Ok(originals)
}

/// The SHA-256 of a file.
fn digest(id: NodeId, content: &Content, work: &Work) -> Result<[u8; 32]> {
    if let Some(Some(digest)) = work.digests.get(id.index()) {
        return Ok(*digest);
    }
    let mut hasher = Sha256::new();
    let mut reader = content.reader()?;
    // Most files are small, and a buffer has to be zeroed.
    let mut chunk = vec![0; usize::try_from(content.len()).map_or(CHUNK_MAX, |len| len.min(CHUNK_MAX))];
    while reader.remaining() > 0 {
        let len = reader.fill(&mut chunk)?;
        hasher.update(&chunk[..len]);
        // Only asks whether to stop: these bytes count when their checksums are computed.
        work.progress.advance(0)?;
    }
    reader.finish()?;
    Ok(hasher.finalize().into())
}
