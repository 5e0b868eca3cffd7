//! The extents of files, and the checksums of their sectors. Every file that has extents is read for that, unless its
//! blocks are there already.
//!
//! What is compressed together is decided before; threads compress in any order, and [`cache::spool()`] puts the results
//! into the spool segment by segment, where the image will have them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use cache::{Key, Spooling, Wanted};
use image::{Content, Kind, NodeId};

use super::blocks::{Blocks, Spooled};
use super::segments::{Repeated, Segments};
use super::survey::Survey;
use super::{Looking, Work, duplicates, keys};
use crate::format::{RESERVED, SECTOR, SECTOR_LEN, compression};
use crate::segment::Stored;
use crate::{Compression, EqualFiles, Options, Result};

/// Files up to this length lie in leaves.
pub(super) const INLINE_MAX: u64 = 2048;
/// The longest extent. It is small, so that little is left over where an extent does not fit before the end of a chunk.
pub(super) const EXTENT_MAX: u64 = 1 << 20;

/// All extents of a file system.
#[derive(Default)]
pub(super) struct Data {
    /// For each node the number of its file, if it has extents; [`NONE`] otherwise.
    pub(super) of_node: Vec<u32>,
    /// The files in the order of their extents.
    pub(super) files: Vec<File>,
    /// The extents of all files.
    pub(super) extents: Vec<Extent>,
    /// The compressed ones in the order of their segments, behind each other: so they lie in the spool, unless what was
    /// found was not what it was said to be.
    pub(super) compressed: Vec<usize>,
    /// The checksums of all sectors, extent after extent.
    sums: Vec<u32>,
    /// One past the last byte of the spool that is taken.
    pub(super) spooled: u64,
}

pub(super) const NONE: u32 = u32::MAX;

/// A file with extents.
#[derive(Debug)]
pub(super) struct File {
    /// Whose bytes they are.
    pub(super) node: NodeId,
    pub(super) extents: Range<usize>,
    /// The inodes that have these bytes: the tree's id and the inode's number, in this order.
    pub(super) users: Vec<(u64, u64)>,
}

/// A part of a file that lies on the device in one piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// Where it begins in the file.
    pub(super) start: u64,
    /// How many bytes of the file it holds.
    pub(super) len: u32,
    /// How many bytes it takes: a multiple of a sector.
    pub(super) disk_len: u32,
    /// How it is compressed.
    pub(super) compression: u8,
    /// Where it lies in the spool, when it is compressed.
    pub(super) spooled: u64,
    /// The number of its file.
    pub(super) file: u32,
    /// The number of its first sector's checksum.
    first_sum: usize,
}

impl Extent {
    /// Whether both can be one.
    fn is_followed_by(&self, next: &Extent) -> bool {
        let is_plain = |extent: &Extent| extent.compression == compression::NONE;
        let len = u64::from(self.len) + u64::from(next.len);
        is_plain(self) && is_plain(next) && self.start + self.covered() == next.start && len <= EXTENT_MAX
    }

    /// The bytes of the file that it covers: a multiple of a sector.
    pub(super) fn covered(&self) -> u64 {
        u64::from(self.len).next_multiple_of(SECTOR)
    }
}

/// What a node's bytes are to the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// There are none.
    Nowhere,
    /// They lie in a leaf.
    Leaf,
    /// They lie in extents.
    Extents,
}

/// Where a file's bytes go.
pub(super) fn place(content: &Content) -> Place {
    match content.len() {
        0 => Place::Nowhere,
        1..=INLINE_MAX => Place::Leaf,
        _ => Place::Extents,
    }
}

/// All segments of a file system, in the spool.
pub(super) struct Made {
    pub(super) segments: Segments,
    pub(super) keys: Vec<Option<Key>>,
    pub(super) spooled: Vec<Spooled>,
}

