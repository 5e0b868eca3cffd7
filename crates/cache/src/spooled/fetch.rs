//! Segments that others have made are fetched while they are waiting to be compressed.
//!
//! Nobody who can write to a shared cache has to be trusted: a segment that was fetched is decompressed, and has to be
//! what it would be made of.

use image::ReadAt as _;

use super::lift::fits;
use super::pack::Making;
use super::{Blocks, Depth, Spooled};
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
        let Some(spooled) = fetch(making, task, making.shared())? else {
            queue.is_missing(task);
            continue;
        };
        let kept = spooled.clone();
        if queue.deliver(task, spooled) {
            if let Some(key) = making.key(task) {
                work.keep(key, &kept, work.near());
            }
            if !queue.is_begun(task) {
                work.progress.advance(making.most(task))?;
            }
        }
    }
    Ok(())
}

/// Asks one shared cache after the other for a segment.
fn fetch<B: Blocks>(
    making: &Making<B>,
    task: usize,
    places: &[Shared],
) -> Result<Option<Spooled<B::Note>>, B::Error> {
    let Some(key) = making.key(task) else {
        return Ok(None);
    };
    let most = making.most(task);
    for place in places {
        let start = making.room(task);
        let mut end = start;
        let mut failed = None;
        let mut take = |bytes: &[u8]| {
            if let Err(error) = making.work.spool.write_at(bytes, end) {
                failed = Some(error);
                return false;
            }
            end += bytes.len() as u64;
            making.queue.wants(task)
        };
        let fetched = place.fetch(key, making.wanted(task).blocks.len(), most, &mut take);
        if let Some(error) = failed {
            return Err(error.into());
        }
        if !making.queue.wants(task) {
            return Ok(None);
        }
        let Some(fetched) = fetched else { continue };
        let mut spooled = Spooled {
            start,
            len: fetched.len,
            sizes: fetched.sizes,
            notes: Vec::new(),
            digest: Some(fetched.digest),
        };
        match confirm(making, task, &spooled)? {
            Ok(notes) => {
                spooled.notes = notes;
                return Ok(Some(spooled));
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
    spooled: &Spooled<B::Note>,
) -> Result<Result<Vec<B::Note>, String>, B::Error> {
    let Making { blocks, work, .. } = *making;
    let segment = making.wanted(task);
    if !fits(blocks, segment, &spooled.sizes, spooled.len) {
        return Ok(Err("its blocks are not those that belong here".into()));
    }
    let mut decompressor = blocks.decompressor()?;
    let bytes = work.spool.span(spooled.start, spooled.len);
    let mut notes = Vec::with_capacity(spooled.sizes.len());
    let mut stored = Vec::new();
    let mut position = 0;
    for (block, word) in segment.blocks.clone().zip(&spooled.sizes) {
        let len = blocks.stored_len(block, *word).unwrap_or(0);
        stored.resize(len as usize, 0);
        let read = bytes.read_exact_at(&mut stored, position);
        read.map_err(|source| image::Error::ReadSource {
            what: "spool".into(),
            source,
        })?;
        position += u64::from(len);
        match blocks.look(block, *word, &stored, &mut decompressor, Depth::Compared)? {
            Ok(note) => notes.push(note),
            Err(problem) => return Ok(Err(problem)),
        }
    }
    Ok(Ok(notes))
}
