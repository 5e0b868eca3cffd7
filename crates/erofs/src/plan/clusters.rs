//! Clusters: how they are made and looked at, and where they lie.
//!
//! Which file is in which cluster was decided by [`cache::cut`], and [`cache::spool()`] has them made, or takes those that
//! were made before. The word of a cluster says how many bytes of whole blocks it takes; without any, it is one of zeros,
//! which all are the same cluster.

use std::ops::Range;

use cache::cut::{Cut, Job, NO_FRAGMENT, equal_files, is_zero};
use cache::{Depth, Key, Output, Spooling, Wanted};
use image::{Kind, Layout, NodeId, Progress, Tree};

use super::{Work, keys};
use crate::compress::Compressor;
use crate::decompress::Decompressor;
use crate::format::{BLOCK, BLOCK_LEN, layout};
use crate::segment::Stored;
use crate::{Error, Options, Result};

/// All clusters.
pub(super) struct Clusters {
    cut: Cut,
    keys: Vec<Option<Key>>,
    spooled: Vec<cache::Spooled<()>>,
    /// Each cluster's word, and its first block.
    words: Vec<(u32, u64)>,
    /// Each segment's blocks.
    segments: Vec<Range<u64>>,
    /// Where clusters of small files begin in the packed file, and the numbers of their jobs.
    regions: Vec<(u64, usize)>,
    /// Bytes of the packed file.
    packed_len: u64,
    /// The cluster of zeros, when there is one, and its block.
    zeros: Option<(Vec<u8>, u64)>,
    /// The first free block.
    end: u64,
    number: u8,
}

/// Where the bytes of a file are that lies in clusters.
pub(super) enum Map {
    /// In blocks in one piece.
    Plain {
        /// The first.
        block: u64,
    },
    /// In the packed file.
    Fragment {
        /// The first byte there.
        start: u64,
    },
    /// In clusters of its own.
    Clusters {
        /// In their order.
        list: Vec<Cluster>,
        /// Whether each follows the one before.
        in_one_piece: bool,
        /// The compressor.
        number: u8,
    },
}

/// A cluster of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cluster {
    /// How many bytes of the file it holds.
    pub(super) len: u32,
    /// How many blocks it takes.
    pub(super) blocks: u32,
    /// The first of them.
    pub(super) block: u64,
    /// Whether it is stored as it is.
    pub(super) is_plain: bool,
}

impl Map {
    /// The layout of an inode with this map.
    pub(super) fn layout(&self) -> u16 {
        match self {
            Map::Plain { .. } => layout::PLAIN,
            Map::Clusters {
                in_one_piece: true, ..
            } => layout::COMPACT,
            Map::Fragment { .. } | Map::Clusters { .. } => layout::FULL,
        }
    }

    /// What the inode says of its place.
    pub(super) fn place(&self) -> u32 {
        match self {
            Map::Plain { block } => u32::try_from(*block).unwrap_or(u32::MAX),
            Map::Fragment { .. } => 0,
            Map::Clusters { list, .. } => list
                .iter()
                .map(|cluster| cluster.blocks)
                .fold(0, u32::saturating_add),
        }
    }
}

/// Clusters that are to be made, and what their segments are called.
pub(super) struct Making<'a> {
    tree: &'a Tree,
    options: &'a Options,
    cut: Cut,
    pub(super) keys: Vec<Option<Key>>,
    number: u8,
}

impl<'a> Making<'a> {
    /// None when nothing is compressed. `choose` may leave out segments.
    pub(super) fn of(
        tree: &'a Tree,
        options: &'a Options,
        work: &Work,
        choose: impl FnOnce(&mut Cut),
    ) -> Result<Option<Making<'a>>> {
        let Some(number) = options.compression.number() else {
            return Ok(None);
        };
        let pool = work.looking().pool()?;
        let equal = pool.install(|| equal_files(tree, &options.stored, 1, work.digests, work.progress))?;
        let mut cut = Cut::plan(tree, &equal.classes, options.cluster, &options.stored)?;
        choose(&mut cut);
        let keys = match (&work.reuse, keys::head(options)) {
            (Some(reuse), Some(head)) => {
                pool.install(|| cut.keys(tree, &head, reuse, work.digests, &equal.digests, work.progress))?
            }
            _ => vec![None; cut.list.len()],
        };
        Ok(Some(Making {
            tree,
            options,
            cut,
            keys,
            number,
        }))
    }
}

