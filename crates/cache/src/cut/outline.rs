//! What segments are made of, for whoever makes them without an image.

use std::collections::{BTreeMap, BTreeSet};

use image::Tree;

use super::{Cut, Job, Segment};
use crate::Outline;

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
