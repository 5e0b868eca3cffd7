//! Names of segments: hashes of everything that their bytes depend on.
//!
//! A segment's bytes follow from what each of its blocks holds and from how blocks are compressed, so that is what its
//! key is made of: block by block, the files and parts of files in it. A file is named by the hash of its unit and its
//! path there, or, where there is no such hash, by the hash of its bytes. Nothing else can leak in: what an earlier
//! segment holds already, what is stored, what has several names, is in no block, and so in no key.

use std::collections::{BTreeMap, BTreeSet};

use cache::libraries::{LIBDEFLATE, LIBLZMA, LIBZSTD};
use cache::{Fields, Key, Names};
use image::{Kind, NodeId, Tree};
use rayon::prelude::*;

use super::segments::{Job, Segment, Segments};
use super::{Reuse, Work, duplicates};
use crate::{Compression, Error, Options};

/// Changes whenever the same files and options come to give other blocks, or segments that were kept before are no longer
/// good enough: those of 3 could come from others without having been read as Linux reads them.
const LAYOUT: &[u8] = b"kiln squashfs segment 4";

/// The keys of all segments, in their order. None when nothing is compressed. Files whose digests are `known` are not read.
pub(super) fn keys(
    tree: &Tree,
    segments: &Segments,
    known: &BTreeMap<NodeId, [u8; 32]>,
    options: &Options,
    reuse: &Reuse,
    work: &Work,
) -> Result<Vec<Option<Key>>, Error> {
    let Some(head) = head(options) else {
        return Ok(vec![None; segments.list.len()]);
    };
    let mut names = Names::new(digests(tree, segments, known, reuse, work)?);
    let keys = segments.list.iter().map(|segment| {
        let units = units(segments, segment).into_iter();
        names.enter(tree, units.map(|unit| segments.units[unit as usize].root), reuse);
        key(head.clone(), segments, segment, &names)
    });
    Ok(keys.collect())
}

/// What the keys of all segments begin with: how blocks are compressed.
fn head(options: &Options) -> Option<Fields> {
    let (level, library) = match options.compression {
        Compression::None => return None,
        Compression::Gzip { level } => (u64::from(level), LIBDEFLATE),
        Compression::Xz { level } => (u64::from(level), LIBLZMA),
        Compression::Zstd { level } => (u64::try_from(level).ok()?, LIBZSTD),
    };
    let mut head = Fields::default();
    head.bytes(LAYOUT);
    head.number(options.block_size.into());
    head.bytes(library.as_bytes());
    head.number(level);
    Some(head)
}

/// The units of a segment.
pub(super) fn units(segments: &Segments, segment: &Segment) -> BTreeSet<u32> {
    let jobs = &segments.jobs[segment.jobs.clone()];
    let mut units = BTreeSet::new();
    for job in jobs {
        match job {
            Job::Block { unit, .. } => units.extend(unit),
            Job::Fragment { pieces, .. } => {
                units.extend(
                    segments.pieces[pieces.clone()]
                        .iter()
                        .filter_map(|piece| piece.unit),
                );
            }
        }
    }
    units
}

/// The SHA-256 of the files that no unit's hash vouches for.
fn digests(
    tree: &Tree,
    segments: &Segments,
    known: &BTreeMap<NodeId, [u8; 32]>,
    reuse: &Reuse,
    work: &Work,
) -> Result<BTreeMap<NodeId, [u8; 32]>, Error> {
    let unnamed = |unit: Option<u32>| {
        let root = unit.map(|unit| segments.units[unit as usize].root);
        root.is_none_or(|root| !reuse.units.contains_key(&root))
    };
    let mut files = BTreeSet::new();
    for job in &segments.jobs {
        match job {
            Job::Block { file, unit, .. } if unnamed(*unit) => drop(files.insert(*file)),
            Job::Block { .. } => {}
            Job::Fragment { pieces, .. } => {
                let pieces = segments.pieces[pieces.clone()].iter();
                files.extend(pieces.filter(|piece| unnamed(piece.unit)).map(|piece| piece.file));
            }
        }
    }
    if files.is_empty() {
        return Ok(BTreeMap::new());
    }
    let digest = |file: NodeId| {
        let digest = match (known.get(&file), &tree.node(file).kind) {
            (Some(digest), _) => *digest,
            (None, Kind::File(content)) => duplicates::digest(file, content, work)?,
            (None, _) => [0; 32],
        };
        Ok((file, digest))
    };
    work.pool()?
        .install(|| files.into_par_iter().map(digest).collect())
}

/// The key of one segment; none when a file in it has no name, which nothing can cause.
fn key(mut fields: Fields, segments: &Segments, segment: &Segment, names: &Names) -> Option<Key> {
    for job in &segments.jobs[segment.jobs.clone()] {
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
                for piece in &segments.pieces[pieces.clone()] {
                    names.add(piece.file, &mut fields)?;
                    fields.number(piece.len.into());
                }
            }
        }
    }
    Some(fields.finish())
}
