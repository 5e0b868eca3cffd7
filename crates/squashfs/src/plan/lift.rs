//! Segments that were compressed before are taken from where they are.

use std::sync::atomic::{AtomicU64, Ordering};

use cache::{Checksum, Found, Key};
use image::ReadAt;
use rayon::prelude::*;

use super::segments::{Job, Segment, Segments};
use super::{ALIGNMENT, Reuse, Work};
use crate::Error;
use crate::format::DATA_RAW;

/// A segment whose blocks are in the spool.
#[derive(Clone)]
pub(super) struct Spooled {
    /// The first byte in the spool.
    pub(super) start: u64,
    /// The bytes of all blocks.
    pub(super) len: u64,
    /// Each block's size word.
    pub(super) sizes: Vec<u32>,
    /// The [`Checksum`] of that; none without a key.
    pub(super) digest: Option<[u8; 32]>,
}

/// Copies every segment that is anywhere into the spool, and checks the copy: it is what the image will be made of, so
/// nothing that happens to the original can matter any more. `end` is the first free byte of the spool.
pub(super) fn lift(
    segments: &Segments,
    keys: &[Option<Key>],
    reuse: &Reuse,
    work: &Work,
    end: &AtomicU64,
) -> Result<Vec<Option<Spooled>>, Error> {
    let one = |(segment, key): (&Segment, &Option<Key>)| match key {
        Some(key) => find(&segments.jobs[segment.jobs.clone()], key, reuse, work, end),
        None => Ok(None),
    };
    work.pool()?
        .install(|| segments.list.par_iter().zip(keys).map(one).collect())
}

/// Looks for one segment, in one place after the other.
fn find(
    jobs: &[Job],
    key: &Key,
    reuse: &Reuse,
    work: &Work,
    end: &AtomicU64,
) -> Result<Option<Spooled>, Error> {
    for (number, place) in reuse.places.near.iter().enumerate() {
        work.progress.advance(0)?;
        let Some(found) = place.find(key) else { continue };
        match take(jobs, key, &found, work, end)? {
            Ok(spooled) => {
                keep(key, &spooled, &reuse.places.near[..number], work);
                return Ok(Some(spooled));
            }
            Err(problem) => place.reject(key, &problem),
        }
    }
    Ok(None)
}

/// Keeps a segment in these places.
pub(super) fn keep(key: &Key, spooled: &Spooled, places: &[&dyn cache::Segments], work: &Work) {
    let Some(digest) = spooled.digest else { return };
    let made = cache::Made {
        spool: work.spool,
        start: spooled.start,
        len: spooled.len,
        sizes: &spooled.sizes,
        digest,
    };
    for place in places {
        place.keep(key, &made);
    }
}

/// A segment's copy in the spool, or what is wrong with it.
fn take(
    jobs: &[Job],
    key: &Key,
    found: &Found,
    work: &Work,
    end: &AtomicU64,
) -> Result<Result<Spooled, String>, Error> {
    let part_end = found.start.checked_add(found.len);
    let Some(part_end) = part_end.filter(|_| fits(jobs, &found.sizes, found.len)) else {
        return Ok(Err("its blocks are not those that belong here".into()));
    };
    // The smallest blocks of file systems, so that they can share them.
    let start = end.fetch_add(found.len.next_multiple_of(ALIGNMENT), Ordering::Relaxed);
    if let Err(problem) = work
        .spool
        .copy_from(&*found.source, found.start..part_end, start)?
    {
        return Ok(Err(problem.to_string()));
    }
    let copy = work.spool.span(start, found.len);
    let mut checksum = Checksum::new(key);
    let mut chunk = vec![0; 256 << 10];
    let mut position = 0;
    while position < found.len {
        let len = usize::try_from(found.len - position).map_or(chunk.len(), |left| left.min(chunk.len()));
        let chunk = &mut chunk[..len];
        copy.read_exact_at(chunk, position)
            .map_err(|source| image::Error::ReadSource {
                what: "spool".into(),
                source,
            })?;
        checksum.add(chunk);
        position += len as u64;
    }
    if checksum.finish(&found.sizes) != found.digest {
        return Ok(Err("its bytes do not have the digest that it states".into()));
    }
    Ok(Ok(Spooled {
        start,
        len: found.len,
        sizes: found.sizes.clone(),
        digest: Some(found.digest),
    }))
}

/// Whether sizes can be those of these blocks.
pub(super) fn fits(jobs: &[Job], sizes: &[u32], len: u64) -> bool {
    let possible = |(job, word): (&Job, &u32)| match word & !DATA_RAW {
        0 => *word == 0 && matches!(job, Job::Block { .. }),
        len if *word & DATA_RAW != 0 => len == job.len(),
        len => len < job.len(),
    };
    let sum: u64 = sizes.iter().map(|word| u64::from(word & !DATA_RAW)).sum();
    sizes.len() == jobs.len() && sum == len && jobs.iter().zip(sizes).all(possible)
}
