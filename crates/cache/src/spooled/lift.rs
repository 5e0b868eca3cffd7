//! Segments that were compressed before are taken from where they are.

use image::ReadAt;
use rayon::prelude::*;

use super::parts::{Walk, placed};
use super::rooms::Rooms;
use super::{Blocks, Depth, Spooled, SpooledOf, Spooling, Threads, Wanted, keep};
use crate::key::{Checksum, Key};
use crate::{Found, Segments};

/// How long segments are in the image that seem to be somewhere near.
pub(super) fn seen<B: Blocks>(
    blocks: &B,
    segments: &[Wanted],
    work: &Spooling,
) -> Result<Vec<Option<u64>>, Threads> {
    let near = work.near();
    if near.is_empty() {
        return Ok(vec![None; segments.len()]);
    }
    let seen = |key: &Key| near.iter().find_map(|place| place.find(key));
    let len = |segment: &Wanted| {
        let found = seen(segment.key.as_ref()?)?;
        Some(placed(&segment.runs(blocks, &found.sizes)))
    };
    Ok(pool(work)?.install(|| segments.par_iter().map(len).collect()))
}

fn pool(work: &Spooling) -> Result<rayon::ThreadPool, Threads> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(work.threads).build();
    pool.map_err(|error| Threads::None(std::io::Error::other(error)))
}

/// Copies those of some segments that are anywhere near into the spool, and checks the copy: it is what the image will be
/// made of, so nothing that happens to the original can matter any more.
pub(super) fn lift<B: Blocks>(
    blocks: &B,
    segments: &[Wanted],
    numbers: &[usize],
    work: &Spooling,
    rooms: &Rooms,
) -> Result<Vec<Option<SpooledOf<B>>>, B::Error> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let lifting = Lifting {
        blocks,
        segments,
        work,
        rooms,
    };
    let one = |number: &usize| match &segments[*number].key {
        Some(key) => lifting.find(*number, key),
        None => Ok(None),
    };
    pool(work)?.install(|| numbers.par_iter().map(one).collect())
}

/// What lifting needs for each segment.
struct Lifting<'a, B> {
    blocks: &'a B,
    segments: &'a [Wanted],
    work: &'a Spooling<'a>,
    rooms: &'a Rooms<'a>,
}

impl<B: Blocks> Lifting<'_, B> {
    /// Looks for one segment, in one place after the other.
    fn find(&self, number: usize, key: &Key) -> Result<Option<SpooledOf<B>>, B::Error> {
        let near = self.work.near();
        for (asked, place) in near.iter().enumerate() {
            self.work.progress.advance(0)?;
            let Some(found) = place.find(key) else { continue };
            let depth = if place.is_own() {
                Depth::Outside
            } else {
                Depth::Inside
            };
            match self.take(number, key, &found, &near[..asked], depth)? {
                Ok(spooled) => return Ok(Some(spooled)),
                Err(problem) => place.reject(key, &problem),
            }
        }
        Ok(None)
    }

    /// A segment's copy in the spool, which these places are to keep, or what is wrong with it.
    fn take(
        &self,
        number: usize,
        key: &Key,
        found: &Found,
        near: &[&dyn Segments],
        depth: Depth,
    ) -> Result<Result<SpooledOf<B>, String>, B::Error> {
        let segment = &self.segments[number];
        let part_end = found.start.checked_add(found.len);
        let fits = fits(self.blocks, segment, &found.sizes, found.len);
        let Some(part_end) = part_end.filter(|_| fits) else {
            return Ok(Err("its blocks are not those that belong here".into()));
        };
        let runs = segment.runs(self.blocks, &found.sizes);
        let at = self.rooms.whole(number, &runs);
        let parts = self.rooms.parts(at, &runs);
        let mut from = found.start;
        for part in &parts {
            let end = (from + part.len).min(part_end);
            if let Err(problem) = part.spool.copy_from(&*found.source, from..end, part.start)? {
                return Ok(Err(problem.to_string()));
            }
            from = end;
        }
        let mut walk = Walk::new(&parts);
        let mut checksum = Checksum::new(key);
        let mut decompressor = self.blocks.decompressor()?;
        let mut notes = Vec::with_capacity(found.sizes.len());
        let mut stored = Vec::new();
        let mut looked = Ok(());
        for (block, word) in segment.blocks.clone().zip(&found.sizes) {
            // What lies elsewhere than in the segment may be long.
            self.work.progress.advance(0)?;
            let len = self.blocks.stored_len(block, *word).unwrap_or(0);
            stored.resize(len as usize, 0);
            if let Some((spool, start)) = walk.next(len.into()) {
                let copy = spool.span(start, len.into());
                let read = copy.read_exact_at(&mut stored, 0);
                read.map_err(|source| image::Error::ReadSource {
                    what: "spool".into(),
                    source,
                })?;
            }
            checksum.add(&stored);
            if looked.is_ok() {
                let note = self
                    .blocks
                    .look(block, *word, &stored, &mut decompressor, depth)?;
                looked = note.map(|note| notes.push(note));
            }
        }
        if checksum.finish(&found.sizes) != found.digest {
            return Ok(Err("its bytes do not have the digest that it states".into()));
        }
        let spooled = looked.map(|()| Spooled {
            start: at.start(),
            parts,
            len: found.len,
            sizes: found.sizes.clone(),
            notes,
            digest: Some(found.digest),
        });
        if let Ok(spooled) = &spooled {
            self.rooms.is_at(number, at, runs);
            // What does not stay there is kept when it does.
            if at.stays() {
                keep(key, spooled, near);
            }
        }
        Ok(spooled)
    }
}

/// Whether sizes can be those of these blocks.
pub(super) fn fits<B: Blocks>(blocks: &B, segment: &Wanted, sizes: &[u32], len: u64) -> bool {
    let numbered = segment.blocks.clone().zip(sizes);
    let sum = numbered
        .map(|(block, word)| blocks.stored_len(block, *word).map(u64::from))
        .sum::<Option<u64>>();
    sizes.len() == segment.blocks.len() && sum == Some(len)
}
