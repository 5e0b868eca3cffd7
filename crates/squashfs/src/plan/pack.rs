//! Compresses all blocks in parallel and spools them in their planned order.
//!
//! Workers take blocks in order and hand results to the calling thread, which writes them. A worker waits
//! before it gets too far ahead of the writer, so memory holds a few blocks per thread.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use image::{Kind, NodeId, Spool, Tree};

use super::segments::{Job, Segments};
use super::{ALIGNMENT, Work};
use crate::compress::{Block, Compressor};
use crate::format::DATA_RAW;
use crate::{Error, Options};

/// How many blocks per thread may be taken or wait to be written.
const AHEAD: usize = 3;

/// Where all blocks have come to lie.
pub(super) struct Packed {
    pub(super) spool: Spool,
    /// Each block's size word, as inodes and fragment entries hold it; 0 is a block of zeros.
    pub(super) sizes: Vec<u32>,
    /// Each block's first byte in the image.
    pub(super) starts: Vec<u64>,
    /// Each segment's bytes in the image.
    pub(super) segments: Vec<Range<u64>>,
    /// One past the data area.
    pub(super) end: u64,
}

pub(super) fn pack(
    tree: &Tree,
    segments: &Segments,
    options: &Options,
    work: &Work,
) -> Result<Packed, Error> {
    let threads = work.threads.clamp(1, segments.jobs.len().max(1));
    let queue = Queue::new(segments.jobs.len(), threads * AHEAD);
    work.progress.begin(
        "compressing",
        segments.jobs.iter().map(|job| u64::from(job.len())).sum(),
    );
    std::thread::scope(|scope| {
        let _guard = StopAtEnd(&queue);
        let work_on = || {
            let _guard = StopOnPanic(&queue);
            if let Err(error) = compress_all(tree, segments, options, work, &queue) {
                queue.fail(error);
            }
        };
        let mut workers = Vec::with_capacity(threads);
        for _ in 0..threads {
            workers.push(
                std::thread::Builder::new()
                    .spawn_scoped(scope, work_on)
                    .map_err(Error::NoThread)?,
            );
        }
        let packed = spool_all(segments, work, &queue);
        queue.stop();
        for worker in workers {
            // A worker that panicked has failed the queue, so that `packed` says so.
            let _ = worker.join();
        }
        packed
    })
}

/// A worker: takes blocks until there are no more.
fn compress_all(
    tree: &Tree,
    segments: &Segments,
    options: &Options,
    work: &Work,
    queue: &Queue,
) -> Result<(), Error> {
    let mut compressor = Compressor::new(options.compression, options.block_size)?;
    let mut input = Vec::new();
    while let Some(number) = queue.take() {
        let job = &segments.jobs[number];
        read(tree, segments, job, &mut input)?;
        work.progress.advance(u64::from(job.len()))?;
        let sparse = matches!(job, Job::Block { .. }) && is_zero(&input);
        let output = if sparse {
            Output {
                word: 0,
                bytes: Vec::new(),
            }
        } else {
            match compressor.compress(&input)? {
                Block::Compressed(bytes) => Output {
                    word: word(bytes),
                    bytes: bytes.to_vec(),
                },
                Block::Raw(bytes) => Output {
                    word: word(bytes) | DATA_RAW,
                    bytes: bytes.to_vec(),
                },
            }
        };
        queue.put(number, output);
    }
    Ok(())
}

/// The bytes of a block.
fn read(tree: &Tree, segments: &Segments, job: &Job, input: &mut Vec<u8>) -> Result<(), Error> {
    input.clear();
    input.resize(job.len() as usize, 0);
    match job {
        Job::Block { file, start, .. } => read_file(tree, *file, *start, input),
        Job::Fragment { pieces, .. } => {
            let mut rest = &mut input[..];
            for piece in &segments.pieces[pieces.clone()] {
                let (own, others) = rest.split_at_mut(piece.len as usize);
                read_file(tree, piece.file, 0, own)?;
                rest = others;
            }
            Ok(())
        }
    }
}

