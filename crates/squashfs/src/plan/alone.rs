//! Segments without an image: which ones a tree has, and some of them made in advance.

use std::collections::{BTreeMap, BTreeSet};

use cache::Key;
use image::{NodeId, Tree};

use super::lift::lift;
use super::segments::{Job, Segment, Segments};
use super::{Work, check, duplicates, keys, pack};
use crate::{Error, Options};

/// What a segment is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// What images call it.
    pub label: String,
    /// The roots of the units that have blocks in it, in their order; none for files of no unit.
    pub units: Vec<NodeId>,
    /// The roots of the units that hold large files which are left out here: without them, it is another segment.
    pub originals: Vec<NodeId>,
    /// The bytes of its blocks, of which small files with equal bytes may save some.
    pub content_len: u64,
}

/// What the segments of a tree's image are made of, in their order. Only large files with equal lengths are read, and
/// nothing is written.
///
/// # Errors
/// As [`plan`](super::plan()).
pub fn outlines(tree: &Tree, options: &Options, work: &Work) -> Result<Vec<Outline>, Error> {
    check(tree, options)?;
    let equal = duplicates::originals(tree, options, options.block_size.into(), work)?;
    let segments = Segments::plan(tree, &equal.classes, options)?;
    let holders = holders(tree, &segments);
    let root = |unit: &u32| segments.units[*unit as usize].root;
    let outline = |segment: &Segment| {
        let units = keys::units(&segments, segment);
        let originals: BTreeSet<u32> = units
            .iter()
            .filter_map(|unit| holders.get(unit))
            .flatten()
            .copied()
            .collect();
        let jobs = &segments.jobs[segment.jobs.clone()];
        Outline {
            label: segment.label.clone(),
            units: units.iter().map(root).collect(),
            originals: originals.iter().map(root).collect(),
            content_len: jobs.iter().map(|job| u64::from(job.len())).sum(),
        }
    };
    Ok(segments.list.iter().map(outline).collect())
}

/// The units that hold blocks of others' large files, by these others.
fn holders(tree: &Tree, segments: &Segments) -> BTreeMap<u32, BTreeSet<u32>> {
    let mut holders: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for (number, unit) in (0u32..).zip(&segments.units) {
        for entry in tree.walk_from(unit.root) {
            // Only large files have a first job.
            let first_job = segments.places[entry.id.index()].first_job as usize;
            if let Some(Job::Block {
                unit: Some(holder), ..
            }) = segments.jobs.get(first_job)
                && *holder != number
            {
                holders.entry(number).or_default().insert(*holder);
            }
        }
    }
    holders
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
    let equal = duplicates::originals(tree, options, 1, work)?;
    let mut segments = Segments::plan(tree, &equal.classes, options)?;
    let mut list = std::mem::take(&mut segments.list);
    if !wanted.is_empty() {
        list.retain(|segment| {
            let units = keys::units(&segments, segment);
            units
                .iter()
                .any(|unit| wanted.contains(&segments.units[*unit as usize].root))
        });
    }
    segments.list = list;
    let Some(reuse) = &work.reuse else {
        return Ok(Vec::new());
    };
    let keys = keys::keys(tree, &segments, &equal.digests, options, reuse, work)?;
    let lifted = lift(&segments, &keys, options, work)?;
    pack::pack(tree, &segments, &keys, lifted, options, work)?;
    Ok(keys.into_iter().flatten().collect())
}
