//! Compresses blocks in parallel and spools them in their planned order.
//!
//! Workers take blocks in order and hand results to the calling thread, which writes them. A worker waits
//! before it gets too far ahead of the writer, so memory holds a few blocks per thread.
//!
//! Segments that were [lifted](super::lift) from somewhere are in the spool already; only the others are compressed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use cache::{Checksum, Key};
use image::{Kind, NodeId, Tree};

use super::lift::{Spooled, keep, lift};
use super::segments::{Job, Segments};
use super::{ALIGNMENT, Work};
use crate::compress::{Block, Compressor};
use crate::format::DATA_RAW;
use crate::{Error, Options};

/// How many blocks per thread may be taken or wait to be written.
const AHEAD: usize = 3;

/// Where all blocks have come to lie.
pub(super) struct Packed {
    /// Each block's size word, as inodes and fragment entries hold it; 0 is a block of zeros.
    pub(super) sizes: Vec<u32>,
    /// Each block's first byte in the image.
    pub(super) starts: Vec<u64>,
    /// Each segment's bytes in the image.
    pub(super) segments: Vec<Range<u64>>,
    /// The same segments in the spool.
    pub(super) spooled: Vec<Spooled>,
    /// One past the data area.
    pub(super) end: u64,
}

/// Finds or makes all segments, whose keys are these, and gives them their places.
pub(super) fn pack(
    tree: &Tree,
    segments: &Segments,
    keys: &[Option<Key>],
    options: &Options,
    work: &Work,
) -> Result<Packed, Error> {
    let (lifted, end) = match &work.reuse {
        Some(reuse) => lift(segments, keys, reuse, work)?,
        None => (vec![None; segments.list.len()], 0),
    };
    let missing: Vec<usize> = (0..lifted.len())
        .filter(|number| lifted[*number].is_none())
        .collect();
    let made = compress(tree, segments, &missing, keys, options, work, end)?;
    let mut made = made.into_iter();
    let spooled = lifted.into_iter().map(|lifted| lifted.or_else(|| made.next()));
    Ok(place(segments, spooled.flatten().collect()))
}

/// Puts the segments behind each other.
fn place(segments: &Segments, spooled: Vec<Spooled>) -> Packed {
    let count = segments.jobs.len();
    let mut packed = Packed {
        sizes: Vec::with_capacity(count),
        starts: Vec::with_capacity(count),
        segments: Vec::with_capacity(spooled.len()),
        spooled: Vec::new(),
        end: ALIGNMENT,
    };
    for segment in &spooled {
        let start = packed.end.next_multiple_of(ALIGNMENT);
        packed.end = start;
        for word in &segment.sizes {
            packed.starts.push(packed.end);
            packed.sizes.push(*word);
            packed.end += u64::from(word & !DATA_RAW);
        }
        packed.segments.push(start..packed.end);
    }
    packed.spooled = spooled;
    packed
}

/// Compresses these segments, and spools them from the byte `end` on.
fn compress(
    tree: &Tree,
    segments: &Segments,
    missing: &[usize],
    keys: &[Option<Key>],
    options: &Options,
    work: &Work,
    end: u64,
) -> Result<Vec<Spooled>, Error> {
    let jobs: Vec<usize> = missing
        .iter()
        .flat_map(|number| segments.list[*number].jobs.clone())
        .collect();
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let threads = work.threads.clamp(1, jobs.len());
    let queue = Queue::new(jobs.len(), threads * AHEAD);
    let total = jobs.iter().map(|job| u64::from(segments.jobs[*job].len())).sum();
    work.progress.begin("compressing", total);
    std::thread::scope(|scope| {
        let _guard = StopAtEnd(&queue);
        let work_on = || {
            let _guard = StopOnPanic(&queue);
            if let Err(error) = compress_all(tree, segments, &jobs, options, work, &queue) {
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
        let spooled = spool_all(segments, missing, keys, work, end, &queue);
        queue.stop();
        for worker in workers {
            // A worker that panicked has failed the queue, so that `spooled` says so.
            let _ = worker.join();
        }
        spooled
    })
}

/// A worker: takes blocks until there are no more.
fn compress_all(
    tree: &Tree,
    segments: &Segments,
    jobs: &[usize],
    options: &Options,
    work: &Work,
    queue: &Queue,
) -> Result<(), Error> {
    let mut compressor = Compressor::new(options.compression, options.block_size)?;
    let mut input = Vec::new();
    while let Some(number) = queue.take() {
        let job = &segments.jobs[jobs[number]];
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

/// The writer: takes results in order, and keeps complete segments.
fn spool_all(
    segments: &Segments,
    missing: &[usize],
    keys: &[Option<Key>],
    work: &Work,
    mut end: u64,
    queue: &Queue,
) -> Result<Vec<Spooled>, Error> {
    let mut done = Vec::with_capacity(missing.len());
    let mut number = 0;
    for segment in missing {
        let start = end.next_multiple_of(ALIGNMENT);
        let key = keys[*segment].as_ref();
        let mut checksum = key.map(Checksum::new);
        let mut sizes = Vec::new();
        end = start;
        for _ in segments.list[*segment].jobs.clone() {
            let output = queue.next(number)?;
            number += 1;
            work.spool.write_at(&output.bytes, end)?;
            if let Some(checksum) = &mut checksum {
                checksum.add(&output.bytes);
            }
            sizes.push(output.word);
            end += output.bytes.len() as u64;
        }
        let digest = checksum.map(|checksum| checksum.finish(&sizes));
        let len = end - start;
        let spooled = Spooled {
            start,
            len,
            sizes,
            digest,
        };
        if let (Some(key), Some(reuse)) = (key, &work.reuse) {
            keep(key, &spooled, reuse.places, work);
        }
        done.push(spooled);
    }
    Ok(done)
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
