//! Segments that others have made are fetched while they are waiting to be compressed.
//!
//! Nobody who can write to a shared cache has to be trusted: a segment that was fetched is decompressed, and has to be
//! what it would be made of.

use cache::Shared;

use super::lift::{Spooled, fits};
use super::pack::{Making, is_zero, read};
use super::rooms::Filling;
use super::segments::Job;
use crate::Error;
use crate::decompress::{Decompressor, Limits};
use crate::format::DATA_RAW;

/// How many segments are fetched at once.
const THREADS: usize = 8;

/// How many threads shall fetch.
pub(super) fn threads(making: &Making) -> usize {
    match making.work.reuse {
        Some(reuse) if !reuse.places.shared.is_empty() => THREADS.min(making.missing.len()),
        _ => 0,
    }
}

/// A fetcher: asks for segments until there are none to ask for.
pub(super) fn fetch_all(making: &Making) -> Result<(), Error> {
    let Making { queue, work, .. } = making;
    let Some(reuse) = &work.reuse else {
        return Ok(());
    };
    while let Some(task) = queue.to_fetch() {
        work.progress.advance(0)?;
        let Some((spooled, filling)) = fetch(making, task, reuse.places.shared)? else {
            queue.is_missing(task);
            continue;
        };
        if making.deliver(task, spooled, filling)? && !queue.is_begun(task) {
            let len = making.jobs(task).iter().map(|job| u64::from(job.len())).sum();
            work.progress.advance(len)?;
        }
    }
    Ok(())
}

/// Asks one shared cache after the other for a segment.
fn fetch<'a>(
    making: &Making<'a>,
    task: usize,
    places: &[Shared],
) -> Result<Option<(Spooled, Filling<'a>)>, Error> {
    let Some(key) = making.key(task) else {
        return Ok(None);
    };
    let jobs = making.jobs(task);
    let most = jobs.iter().map(|job| u64::from(job.len())).sum();
    for place in places {
        let mut filling = None;
        let mut failed = None;
        let mut take = |stated: Option<u64>, bytes: &[u8]| {
            let filling = filling.get_or_insert_with(|| making.rooms.fill(making.missing[task], stated));
            match filling.put(bytes) {
                Ok(fits) => fits && making.queue.wants(task),
                Err(error) => {
                    failed = Some(error);
                    false
                }
            }
        };
        let fetched = place.fetch(key, jobs.len(), most, &mut take);
        if let Some(error) = failed {
            return Err(error);
        }
        if !making.queue.wants(task) {
            return Ok(None);
        }
        let Some((fetched, filling)) = fetched.zip(filling) else {
            continue;
        };
        let spooled = Spooled {
            at: filling.at(),
            len: fetched.len,
            sizes: fetched.sizes,
            digest: Some(fetched.digest),
        };
        match confirm(making, jobs, &spooled, &filling)? {
            Ok(()) => return Ok(Some((spooled, filling))),
            Err(problem) => place.reject(key, &problem),
        }
    }
    Ok(None)
}

/// Compares a segment's blocks with what they shall hold, and says what is wrong.
fn confirm(
    making: &Making,
    jobs: &[Job],
    spooled: &Spooled,
    filling: &Filling,
) -> Result<Result<(), String>, Error> {
    if !fits(jobs, &spooled.sizes, spooled.len) {
        return Ok(Err("its blocks are not those that belong here".into()));
    }
    let mut decompressor = Decompressor::new(
        making.options.compression.number(),
        Limits::segment(making.options.block_size),
    )?;
    let (mut wanted, mut stored) = (Vec::new(), Vec::new());
    let mut position = 0;
    for (job, word) in jobs.iter().zip(&spooled.sizes) {
        read(making.tree, making.segments, job, &mut wanted)?;
        let len = word & !DATA_RAW;
        stored.resize(len as usize, 0);
        filling.read(&mut stored, position)?;
        position += u64::from(len);
        let is_right = match *word {
            0 => is_zero(&wanted),
            word if word & DATA_RAW != 0 => stored == wanted,
            _ => match decompressor
                .look(&stored, wanted.len())
                .and_then(|()| decompressor.decompress(&stored, wanted.len()))
            {
                Ok(bytes) => bytes == wanted,
                Err(error) => return Ok(Err(error.to_string())),
            },
        };
        if !is_right {
            return Ok(Err(
                "it holds something else than the files that belong there".into()
            ));
        }
    }
    Ok(Ok(()))
}
