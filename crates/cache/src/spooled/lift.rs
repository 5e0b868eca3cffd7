//! Segments that were compressed before are taken from where they are.

use std::sync::atomic::{AtomicU64, Ordering};

use image::ReadAt;
use rayon::prelude::*;

use super::{ALIGNMENT, Blocks, Depth, Spooled, Spooling, Threads, Wanted};
use crate::key::{Checksum, Key};
use crate::{Found, Segments};

/// Of each segment, what is in the spool.
type Lifted<N> = Vec<Option<Spooled<N>>>;

/// Copies every segment that is anywhere near into the spool, and checks the copy: it is what the image will be made of,
/// so nothing that happens to the original can matter any more. `end` is the first free byte of the spool.
pub(super) fn lift<B: Blocks>(
    blocks: &B,
    segments: &[Wanted],
    near: &[&dyn Segments],
    work: &Spooling,
    end: &AtomicU64,
) -> Result<Lifted<B::Note>, B::Error> {
    let lifting = Lifting {
        blocks,
        near,
        work,
        end,
    };
    let one = |(segment, room): (&Wanted, &Option<Room>)| match (&segment.key, room) {
        (Some(key), Some(room)) => lifting.find(segment, key, *room),
        _ => Ok(None),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(work.threads).build();
    let pool = pool.map_err(|error| Threads::None(std::io::Error::other(error)))?;
    pool.install(|| {
        let rooms = lifting.rooms(segments);
        segments.par_iter().zip(&rooms).map(one).collect()
    })
}

/// Where a segment shall lie in the spool, and how long it seems to be.
#[derive(Clone, Copy)]
struct Room {
    start: u64,
    len: u64,
}

/// What lifting needs for each segment.
struct Lifting<'a, B> {
    blocks: &'a B,
    near: &'a [&'a dyn Segments],
    work: &'a Spooling<'a>,
    end: &'a AtomicU64,
}

impl<B: Blocks> Lifting<'_, B> {
    /// Gives all segments that seem to be somewhere places in the spool, in their order: when all are, as in the image.
    fn rooms(&self, segments: &[Wanted]) -> Vec<Option<Room>> {
        let seen = |key: &Key| self.near.iter().find_map(|place| place.find(key));
        let len = |segment: &Wanted| Some(seen(segment.key.as_ref()?)?.len);
        let lens: Vec<Option<u64>> = segments.par_iter().map(len).collect();
        let room = |len: u64| Room {
            start: self.room(len),
            len,
        };
        lens.into_iter().map(|len| len.map(room)).collect()
    }

    fn room(&self, len: u64) -> u64 {
        self.end
            .fetch_add(len.next_multiple_of(ALIGNMENT), Ordering::Relaxed)
    }

    /// Looks for one segment, in one place after the other.
    fn find(&self, segment: &Wanted, key: &Key, room: Room) -> Result<Option<Spooled<B::Note>>, B::Error> {
        let mut room = Some(room);
        for (number, place) in self.near.iter().enumerate() {
            self.work.progress.advance(0)?;
            let Some(found) = place.find(key) else { continue };
            let depth = if place.is_own() {
                Depth::Outside
            } else {
                Depth::Inside
            };
            let start = match room.take() {
                Some(room) if room.len == found.len => room.start,
                _ => self.room(found.len),
            };
            match self.take(segment, key, &found, start, depth)? {
                Ok(spooled) => {
                    self.work.keep(key, &spooled, &self.near[..number]);
                    return Ok(Some(spooled));
                }
                Err(problem) => place.reject(key, &problem),
            }
        }
        Ok(None)
    }

    /// A segment's copy in the spool, or what is wrong with it.
    fn take(
        &self,
        segment: &Wanted,
        key: &Key,
        found: &Found,
        start: u64,
        depth: Depth,
    ) -> Result<Result<Spooled<B::Note>, String>, B::Error> {
        let part_end = found.start.checked_add(found.len);
        let fits = fits(self.blocks, segment, &found.sizes, found.len);
        let Some(part_end) = part_end.filter(|_| fits) else {
            return Ok(Err("its blocks are not those that belong here".into()));
        };
        let spool = self.work.spool;
        if let Err(problem) = spool.copy_from(&*found.source, found.start..part_end, start)? {
            return Ok(Err(problem.to_string()));
        }
        let copy = spool.span(start, found.len);
        let mut checksum = Checksum::new(key);
        let mut decompressor = self.blocks.decompressor()?;
        let mut notes = Vec::with_capacity(found.sizes.len());
        let mut stored = Vec::new();
        let mut looked = Ok(());
        let mut position = 0;
        for (block, word) in segment.blocks.clone().zip(&found.sizes) {
            let len = self.blocks.stored_len(block, *word).unwrap_or(0);
            stored.resize(len as usize, 0);
            copy.read_exact_at(&mut stored, position)
                .map_err(|source| image::Error::ReadSource {
                    what: "spool".into(),
                    source,
                })?;
            checksum.add(&stored);
            position += u64::from(len);
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
        Ok(looked.map(|()| Spooled {
            start,
            len: found.len,
            sizes: found.sizes.clone(),
            notes,
            digest: Some(found.digest),
        }))
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
