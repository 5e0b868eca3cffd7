//! Disks: their tables, and what lies outside of partitions.

use std::collections::BTreeSet;
use std::sync::Arc;

use disk::read::{Disk, Partition};
use image::{Content, Structure};
use inspect::{Inside, Structures, Work, compare};
use serde_json::Value;

use super::entries::{OptionEntry, RegionEntry};
use super::options::differences;

/// What the tables say of the partitions that both have.
pub(super) fn partitions(a: &Disk, b: &Disk) -> Vec<OptionEntry> {
    let mut options = Vec::new();
    let theirs = inspect::partition_names(b);
    for (name, before) in inspect::partition_names(a) {
        if let Some((_, after)) = theirs.iter().find(|(other, _)| *other == name) {
            let entry = |partition: &Partition| {
                let mut entry = serde_json::to_value(partition.entry).unwrap_or_default();
                if let Value::Object(entry) = &mut entry {
                    entry.insert("start".into(), partition.start.into());
                    entry.insert("length".into(), partition.size().into());
                }
                entry
            };
            options.extend(differences(
                &format!("partition {name}: "),
                &entry(before),
                &entry(after),
            ));
        }
    }
    options
}

/// What differs outside of all partitions: tables, boot loaders, and what else lies there.
pub(super) fn regions(
    (a, left): (&Inside, &Disk),
    (b, right): (&Inside, &Disk),
    known: &[Vec<Structure>; 2],
    work: &Work,
) -> inspect::Result<Vec<RegionEntry>> {
    let [before, after] = known.clone();
    let structures = [Structures::of(a)?.with(before), Structures::of(b)?.with(after)];
    let end = a.content.len().min(b.content.len());
    let mut cuts = BTreeSet::from([0, end]);
    for structures in &structures {
        cuts.extend(structures.cuts().filter(|cut| *cut < end));
    }
    let cuts: Vec<u64> = cuts.into_iter().collect();
    let mut regions: Vec<RegionEntry> = Vec::new();
    for range in cuts.windows(2) {
        let [start, end] = range else { continue };
        let in_partition = |disk: &Disk| {
            disk.partitions
                .iter()
                .any(|part| part.start <= *start && *start < part.end)
        };
        if in_partition(left) || in_partition(right) {
            continue;
        }
        let part = |inside: &Inside| Content::Span {
            source: Arc::new(inside.content.clone()),
            start: *start,
            len: end - start,
        };
        if let Some(first) = compare::first_difference(&part(a), &part(b), work)? {
            let first = start + first;
            let place = structures.iter().find_map(|structures| structures.at(first));
            regions.push(RegionEntry {
                name: place.map_or_else(|| "outside of partitions".into(), |place| place.to_string()),
                start: *start,
                end: *end,
                first,
            });
        }
    }
    Ok(regions)
}