fn read_file(tree: &Tree, file: NodeId, start: u64, buffer: &mut [u8]) -> Result<(), Error> {
    let Kind::File(content) = &tree.node(file).kind else {
        return Ok(());
    };
    let mut reader = content.reader()?;
    reader.skip(start);
    reader.fill(buffer)?;
    Ok(reader.finish()?)
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes
        .chunks(4096)
        .all(|chunk| chunk.iter().all(|byte| *byte == 0))
}

/// A block is never longer than 1 MiB.
fn word(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// The writer: takes results in order and gives them their places.
fn spool_all(segments: &Segments, work: &Work, queue: &Queue) -> Result<Packed, Error> {
    let count = segments.jobs.len();
    let mut packed = Packed {
        spool: work.spool.clone(),
        sizes: Vec::with_capacity(count),
        starts: Vec::with_capacity(count),
        segments: Vec::with_capacity(segments.list.len()),
        end: ALIGNMENT,
    };
    for segment in &segments.list {
        let start = packed.end.next_multiple_of(ALIGNMENT);
        packed.end = start;
        for number in segment.jobs.clone() {
            let output = queue.next(number)?;
            work.spool.write_at(&output.bytes, packed.end)?;
            packed.starts.push(packed.end);
            packed.sizes.push(output.word);
            packed.end += output.bytes.len() as u64;
        }
        packed.segments.push(start..packed.end);
    }
    Ok(packed)
}

struct Output {
    word: u32,
    bytes: Vec<u8>,
}

/// Hands out the numbers of blocks, and brings results back in order.
struct Queue {
    state: Mutex<State>,
    /// A result has come, or an error.
    came: Condvar,
    /// The writer has taken a result, or all work shall stop.
    taken: Condvar,
    count: usize,
    ahead: usize,
}

struct State {
    next_to_take: usize,
    next_to_write: usize,
    results: BTreeMap<usize, Output>,
    error: Option<Error>,
    stopped: bool,
}

impl Queue {
    fn new(count: usize, ahead: usize) -> Queue {
        let results = BTreeMap::new();
        let state = State {
            next_to_take: 0,
            next_to_write: 0,
            results,
            error: None,
            stopped: false,
        };
        Queue {
            state: Mutex::new(state),
            came: Condvar::new(),
            taken: Condvar::new(),
            count,
            ahead,
        }
    }

    /// No code panics while it holds the lock, so its state is sound even when it is poisoned.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next block, when the writer is near enough; none when there is nothing left to do.
    fn take(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.stopped || state.next_to_take == self.count {
                return None;
            }
            if state.next_to_take < state.next_to_write + self.ahead {
                state.next_to_take += 1;
                return Some(state.next_to_take - 1);
            }
            state = self.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put(&self, number: usize, output: Output) {
        self.lock().results.insert(number, output);
        self.came.notify_all();
    }

    fn fail(&self, error: Error) {
        let mut state = self.lock();
        state.error.get_or_insert(error);
        state.stopped = true;
        drop(state);
        self.came.notify_all();
        self.taken.notify_all();
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.taken.notify_all();
    }

    /// The result of a block, when it has come.
    fn next(&self, number: usize) -> Result<Output, Error> {
        let mut state = self.lock();
        loop {
            if let Some(error) = state.error.take() {
                return Err(error);
            }
            if let Some(output) = state.results.remove(&number) {
                state.next_to_write = number + 1;
                self.taken.notify_all();
                return Ok(output);
            }
            state = self.came.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Keeps workers from waiting for a writer that is gone.
struct StopAtEnd<'a>(&'a Queue);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Keeps the writer from waiting for a worker that is gone.
struct StopOnPanic<'a>(&'a Queue);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(Error::ThreadLost);
        }
    }
}
