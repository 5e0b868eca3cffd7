//! Follows chains of clusters.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use image::ReadAt;

use super::{FileSystem, Place, damaged};
use crate::format::ENTRY_MASK;
use crate::geometry::{FIRST_CLUSTER, Geometry};
use crate::{Error, Variant};

/// A file allocation table, read page by page, and which clusters were found in chains so far.
pub(super) struct Table<'a> {
    file_system: &'a FileSystem,
    /// Pages that were read, by number. Never listed.
    pages: HashMap<u64, Vec<u8>>,
    /// One bit for each cluster.
    seen: Vec<u64>,
    /// Whether more is refused than what keeps files from being read.
    is_strict: bool,
}

/// A multiple of an entry's bytes that is at most a sector.
const PAGE_LEN: u64 = 512;
/// How much is read at once to count free clusters.
const WINDOW_LEN: u64 = 1 << 20;

/// What an entry says.
enum Link {
    Free,
    Next(u32),
    End,
    Bad,
}

/// The clusters of a file or directory: runs of neighbours.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    runs: Vec<Run>,
    clusters: u32,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    /// How many clusters of the chain come before.
    index: u32,
    /// The number of the first.
    cluster: u32,
}

impl Chain {
    pub(super) fn clusters(&self) -> u64 {
        self.clusters.into()
    }

    /// The first cluster when all are neighbours.
    pub(super) fn single_run(&self) -> Option<u32> {
        match self.runs[..] {
            [run] => Some(run.cluster),
            _ => None,
        }
    }

    /// Neighbouring clusters: the number of the first, and how many.
    pub(super) fn runs(&self) -> impl Iterator<Item = (u32, u32)> {
        self.runs.iter().enumerate().map(|(index, run)| {
            let end = self.runs.get(index + 1).map_or(self.clusters, |next| next.index);
            (run.cluster, end - run.index)
        })
    }

    fn push(&mut self, cluster: u32) {
        let expected = self
            .runs
            .last()
            .map(|run| run.cluster + (self.clusters - run.index));
        if expected != Some(cluster) {
            self.runs.push(Run {
                index: self.clusters,
                cluster,
            });
        }
        self.clusters += 1;
    }
}

