//! Segments without an image: which ones a tree has, and some of them made in advance.

use std::collections::BTreeSet;

use cache::{Key, Outline};
use image::{NodeId, Tree};

use super::Work;
use super::bound::surveyed;
use super::data::{Data, make};
use super::segments::{content, label, members};
use crate::{EqualFiles, Options, Result};

/// What the segments of a tree's image are made of, in their order. Nothing is read, so equal files and holes count.
///
/// # Errors
/// As [`plan`](super::plan()).
pub fn outlines(tree: &Tree, options: &Options, work: &Work) -> Result<Vec<Outline>> {
    let survey = surveyed(tree, options)?;
    let options = Options {
        equal_files: EqualFiles::Apart,
        ..options.clone()
    };
    let data = Data::files(&survey, &options, &work.looking())?;
    let outline = |(unit, nodes): (Option<NodeId>, Vec<NodeId>)| Outline {
        label: label(tree, unit),
        units: unit.into_iter().collect(),
        originals: Vec::new(),
        content_len: nodes.iter().map(|id| content(&survey, *id).len()).sum(),
    };
    Ok(members(tree, &data).into_iter().map(outline).collect())
}

/// Finds or makes the segments of these units, or all segments when there are none, and has them kept in the places of
/// `work.reuse`. Answers their keys, as far as they have some.
///
/// # Errors
/// As [`plan`](super::plan()).
pub fn make_segments(
    tree: &Tree,
    options: &Options,
    wanted: &BTreeSet<NodeId>,
    work: &Work,
) -> Result<Vec<Key>> {
    let survey = surveyed(tree, options)?;
    let (data, digests) = Data::compared(&survey, options, &work.looking())?;
    let made = make(&survey, &data, &digests, wanted, options, work)?;
    Ok(made.keys.into_iter().flatten().collect())
}
