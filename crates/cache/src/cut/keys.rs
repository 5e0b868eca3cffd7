//! Names of segments: hashes of everything that their bytes depend on.
//!
//! A segment's bytes follow from what each of its blocks holds and from how blocks are compressed, so that is what its
//! key is made of: block by block, the files and parts of files in it. A file is named by the hash of its unit and its
//! path there, or, where there is no such hash, by the hash of its bytes. Nothing else can leak in: what an earlier
//! segment holds already, what is stored, what has several names, is in no block, and so in no key.

use std::collections::{BTreeMap, BTreeSet};

use image::{Kind, NodeId, Progress, Tree};
use rayon::prelude::*;

use super::equal::digest;
use super::{Cut, Job, Segment};
use crate::{Fields, Key, Names, Reuse};

impl Cut {
    /// The keys of all segments, in their order. `head` is what they begin with: how blocks are compressed. Files whose
    /// digests are `known` are not read. On the threads of the pool that this is called in.
    ///
    /// # Errors
    /// When a file cannot be read, or the work shall stop.
    pub fn keys(
        &self,
        tree: &Tree,
        head: &Fields,
        reuse: &Reuse,
        known: &[Option<[u8; 32]>],
        compared: &BTreeMap<NodeId, [u8; 32]>,
        progress: &dyn Progress,
    ) -> image::Result<Vec<Option<Key>>> {
        let digest = |file: NodeId| {
            let digest = match (compared.get(&file), &tree.node(file).kind) {
                (Some(digest), _) => *digest,
                (None, Kind::File(content)) => digest(file, content, known, progress)?,
                (None, _) => [0; 32],
            };
            Ok((file, digest))
        };
        let unnamed: image::Result<BTreeMap<NodeId, [u8; 32]>> =
            self.unnamed(reuse).into_par_iter().map(digest).collect();
        let mut names = Names::new(unnamed?);
        let keys = self.list.iter().map(|segment| {
            let units = self.units_of(segment).into_iter();
            names.enter(tree, units.map(|unit| self.units[unit as usize].root), reuse);
            self.key(head.clone(), segment, &names)
        });
        Ok(keys.collect())
    }

    /// The files that no unit's hash vouches for.
    fn unnamed(&self, reuse: &Reuse) -> BTreeSet<NodeId> {
        let unnamed = |unit: Option<u32>| {
            let root = unit.map(|unit| self.units[unit as usize].root);
            root.is_none_or(|root| !reuse.units.contains_key(&root))
        };
        let mut files = BTreeSet::new();
        for job in &self.jobs {
            match job {
                Job::Block { file, unit, .. } if unnamed(*unit) => drop(files.insert(*file)),
                Job::Block { .. } => {}
                Job::Fragment { pieces, .. } => {
                    let pieces = self.pieces[pieces.clone()].iter();
                    files.extend(pieces.filter(|piece| unnamed(piece.unit)).map(|piece| piece.file));
                }
            }
        }
        files
    }

    /// The key of one segment; none when a file in it has no name, which nothing can cause.
    fn key(&self, mut fields: Fields, segment: &Segment, names: &Names) -> Option<Key> {
        for job in &self.jobs[segment.jobs.clone()] {
            match job {
                Job::Block { file, start, len, .. } => {
                    fields.bytes(b"block");
                    names.add(*file, &mut fields)?;
                    fields.number(*start);
                    fields.number((*len).into());
                }
                Job::Fragment { pieces, .. } => {
                    fields.bytes(b"fragment");
                    fields.number(pieces.len() as u64);
                    for piece in &self.pieces[pieces.clone()] {
                        names.add(piece.file, &mut fields)?;
                        fields.number(piece.len.into());
                    }
                }
            }
        }
        Some(fields.finish())
    }
}