impl<'a> Table<'a> {
    pub(super) fn new(file_system: &'a FileSystem) -> Table<'a> {
        let words = file_system.geometry.clusters.div_ceil(u64::BITS) as usize;
        Table {
            file_system,
            pages: HashMap::new(),
            seen: vec![0; words],
            is_strict: false,
        }
    }

    /// A table for reading that refuses whatever no system would write.
    pub(super) fn strict(file_system: &'a FileSystem) -> Table<'a> {
        Table {
            is_strict: true,
            ..Table::new(file_system)
        }
    }

    pub(super) fn is_strict(&self) -> bool {
        self.is_strict
    }

    /// The chain that starts at a cluster and has at most `limit` clusters, none of which any other chain has.
    pub(super) fn chain(&mut self, first: u32, limit: u64, place: Place) -> Result<Chain, Error> {
        let mut chain = Chain::default();
        let mut cluster = first;
        loop {
            if !self.file_system.geometry.has_cluster(cluster) {
                return Err(damaged(place, format!("cluster {cluster} does not exist")));
            }
            if !self.mark(cluster) {
                return Err(damaged(place, format!("cluster {cluster} is in use twice")));
            }
            if chain.clusters() == limit {
                return Err(damaged(place, format!("has more than {limit} clusters")));
            }
            chain.push(cluster);
            cluster = match self.link(cluster)? {
                Link::Next(next) => next,
                Link::End => return Ok(chain),
                Link::Free => return Err(damaged(place, format!("cluster {cluster} is in use and free"))),
                Link::Bad => return Err(damaged(place, format!("cluster {cluster} is in use and bad"))),
            };
        }
    }

    /// Marks a cluster as used; false when it was.
    fn mark(&mut self, cluster: u32) -> bool {
        let index = cluster.saturating_sub(FIRST_CLUSTER);
        let Some(word) = self.seen.get_mut((index / u64::BITS) as usize) else {
            return false;
        };
        let bit = 1 << (index % u64::BITS);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn link(&mut self, cluster: u32) -> Result<Link, Error> {
        let variant = self.file_system.geometry.variant;
        let start = u64::from(cluster) * u64::from(variant.entry_len());
        let page = match self.pages.entry(start / PAGE_LEN) {
            std::collections::hash_map::Entry::Occupied(page) => page.into_mut(),
            std::collections::hash_map::Entry::Vacant(page) => {
                let bytes = self
                    .file_system
                    .table_bytes(start / PAGE_LEN * PAGE_LEN, PAGE_LEN)?;
                page.insert(bytes)
            }
        };
        let entry = page.get((start % PAGE_LEN) as usize..).unwrap_or_default();
        Ok(link(variant, entry))
    }

    /// What one of the first two entries says, which belong to no cluster.
    pub(super) fn reserved(&self, number: u32) -> Result<u32, Error> {
        let len = u64::from(self.file_system.geometry.variant.entry_len());
        let bytes = self.file_system.table_bytes(u64::from(number) * len, len)?;
        let value = bytes
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u32::from(*byte));
        Ok(value & ENTRY_MASK)
    }

    /// The first cluster that is in use although no chain has it. Bad ones are in nobody's use.
    pub(super) fn first_lost(&self) -> Result<Option<u32>, Error> {
        let geometry = &self.file_system.geometry;
        let entry_len = u64::from(geometry.variant.entry_len());
        let mut cluster = FIRST_CLUSTER;
        let end = FIRST_CLUSTER + geometry.clusters;
        while cluster < end {
            let start = u64::from(cluster) * entry_len;
            let len = WINDOW_LEN.min(u64::from(end - cluster) * entry_len);
            let bytes = self.file_system.table_bytes(start, len)?;
            for entry in bytes.chunks_exact(geometry.variant.entry_len() as usize) {
                let is_used = matches!(link(geometry.variant, entry), Link::Next(_) | Link::End);
                if is_used && !self.has_seen(cluster) {
                    return Ok(Some(cluster));
                }
                cluster += 1;
            }
        }
        Ok(None)
    }

    fn has_seen(&self, cluster: u32) -> bool {
        let index = cluster.saturating_sub(FIRST_CLUSTER);
        let word = self.seen.get((index / u64::BITS) as usize);
        word.is_some_and(|word| word & 1 << (index % u64::BITS) != 0)
    }

    /// Counts what the whole table says is free.
    pub(super) fn free_clusters(&self) -> Result<u32, Error> {
        let geometry = &self.file_system.geometry;
        let entry_len = u64::from(geometry.variant.entry_len());
        let mut start = u64::from(FIRST_CLUSTER) * entry_len;
        let end = start + u64::from(geometry.clusters) * entry_len;
        let mut free = 0;
        while start < end {
            let bytes = self.file_system.table_bytes(start, WINDOW_LEN.min(end - start))?;
            start += bytes.len() as u64;
            let entries = bytes.chunks_exact(geometry.variant.entry_len() as usize);
            let is_free = |entry: &&[u8]| matches!(link(geometry.variant, entry), Link::Free);
            free += entries.filter(is_free).map(|_| 1).sum::<u32>();
        }
        Ok(free)
    }
}

impl FileSystem {
    /// Bytes of the table that counts.
    fn table_bytes(&self, start: u64, len: u64) -> Result<Vec<u8>, Error> {
        let table = self.geometry.fat_start(self.table);
        self.source.read("file allocation table", table + start, len)
    }
}

/// What the entry at the beginning of these bytes says. Bytes that are missing count as a bad cluster.
fn link(variant: Variant, bytes: &[u8]) -> Link {
    let value = match (variant, bytes) {
        (Variant::Fat16, [a, b, ..]) => match u32::from(u16::from_le_bytes([*a, *b])) {
            special @ 0xfff7.. => special | ENTRY_MASK & !0xffff,
            value => value,
        },
        (Variant::Fat32, [a, b, c, d, ..]) => u32::from_le_bytes([*a, *b, *c, *d]) & ENTRY_MASK,
        _ => return Link::Bad,
    };
    match value {
        0 => Link::Free,
        1 | 0x0fff_fff7 => Link::Bad,
        0x0fff_fff8.. => Link::End,
        next => Link::Next(next),
    }
}

/// A file in several runs of clusters.
#[derive(Debug)]
pub(super) struct Fragments {
    source: Arc<dyn ReadAt>,
    geometry: Geometry,
    chain: Chain,
}

impl Fragments {
    pub(super) fn new(file_system: &FileSystem, chain: Chain) -> Fragments {
        Fragments {
            source: file_system.source.bytes.clone(),
            geometry: file_system.geometry,
            chain,
        }
    }

    /// Where a byte of the file lies, and how many bytes lie there in one piece.
    fn locate(&self, position: u64) -> Option<(u64, u64)> {
        let cluster_size = u64::from(self.geometry.cluster_size);
        let runs = &self.chain.runs;
        let after = runs.partition_point(|run| u64::from(run.index) * cluster_size <= position);
        let run = runs.get(after.checked_sub(1)?)?;
        let end = runs.get(after).map_or(self.chain.clusters, |next| next.index);
        let offset = position - u64::from(run.index) * cluster_size;
        let len = (u64::from(end) * cluster_size).checked_sub(position)?;
        Some((self.geometry.cluster_start(run.cluster) + offset, len))
    }
}

impl ReadAt for Fragments {
    fn read_exact_at(&self, mut buffer: &mut [u8], mut start: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            let located = self.locate(start).filter(|(_, len)| *len > 0);
            let (place, len) = located.ok_or(io::ErrorKind::UnexpectedEof)?;
            let len = usize::try_from(len).map_or(buffer.len(), |len| len.min(buffer.len()));
            let (piece, rest) = buffer.split_at_mut(len);
            self.source.read_exact_at(piece, place)?;
            buffer = rest;
            start += len as u64;
        }
        Ok(())
    }
}
