//! Where segments are in an image, for whoever wants to lift them out of it.
//!
//! Their blocks lie where the extents of their files do: between what is not compressed, and with the files of other
//! segments where these had the same bytes first.

use std::ops::Range;

use cache::{Key, Record};

use super::blocks::Spooled;
use super::chunks::Chunks;
use super::data::{Data, Extent, Made};
use super::segments::Segment;
use crate::format::compression;
use crate::segment::Stored;

/// The records of all segments that have keys.
pub(super) fn records(data: &Data, made: &Made, chunks: &Chunks) -> Vec<Record> {
    if made.keys.iter().all(Option::is_none) {
        return Vec::new();
    }
    let segments = made.segments.list.iter().zip(&made.spooled);
    let record = |((segment, spooled), key): ((&Segment, &Spooled), &Option<Key>)| {
        let key = (*key)?;
        let mut parts = parts(data, made, segment, spooled, &chunks.places)?;
        // What lies in one piece needs no list.
        let start = parts.first().map_or(0, |part| part.start);
        if parts.len() < 2 {
            parts.clear();
        }
        Some(Record {
            key,
            start,
            parts,
            sizes: spooled.sizes.clone(),
            len: spooled.len,
            digest: spooled.digest?,
        })
    };
    segments.zip(&made.keys).filter_map(record).collect()
}

/// Where a segment's blocks lie; none when others have come to lie there.
fn parts(
    data: &Data,
    made: &Made,
    segment: &Segment,
    spooled: &Spooled,
    places: &[u64],
) -> Option<Vec<Range<u64>>> {
    let mut parts: Vec<Range<u64>> = Vec::new();
    let mut words = spooled.sizes.iter();
    for run in &made.segments.runs[segment.runs.clone()] {
        let extents = data.files[run.file as usize].extents.clone();
        let numbered = data.extents[extents.clone()].iter().zip(&places[extents]);
        let mut compressed = numbered.filter(|(extent, _)| extent.compression != compression::NONE);
        for job in &made.segments.jobs[run.jobs.clone()] {
            let stored = Stored::of_word(*words.next()?)?;
            if stored.compression == compression::NONE {
                continue;
            }
            let (extent, place): (&Extent, &u64) = compressed.next()?;
            if (extent.start, extent.disk_len) != (job.start, stored.disk_len) {
                return None;
            }
            let end = place + u64::from(extent.disk_len);
            match parts.last_mut() {
                Some(last) if last.end == *place => last.end = end,
                _ => parts.push(*place..end),
            }
        }
    }
    Some(parts)
}