/// Finds or makes segments; those of these units, or all where there is none.
pub(super) fn make(
    survey: &Survey,
    data: &Data,
    digests: &BTreeMap<NodeId, [u8; 32]>,
    wanted: &BTreeSet<NodeId>,
    options: &Options,
    work: &Work,
) -> Result<Made> {
    let compression = options.compression;
    // Segments without keys are for this image alone.
    let repeated = match (&work.reuse, compression) {
        (None, _) | (_, Compression::None) => Repeated::LeftOut,
        (Some(_), _) => Repeated::Kept,
    };
    let segments = Segments::plan(survey, data, wanted, compression, repeated, work)?;
    let keys = match &work.reuse {
        Some(reuse) => keys::keys(survey, &segments, digests, compression, reuse, work)?,
        None => vec![None; segments.list.len()],
    };
    let blocks = Blocks {
        survey,
        segments: &segments,
        compression,
    };
    let needed = segments.list.iter().zip(&keys).map(|(segment, key)| Wanted {
        key: *key,
        blocks: segment.jobs.clone(),
        left_out: segments.repeated(segment),
    });
    let spooling = Spooling {
        spool: work.spool,
        start: RESERVED,
        threads: work.threads,
        progress: work.progress,
        step: match compression {
            Compression::None => "reading",
            _ => "compressing",
        },
        places: work.reuse.map(|reuse| reuse.places),
        confirm: None,
    };
    let spooled = cache::spool(&blocks, &needed.collect::<Vec<_>>(), &spooling)?;
    Ok(Made {
        segments,
        keys,
        spooled,
    })
}

impl Data {
    /// The extents of all files, and the segments that they are in.
    pub(super) fn read(survey: &Survey, options: &Options, work: &Work) -> Result<(Data, Made)> {
        let (mut data, digests) = Data::compared(survey, options, &work.looking())?;
        let made = make(survey, &data, &digests, &BTreeSet::new(), options, work)?;
        data.take(&made);
        Ok((data, made))
    }

    /// Adds all blocks, file after file.
    fn take(&mut self, made: &Made) {
        let end = |spooled: &Spooled| spooled.start + spooled.len;
        self.spooled = made.spooled.iter().map(end).max().unwrap_or(0);
        let places = made.places();
        for number in 0..self.files.len() {
            let Some(run) = made.segments.first(number) else {
                continue;
            };
            let run = &made.segments.runs[run];
            let segment = &made.segments.list[run.segment];
            let spooled = &made.spooled[run.segment];
            for job in run.jobs.clone() {
                let block = job - segment.jobs.start;
                let Some(stored) = Stored::of_word(spooled.sizes[block]) else {
                    continue;
                };
                self.add(number, made.segments.jobs[job].start, stored, places[job]);
                self.sums.extend(&spooled.notes[block]);
            }
        }
        for (number, run) in made.segments.runs.iter().enumerate() {
            if made.segments.first(run.file as usize) == Some(number) {
                let extents = self.files[run.file as usize].extents.clone();
                let compressed =
                    extents.filter(|extent| self.extents[*extent].compression != compression::NONE);
                self.compressed.extend(compressed);
            }
        }
    }

    /// Adds a block to its file.
    fn add(&mut self, number: usize, start: u64, stored: Stored, spooled: u64) {
        let next = self.extents.len();
        let file = &mut self.files[number];
        if file.extents.is_empty() {
            file.extents = next..next;
        }
        let mut extent = Extent {
            start,
            len: stored.len,
            disk_len: stored.disk_len,
            compression: stored.compression,
            spooled,
            file: u32::try_from(number).unwrap_or(NONE),
            first_sum: self.sums.len(),
        };
        if stored.compression == compression::NONE {
            extent.disk_len = stored.len.next_multiple_of(4096);
            if let Some(last) = self.extents.last_mut()
                && !file.extents.is_empty()
                && last.is_followed_by(&extent)
            {
                last.len += extent.len;
                last.disk_len += extent.disk_len;
                return;
            }
        }
        self.extents.push(extent);
        file.extents.end = next + 1;
    }

    /// No extents at all.
    pub(super) fn empty(survey: &Survey) -> Data {
        Data {
            of_node: vec![NONE; survey.tree.len()],
            ..Data::default()
        }
    }

    /// The files that have extents, without these. Equal ones are one.
    pub(super) fn files(survey: &Survey, options: &Options, looking: &Looking) -> Result<Data> {
        Ok(Data::compared(survey, options, looking)?.0)
    }

