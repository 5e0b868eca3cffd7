//! What was written is read back from the device and compared.

use std::io;

use image::Progress;

use crate::blocks::{Buffer, Written};
use crate::error::is_gone;
use crate::write::cancelled;
use crate::{BLOCK, Error, Result, Target};

/// As many ranges that differ are shown.
const RANGES_MAX: usize = 8;

/// What was found so far.
#[derive(Default)]
struct Found {
    differing: u64,
    ranges: Vec<(u64, u64)>,
    more: u64,
    /// Where the last of them ends.
    end: u64,
}

impl Found {
    /// Adds a range; those that lie behind each other are one.
    fn add(&mut self, (start, end): (u64, u64)) {
        self.differing += end - start;
        let goes_on = std::mem::replace(&mut self.end, end) == start && self.differing > end - start;
        if self.ranges.len() < RANGES_MAX && !goes_on {
            self.ranges.push((start, end));
        } else if !goes_on {
            self.more += 1;
        } else if let Some(last) = self.ranges.last_mut().filter(|_| self.more == 0) {
            last.1 = end;
        }
    }
}

/// Reads back all that was written.
pub(crate) fn compare(target: &Target, all: &[Written], progress: &dyn Progress) -> Result<()> {
    let mut found = Found::default();
    let mut compared = 0;
    for written in all {
        let mut buffer = Buffer::zeros(written.len);
        let differing = match target.read(buffer.get_mut(), written.start) {
            Ok(()) => written.differing(buffer.get()),
            Err(source) if is_gone(&source) => return Err(failed(target, written.start, source)),
            Err(source) => unreadable(target, written, source)?,
        };
        for range in differing {
            found.add(range);
        }
        compared += written.len;
        progress
            .advance(written.len)
            .map_err(|_| cancelled(target, true))?;
    }
    if found.differing == 0 {
        return Ok(());
    }
    Err(Error::Differs {
        path: target.path().to_path_buf(),
        differing: found.differing,
        compared,
        ranges: found.ranges,
        more: found.more,
    })
}

/// Which blocks of a piece cannot be read. When all can, one by one, the first error counts.
fn unreadable(target: &Target, written: &Written, error: io::Error) -> Result<Vec<(u64, u64)>> {
    let end = written.start + written.len;
    let mut bad = Vec::new();
    let mut start = written.start;
    while start < end {
        let next = (start + BLOCK).min(end);
        if target.read(Buffer::zeros(next - start).get_mut(), start).is_err() {
            bad.push((start, next));
        }
        start = next;
    }
    if bad.is_empty() {
        return Err(failed(target, written.start, error));
    }
    Ok(bad)
}

fn failed(target: &Target, at: u64, source: io::Error) -> Error {
    Error::ReadBack {
        path: target.path().to_path_buf(),
        at,
        source,
    }
}
