//! Segments in an output that was made earlier.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::ReadAt;

use crate::key::Key;
use crate::warnings::Warnings;
use crate::{Found, Made, Segments};

/// Where a segment lies in a file, as an earlier build has written it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The segment.
    pub key: Key,
    /// Its first byte in the file.
    pub start: u64,
    /// Where its bytes lie in the file, one part after the other, when they are not all behind each other. Empty
    /// otherwise.
    pub parts: Vec<Range<u64>>,
    /// A word for each block.
    pub sizes: Vec<u32>,
    /// The bytes of all blocks.
    pub len: u64,
    /// The [`Checksum`](crate::Checksum) of all that.
    pub digest: [u8; 32],
}

/// The segments of an earlier output.
#[derive(Debug)]
pub struct Earlier {
    path: PathBuf,
    source: Arc<dyn ReadAt>,
    records: BTreeMap<Key, Record>,
    warnings: Warnings,
}

impl Earlier {
    /// The segments that these records say are in a file, or in something in it. Nobody has to believe
    /// them.
    #[must_use]
    pub fn new(path: &Path, source: Arc<dyn ReadAt>, records: Vec<Record>) -> Earlier {
        Earlier {
            path: path.to_path_buf(),
            source,
            records: records.into_iter().map(|record| (record.key, record)).collect(),
            warnings: Warnings::default(),
        }
    }

    /// What the user should know: segments that are not what the records say.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.take()
    }
}

impl Segments for Earlier {
    fn find(&self, key: &Key) -> Option<Found> {
        let record = self.records.get(key)?;
        let (source, start) = match Parts::of(record, &self.source) {
            Some(parts) => (Arc::new(parts) as Arc<dyn ReadAt>, 0),
            None => (Arc::clone(&self.source), record.start),
        };
        Some(Found {
            source,
            start,
            len: record.len,
            sizes: record.sizes.clone(),
            digest: record.digest,
        })
    }

    fn reject(&self, key: &Key, problem: &str) {
        let start = self.records.get(key).map_or(0, |record| record.start);
        self.warnings.add(format!(
            "{}: the segment at byte {start} is made anew: {problem}",
            self.path.display()
        ));
    }

    fn keep(&self, _: &Key, _: &Made) {}
}

/// A segment in parts, read as if they followed each other.
#[derive(Debug)]
struct Parts {
    source: Arc<dyn ReadAt>,
    /// Each part's first byte in the segment, and where it is in the source.
    parts: Vec<(u64, Range<u64>)>,
}

impl Parts {
    /// None when the segment lies in one piece.
    fn of(record: &Record, source: &Arc<dyn ReadAt>) -> Option<Parts> {
        let mut end = 0_u64;
        let part = |part: &Range<u64>| {
            let start = end;
            end = end.saturating_add(part.end.saturating_sub(part.start));
            (start, part.clone())
        };
        let parts: Vec<_> = record.parts.iter().map(part).collect();
        let source = Arc::clone(source);
        (!parts.is_empty()).then_some(Parts { source, parts })
    }
}

impl ReadAt for Parts {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        let (mut start, mut rest) = (start, buffer);
        let first = self.parts.partition_point(|(first, _)| *first <= start);
        for (first, part) in &self.parts[first.saturating_sub(1)..] {
            if rest.is_empty() {
                break;
            }
            let place = part.start.saturating_add(start - first);
            let left = usize::try_from(part.end.saturating_sub(place)).unwrap_or(usize::MAX);
            let (own, others) = rest.split_at_mut(left.min(rest.len()));
            self.source.read_exact_at(own, place)?;
            start += own.len() as u64;
            rest = others;
        }
        if rest.is_empty() {
            return Ok(());
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests {
    use image::Content;

    use super::*;

    #[test]
    fn parts_follow_each_other() {
        let source: Arc<dyn ReadAt> = Arc::new(Content::Bytes((0..100).collect::<Vec<u8>>().into()));
        let record = |parts: &[Range<u64>]| Record {
            key: Key([0; 32]),
            start: 0,
            parts: parts.to_vec(),
            sizes: Vec::new(),
            len: 0,
            digest: [0; 32],
        };
        let parts = Parts::of(&record(&[50..53, 7..7, 10..11, 90..100]), &source).unwrap();
        let wanted: Vec<u8> = (50..53).chain(10..11).chain(90..100).collect();
        for start in 0..wanted.len() {
            for end in start..=wanted.len() {
                let mut found = vec![0; end - start];
                parts.read_exact_at(&mut found, start as u64).unwrap();
                assert_eq!(found, wanted[start..end], "{start}..{end}");
            }
        }
        assert!(parts.read_exact_at(&mut [0; 2], 13).is_err());
        // Nobody has to believe what a record says.
        for lie in [Range { start: 10, end: 5 }, 200..u64::MAX, u64::MAX..u64::MAX] {
            let parts = Parts::of(&record(&[lie.clone(), lie]), &source).unwrap();
            assert!(parts.read_exact_at(&mut [0; 2], 0).is_err());
        }
        assert!(Parts::of(&record(&[]), &source).is_none());
    }
}
