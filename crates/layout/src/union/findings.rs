//! What is to be said of a union.

use std::collections::BTreeMap;

use image::{Content, Kind};
use nix::StorePath;

use super::{Candidate, Slot, Union};
use crate::error::Result;
use crate::report::{Conflict, Leftover, Report, What};
use crate::scan::outside;

/// How many bytes of two files are compared at once.
const CHUNK_LEN: usize = 256 << 10;

impl Union<'_> {
    /// Conflicts and leftovers, when everything has its place.
    pub(super) fn report(&self, slots: &BTreeMap<Vec<u8>, Slot>) -> Result<Report> {
        let mut report = Report::default();
        for (path, slot) in slots {
            if self.parent(path).is_none() {
                continue;
            }
            let chosen = self.made.get(path).copied();
            self.add_conflict(path, slot, chosen, &mut report)?;
            match chosen.map(|chosen| &slot.candidates[chosen]) {
                Some(candidate) => self.add_made(path, candidate, &mut report),
                None if slot.folder.is_none() => {
                    // Links to themselves, which are nowhere.
                    let links = slot.candidates.iter().take(1);
                    report
                        .leftovers
                        .extend(links.filter_map(|link| self.dead(path, link)));
                }
                None => {}
            }
        }
        Ok(report)
    }

    fn add_made(&self, path: &[u8], candidate: &Candidate, report: &mut Report) {
        let owner = &self.owners[candidate.owner];
        let leftover = |what| Leftover {
            path: path.to_vec(),
            owner: owner.clone(),
            what,
        };
        if let Some(found) = self.found.get(&candidate.id) {
            report.rewritten_files += u64::from(found.references > 0);
            report.rewritten_references += found.references;
            report.leftovers.extend(found.left.iter().cloned().map(leftover));
        }
        if let Some(link) = &candidate.link {
            if let Kind::Symlink(before) = &self.store.node(candidate.id).kind {
                report.rewritten_links += u64::from(**before != *link.target);
            }
            let outside = outside(&link.target, self.names.prefixes());
            report.leftovers.extend(outside.into_iter().map(leftover));
            if self.is_dead(path, candidate) {
                report.leftovers.extend(self.dead(path, candidate));
            }
        }
    }

    fn dead(&self, path: &[u8], candidate: &Candidate) -> Option<Leftover> {
        let Kind::Symlink(target) = &self.store.node(candidate.id).kind else {
            return None;
        };
        Some(Leftover {
            path: path.to_vec(),
            owner: self.owners[candidate.owner].clone(),
            what: What::DeadLink {
                target: target.to_vec(),
            },
        })
    }

    /// Notes who has something at a path and is not there, unless it is the same thing.
    fn add_conflict(
        &self,
        path: &[u8],
        slot: &Slot,
        chosen: Option<usize>,
        report: &mut Report,
    ) -> Result<()> {
        let kept = match (chosen, slot.folder) {
            (Some(chosen), _) => slot.candidates[chosen].owner,
            (None, Some(folder)) => folder,
            (None, None) => return Ok(()),
        };
        let mut dropped: Vec<usize> = Vec::new();
        for (number, candidate) in slot.candidates.iter().enumerate() {
            if chosen == Some(number) || self.leads_to(candidate, path) {
                continue;
            }
            let same = match chosen {
                Some(chosen) => self.same(path, &slot.candidates[chosen], candidate)?,
                None => false,
            };
            if !same {
                dropped.push(candidate.owner);
            }
        }
        if chosen.is_some() {
            dropped.extend(slot.folder);
        }
        dropped.retain(|owner| *owner != kept);
        dropped.sort_unstable();
        dropped.dedup();
        if !dropped.is_empty() {
            let owner = |owner: usize| -> StorePath { self.owners[owner].clone() };
            report.conflicts.push(Conflict {
                path: path.to_vec(),
                kept: owner(kept),
                dropped: dropped.into_iter().map(owner).collect(),
            });
        }
        Ok(())
    }

    /// Whether two candidates for a path make no difference there.
    fn same(&self, path: &[u8], one: &Candidate, other: &Candidate) -> Result<bool> {
        if let (Some(one), Some(other)) = (&one.link, &other.link) {
            return Ok(self.names.follow(path, &one.target) == self.names.follow(path, &other.target));
        }
        let executable = |candidate: &Candidate| self.store.node(candidate.id).meta.mode & 0o100;
        match (self.content(one), self.content(other)) {
            (Some(content), Some(with)) if executable(one) == executable(other) => {
                same_bytes(&content, &with)
            }
            _ => Ok(false),
        }
    }
}

fn same_bytes(one: &Content, other: &Content) -> Result<bool> {
    if one.len() != other.len() {
        return Ok(false);
    }
    let mut chunks = [vec![0; CHUNK_LEN], vec![0; CHUNK_LEN]];
    let (mut one, mut other) = (one.reader()?, other.reader()?);
    while one.remaining() > 0 {
        let len = one.fill(&mut chunks[0])?;
        other.fill(&mut chunks[1])?;
        if chunks[0][..len] != chunks[1][..len] {
            return Ok(false);
        }
    }
    Ok(true)
}
