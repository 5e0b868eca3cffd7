//! Compresses blocks in parallel and spools them segment by segment.
//!
//! Workers take blocks in order and hand results to the calling thread, which writes them.
//!
//! Segments that were [lifted](super::lift) from somewhere are in the spool already; only the others are compressed, or
//! [fetched](super::fetch) while they are waiting for it. Where a segment lies in the spool tells nothing about its
//! place in the image; when all are lifted, or none is lifted or fetched, the places happen to be the same.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use cache::{Checksum, Key};
use image::{Kind, NodeId, Tree};

use super::fetch;
use super::lift::{Lifted, Spooled, keep};
use super::queue::{Output, Queue};
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

/// The segments that have to be made, and all that is needed for it.
pub(super) struct Making<'a> {
    pub(super) tree: &'a Tree,
    pub(super) segments: &'a Segments,
    pub(super) options: &'a Options,
    pub(super) work: &'a Work<'a>,
    /// The keys of all segments.
    pub(super) keys: &'a [Option<Key>],
    /// The segments to be made: each has the number of a task in the queue.
    pub(super) missing: Vec<usize>,
    /// The first free byte of the spool.
    pub(super) end: &'a AtomicU64,
    pub(super) queue: &'a Queue,
}

impl Making<'_> {
    /// The blocks of a task's segment.
    pub(super) fn jobs(&self, task: usize) -> &[Job] {
        &self.segments.jobs[self.segments.list[self.missing[task]].jobs.clone()]
    }

    pub(super) fn key(&self, task: usize) -> Option<&Key> {
        self.keys[self.missing[task]].as_ref()
    }

    /// Whether nobody else puts segments into the spool: then they lie there as they will in the image, as long as all
    /// are made, and the spool can become the image's file.
    fn alone(&self) -> bool {
        fetch::threads(self) == 0
    }

    /// Room in the spool for blocks that take at most so many bytes. What is not used of it takes no space.
    pub(super) fn room(&self, jobs: &[Job]) -> u64 {
        let most: u64 = jobs.iter().map(|job| u64::from(job.len())).sum();
        // The smallest blocks of file systems, so that they can share them.
        self.end
            .fetch_add(most.next_multiple_of(ALIGNMENT), Ordering::Relaxed)
    }
}

/// Makes the segments that were not lifted, whose keys are these, and gives all of them their places.
pub(super) fn pack(
    tree: &Tree,
    segments: &Segments,
    keys: &[Option<Key>],
    lifted: Lifted,
    options: &Options,
    work: &Work,
) -> Result<Packed, Error> {
    let missing: Vec<usize> = lifted.missing().collect();
    let end = &lifted.end;
    let jobs = missing.iter().map(|number| segments.list[*number].jobs.clone());
    let fetch = work.reuse.is_some_and(|reuse| !reuse.places.shared.is_empty());
    let queue = Queue::new(jobs, work.threads.max(1) * AHEAD, fetch);
    let making = Making {
        tree,
        segments,
        options,
        work,
        keys,
        missing,
        end,
        queue: &queue,
    };
    make(&making)?;
    let mut made = queue.finish().into_iter();
    let spooled = lifted
        .segments
        .into_iter()
        .map(|lifted| lifted.or_else(|| made.next()));
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

/// Makes what is missing.
fn make(making: &Making) -> Result<(), Error> {
    let jobs = || (0..making.missing.len()).flat_map(|task| making.jobs(task));
    let count = jobs().count();
    if count == 0 {
        return Ok(());
    }
    let (queue, work) = (making.queue, making.work);
    let total = jobs().map(|job| u64::from(job.len())).sum();
    work.progress.begin("compressing", total);
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
            workers.push(spawn().spawn_scoped(scope, work_on).map_err(Error::NoThread)?);
        }
        for _ in 0..fetch::threads(making) {
            workers.push(spawn().spawn_scoped(scope, fetch_on).map_err(Error::NoThread)?);
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
fn compress_all(making: &Making) -> Result<(), Error> {
    let Making { options, queue, .. } = making;
    let mut compressor = Compressor::new(options.compression, options.block_size)?;
    let mut input = Vec::new();
    while let Some(ticket) = queue.take() {
        let job = &making.segments.jobs[ticket.job];
        read(making.tree, making.segments, job, &mut input)?;
        making.work.progress.advance(u64::from(job.len()))?;
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
        queue.put(ticket.number, output);
    }
    Ok(())
}

/// The bytes of a block.
pub(super) fn read(tree: &Tree, segments: &Segments, job: &Job, input: &mut Vec<u8>) -> Result<(), Error> {
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

pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes
        .chunks(4096)
        .all(|chunk| chunk.iter().all(|byte| *byte == 0))
}

/// A block is never longer than 1 MiB.
fn word(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// The writer: takes results in order, and keeps complete segments.
fn spool_all(making: &Making) -> Result<(), Error> {
    let Making { queue, work, .. } = making;
    let mut count = 0;
    while let Some((task, numbers)) = queue.begun(count)? {
        count += 1;
        let Some(spooled) = spool(making, task, numbers.clone())? else {
            queue.skip(numbers);
            continue;
        };
        let kept = spooled.clone();
        if queue.deliver(task, spooled)
            && let (Some(key), Some(reuse)) = (making.key(task), &work.reuse)
        {
            keep(key, &kept, reuse.places.near, work);
        }
    }
    Ok(())
}

/// Spools the blocks of one segment; none when it comes from elsewhere meanwhile.
fn spool(making: &Making, task: usize, numbers: Range<usize>) -> Result<Option<Spooled>, Error> {
    let start = if making.alone() {
        making.end.load(Ordering::Relaxed)
    } else {
        making.room(making.jobs(task))
    };
    let mut checksum = making.key(task).map(Checksum::new);
    let mut sizes = Vec::new();
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
        digest,
    }))
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
        if thread::panicking() {
            self.0.fail(Error::ThreadLost);
        }
    }
}