    /// The same with the SHA-256 of the files that were read.
    pub(super) fn compared(
        survey: &Survey,
        options: &Options,
        looking: &Looking,
    ) -> Result<(Data, BTreeMap<NodeId, [u8; 32]>)> {
        let mut data = Data::empty(survey);
        let equal = match options.equal_files {
            EqualFiles::Shared => Some(duplicates::originals(survey, looking)?),
            EqualFiles::Apart => None,
        };
        for (subvolume, id) in survey.nodes() {
            let Kind::File(content) = &survey.tree.node(id).kind else {
                continue;
            };
            if place(content) != Place::Extents {
                continue;
            }
            let original = equal.as_ref().map_or(id, |equal| equal.originals[id.index()]);
            let user = (subvolume, survey.inode(id));
            let number = data.of_node[original.index()];
            let number = if let Some(file) = data.files.get_mut(number as usize) {
                file.users.push(user);
                number
            } else {
                data.files.push(File {
                    node: id,
                    extents: 0..0,
                    users: vec![user],
                });
                u32::try_from(data.files.len() - 1).unwrap_or(NONE)
            };
            data.of_node[id.index()] = number;
        }
        Ok((data, equal.map(|equal| equal.digests).unwrap_or_default()))
    }

    /// Adds extents to a file as they are when nothing is compressed.
    pub(super) fn lay(&mut self, number: usize, runs: Vec<Range<u64>>, longest: u64) {
        let first = self.extents.len();
        let file = u32::try_from(number).unwrap_or(NONE);
        for run in runs {
            let mut start = run.start;
            while start < run.end {
                let len = (run.end - start).min(longest);
                let disk_len = len.next_multiple_of(SECTOR);
                self.extents.push(Extent {
                    start,
                    len: u32::try_from(len).unwrap_or(u32::MAX),
                    disk_len: u32::try_from(disk_len).unwrap_or(u32::MAX),
                    compression: compression::NONE,
                    spooled: 0,
                    file,
                    first_sum: self.sums.len(),
                });
                let sums = self.sums.len() as u64 + disk_len / SECTOR;
                self.sums.resize(usize::try_from(sums).unwrap_or(usize::MAX), 0);
                start += len;
            }
        }
        self.files[number].extents = first..self.extents.len();
    }

    /// One file of so many extents of 1 MiB.
    #[cfg(test)]
    pub(super) fn of_extents(count: u32) -> Data {
        let mut data = Data::default();
        data.files.push(File {
            node: NodeId::ROOT,
            extents: 0..0,
            users: vec![(5, 257)],
        });
        let all = 0..u64::from(count) * EXTENT_MAX;
        data.lay(0, std::iter::once(all).collect(), EXTENT_MAX);
        data
    }

    /// The same with compressed extents before them that take so many bytes each.
    #[cfg(test)]
    pub(super) fn compressed_to(lens: impl Iterator<Item = u32>, plain: u32) -> Data {
        let mut data = Data::of_extents(plain);
        for len in lens {
            data.compressed.push(data.extents.len());
            data.extents.push(Extent {
                disk_len: len,
                compression: compression::ZSTD,
                ..data.extents[0]
            });
        }
        data
    }

    /// How many bytes of extents files share with files before them.
    pub(super) fn shared(&self) -> u64 {
        let len = |extent: &Extent| u64::from(extent.disk_len);
        let shared = |file: &File| {
            let once: u64 = self.extents[file.extents.clone()].iter().map(len).sum();
            once * (file.users.len() as u64 - 1)
        };
        self.files.iter().map(shared).sum()
    }

    /// The extents of a node, with the number of the first.
    pub(super) fn extents(&self, id: NodeId) -> (usize, &[Extent]) {
        match self.files.get(self.of_node[id.index()] as usize) {
            Some(file) => (file.extents.start, &self.extents[file.extents.clone()]),
            None => (0, &[]),
        }
    }

    /// The file that has an extent first.
    pub(super) fn file(&self, extent: &Extent) -> &File {
        &self.files[extent.file as usize]
    }

    /// The checksums of an extent's sectors.
    pub(super) fn sums(&self, extent: &Extent) -> &[u32] {
        let count = extent.disk_len as usize / SECTOR_LEN;
        &self.sums[extent.first_sum..extent.first_sum + count]
    }
}

impl Made {
    /// The first byte of each block: in the spool, unless the image leaves it out.
    fn places(&self) -> Vec<u64> {
        let len = |word: &u32| Stored::of_word(*word).map_or(0, |stored| stored.disk_len.into());
        let places = |spooled: &Spooled| spooled.places(spooled.sizes.iter().map(len)).collect::<Vec<_>>();
        self.spooled.iter().flat_map(places).collect()
    }
}
