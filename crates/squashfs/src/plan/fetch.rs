//! Segments that others have made are fetched while they are waiting to be compressed.
//!
//! Nobody who can write to a shared cache has to be trusted: a segment that was fetched is decompressed, and has to be
//! what it would be made of.

use cache::Shared;
use image::ReadAt as _;

use super::lift::{Spooled, fits, keep};
use super::pack::{Making, is_zero, read};
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
        let Some(spooled) = fetch(making, task, reuse.places.shared)? else {
            queue.is_missing(task);
            continue;
        };
        let kept = spooled.clone();
        if queue.deliver(task, spooled) {
            if let Some(key) = making.key(task) {
                keep(key, &kept, reuse.places.near, work);
            }
            if !queue.is_begun(task) {
                let len = making.jobs(task).iter().map(|job| u64::from(job.len())).sum();
                work.progress.advance(len)?;
            }
        }
    }
    Ok(())
}

/// Asks one shared cache after the other for a segment.
fn fetch(making: &Making, task: usize, places: &[Shared]) -> Result<Option<Spooled>, Error> {
    let Some(key) = making.key(task) else {
        return Ok(None);
    };
    let jobs = making.jobs(task);
    let most = jobs.iter().map(|job| u64::from(job.len())).sum();
    for place in places {
        let start = making.room(jobs);
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
        let fetched = place.fetch(key, jobs.len(), most, &mut take);
        if let Some(error) = failed {
            return Err(error.into());
        }
        if !making.queue.wants(task) {
            return Ok(None);
        }
        let Some(fetched) = fetched else { continue };
        let spooled = Spooled {
            start,
            len: fetched.len,
            sizes: fetched.sizes,
            digest: Some(fetched.digest),
        };
        match confirm(making, jobs, &spooled)? {
            Ok(()) => return Ok(Some(spooled)),
            Err(problem) => place.reject(key, &problem),
        }
    }
    Ok(None)
}

/// Compares a segment's blocks with what they shall hold, and says what is wrong.
fn confirm(making: &Making, jobs: &[Job], spooled: &Spooled) -> Result<Result<(), String>, Error> {
    if !fits(jobs, &spooled.sizes, spooled.len) {
        return Ok(Err("its blocks are not those that belong here".into()));
    }
    let mut decompressor = Decompressor::new(
        making.options.compression.number(),
        Limits::segment(making.options.block_size),
    )?;
    let blocks = making.work.spool.span(spooled.start, spooled.len);
    let (mut wanted, mut stored) = (Vec::new(), Vec::new());
    let mut position = 0;
    for (job, word) in jobs.iter().zip(&spooled.sizes) {
        read(making.tree, making.segments, job, &mut wanted)?;
        let len = word & !DATA_RAW;
        stored.resize(len as usize, 0);
        let read = blocks.read_exact_at(&mut stored, position);
        read.map_err(|source| image::Error::ReadSource {
            what: "spool".into(),
            source,
        })?;
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
