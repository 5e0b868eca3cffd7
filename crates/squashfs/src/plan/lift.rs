//! Segments that were compressed before are taken from where they are.

use cache::{Checksum, Found, Key};
use image::ReadAt;
use rayon::prelude::*;

use super::rooms::{At, Rooms};
use super::segments::{Job, Segments};
use super::{Reuse, Work};
use crate::decompress::{Decompressor, Limits};
use crate::format::DATA_RAW;
use crate::{Error, Options};

/// A segment whose blocks are in the spool, or on their way there.
#[derive(Clone)]
pub(super) struct Spooled {
    /// Where its blocks are.
    pub(super) at: At,
    /// The bytes of all blocks.
    pub(super) len: u64,
    /// Each block's size word.
    pub(super) sizes: Vec<u32>,
    /// The [`Checksum`] of that; none without a key.
    pub(super) digest: Option<[u8; 32]>,
}

/// How long segments are that seem to be somewhere near.
pub(super) fn seen(keys: &[Option<Key>], work: &Work) -> Result<Vec<Option<u64>>, Error> {
    let Some(reuse) = &work.reuse else {
        return Ok(vec![None; keys.len()]);
    };
    let near = reuse.places.near;
    let len = |key: &Option<Key>| {
        let key = key.as_ref()?;
        near.iter()
            .find_map(|place| place.find(key))
            .map(|found| found.len)
    };
    Ok(work.pool()?.install(|| keys.par_iter().map(len).collect()))
}

/// Copies these segments, as far as they are anywhere near, into the spool, and checks the copy: it is what the image will
/// be made of, so nothing that happens to the original can matter any more.
pub(super) fn lift(
    segments: &Segments,
    keys: &[Option<Key>],
    wanted: &[usize],
    options: &Options,
    work: &Work,
    rooms: &Rooms,
) -> Result<Vec<Option<Spooled>>, Error> {
    let Some(reuse) = &work.reuse else {
        return Ok(vec![None; wanted.len()]);
    };
    let lifting = Lifting {
        options,
        reuse,
        work,
        rooms,
    };
    let one = |number: &usize| match &keys[*number] {
        Some(key) => {
            let jobs = &segments.jobs[segments.list[*number].jobs.clone()];
            find(*number, jobs, key, &lifting)
        }
        None => Ok(None),
    };
    work.pool()?.install(|| wanted.par_iter().map(one).collect())
}

/// What lifting needs for each segment.
struct Lifting<'a> {
    options: &'a Options,
    reuse: &'a Reuse<'a>,
    work: &'a Work<'a>,
    rooms: &'a Rooms<'a>,
}

/// How closely blocks are looked at.
#[derive(Clone, Copy)]
enum Depth {
    /// What they say of themselves.
    Outside,
    /// They are decompressed.
    Inside,
}

/// Looks for one segment, in one place after the other.
fn find(segment: usize, jobs: &[Job], key: &Key, lifting: &Lifting) -> Result<Option<Spooled>, Error> {
    let Lifting { reuse, work, .. } = lifting;
    for (number, place) in reuse.places.near.iter().enumerate() {
        work.progress.advance(0)?;
        let Some(found) = place.find(key) else { continue };
        let depth = if place.is_own() {
            Depth::Outside
        } else {
            Depth::Inside
        };
        match take(segment, jobs, key, &found, depth, lifting)? {
            Ok(spooled) => {
                // What does not is kept when it does.
                if spooled.at.stays() {
                    keep(key, &spooled, &reuse.places.near[..number], work);
                }
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
        start: spooled.at.start(),
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
    segment: usize,
    jobs: &[Job],
    key: &Key,
    found: &Found,
    depth: Depth,
    lifting: &Lifting,
) -> Result<Result<Spooled, String>, Error> {
    let Lifting {
        options, work, rooms, ..
    } = lifting;
    let part_end = found.start.checked_add(found.len);
    let Some(part_end) = part_end.filter(|_| fits(jobs, &found.sizes, found.len)) else {
        return Ok(Err("its blocks are not those that belong here".into()));
    };
    let at = rooms.whole(segment, found.len);
    let start = at.start();
    if let Err(problem) = work
        .spool
        .copy_from(&*found.source, found.start..part_end, start)?
    {
        return Ok(Err(problem.to_string()));
    }
    let copy = work.spool.span(start, found.len);
    let mut checksum = Checksum::new(key);
    let limits = Limits::segment(options.block_size);
    let mut decompressor = Decompressor::new(options.compression.number(), limits)?;
    let mut stored = Vec::new();
    let mut looked = Ok(());
    let mut position = 0;
    for (job, word) in jobs.iter().zip(&found.sizes) {
        let len = word & !DATA_RAW;
        stored.resize(len as usize, 0);
        copy.read_exact_at(&mut stored, position)
            .map_err(|source| image::Error::ReadSource {
                what: "spool".into(),
                source,
            })?;
        checksum.add(&stored);
        position += u64::from(len);
        if looked.is_ok() && word & DATA_RAW == 0 && len > 0 {
            looked = look(&mut decompressor, &stored, job, depth);
        }
    }
    if checksum.finish(&found.sizes) != found.digest {
        return Ok(Err("its bytes do not have the digest that it states".into()));
    }
    if let Err(error) = looked {
        return Ok(Err(error.to_string()));
    }
    Ok(Ok(Spooled {
        at,
        len: found.len,
        sizes: found.sizes.clone(),
        digest: Some(found.digest),
    }))
}

/// Looks at a block that was compressed.
fn look(decompressor: &mut Decompressor, stored: &[u8], job: &Job, depth: Depth) -> Result<(), Error> {
    let wanted = job.len() as usize;
    decompressor.look(stored, wanted)?;
    match depth {
        Depth::Outside => Ok(()),
        Depth::Inside if decompressor.decompress(stored, wanted)?.len() == wanted => Ok(()),
        Depth::Inside => Err(Error::Damaged("a block holds less than belongs there".into())),
    }
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