/// Makes clusters, or finds them; the first begins at this byte of the spool.
pub(super) fn make(making: &Making, work: &Work, start: u64) -> Result<Vec<cache::Spooled<()>>> {
    let cut = &making.cut;
    let blocks = Blocks {
        tree: making.tree,
        cut,
        options: making.options,
        number: making.number,
    };
    let segments = cut.list.iter().zip(&making.keys);
    let wanted = segments.map(|(segment, key)| Wanted {
        key: *key,
        blocks: segment.jobs.clone(),
    });
    let wanted: Vec<Wanted> = wanted.collect();
    let confirm = work.reuse.and_then(|reuse| reuse.confirm);
    let confirm = confirm.map(|confirm| |numbers: &[usize]| confirm(&cut.roots_of(numbers)));
    let spooling = Spooling {
        spool: work.spool,
        start,
        threads: work.threads,
        progress: work.progress,
        step: "compressing",
        places: work.reuse.map(|reuse| reuse.places),
        confirm: confirm.as_ref().map(|confirm| confirm as _),
    };
    cache::spool(&blocks, &wanted, &spooling)
}

impl Clusters {
    /// Makes all clusters of a tree; they begin at this block.
    pub(super) fn pack(tree: &Tree, options: &Options, work: &Work, first: u64) -> Result<Clusters> {
        let Some(making) = Making::of(tree, options, work, |_| ())? else {
            return Ok(Clusters::none());
        };
        // As in the image.
        let spooled = make(&making, work, first * BLOCK)?;
        let mut clusters = Clusters::place(making.cut, making.keys, spooled, making.number, first);
        clusters.add_zeros(options)?;
        Ok(clusters)
    }

    /// There are none.
    pub(super) fn none() -> Clusters {
        Clusters::place(Cut::default(), Vec::new(), Vec::new(), 0, 1)
    }

    /// Puts the segments behind each other.
    fn place(
        cut: Cut,
        keys: Vec<Option<Key>>,
        spooled: Vec<cache::Spooled<()>>,
        number: u8,
        first: u64,
    ) -> Clusters {
        let mut placed = Clusters {
            keys,
            words: Vec::with_capacity(cut.jobs.len()),
            segments: Vec::with_capacity(spooled.len()),
            regions: Vec::new(),
            packed_len: 0,
            zeros: None,
            end: first,
            number,
            spooled: Vec::new(),
            cut,
        };
        for word in spooled.iter().flat_map(|segment| &segment.sizes) {
            let job = placed.words.len();
            placed.words.push((*word, 0));
            if let Some(Job::Fragment { len, .. }) = placed.cut.jobs.get(job) {
                placed.regions.push((placed.packed_len, job));
                placed.packed_len += u64::from(*len).next_multiple_of(BLOCK);
            }
        }
        let mut words = placed.words.iter_mut();
        for segment in &spooled {
            let start = placed.end;
            for (word, block) in words.by_ref().take(segment.sizes.len()) {
                *block = placed.end;
                placed.end += stored_len(*word) / BLOCK;
            }
            placed.segments.push(start..placed.end);
        }
        placed.spooled = spooled;
        placed
    }

    /// Makes the cluster that all those of zeros are.
    fn add_zeros(&mut self, options: &Options) -> Result<()> {
        if self.words.iter().all(|(word, _)| stored_len(*word) != 0) {
            return Ok(());
        }
        let zeros = vec![0; options.cluster as usize];
        let mut compressor = Compressor::new(options.compression);
        if let Some(bytes) = compressor.compress(&zeros)? {
            self.zeros = Some((bytes.to_vec(), self.end));
            self.end += (bytes.len() / BLOCK_LEN) as u64;
        }
        Ok(())
    }

