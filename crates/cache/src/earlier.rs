//! Segments in an output that was made earlier.

use std::collections::BTreeMap;
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
        Some(Found {
            source: Arc::clone(&self.source),
            start: record.start,
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
