//! Segments that others have made are fetched while they are waiting to be compressed.
//!
//! Nobody who can write to a shared cache has to be trusted: a segment that was fetched is decompressed, and has to be
//! what it would be made of.

use super::filling::Filling;
use super::lift::fits;
use super::pack::Making;
use super::{Blocks, Depth, Spooled, SpooledOf};
use crate::Shared;

/// How many segments are fetched at once.
const THREADS: usize = 8;

/// How many threads shall fetch.
pub(super) fn threads<B: Blocks>(making: &Making<B>) -> usize {
    if making.shared().is_empty() {
        return 0;
    }
    THREADS.min(making.missing.len())
}

/// A fetcher: asks for segments until there are none to ask for.
pub(super) fn fetch_all<B: Blocks>(making: &Making<B>) -> Result<(), B::Error> {
    let Making { queue, work, .. } = making;
    while let Some(task) = queue.to_fetch() {
        work.progress.advance(0)?;
        let Some((spooled, filling)) = fetch(making, task, making.shared())? else {
            queue.is_missing(task);
            continue;
        };
        if making.deliver(task, spooled, filling)? && !queue.is_begun(task) {
            work.progress.advance(making.most(task))?;
        }
    }
    Ok(())
}

/// Asks one shared cache after the other for a segment.
fn fetch<'a, B: Blocks>(
    making: &Making<'a, B>,
    task: usize,
    places: &[Shared],
) -> Result<Option<(SpooledOf<B>, Filling<'a>)>, B::Error> {
    let Some(key) = making.key(task) else {
        return Ok(None);
    };
    let most = making.most(task);
    for place in places {
        let mut filling = None;
        let mut failed = None;
        let mut take = |stated: Option<u64>, bytes: &[u8]| {
            let filling = filling.get_or_insert_with(|| making.fill(task, stated));
            match filling.put(bytes, false) {
                Ok(fits) => fits && making.queue.wants(task),
                Err(error) => {
                    failed = Some(error);
                    false
                }
            }
        };
        let fetched = place.fetch(key, making.wanted(task).blocks.len(), most, &mut take);
        if let Some(error) = failed {
            return Err(error.into());
        }
        if !making.queue.wants(task) {
            return Ok(None);
        }
        let Some((fetched, filling)) = fetched.zip(filling) else {
            continue;
        };
        let mut spooled = Spooled {
            start: filling.at().start(),
            parts: Vec::new(),
            len: fetched.len,
            sizes: fetched.sizes,
            notes: Vec::new(),
            digest: Some(fetched.digest),
        };
        match confirm(making, task, &spooled, &filling)? {
            Ok(notes) => {
                spooled.notes = notes;
                return Ok(Some((spooled, filling)));
            }
            Err(problem) => place.reject(key, &problem),
        }
    }
    Ok(None)
}

/// Compares a segment's blocks with what they shall hold, and says what is wrong.
fn confirm<B: Blocks>(
    making: &Making<B>,
    task: usize,
    spooled: &SpooledOf<B>,
    filling: &Filling,
) -> Result<Result<Vec<B::Note>, String>, B::Error> {
    let blocks = making.blocks;
    let segment = making.wanted(task);
    if !fits(blocks, segment, &spooled.sizes, spooled.len) {
        return Ok(Err("its blocks are not those that belong here".into()));
    }
    let mut decompressor = blocks.decompressor()?;
    let mut notes = Vec::with_capacity(spooled.sizes.len());
    let mut stored = Vec::new();
    let mut position = 0;
    for (block, word) in segment.blocks.clone().zip(&spooled.sizes) {
        let len = blocks.stored_len(block, *word).unwrap_or(0);
        stored.resize(len as usize, 0);
        filling.read(&mut stored, position)?;
        position += u64::from(len);
        match blocks.look(block, *word, &stored, &mut decompressor, Depth::Compared)? {
            Ok(note) => notes.push(note),
            Err(problem) => return Ok(Err(problem)),
        }
    }
    Ok(Ok(notes))
}