    /// The first free block.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The first free byte of the spool.
    pub(super) fn spool_end(&self) -> u64 {
        let ends = self.spooled.iter().map(|segment| segment.start + segment.len);
        ends.max().unwrap_or(0).max(self.end * BLOCK)
    }

    /// Bytes of the packed file.
    pub(super) fn packed_len(&self) -> u64 {
        self.packed_len
    }

    /// Where a file's bytes are, if it lies in clusters.
    pub(super) fn map(&self, tree: &Tree, id: NodeId) -> Option<Map> {
        let place = self.cut.places.get(id.index())?;
        if place.fragment != NO_FRAGMENT {
            let (start, _) = self.regions.get(place.fragment as usize)?;
            return Some(Map::Fragment {
                start: start + u64::from(place.offset),
            });
        }
        let Kind::File(content) = &tree.node(id).kind else {
            return None;
        };
        let first = usize::try_from(place.first_job).ok()?;
        let len = self.cut.jobs.get(first)?.len();
        let count = usize::try_from(content.len().div_ceil(len.into())).ok()?;
        Some(self.own(first..first + count))
    }

    /// The map of the packed file.
    pub(super) fn packed(&self) -> Map {
        let list = self
            .regions
            .iter()
            .map(|(_, job)| self.cluster(*job))
            .map(|cluster| Cluster {
                len: cluster.len.next_multiple_of(4096),
                ..cluster
            });
        Map::Clusters {
            list: list.collect(),
            in_one_piece: false,
            number: self.number,
        }
    }

    fn own(&self, jobs: Range<usize>) -> Map {
        let list: Vec<Cluster> = jobs.map(|job| self.cluster(job)).collect();
        let in_one_piece = list
            .windows(2)
            .all(|pair| pair[0].block + u64::from(pair[0].blocks) == pair[1].block);
        if in_one_piece && list.iter().all(|cluster| cluster.is_plain) {
            return Map::Plain {
                block: list.first().map_or(0, |cluster| cluster.block),
            };
        }
        Map::Clusters {
            list,
            in_one_piece,
            number: self.number,
        }
    }

    fn cluster(&self, job: usize) -> Cluster {
        let (word, block) = self.words[job];
        let len = self.cut.jobs[job].len();
        let blocks = blocks(stored_len(word));
        match &self.zeros {
            Some((bytes, block)) if blocks == 0 => Cluster {
                len,
                blocks: self::blocks(bytes.len() as u64),
                block: *block,
                is_plain: false,
            },
            _ => Cluster {
                len,
                blocks,
                block,
                is_plain: Stored::of_word(word).is_some_and(|stored| stored.algorithm.is_none()),
            },
        }
    }

    /// Puts the segments into their places.
    pub(super) fn lay_out(&self, layout: &mut Layout, work: &Work) {
        let spooled = self.cut.list.iter().zip(&self.segments).zip(&self.spooled);
        for ((segment, place), spooled) in spooled {
            let span = work.spool.span(spooled.start, spooled.len);
            layout.put(place.start * BLOCK, format!("segment {}", segment.label), span);
        }
        if let Some((bytes, block)) = &self.zeros {
            layout.put(block * BLOCK, "zeros", bytes.clone());
        }
    }

    /// Where segments are, for whoever wants to lift them out of the image.
    pub(super) fn records(&self) -> Vec<cache::Record> {
        let segments = self.segments.iter().zip(&self.spooled);
        let record = |(key, (place, spooled)): (&Option<Key>, (&Range<u64>, &cache::Spooled<()>))| {
            Some(cache::Record {
                key: (*key)?,
                start: place.start * BLOCK,
                parts: Vec::new(),
                sizes: spooled.sizes.clone(),
                len: spooled.len,
                digest: spooled.digest?,
            })
        };
        self.keys.iter().zip(segments).filter_map(record).collect()
    }

    /// What each unit takes.
    pub(super) fn usage(&self, tree: &Tree) -> Vec<super::UnitUsage> {
        let stored = self.words.iter().map(|(word, _)| stored_len(*word));
        self.cut.usage(tree, stored)
    }
}

