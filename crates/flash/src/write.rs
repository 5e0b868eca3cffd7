//! The writing: one thread reads and unpacks, this one writes.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use image::Progress;
use serde::Serialize;
use sha2::{Digest, Sha256};
use transport::{BlockMap, Mapped};

use crate::blocks::{Buffer, Written, pieces, rest, to_write};
use crate::gaps::{first_partition, gaps};
use crate::read_back::compare;
use crate::source::{Reading, Source};
use crate::{BLOCK, Error, MARK, Result, Target};

/// So many pieces wait between the two threads.
const WAITING: usize = 3;

/// As many of an image's first bytes are searched for a partition table.
const HEAD: usize = 1 << 20;

/// What is to be written, and how.
pub struct Job<'a> {
    /// The image.
    pub source: &'a Source,
    /// Its plain bytes.
    pub image_size: u64,
    /// What of it matters; everything when not given.
    pub map: Option<&'a BlockMap>,
    /// Gaps of the map in which loaders are looked for stay as they are on the device.
    pub keep_gaps: bool,
    /// The device is told that nobody needs what is not written.
    pub discard: bool,
    /// What was written is read back.
    pub read_back: bool,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The image's bytes.
    pub image_size: u64,
    /// How many of them were written.
    pub written: u64,
    /// How many of these the block map leaves out, because a loader may be looked for there.
    pub gaps: u64,
    /// How many bytes the device was told that nobody needs; nothing when it cannot be told.
    pub discarded: Option<u64>,
    /// How many were read back, and were the same.
    pub compared: u64,
}

/// A piece on its way to the device.
struct Piece {
    buffer: Buffer,
    written: Written,
}

/// Writes an image to a device, reads it back, and puts the first block there last.
///
/// # Errors
/// When it does not fit, cannot be read or written, or is not the same when it is read back.
pub fn flash(job: &Job, target: &Target, progress: &dyn Progress) -> Result<Report> {
    let size = target.size();
    if job.image_size > size {
        return Err(Error::TooSmall {
            path: target.path().to_path_buf(),
            size,
            image_size: job.image_size,
        });
    }
    let filled = filled(job)?;
    let ranges = to_write(job.map, &filled, job.image_size);
    let total: u64 = ranges.iter().map(|(start, end)| end - start).sum();
    let mut report = Report {
        image_size: job.image_size,
        written: total,
        gaps: filled.iter().map(|(start, end)| end - start).sum(),
        discarded: None,
        compared: 0,
    };
    let shown = target.path().display().to_string();
    progress.begin(&format!("writing {shown}"), total);
    progress.advance(0).map_err(|_| cancelled(target, false))?;
    let holds_first = ranges.first().is_some_and(|(start, _)| *start == 0);
    let kept = kept(target, &ranges)?;
    if holds_first || kept.is_some() {
        target.mark()?;
    }
    if job.discard {
        report.discarded = discard(target, &ranges)?;
    }
    let (all, first) = write_all(job, target, &ranges, holds_first, progress)?;
    target.sync(job.image_size)?;
    if job.read_back {
        progress.begin(&format!("reading back {shown}"), total);
        compare(target, &all, progress)?;
    }
    if let Some(first) = first.or(kept) {
        target.unmark(&first.buffer)?;
        if job.read_back {
            compare(target, &[first.written], progress)?;
        }
    }
    report.compared = if job.read_back { total } else { 0 };
    Ok(report)
}

/// What the map leaves out and is written all the same.
fn filled(job: &Job) -> Result<Vec<(u64, u64)>> {
    let Some(map) = job.map.filter(|_| !job.keep_gaps) else {
        return Ok(Vec::new());
    };
    let head = job.source.head(HEAD);
    let head = head.map_err(|source| Error::Image { at: 0, source })?;
    Ok(gaps(map, first_partition(&head, job.image_size)))
}

/// The device's own first block, which comes back when nothing of the image is written there: see [`Job::keep_gaps`].
fn kept(target: &Target, ranges: &[(u64, u64)]) -> Result<Option<Piece>> {
    if ranges.first().is_none_or(|(start, _)| *start == 0) {
        return Ok(None);
    }
    let mut buffer = Buffer::zeros(target.padded(0, BLOCK));
    let read = target.read(buffer.get_mut(), 0);
    read.map_err(|source| Error::ReadBack {
        path: target.path().to_path_buf(),
        at: 0,
        source,
    })?;
    if buffer.get().starts_with(MARK) {
        // An earlier flash has not put it back. The image has zeros there.
        buffer = Buffer::zeros(target.padded(0, BLOCK));
    }
    let written = Written::of(0, buffer.get());
    Ok(Some(Piece { buffer, written }))
}

