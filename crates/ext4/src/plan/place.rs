//! Where everything lies: inodes get their extents, and the file system its size.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use image::{Kind, NodeId};

use super::features::{self, Features};
use super::geometry::{self, Free, Geometry, INODES_PER_GROUP_MAX};
use super::survey::{self, Data, Item, Survey};
use crate::error::LargeFile;
use crate::format::{BLOCK, BLOCKS_PER_GROUP, EXTENT_LEN_MAX, FIRST_INODE, compat};
use crate::{Error, Journal, Options, Result, Size};

/// The most blocks of an image: 16 TiB. What is larger can only have grown.
const BLOCKS_MAX: u64 = (u32::MAX - (BLOCKS_PER_GROUP - 1)) as u64;

/// The extents that an inode's own bytes have room for.
pub(super) const ROOT_EXTENTS: usize = 4;
/// The extents that a block of an extent tree has room for.
pub(super) const NODE_EXTENTS: usize = 340;

/// A run of a file's blocks on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The first block, counted in the file.
    pub(super) logical: u32,
    /// How many blocks.
    pub(super) len: u32,
    /// The first block, counted in the file system.
    pub(super) start: u64,
}

/// Where an inode's blocks lie.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    pub(super) runs: Box<[Run]>,
    /// The nodes of its extent tree: leaves first, then level after level.
    pub(super) nodes: Box<[u64]>,
}

impl Blocks {
    /// How many blocks, those of the extent tree among them.
    pub(super) fn count(&self) -> u64 {
        let data: u64 = self.runs.iter().map(|run| u64::from(run.len)).sum();
        data + self.nodes.len() as u64
    }
}

/// A layout that holds everything.
pub(super) struct Placed {
    pub(super) geometry: Geometry,
    /// Blocks of the file system.
    pub(super) blocks: u64,
    /// The block of pointers to reserved descriptor blocks.
    pub(super) resize_block: Option<u64>,
    pub(super) journal: Option<Blocks>,
    /// One for each item of the survey.
    pub(super) items: Vec<Blocks>,
    /// One for each block of extended attributes.
    pub(super) xattr_blocks: Vec<u64>,
    /// Blocks of data: all blocks before the place behind them are used.
    pub(super) data_end: u64,
    pub(super) data_blocks: u64,
}

/// The least layout that holds the tree and the promises, of the size that was asked for.
pub(super) fn place(survey: &Survey, options: &Options, features: &Features) -> Result<Placed> {
    let limit = match options.size {
        Size::Fit => BLOCKS_MAX,
        Size::Exactly(size) => size / BLOCK,
    };
    if limit > BLOCKS_MAX {
        return Err(Error::BadOption {
            option: "size",
            value: (limit * BLOCK).to_string(),
            problem: format!(
                "kiln makes images of at most {} bytes, which grow",
                BLOCKS_MAX * BLOCK
            ),
        });
    }
    let search = Search {
        survey,
        options,
        features,
    };
    let mut placed = match options.journal {
        _ if !features::has_journal(options) => search.fit(0, limit)?,
        Journal::Bytes(bytes) => search.fit(bytes / BLOCK, limit)?,
        Journal::Auto | Journal::None => search.fit_with_usual_journal(limit)?,
    };
    if placed.blocks > limit {
        return Err(search.full(placed.blocks, limit));
    }
    if let Size::Exactly(size) = options.size {
        placed = search.exactly(placed, size / BLOCK)?;
    }
    Ok(placed)
}

/// Blocks of the journal that `mke2fs` gives a file system.
fn usual_journal(blocks: u64) -> u64 {
    const MIB: u64 = 256;
    let sizes = [
        (128, 4),
        (1 << 10, 16),
        (2 << 10, 32),
        (16 << 10, 64),
        (32 << 10, 128),
        (64 << 10, 256),
        (128 << 10, 512),
    ];
    let size = sizes.iter().find(|(below, _)| blocks < below * MIB);
    size.map_or(1024, |(_, size)| *size) * MIB
}

struct Search<'a> {
    survey: &'a Survey<'a>,
    options: &'a Options,
    features: &'a Features,
}

