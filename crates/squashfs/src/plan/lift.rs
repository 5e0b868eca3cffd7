//! Segments that were compressed before are taken from where they are.

use std::sync::atomic::{AtomicU64, Ordering};

use cache::{Checksum, Found, Key};
use image::ReadAt;
use rayon::prelude::*;

use super::segments::{Job, Segment, Segments};
use super::{ALIGNMENT, Reuse, Work};
use crate::decompress::{Decompressor, Limits};
use crate::format::DATA_RAW;
use crate::{Error, Options};

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

/// The segments that are in the spool before any is made.
pub(super) struct Lifted {
    /// By segment.
    pub(super) segments: Vec<Option<Spooled>>,
    /// The first free byte of the spool.
    pub(super) end: AtomicU64,
}

impl Lifted {
    /// The numbers of the segments that are not there.
    pub(super) fn missing(&self) -> impl Iterator<Item = usize> {
        let segments = self.segments.iter().enumerate();
        segments.filter_map(|(number, segment)| segment.is_none().then_some(number))
    }
}

/// Copies every segment that is anywhere into the spool, and checks the copy: it is what the image will be made of, so
/// nothing that happens to the original can matter any more.
pub(super) fn lift(
    segments: &Segments,
    keys: &[Option<Key>],
    options: &Options,
    work: &Work,
) -> Result<Lifted, Error> {
    // As in the image.
    let end = AtomicU64::new(ALIGNMENT);
    let Some(reuse) = &work.reuse else {
        let segments = vec![None; segments.list.len()];
        return Ok(Lifted { segments, end });
    };
    let lifting = Lifting {
        options,
        reuse,
        work,
        end: &end,
    };
    let one = |((segment, key), room): ((&Segment, &Option<Key>), &Option<Room>)| match (key, room) {
        (Some(key), Some(room)) => find(&segments.jobs[segment.jobs.clone()], key, *room, &lifting),
        _ => Ok(None),
    };
    let segments: Result<_, Error> = work.pool()?.install(|| {
        let rooms = rooms(keys, &lifting);
        segments.list.par_iter().zip(keys).zip(&rooms).map(one).collect()
    });
    Ok(Lifted {
        segments: segments?,
        end,
    })
}

/// Where a segment shall lie in the spool, and how long it seems to be.
#[derive(Clone, Copy)]
struct Room {
    start: u64,
    len: u64,
}

/// Gives all segments that seem to be somewhere places in the spool, in their order: when all are, as in the image.
fn rooms(keys: &[Option<Key>], lifting: &Lifting) -> Vec<Option<Room>> {
    let Lifting { reuse, end, .. } = lifting;
    let seen = |key: &Option<Key>| {
        reuse
            .places
            .near
            .iter()
            .find_map(|place| place.find(key.as_ref()?))
    };
    let lens: Vec<Option<u64>> = keys
        .par_iter()
        .map(|key| seen(key).map(|found| found.len))
        .collect();
    let room = |len: u64| Room {
        start: end.fetch_add(len.next_multiple_of(ALIGNMENT), Ordering::Relaxed),
        len,
    };
    lens.into_iter().map(|len| len.map(room)).collect()
}

/// What lifting needs for each segment.
struct Lifting<'a> {
    options: &'a Options,
    reuse: &'a Reuse<'a>,
    work: &'a Work<'a>,
    end: &'a AtomicU64,
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
fn find(jobs: &[Job], key: &Key, room: Room, lifting: &Lifting) -> Result<Option<Spooled>, Error> {
    let Lifting { reuse, work, end, .. } = lifting;
    let mut room = Some(room);
    for (number, place) in reuse.places.near.iter().enumerate() {
        work.progress.advance(0)?;
        let Some(found) = place.find(key) else { continue };
        let depth = if place.is_own() {
            Depth::Outside
        } else {
            Depth::Inside
        };
        // The smallest blocks of file systems, so that they can share them.
        let elsewhere = || end.fetch_add(found.len.next_multiple_of(ALIGNMENT), Ordering::Relaxed);
        let start = match room.take() {
            Some(room) if room.len == found.len => room.start,
            _ => elsewhere(),
        };
        match take(jobs, key, &found, start, depth, lifting)? {
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
    start: u64,
    depth: Depth,
    lifting: &Lifting,
) -> Result<Result<Spooled, String>, Error> {
    let Lifting { options, work, .. } = lifting;
    let part_end = found.start.checked_add(found.len);
    let Some(part_end) = part_end.filter(|_| fits(jobs, &found.sizes, found.len)) else {
        return Ok(Err("its blocks are not those that belong here".into()));
    };
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
        start,
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
