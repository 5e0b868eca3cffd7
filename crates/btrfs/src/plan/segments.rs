//! What is read and compressed together, and which segments that makes.
//!
//! The files of a unit are a segment. It depends on the unit alone: where another unit has the same file, either segment
//! holds it, and the image has it once. So nothing of that is made twice unless somebody keeps segments.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use image::{Content, Kind, NodeId, Tree, show};
use rayon::prelude::*;

use super::Work;
use super::data::{Data, EXTENT_MAX, NONE};
use super::survey::Survey;
use crate::compress::BLOCK_MAX;
use crate::{Compression, Error, Result};

/// All blocks of all segments.
pub(super) struct Segments {
    pub(super) list: Vec<Segment>,
    pub(super) runs: Vec<Run>,
    pub(super) jobs: Vec<Job>,
    /// For each file the first of its runs.
    first: Vec<usize>,
}

/// The files of a unit, or those of none.
pub(super) struct Segment {
    /// The unit's root.
    pub(super) unit: Option<NodeId>,
    pub(super) runs: Range<usize>,
    pub(super) jobs: Range<usize>,
}

/// A file in a segment.
pub(super) struct Run {
    pub(super) node: NodeId,
    /// The number of the file that has its bytes.
    pub(super) file: u32,
    /// Its segment's number.
    pub(super) segment: usize,
    pub(super) jobs: Range<usize>,
}

/// What is read, and compressed, together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) node: NodeId,
    pub(super) start: u64,
    pub(super) len: u32,
}

/// What becomes of a file that an earlier segment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeated {
    /// Its own segment has it, too, and so depends on nothing else.
    Kept,
    /// It is left out.
    LeftOut,
}

/// The nodes of all files with extents, by units; units and files in the order of a walk, whatever subvolumes there are. A
/// file with several names is at the first of them.
pub(super) fn members(tree: &Tree, data: &Data) -> Vec<(Option<NodeId>, Vec<NodeId>)> {
    let mut units: Vec<Option<NodeId>> = vec![None; tree.len()];
    for (root, _) in tree.units() {
        for entry in tree.walk_from(root) {
            units[entry.id.index()].get_or_insert(root);
        }
    }
    let mut places: BTreeMap<Option<NodeId>, usize> = BTreeMap::new();
    let mut members: Vec<(Option<NodeId>, Vec<NodeId>)> = Vec::new();
    let mut seen = vec![false; tree.len()];
    for entry in tree.walk() {
        let index = entry.id.index();
        if data.of_node[index] == NONE || std::mem::replace(&mut seen[index], true) {
            continue;
        }
        let place = *places.entry(units[index]).or_insert(members.len());
        if place == members.len() {
            members.push((units[index], Vec::new()));
        }
        members[place].1.push(entry.id);
    }
    members
}

impl Segments {
    /// Decides for all files, or for those of these units where there are any.
    pub(super) fn plan(
        survey: &Survey,
        data: &Data,
        wanted: &BTreeSet<NodeId>,
        compression: Compression,
        repeated: Repeated,
        work: &Work,
    ) -> Result<Segments> {
        let block_max = match compression {
            Compression::None => EXTENT_MAX,
            _ => BLOCK_MAX,
        };
        let mut segments = Segments {
            list: Vec::new(),
            runs: Vec::new(),
            jobs: Vec::new(),
            first: vec![usize::MAX; data.files.len()],
        };
        let pool = work.pool()?;
        let mut seen = BTreeSet::new();
        for (unit, nodes) in members(survey.tree, data) {
            if !wanted.is_empty() && unit.is_none_or(|unit| !wanted.contains(&unit)) {
                continue;
            }
            if repeated == Repeated::Kept {
                seen.clear();
            }
            let file = |id: &NodeId| data.of_node[id.index()];
            let nodes: Vec<NodeId> = nodes.into_iter().filter(|id| seen.insert(file(id))).collect();
            let runs = |id: &NodeId| content(survey, *id).data_runs().map_err(Error::from);
            let runs: Vec<Vec<Range<u64>>> =
                pool.install(|| nodes.par_iter().map(runs).collect::<Result<_>>())?;
            let (first_run, first_job) = (segments.runs.len(), segments.jobs.len());
            for (node, runs) in nodes.iter().zip(runs) {
                segments.add(*node, file(node), runs, block_max);
            }
            segments.list.push(Segment {
                unit,
                runs: first_run..segments.runs.len(),
                jobs: first_job..segments.jobs.len(),
            });
        }
        Ok(segments)
    }

    /// Adds a file to the segment that comes next.
    fn add(&mut self, node: NodeId, file: u32, runs: Vec<Range<u64>>, block_max: u64) {
        let first_job = self.jobs.len();
        self.jobs
            .extend(runs.into_iter().flat_map(|run| cut(node, run, block_max)));
        if let Some(first) = self.first.get_mut(file as usize) {
            *first = self.runs.len().min(*first);
        }
        self.runs.push(Run {
            node,
            file,
            segment: self.list.len(),
            jobs: first_job..self.jobs.len(),
        });
    }

    /// The blocks of a segment that are there a second time: the image has those of the first.
    pub(super) fn repeated(&self, segment: &Segment) -> Vec<Range<usize>> {
        let runs = segment.runs.clone().map(|number| (number, &self.runs[number]));
        let repeated =
            runs.filter(|(number, run)| self.first[run.file as usize] != *number && !run.jobs.is_empty());
        repeated.map(|(_, run)| run.jobs.clone()).collect()
    }

    /// The run that a file's extents are made of.
    pub(super) fn first(&self, file: usize) -> Option<usize> {
        let first = self.first.get(file)?;
        (*first < self.runs.len()).then_some(*first)
    }
}

/// What a segment is called.
pub(super) fn label(tree: &Tree, unit: Option<NodeId>) -> String {
    let unit = unit.and_then(|root| tree.unit(root));
    unit.map_or_else(|| "of other files".into(), |unit| show(&unit.name))
}

/// Cuts a run of data into blocks.
fn cut(node: NodeId, run: Range<u64>, block_max: u64) -> impl Iterator<Item = Job> {
    let starts = run.clone().step_by(block_max.try_into().unwrap_or(usize::MAX));
    starts.map(move |start| Job {
        node,
        start,
        len: u32::try_from((run.end - start).min(block_max)).unwrap_or(u32::MAX),
    })
}

pub(super) fn content<'a>(survey: &Survey<'a>, id: NodeId) -> &'a Content {
    match &survey.tree.node(id).kind {
        Kind::File(content) => content,
        _ => &Content::Zeros(0),
    }
}
