//! Compresses blocks in parallel and spools them segment by segment.
//!
//! Workers take blocks in order and hand results to the calling thread, which writes them.
//!
//! Segments that seem to be somewhere near are [lifted](super::lift) from there at last; only the others are compressed, or
//! [fetched](super::fetch) while they are waiting for it.

use std::ops::Range;
use std::thread;

use super::filling::Filling;
use super::lift::{lift, seen};
use super::queue::Queue;
use super::rooms::{Room, Rooms};
use super::{Blocks, Spooled, SpooledOf, Spooling, Threads, Wanted, fetch, keep};
use crate::Shared;
use crate::key::{Checksum, Key};

/// How many blocks per thread may be taken or wait to be written.
const AHEAD: usize = 3;

/// The segments that have to be made, and all that is needed for it.
pub(super) struct Making<'a, B: Blocks> {
    pub(super) blocks: &'a B,
    segments: &'a [Wanted],
    pub(super) work: &'a Spooling<'a>,
    /// The segments to be made: each has the number of a task in the queue.
    pub(super) missing: Vec<usize>,
    rooms: &'a Rooms<'a>,
    pub(super) queue: &'a Queue<B>,
}

impl<'a, B: Blocks> Making<'a, B> {
    /// A task's segment.
    pub(super) fn wanted(&self, task: usize) -> &Wanted {
        &self.segments[self.missing[task]]
    }

    pub(super) fn key(&self, task: usize) -> Option<&Key> {
        self.wanted(task).key.as_ref()
    }

    /// The places that are asked for what is missing.
    pub(super) fn shared(&self) -> &[Shared] {
        self.work.places.map_or(&[], |places| places.shared)
    }

    /// How many bytes the blocks of a task's segment take at most.
    pub(super) fn most(&self, task: usize) -> u64 {
        self.rooms.room(self.missing[task]).most
    }

    /// Begins to put a task's segment somewhere, whose length may be known, and whose blocks are known when all of it is
    /// there.
    pub(super) fn fill(&self, task: usize, len: Option<u64>) -> Filling<'a> {
        self.rooms.fill(self.missing[task], len)
    }

    /// A task's segment is complete: tells the queue, and has it kept near if it lies where it stays. False when another was
    /// faster.
    pub(super) fn deliver(
        &self,
        task: usize,
        spooled: SpooledOf<B>,
        filling: Filling,
    ) -> Result<bool, B::Error> {
        let (mut kept, at) = (spooled.clone(), filling.at());
        let stays = at.stays();
        if !self.queue.deliver(task, spooled) {
            return Ok(false);
        }
        let runs = self.wanted(task).runs(self.blocks, &kept.sizes);
        kept.parts = self.rooms.parts(at, &runs);
        filling.finish(runs)?;
        if let Some(key) = self.key(task).filter(|_| stays) {
            keep(key, &kept, self.work.near());
        }
        Ok(true)
    }
}

/// What a segment needs that is this long in the image, as far as that is known.
fn room<B: Blocks>(blocks: &B, segment: &Wanted, len: Option<u64>) -> Room {
    let most = |block| u64::from(blocks.len(block));
    let left_out = segment.left_out.iter().cloned().flatten();
    Room {
        most: segment.blocks.clone().map(most).sum(),
        left_out: left_out.map(most).sum(),
        len,
    }
}

/// Finds or makes all segments.
pub(super) fn pack<B: Blocks>(
    blocks: &B,
    segments: &[Wanted],
    work: &Spooling,
) -> Result<Vec<SpooledOf<B>>, B::Error> {
    let mut seen = seen(blocks, segments, work)?;
    let mut spooled: Vec<Option<SpooledOf<B>>> = vec![None; segments.len()];
    for (number, _) in segments
        .iter()
        .enumerate()
        .filter(|(_, segment)| segment.blocks.is_empty())
    {
        (seen[number], spooled[number]) = (Some(0), Some(Spooled::empty(work.start)));
    }
    let needs = segments.iter().zip(&seen);
    let needs = needs.map(|(segment, len)| room(blocks, segment, *len)).collect();
    let rooms = Rooms::new(work.spool, work.start, needs)?;
    let needed = (0..segments.len()).filter(|number| spooled[*number].is_none());
    let (near, far): (Vec<usize>, Vec<usize>) = needed.partition(|number| seen[*number].is_some());
    // When these are made, it is known where the others lie in the image.
    make_missing(blocks, segments, &far, &mut spooled, work, &rooms)?;
    let lifted = lift(blocks, segments, &near, work, &rooms)?;
    for (number, lifted) in near.iter().zip(lifted) {
        spooled[*number] = lifted;
    }
    // What was damaged.
    make_missing(blocks, segments, &near, &mut spooled, work, &rooms)?;
    let mut spooled: Vec<SpooledOf<B>> = spooled.into_iter().flatten().collect();
    let waited = rooms.settle(&mut spooled)?;
    for ((segment, spooled), _) in segments
        .iter()
        .zip(&spooled)
        .zip(waited)
        .filter(|(_, waited)| *waited)
    {
        if let Some(key) = &segment.key {
            keep(key, spooled, work.near());
        }
    }
    Ok(spooled)
}

