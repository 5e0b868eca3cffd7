//! Names of segments: hashes of everything that their bytes depend on.
//!
//! A segment's bytes follow from its files and from how blocks are compressed. Its key names them block by block, as the
//! keys of a squashfs do, so whatever decides which files a segment has, and where these have data, needs no name itself.

use std::collections::BTreeMap;

use cache::libraries::{LIBDEFLATE, LIBZSTD};
use cache::{Fields, Key, Names, Reuse};
use image::NodeId;
use rayon::prelude::*;

use super::segments::{Segment, Segments, content};
use super::survey::Survey;
use super::{Work, duplicates};
use crate::{Compression, Result};

/// Changes whenever the same files and options come to give other blocks.
const LAYOUT: &[u8] = b"kiln btrfs segment 1";
/// The crate's own compressor: changes whenever its bytes do.
const LZO: &str = "kiln lzo 1";

/// The keys of all segments, in their order; none when nothing is compressed. Files whose digests are `known` are not
/// read.
pub(super) fn keys(
    survey: &Survey,
    segments: &Segments,
    known: &BTreeMap<NodeId, [u8; 32]>,
    compression: Compression,
    reuse: &Reuse,
    work: &Work,
) -> Result<Vec<Option<Key>>> {
    let Some(head) = head(compression) else {
        return Ok(vec![None; segments.list.len()]);
    };
    let mut names = Names::new(digests(survey, segments, known, reuse, work)?);
    let keys = segments.list.iter().map(|segment| {
        names.enter(survey.tree, segment.unit, reuse);
        key(head.clone(), segments, segment, &names)
    });
    Ok(keys.collect())
}

/// What the keys of all segments begin with: how blocks are compressed.
fn head(compression: Compression) -> Option<Fields> {
    let (level, library) = match compression {
        Compression::None => return None,
        Compression::Zlib { level } => (level.into(), LIBDEFLATE),
        Compression::Lzo => (0, LZO),
        Compression::Zstd { level } => (u64::try_from(level).ok()?, LIBZSTD),
    };
    let mut head = Fields::default();
    head.bytes(LAYOUT);
    head.bytes(library.as_bytes());
    head.number(level);
    Some(head)
}

/// The SHA-256 of the files that no unit's hash vouches for.
fn digests(
    survey: &Survey,
    segments: &Segments,
    known: &BTreeMap<NodeId, [u8; 32]>,
    reuse: &Reuse,
    work: &Work,
) -> Result<BTreeMap<NodeId, [u8; 32]>> {
    let is_unnamed = |segment: &&Segment| segment.unit.is_none_or(|root| !reuse.units.contains_key(&root));
    let unnamed = segments.list.iter().filter(is_unnamed);
    let runs: Vec<usize> = unnamed.flat_map(|segment| segment.runs.clone()).collect();
    let digest = |run: usize| {
        let node = segments.runs[run].node;
        let digest = match known.get(&node) {
            Some(digest) => *digest,
            None => duplicates::digest(node, content(survey, node), &work.looking())?,
        };
        Ok((node, digest))
    };
    if runs.is_empty() {
        return Ok(BTreeMap::new());
    }
    work.pool()?
        .install(|| runs.into_par_iter().map(digest).collect())
}

/// The key of one segment; none when it has no blocks, or a file in it has no name, which nothing can cause.
fn key(mut fields: Fields, segments: &Segments, segment: &Segment, names: &Names) -> Option<Key> {
    if segment.jobs.is_empty() {
        return None;
    }
    for run in &segments.runs[segment.runs.clone()] {
        fields.bytes(b"file");
        names.add(run.node, &mut fields)?;
        fields.number(run.jobs.len() as u64);
        for job in &segments.jobs[run.jobs.clone()] {
            fields.number(job.start);
            fields.number(job.len.into());
        }
    }
    Some(fields.finish())
}
