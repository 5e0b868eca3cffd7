//! Which files have the same bytes.

use std::collections::HashMap;

use image::{Kind, NodeId, Tree};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::Work;
use crate::{Error, Options};

/// How many bytes are read at once.
const CHUNK_MAX: usize = 256 << 10;

/// For each node the class of its bytes: equal for regular files with equal bytes, and of no meaning for other
/// nodes. Two files are equal when their lengths and SHA-256 are; only files that share their length with
/// another are read, and stored ones never, nor those that are shorter than `len_min`.
pub(super) fn originals(
    tree: &Tree,
    options: &Options,
    len_min: u64,
    work: &Work,
) -> Result<Vec<u32>, Error> {
    let mut by_len: HashMap<u64, u32> = HashMap::new();
    for (id, node) in tree.nodes() {
        if let Kind::File(content) = &node.kind
            && !options.stored.contains(&id)
        {
            *by_len.entry(content.len()).or_default() += 1;
        }
    }
    let mut candidates: Vec<NodeId> = Vec::new();
    for (id, node) in tree.nodes() {
        if let Kind::File(content) = &node.kind
            && content.len() >= len_min
            && !options.stored.contains(&id)
            && by_len.get(&content.len()).is_some_and(|count| *count > 1)
        {
            candidates.push(id);
        }
    }
    let digest = |id: &NodeId| digest(tree, *id, work);
    let digests = work.pool()?.install(|| {
        candidates
            .par_iter()
            .map(digest)
            .collect::<Result<Vec<_>, Error>>()
    })?;
    let mut classes: Vec<u32> = (0..).take(tree.len()).collect();
    let mut first: HashMap<(u64, [u8; 32]), u32> = HashMap::new();
    for (id, digest) in candidates.iter().zip(digests) {
        let Kind::File(content) = &tree.node(*id).kind else {
            continue;
        };
        let own = classes[id.index()];
        classes[id.index()] = *first.entry((content.len(), digest)).or_insert(own);
    }
    Ok(classes)
}

/// The SHA-256 of a file.
pub(super) fn digest(tree: &Tree, id: NodeId, work: &Work) -> Result<[u8; 32], Error> {
    if let Some(Some(digest)) = work.digests.get(id.index()) {
        return Ok(*digest);
    }
    let Kind::File(content) = &tree.node(id).kind else {
        return Ok([0; 32]);
    };
    let mut hasher = Sha256::new();
    let mut reader = content.reader()?;
    // Most files are small, and a buffer has to be zeroed.
    let mut chunk = vec![0; usize::try_from(content.len()).map_or(CHUNK_MAX, |len| len.min(CHUNK_MAX))];
    while reader.remaining() > 0 {
        let len = reader.fill(&mut chunk)?;
        hasher.update(&chunk[..len]);
        // Only asks whether to stop: these bytes count when they are compressed.
        work.progress.advance(0)?;
    }
    reader.finish()?;
    Ok(hasher.finalize().into())
}