/// Makes those of these segments that are not there.
fn make_missing<B: Blocks>(
    blocks: &B,
    segments: &[Wanted],
    numbers: &[usize],
    spooled: &mut [Option<SpooledOf<B>>],
    work: &Spooling,
    rooms: &Rooms,
) -> Result<(), B::Error> {
    let numbers = numbers.iter().copied();
    let missing: Vec<usize> = numbers.filter(|number| spooled[*number].is_none()).collect();
    if let Some(confirm) = work.confirm {
        let named = missing.iter().filter(|number| segments[**number].key.is_some());
        confirm(&named.copied().collect::<Vec<_>>())?;
    }
    let ranges = missing.iter().map(|number| segments[*number].blocks.clone());
    let fetch = work.places.is_some_and(|places| !places.shared.is_empty());
    let queue = Queue::new(ranges, work.threads.max(1) * AHEAD, fetch);
    let making = Making {
        blocks,
        segments,
        work,
        missing: missing.clone(),
        rooms,
        queue: &queue,
    };
    make(&making)?;
    for (number, made) in missing.into_iter().zip(queue.finish()?) {
        spooled[number] = Some(made);
    }
    Ok(())
}

/// Makes what is missing.
fn make<B: Blocks>(making: &Making<B>) -> Result<(), B::Error> {
    let tasks = || 0..making.missing.len();
    let count: usize = tasks().map(|task| making.wanted(task).blocks.len()).sum();
    if count == 0 {
        return Ok(());
    }
    let (queue, work) = (making.queue, making.work);
    let total = tasks().map(|task| making.most(task)).sum();
    work.progress.begin(work.step, total);
    thread::scope(|scope| {
        let _guard = StopAtEnd(queue);
        let work_on = || {
            let _guard = StopOnPanic(queue);
            if let Err(error) = compress_all(making) {
                queue.fail(error);
            }
        };
        let fetch_on = || {
            if let Err(error) = fetch::fetch_all(making) {
                queue.fail(error);
            }
        };
        let spawn = || thread::Builder::new();
        let mut workers = Vec::new();
        for _ in 0..work.threads.clamp(1, count) {
            workers.push(spawn().spawn_scoped(scope, work_on).map_err(Threads::None)?);
        }
        for _ in 0..fetch::threads(making) {
            workers.push(spawn().spawn_scoped(scope, fetch_on).map_err(Threads::None)?);
        }
        let spooled = spool_all(making);
        queue.stop();
        for worker in workers {
            // A worker that panicked has failed the queue, so that `spooled` says so.
            let _ = worker.join();
        }
        spooled
    })
}

/// A worker: takes blocks until there are no more.
fn compress_all<B: Blocks>(making: &Making<B>) -> Result<(), B::Error> {
    let Making {
        blocks, queue, work, ..
    } = making;
    let mut compressor = blocks.compressor()?;
    while let Some(ticket) = queue.take() {
        let output = blocks.make(ticket.block, &mut compressor, work.progress)?;
        queue.put(ticket.number, output);
    }
    Ok(())
}

/// The writer: takes results in order, and keeps complete segments.
fn spool_all<B: Blocks>(making: &Making<B>) -> Result<(), B::Error> {
    let mut count = 0;
    while let Some((task, numbers)) = making.queue.begun(count)? {
        count += 1;
        match spool(making, task, numbers.clone())? {
            Some((spooled, filling)) => {
                making.deliver(task, spooled, filling)?;
            }
            None => making.queue.skip(numbers),
        }
    }
    Ok(())
}

/// Spools the blocks of one segment; none when it comes from elsewhere meanwhile.
fn spool<'a, B: Blocks>(
    making: &Making<'a, B>,
    task: usize,
    numbers: Range<usize>,
) -> Result<Option<(SpooledOf<B>, Filling<'a>)>, B::Error> {
    let mut filling = making.rooms.grow(making.missing[task]);
    let mut checksum = making.key(task).map(Checksum::new);
    let (mut sizes, mut notes) = (Vec::new(), Vec::new());
    let mut len = 0;
    let wanted = making.wanted(task);
    for (number, block) in numbers.zip(wanted.blocks.clone()) {
        let Some(output) = making.queue.next(task, number)? else {
            return Ok(None);
        };
        // Blocks never take more than what they hold.
        filling.put(&output.bytes, wanted.leaves_out(block))?;
        if let Some(checksum) = &mut checksum {
            checksum.add(&output.bytes);
        }
        sizes.push(output.word);
        notes.push(output.note);
        len += output.bytes.len() as u64;
    }
    let spooled = Spooled {
        start: filling.at().start(),
        parts: Vec::new(),
        len,
        digest: checksum.map(|checksum| checksum.finish(&sizes)),
        sizes,
        notes,
    };
    Ok(Some((spooled, filling)))
}

/// Keeps workers from waiting for a writer that is gone.
struct StopAtEnd<'a, B: Blocks>(&'a Queue<B>);

impl<B: Blocks> Drop for StopAtEnd<'_, B> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Keeps the writer from waiting for a worker that is gone.
struct StopOnPanic<'a, B: Blocks>(&'a Queue<B>);

impl<B: Blocks> Drop for StopOnPanic<'_, B> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.fail(Threads::Lost.into());
        }
    }
}
