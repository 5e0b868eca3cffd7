//! Segments without an image: which ones a tree has, and some of them made in advance.

use std::collections::BTreeSet;

use cache::cut::{Cut, equal_files};
use cache::{Key, Outline};
use image::{NodeId, Tree};

use super::bound::surveyed;
use super::clusters::{Making, make};
use super::{Work, keys};
use crate::{Options, Result};

/// What the segments of a tree's image are made of, in their order. Only large files with equal lengths are read, and
/// nothing is written.
///
/// # Errors
/// As [`plan`](super::plan()).
pub fn outlines(tree: &Tree, options: &Options, work: &Work) -> Result<Vec<Outline>> {
    surveyed(tree, options)?;
    let len_min = options.cluster.into();
    let looking = work.looking();
    let equal = looking
        .pool()?
        .install(|| equal_files(tree, &options.stored, len_min, looking.digests, looking.progress))?;
    let cut = Cut::plan(tree, &equal.classes, options.cluster, &options.stored)?;
    Ok(cut.outlines(tree))
}

/// Finds or makes the segments in which any of these units has clusters, or all segments when there are none, and has them
/// kept in the places of `work.reuse`. Answers their keys, as far as they have some.
///
/// # Errors
/// As [`plan`](super::plan()).
pub fn make_segments(
    tree: &Tree,
    options: &Options,
    wanted: &BTreeSet<NodeId>,
    work: &Work,
) -> Result<Vec<Key>> {
    surveyed(tree, options)?;
    let Some(making) = Making::of(tree, options, work, |cut| cut.keep_only(wanted))? else {
        return Ok(Vec::new());
    };
    if work.reuse.is_none() || keys::head(options).is_none() {
        return Ok(Vec::new());
    }
    make(&making, work, 0)?;
    Ok(making.keys.into_iter().flatten().collect())
}
