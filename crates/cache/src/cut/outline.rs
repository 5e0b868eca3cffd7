//! What segments are made of, for whoever makes them without an image.

use std::collections::{BTreeMap, BTreeSet};

use image::{NodeId, Tree};

use super::{Cut, Job, Segment};

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

impl Cut {
    /// What the segments are made of, in their order.
    #[must_use]
    pub fn outlines(&self, tree: &Tree) -> Vec<Outline> {
        let holders = self.holders(tree);
        let root = |unit: &u32| self.units[*unit as usize].root;
        let outline = |segment: &Segment| {
            let units = self.units_of(segment);
            let originals: BTreeSet<u32> = units
                .iter()
                .filter_map(|unit| holders.get(unit))
                .flatten()
                .copied()
                .collect();
            let jobs = &self.jobs[segment.jobs.clone()];
            Outline {
                label: segment.label.clone(),
                units: units.iter().map(root).collect(),
                originals: originals.iter().map(root).collect(),
                content_len: jobs.iter().map(|job| u64::from(job.len())).sum(),
            }
        };
        self.list.iter().map(outline).collect()
    }

    /// The units that hold blocks of others' large files, by these others.
    fn holders(&self, tree: &Tree) -> BTreeMap<u32, BTreeSet<u32>> {
        let mut holders: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (number, unit) in (0u32..).zip(&self.units) {
            for entry in tree.walk_from(unit.root) {
                // Only large files have a first job.
                let first_job = self.places[entry.id.index()].first_job as usize;
                if let Some(Job::Block {
                    unit: Some(holder), ..
                }) = self.jobs.get(first_job)
                    && *holder != number
                {
                    holders.entry(number).or_default().insert(*holder);
                }
            }
        }
        holders
    }
}