/// How many bytes are compressed: of small files, the zeros behind them count.
fn input_len(job: &Job) -> u32 {
    match job {
        Job::Block { len, .. } => *len,
        Job::Fragment { len, .. } => len.next_multiple_of(4096),
    }
}

/// How many bytes a cluster with this word takes.
fn stored_len(word: u32) -> u64 {
    Stored::of_word(word).map_or(0, |stored| stored.stored_len().into())
}

fn blocks(len: u64) -> u32 {
    u32::try_from(len / BLOCK).unwrap_or(u32::MAX)
}

/// All clusters of an image.
struct Blocks<'a> {
    tree: &'a Tree,
    cut: &'a Cut,
    options: &'a Options,
    number: u8,
}

/// Compresses clusters.
struct Maker {
    compressor: Compressor,
    input: Vec<u8>,
}

impl Blocks<'_> {
    fn job(&self, block: usize) -> &Job {
        &self.cut.jobs[block]
    }

    /// Whether it can be one of the clusters of zeros, which all are as long.
    fn can_be_zeros(&self, job: &Job) -> bool {
        matches!(job, Job::Block { .. }) && job.len() == self.options.cluster
    }
}

impl cache::Blocks for Blocks<'_> {
    type Error = Error;
    type Compressor = Maker;
    type Decompressor = Decompressor;
    type Note = ();

    fn compressor(&self) -> Result<Maker> {
        Ok(Maker {
            compressor: Compressor::new(self.options.compression),
            input: Vec::new(),
        })
    }

    fn decompressor(&self) -> Result<Decompressor> {
        Ok(Decompressor::default())
    }

    fn len(&self, block: usize) -> u32 {
        self.job(block).len().next_multiple_of(4096)
    }

    fn stored_len(&self, block: usize, word: u32) -> Option<u32> {
        let (job, stored) = (self.job(block), Stored::of_word(word)?);
        let is_possible = stored.len == input_len(job)
            && stored.algorithm.is_none_or(|number| number == self.number)
            && (stored.blocks > 0 || self.can_be_zeros(job));
        is_possible.then_some(stored.stored_len())
    }

    fn make(&self, block: usize, maker: &mut Maker, progress: &dyn Progress) -> Result<Output<()>> {
        let Maker { compressor, input } = maker;
        let job = self.job(block);
        self.cut.read(self.tree, job, input)?;
        progress.advance(u64::from(cache::Blocks::len(self, block)))?;
        input.resize(input_len(job) as usize, 0);
        let (algorithm, bytes) = if self.can_be_zeros(job) && is_zero(input) {
            (Some(self.number), Vec::new())
        } else if let Some(bytes) = compressor.compress(input)? {
            (Some(self.number), bytes.to_vec())
        } else {
            input.resize(input.len().next_multiple_of(BLOCK_LEN), 0);
            (None, std::mem::take(input))
        };
        let stored = Stored {
            len: input_len(job),
            algorithm,
            blocks: blocks(bytes.len() as u64),
        };
        let word = stored.word();
        Ok(Output {
            word,
            bytes,
            note: (),
        })
    }

    fn look(
        &self,
        block: usize,
        word: u32,
        stored: &[u8],
        decompressor: &mut Decompressor,
        depth: Depth,
    ) -> Result<Result<(), String>> {
        let job = self.job(block);
        let Some(is_word) = Stored::of_word(word) else {
            return Ok(Err(format!("it has a cluster of a kind {word:x}")));
        };
        let mut bytes = vec![0; input_len(job) as usize];
        if is_word.algorithm.is_none() {
            bytes = stored.to_vec();
        } else if depth != Depth::Outside
            && is_word.blocks > 0
            && let Err(problem) = decompressor.decompress(self.number, stored, &mut bytes)
        {
            return Ok(Err(problem));
        }
        if depth != Depth::Compared {
            return Ok(Ok(()));
        }
        let mut wanted = Vec::new();
        self.cut.read(self.tree, job, &mut wanted)?;
        wanted.resize(bytes.len(), 0);
        Ok(if bytes == wanted {
            Ok(())
        } else {
            Err("it holds something else than the files that belong there".to_string())
        })
    }
}
