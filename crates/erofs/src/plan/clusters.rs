//! Clusters: where they lie.
//!
//! Which file is in which cluster was decided by [`cache::cut`], and [`cache::spool()`] has them made, or takes those that
//! were made before. The word of a cluster says how many bytes it takes; without any, it is one of zeros, which all are the
//! same cluster.

use std::ops::Range;

use cache::cut::{Cut, Job, NO_FRAGMENT, equal_files};
use cache::{Key, Spooling, Wanted};
use image::{Content, Kind, Layout, NodeId, Tree};

use super::blocks::Blocks;
use super::{Work, keys};
use crate::compress::Compressor;
use crate::format::{BLOCK, layout};
use crate::segment::Stored;
use crate::{Options, Profile, Result};

/// All clusters.
pub(super) struct Clusters {
    cut: Cut,
    keys: Vec<Option<Key>>,
    spooled: Vec<cache::Spooled<()>>,
    /// Each cluster's word, and its first byte.
    words: Vec<(u32, u64)>,
    /// Each segment's blocks.
    segments: Vec<Range<u64>>,
    /// Where clusters of small files begin in the packed file, and the numbers of their jobs.
    regions: Vec<(u64, usize)>,
    /// Bytes of the packed file.
    packed_len: u64,
    /// The cluster of zeros, when there is one, and its first byte.
    zeros: Option<(Vec<u8>, u64)>,
    /// The first free block.
    end: u64,
    number: u8,
    profile: Profile,
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
        /// How they are told.
        form: Form,
        /// The compressor.
        number: u8,
    },
}

/// How an inode tells where its clusters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// By an index whose packs have one address: each cluster follows the one before.
    Packs,
    /// By an index.
    Full,
    /// By records.
    Records,
}

/// A cluster of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cluster {
    /// How many bytes of the file it holds.
    pub(super) len: u32,
    /// How many bytes it takes.
    pub(super) stored: u32,
    /// The first of them.
    pub(super) start: u64,
    /// Whether it is stored as it is.
    pub(super) is_plain: bool,
}

impl Map {
    /// The layout of an inode with this map.
    pub(super) fn layout(&self) -> u16 {
        match self {
            Map::Plain { .. } => layout::PLAIN,
            Map::Clusters {
                form: Form::Packs, ..
            } => layout::COMPACT,
            Map::Fragment { .. } | Map::Clusters { .. } => layout::FULL,
        }
    }

    /// What the inode says of its place.
    pub(super) fn place(&self) -> u32 {
        match self {
            Map::Plain { block } => u32::try_from(*block).unwrap_or(u32::MAX),
            Map::Fragment { .. } => 0,
            Map::Clusters { list, .. } => {
                let bytes: u64 = list.iter().map(|cluster| u64::from(cluster.stored)).sum();
                u32::try_from(bytes.div_ceil(BLOCK)).unwrap_or(u32::MAX)
            }
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
        left_out: Vec::new(),
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
        let none = Clusters {
            end: first,
            number: making.number,
            profile: options.profile,
            ..Clusters::none()
        };
        let mut clusters = none.place(making.cut, making.keys, spooled);
        clusters.add_zeros(options)?;
        Ok(clusters)
    }

    /// There are none.
    pub(super) fn none() -> Clusters {
        Clusters {
            cut: Cut::default(),
            keys: Vec::new(),
            spooled: Vec::new(),
            words: Vec::new(),
            segments: Vec::new(),
            regions: Vec::new(),
            packed_len: 0,
            zeros: None,
            end: 1,
            number: 0,
            profile: Profile::Portable,
        }
    }

    /// Puts the segments behind each other.
    fn place(self, cut: Cut, keys: Vec<Option<Key>>, spooled: Vec<cache::Spooled<()>>) -> Clusters {
        let mut placed = Clusters { cut, keys, ..self };
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
            let first = placed.end;
            let mut end = first * BLOCK;
            for (word, start) in words.by_ref().take(segment.sizes.len()) {
                *start = end;
                end += stored_len(*word);
            }
            placed.end = end.div_ceil(BLOCK);
            placed.segments.push(first..placed.end);
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
        let mut compressor = Compressor::new(options.compression, options.profile);
        if let Some(bytes) = compressor.compress(&zeros)? {
            self.zeros = Some((bytes.to_vec(), self.end * BLOCK));
            self.end += (bytes.len() as u64).div_ceil(BLOCK);
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
            form: match self.profile {
                Profile::Portable => Form::Full,
                Profile::Modern => Form::Records,
            },
            number: self.number,
        }
    }

    fn own(&self, jobs: Range<usize>) -> Map {
        let list: Vec<Cluster> = jobs.map(|job| self.cluster(job)).collect();
        let in_one_piece = list
            .windows(2)
            .all(|pair| pair[0].start + u64::from(pair[0].stored) == pair[1].start);
        let form = match self.profile {
            Profile::Modern => Form::Records,
            Profile::Portable if in_one_piece => Form::Packs,
            Profile::Portable => Form::Full,
        };
        if form == Form::Packs && list.iter().all(|cluster| cluster.is_plain) {
            return Map::Plain {
                block: list.first().map_or(0, |cluster| cluster.start / BLOCK),
            };
        }
        Map::Clusters {
            list,
            form,
            number: self.number,
        }
    }

    fn cluster(&self, job: usize) -> Cluster {
        let (word, start) = self.words[job];
        let len = self.cut.jobs[job].len();
        let stored = stored_len(word);
        let (start, stored, is_plain) = match &self.zeros {
            Some((bytes, start)) if stored == 0 => (*start, bytes.len() as u64, false),
            _ => {
                let is_plain = Stored::of_word(word).is_some_and(|own| own.algorithm.is_none());
                (start, stored, is_plain)
            }
        };
        Cluster {
            len,
            stored: u32::try_from(stored).unwrap_or(u32::MAX),
            start,
            is_plain,
        }
    }

    /// Puts the segments into their places.
    pub(super) fn lay_out(&self, layout: &mut Layout, work: &Work) {
        let spooled = self.cut.list.iter().zip(&self.segments).zip(&self.spooled);
        for ((segment, place), spooled) in spooled {
            let span = work.spool.span(spooled.start, spooled.len);
            layout.put(place.start * BLOCK, format!("segment {}", segment.label), span);
            pad(layout, place.start * BLOCK + spooled.len);
        }
        if let Some((bytes, start)) = &self.zeros {
            layout.put(*start, "zeros", bytes.clone());
            pad(layout, start + bytes.len() as u64);
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

/// Fills the rest of the block before this byte with zeros.
fn pad(layout: &mut Layout, end: u64) {
    let rest = end.next_multiple_of(BLOCK) - end;
    layout.put(end, "padding", Content::Zeros(rest));
}

/// How many bytes a cluster with this word takes.
fn stored_len(word: u32) -> u64 {
    Stored::of_word(word).map_or(0, |stored| stored.stored.into())
}
