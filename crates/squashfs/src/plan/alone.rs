//! Segments without an image: which ones a tree has, and some of them made in advance.

use std::collections::BTreeSet;

use cache::Key;
use image::{NodeId, Tree};

use super::{Outline, Work, check, cut, keys, pack};
use crate::{Error, Options};

/// What the segments of a tree's image are made of, in their order. Only large files with equal lengths are read, and
/// nothing is written.
///
/// # Errors
/// As [`plan`](super::plan()).
pub fn outlines(tree: &Tree, options: &Options, work: &Work) -> Result<Vec<Outline>, Error> {
    check(tree, options)?;
    let len_min = options.block_size.into();
    let (segments, _) = work.pool()?.install(|| cut(tree, options, len_min, work))?;
    Ok(segments.outlines(tree))
}

/// Finds or makes the segments in which any of these units has blocks, or all segments when there are none, and has them
/// kept in the places of `work.reuse`. Answers their keys, as far as they have some.
///
/// # Errors
/// As [`plan`](super::plan()).
pub fn make_segments(
    tree: &Tree,
    options: &Options,
    wanted: &BTreeSet<NodeId>,
    work: &Work,
) -> Result<Vec<Key>, Error> {
    check(tree, options)?;
    let pool = work.pool()?;
    let (mut segments, digests) = pool.install(|| cut(tree, options, 1, work))?;
    segments.keep_only(wanted);
    if work.reuse.is_none() {
        return Ok(Vec::new());
    }
    let keys = pool.install(|| keys(tree, &segments, &digests, options, work))?;
    drop(pool);
    pack::pack(tree, &segments, &keys, options, work)?;
    Ok(keys.into_iter().flatten().collect())
}
