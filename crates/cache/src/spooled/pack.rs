//! Compresses blocks in parallel and spools them segment by segment.
//!
//! Workers take blocks in order and hand results to the calling thread, which writes them.
//!
//! Segments that were [lifted](super::lift) from somewhere are in the spool already; only the others are compressed, or
//! [fetched](super::fetch) while they are waiting for it. Where a segment lies in the spool tells nothing about its
//! place in the image; when all are lifted, or none is lifted or fetched, they lie there in their order.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::lift::lift;
use super::queue::Queue;
use super::{ALIGNMENT, Blocks, Spooled, Spooling, Threads, Wanted, fetch};
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
    /// The first free byte of the spool.
    end: &'a AtomicU64,
    pub(super) queue: &'a Queue<B>,
}

impl<B: Blocks> Making<'_, B> {
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

    /// Whether nobody else puts segments into the spool: then they lie there as they will in the image, as long as all
    /// are made, and the spool can become the image's file.
    fn alone(&self) -> bool {
        fetch::threads(self) == 0
    }

    /// How many bytes the blocks of a task's segment take at most.
    pub(super) fn most(&self, task: usize) -> u64 {
        let blocks = self.wanted(task).blocks.clone();
        blocks.map(|block| u64::from(self.blocks.len(block))).sum()
    }

    /// Room in the spool for a task's segment. What is not used of it takes no space.
    pub(super) fn room(&self, task: usize) -> u64 {
        let most = self.most(task).next_multiple_of(ALIGNMENT);
        self.end.fetch_add(most, Ordering::Relaxed)
    }
}

/// Finds or makes all segments.
pub(super) fn pack<B: Blocks>(
    blocks: &B,
    segments: &[Wanted],
    work: &Spooling,
) -> Result<Vec<Spooled<B::Note>>, B::Error> {
    let end = AtomicU64::new(work.start);
    let mut lifted = match &work.places {
        Some(places) => lift(blocks, segments, places.near, work, &end)?,
        None => vec![None; segments.len()],
    };
    for (segment, lifted) in segments.iter().zip(&mut lifted) {
        if segment.blocks.is_empty() {
            *lifted = Some(Spooled::empty(work.start));
        }
    }
    let missing: Vec<usize> = (0..lifted.len())
        .filter(|number| lifted[*number].is_none())
        .collect();
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
        missing,
        end: &end,
        queue: &queue,
    };
    make(&making)?;
    let mut made = queue.finish().into_iter();
    let spooled = lifted.into_iter().map(|lifted| lifted.or_else(|| made.next()));
    Ok(spooled.flatten().collect())
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
    let Making { queue, work, .. } = making;
    let mut count = 0;
    while let Some((task, numbers)) = queue.begun(count)? {
        count += 1;
        let Some(spooled) = spool(making, task, numbers.clone())? else {
            queue.skip(numbers);
            continue;
        };
        let kept = making.key(task).map(|key| (key, spooled.clone()));
        if queue.deliver(task, spooled)
            && let Some((key, kept)) = kept
        {
            work.keep(key, &kept, work.near());
        }
    }
    Ok(())
}

/// Spools the blocks of one segment; none when it comes from elsewhere meanwhile.
fn spool<B: Blocks>(
    making: &Making<B>,
    task: usize,
    numbers: Range<usize>,
) -> Result<Option<Spooled<B::Note>>, B::Error> {
    let start = if making.alone() {
        making.end.load(Ordering::Relaxed)
    } else {
        making.room(task)
    };
    let mut checksum = making.key(task).map(Checksum::new);
    let (mut sizes, mut notes) = (Vec::new(), Vec::new());
    let mut end = start;
    for number in numbers {
        let Some(output) = making.queue.next(task, number)? else {
            return Ok(None);
        };
        making.work.spool.write_at(&output.bytes, end)?;
        if let Some(checksum) = &mut checksum {
            checksum.add(&output.bytes);
        }
        sizes.push(output.word);
        notes.push(output.note);
        end += output.bytes.len() as u64;
    }
    if making.alone() {
        making
            .end
            .store(end.next_multiple_of(ALIGNMENT), Ordering::Relaxed);
    }
    let digest = checksum.map(|checksum| checksum.finish(&sizes));
    Ok(Some(Spooled {
        start,
        len: end - start,
        sizes,
        notes,
        digest,
    }))
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