/// How many bytes were discarded; nothing when the device does not do that.
fn discard(target: &Target, ranges: &[(u64, u64)]) -> Result<Option<u64>> {
    let mut discarded = 0;
    let mark = ranges.first().map(|(start, _)| (0, BLOCK.min(*start)));
    let kept: Vec<(u64, u64)> = mark.into_iter().chain(ranges.iter().copied()).collect();
    for (start, end) in rest(&kept, target.size()) {
        if !target.discard(start, end)? {
            return Ok(None);
        }
        discarded += end - start;
    }
    Ok(Some(discarded))
}

/// Writes everything but the first block, which comes back for later.
fn write_all(
    job: &Job,
    target: &Target,
    ranges: &[(u64, u64)],
    holds_first: bool,
    progress: &dyn Progress,
) -> Result<(Vec<Written>, Option<Piece>)> {
    let (sender, receiver) = sync_channel(WAITING);
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || read_all(job, target, ranges, holds_first, &sender));
        let written = write_pieces(target, &receiver, progress);
        // A reader that still has something to say learns that nobody listens.
        drop(receiver);
        let read = reader
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let (all, first) = written?;
        read?;
        Ok((all, first))
    })
}

fn write_pieces(
    target: &Target,
    pieces: &Receiver<Piece>,
    progress: &dyn Progress,
) -> Result<(Vec<Written>, Option<Piece>)> {
    let (mut all, mut first) = (Vec::new(), None);
    for piece in pieces {
        let Written { start, len, .. } = piece.written;
        if start == 0 && len <= BLOCK && first.is_none() {
            first = Some(piece);
        } else {
            target.write(piece.buffer.get(), start)?;
            all.push(piece.written);
        }
        progress.advance(len).map_err(|_| cancelled(target, true))?;
    }
    Ok((all, first))
}

/// Reads all ranges piece by piece, the first block as a piece of its own, and compares the map's checksums.
fn read_all(
    job: &Job,
    target: &Target,
    ranges: &[(u64, u64)],
    holds_first: bool,
    sender: &SyncSender<Piece>,
) -> Result<()> {
    let failed = |at: u64| move |source| Error::Image { at, source };
    let mut reading = job.source.open().map_err(failed(0))?;
    let mut sums = Sums::new(job.map.map_or(&[][..], |map| &map.ranges));
    let mut ranges = ranges.to_vec();
    if holds_first && ranges[0].1 > BLOCK {
        let rest = (BLOCK, ranges[0].1);
        ranges[0].1 = BLOCK;
        ranges.insert(1, rest);
    }
    for (start, end) in pieces(&ranges) {
        let len = end - start;
        let mut buffer = Buffer::zeros(target.padded(start, len));
        let plain = usize::try_from(len).unwrap_or(usize::MAX);
        let bytes = &mut buffer.get_mut()[..plain];
        reading.read_at(bytes, start).map_err(failed(start))?;
        sums.hear(start, bytes)?;
        let written = Written::of(start, buffer.get());
        if sender.send(Piece { buffer, written }).is_err() {
            return Ok(());
        }
    }
    finish(job, reading, ranges.last().map_or(0, |(_, end)| *end))
}

/// The image is as long as it has to be.
fn finish(job: &Job, reading: Reading, at: u64) -> Result<()> {
    let found = reading.finish(job.image_size);
    let found = found.map_err(|source| Error::Image { at, source })?;
    if found == job.image_size {
        return Ok(());
    }
    Err(Error::OtherSize {
        found,
        said: job.image_size,
    })
}

/// The checksums of a block map's ranges, while their bytes pass.
struct Sums<'a> {
    ranges: std::slice::Iter<'a, Mapped>,
    now: Option<(&'a Mapped, Sha256)>,
}

impl<'a> Sums<'a> {
    fn new(ranges: &'a [Mapped]) -> Sums<'a> {
        let mut sums = Sums {
            ranges: ranges.iter(),
            now: None,
        };
        sums.next();
        sums
    }

    fn next(&mut self) {
        self.now = self.ranges.next().map(|range| (range, Sha256::new()));
    }

    /// Bytes from a place on, behind those of earlier calls. What lies between is in no range.
    fn hear(&mut self, start: u64, bytes: &[u8]) -> Result<()> {
        let end = start + bytes.len() as u64;
        while let Some((range, hasher)) = &mut self.now {
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                let place = |at: u64| usize::try_from(at - start).unwrap_or(usize::MAX);
                hasher.update(&bytes[place(from)..place(to)]);
            }
            if range.end > end {
                break;
            }
            let found: [u8; 32] = std::mem::take(hasher).finalize().into();
            if range.sha256.is_some_and(|said| said != found) {
                return Err(Error::OtherBytes {
                    start: range.start,
                    end: range.end,
                });
            }
            self.next();
        }
        Ok(())
    }
}

/// The user has asked to stop.
pub(crate) fn cancelled(target: &Target, partly: bool) -> Error {
    Error::Cancelled {
        partly: partly.then(|| target.path().to_path_buf()),
    }
}