impl Search<'_> {
    /// The journal's size follows from the file system's, which holds the journal.
    fn fit_with_usual_journal(&self, limit: u64) -> Result<Placed> {
        let wanted = |placed: &Placed| match self.options.size {
            Size::Fit => usual_journal(placed.blocks),
            Size::Exactly(_) => usual_journal(limit),
        };
        let mut journal = 0;
        loop {
            let placed = self.fit(journal, limit)?;
            if wanted(&placed) <= journal || placed.blocks > limit {
                return Ok(placed);
            }
            journal = wanted(&placed);
        }
    }

    /// The fewest groups that hold everything, with as many inodes as were promised.
    fn fit(&self, journal: u64, limit: u64) -> Result<Placed> {
        let data: u64 = self.survey.items.iter().map(Item::block_count).sum();
        let least = data + journal + self.promised_blocks(0);
        if least > BLOCKS_MAX {
            return Err(self.full(least, BLOCKS_MAX.min(limit)));
        }
        let least = least / u64::from(BLOCKS_PER_GROUP);
        let least = match self.options.size {
            // The file system will be of the size asked for, so it has that many groups.
            Size::Exactly(_) => least.max(limit.div_ceil(BLOCKS_PER_GROUP.into()).saturating_sub(1)),
            Size::Fit => least,
        };
        let mut groups = u32::try_from(least).unwrap_or(u32::MAX).max(1);
        loop {
            let inodes = self.inodes(groups)?;
            if inodes > INODES_PER_GROUP_MAX.into() {
                groups = u32::try_from(self.inodes_needed().div_ceil(INODES_PER_GROUP_MAX.into()))
                    .unwrap_or(u32::MAX)
                    .max(groups + 1);
                continue;
            }
            let geometry = Geometry::new(groups, u32::try_from(inodes).unwrap_or(u32::MAX), self.features);
            let placed = self.place(geometry, journal);
            if placed.blocks <= geometry::start(groups) {
                return Ok(placed);
            }
            let needed = placed.blocks.div_ceil(BLOCKS_PER_GROUP.into());
            groups = u32::try_from(needed).unwrap_or(u32::MAX).max(groups + 1);
        }
    }

    fn inodes_needed(&self) -> u64 {
        u64::from(FIRST_INODE) + (self.survey.items.len() as u64 - 2).saturating_add(self.options.free_inodes)
    }

    fn inodes(&self, groups: u32) -> Result<u64> {
        let needed = self.inodes_needed();
        if needed > u32::MAX.into() {
            return Err(Error::TooManyInodes {
                needed,
                promised: self.options.free_inodes,
                limit: u32::MAX.into(),
            });
        }
        Ok(geometry::inodes_per_group(needed, groups, self.features))
    }

    /// Blocks that have to be free for the promised bytes and for the names of the promised inodes, in a file system of
    /// this many. The kernel keeps a fiftieth of all blocks from ordinary files, at most 4096.
    fn promised_blocks(&self, blocks: u64) -> u64 {
        const NAME: u64 = 80;
        let names = self.options.free_inodes.saturating_mul(NAME).div_ceil(BLOCK);
        let kept = if self.options.free == 0 {
            0
        } else {
            (blocks / 50).min(4096)
        };
        self.options.free.div_ceil(BLOCK) + names + kept
    }

    /// Hands out blocks in this geometry, which may not have enough of them.
    fn place(&self, geometry: Geometry, journal: u64) -> Placed {
        let taken = geometry.taken.clone();
        let mut free = Free::from(&taken, 0);
        let resize_block = (self.features.compat & compat::RESIZE_INODE != 0).then(|| one(&mut free));
        let journal = (journal > 0).then(|| blocks(&mut free, std::iter::once(0..to_u32(journal))));
        let mut items: Vec<Blocks> = vec![Blocks::default(); self.survey.items.len()];
        let mut fill = |wanted: fn(&Item) -> bool, free: &mut Free| {
            for (item, place) in self.survey.items.iter().zip(&mut items) {
                if wanted(item) {
                    *place = match &item.data {
                        Data::None => Blocks::default(),
                        Data::Made(_) | Data::HashTree(_) => {
                            blocks(free, std::iter::once(0..to_u32(item.block_count())))
                        }
                        Data::File(_, runs) => blocks(free, runs.iter().cloned()),
                    };
                }
            }
        };
        fill(|item| matches!(item.node.kind, Kind::Directory(_)), &mut free);
        let xattr_blocks: Vec<u64> = self.survey.xattr_blocks.iter().map(|_| one(&mut free)).collect();
        fill(|item| !matches!(item.node.kind, Kind::Directory(_)), &mut free);

        let data_blocks = u64::from(resize_block.is_some())
            + journal.as_ref().map_or(0, Blocks::count)
            + xattr_blocks.len() as u64
            + items.iter().map(Blocks::count).sum::<u64>();
        let used = geometry.overhead() + data_blocks;
        // The last block of data has to be inside, whatever is free before it.
        let least = used.max(free.next()).max(geometry.blocks_min());
        let mut blocks = least;
        // What the kernel keeps grows with the file system, by less than was added.
        while blocks < used + self.promised_blocks(blocks) {
            blocks = used + self.promised_blocks(blocks);
        }
        Placed {
            blocks,
            resize_block,
            journal,
            items,
            xattr_blocks,
            data_end: free.next(),
            data_blocks,
            geometry,
        }
    }

    /// The layout in a file system of exactly this size. Blocks at the end that are too few for a group stay outside.
    fn exactly(&self, placed: Placed, blocks: u64) -> Result<Placed> {
        let journal = placed.journal.as_ref().map_or(0, |journal| {
            journal.runs.iter().map(|run| u64::from(run.len)).sum()
        });
        let mut groups = to_u32(blocks.div_ceil(BLOCKS_PER_GROUP.into()));
        while groups > placed.geometry.groups {
            let inodes = u32::try_from(self.inodes(groups)?).unwrap_or(u32::MAX);
            let larger = self.place(Geometry::new(groups, inodes, self.features), journal);
            if larger.blocks <= blocks {
                return Ok(Placed { blocks, ..larger });
            }
            groups -= 1;
        }
        let blocks = blocks.min(geometry::start(placed.geometry.groups));
        Ok(Placed { blocks, ..placed })
    }

    /// What to say when everything together takes more than `limit` blocks.
    fn full(&self, needed: u64, limit: u64) -> Error {
        const LARGEST: usize = 5;
        let mut units: BTreeMap<&str, u64> = BTreeMap::new();
        let mut files: Vec<(u64, NodeId)> = Vec::new();
        for item in &self.survey.items {
            let len = item.block_count() * BLOCK;
            match item.id {
                _ if *item.label == *survey::FILES && item.is_directory() => {}
                Some(id) if *item.label == *survey::FILES => files.push((len, id)),
                _ => *units.entry(&item.label).or_default() += len,
            }
        }
        files.sort_unstable_by_key(|(len, id)| (Reverse(*len), *id));
        let files = files.into_iter().take(LARGEST);
        let mut largest: Vec<LargeFile> = files
            .map(|(len, id)| (len, survey::path(self.survey.tree, id)))
            .chain(units.into_iter().map(|(name, len)| (len, name.to_string())))
            .map(|(len, path)| LargeFile { path, len })
            .filter(|file| file.len > 0)
            .collect();
        largest.sort_by(|a, b| b.len.cmp(&a.len).then_with(|| a.path.cmp(&b.path)));
        largest.truncate(LARGEST);
        Error::Full {
            needed: needed.saturating_mul(BLOCK),
            free: self.options.free,
            size: limit * BLOCK,
            largest,
        }
    }
}

fn one(free: &mut Free) -> u64 {
    let block = free.next();
    free.take(1, 1, |_| ());
    block
}

/// Places for ranges of a file's blocks, and for the nodes of the extent tree that they need.
fn blocks(free: &mut Free, ranges: impl Iterator<Item = Range<u32>>) -> Blocks {
    let (mut runs, mut nodes) = (Vec::new(), Vec::new());
    for range in ranges {
        let mut logical = range.start;
        free.take(
            u64::from(range.end - range.start),
            EXTENT_LEN_MAX.into(),
            |piece| {
                let len = to_u32(piece.end - piece.start);
                runs.push(Run {
                    logical,
                    len,
                    start: piece.start,
                });
                logical += len;
            },
        );
    }
    let mut entries = runs.len();
    while entries > ROOT_EXTENTS {
        entries = entries.div_ceil(NODE_EXTENTS);
        free.take(entries as u64, 1, |piece| nodes.push(piece.start));
    }
    Blocks {
        runs: runs.into(),
        nodes: nodes.into(),
    }
}

/// Numbers that a check before keeps below 2^32.
fn to_u32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
