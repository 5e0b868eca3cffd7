//! The extents of files, and the checksums of their sectors. Every file that has extents is read once for that.
//!
//! What is compressed together is decided before; threads compress in any order, and the results go into the spool in the
//! order of the files.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use image::{Content, Kind, NodeId};
use rayon::prelude::*;

use super::survey::Survey;
use super::{Looking, Work, duplicates};
use crate::checksum::checksum;
use crate::compress::{BLOCK_MAX, Compressor};
use crate::format::{SECTOR, SECTOR_LEN, compression};
use crate::{Compression, EqualFiles, Error, Options, Result};

/// Files up to this length lie in leaves.
pub(super) const INLINE_MAX: u64 = 2048;
/// The longest extent. It is small, so that little is left over where an extent does not fit before the end of a chunk.
pub(super) const EXTENT_MAX: u64 = 1 << 20;
/// How many extents each thread reads before those of all are put together.
const BATCH: usize = 16;

/// All extents of a file system.
pub(super) struct Data {
    /// For each node the number of its file, if it has extents.
    pub(super) of_node: Vec<u32>,
    /// The files in the order of their extents.
    pub(super) files: Vec<File>,
    /// The extents of all files.
    pub(super) extents: Vec<Extent>,
    /// The checksums of all sectors, extent after extent.
    pub(super) sums: Vec<u32>,
    /// How many bytes of the spool are taken.
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

impl Data {
    /// The extents of all files.
    pub(super) fn read(survey: &Survey, options: &Options, work: &Work) -> Result<Data> {
        let mut data = Data::files(survey, options, &work.looking())?;
        let pool = work.pool()?;
        let content = |file: &File| content(survey, file.node);
        let runs = |file: &File| content(file).data_runs().map_err(Error::from);
        let runs: Vec<Vec<Range<u64>>> =
            pool.install(|| data.files.par_iter().map(runs).collect::<Result<_>>())?;
        let block_max = match options.compression {
            Compression::None => EXTENT_MAX,
            _ => BLOCK_MAX,
        };
        let mut jobs = Vec::new();
        for (file, runs) in runs.into_iter().enumerate() {
            jobs.extend(runs.into_iter().flat_map(|run| cut(file, run, block_max)));
        }
        let total = jobs.iter().map(|job| u64::from(job.len)).sum();
        work.progress.begin("reading", total);
        // One for each thread.
        let compressor = || Mutex::new(Compressor::new(options.compression));
        let compressors: Vec<_> = std::iter::repeat_with(compressor)
            .take(work.threads.max(1))
            .collect();
        for batch in jobs.chunks(BATCH * work.threads.max(1)) {
            let read = |job: &Job| {
                let own = rayon::current_thread_index().unwrap_or(0) % compressors.len();
                let mut compressor = compressors[own].lock().unwrap_or_else(PoisonError::into_inner);
                let block = job.read(content(&data.files[job.file]), &mut compressor)?;
                work.progress.advance(job.len.into())?;
                Ok(block)
            };
            let blocks: Vec<Block> =
                pool.install(|| batch.par_iter().with_max_len(1).map(read).collect::<Result<_>>())?;
            for (job, block) in batch.iter().zip(blocks) {
                data.add(job, block, options.compression, work)?;
            }
        }
        Ok(data)
    }

    /// Adds a block to its file.
    fn add(&mut self, job: &Job, block: Block, compression: Compression, work: &Work) -> Result<()> {
        self.sums.extend(block.sums);
        let number = self.extents.len();
        let file = &mut self.files[job.file];
        if file.extents.is_empty() {
            file.extents = number..number;
        }
        let mut extent = Extent {
            start: job.start,
            len: job.len,
            disk_len: job.len.next_multiple_of(4096),
            compression: compression::NONE,
            spooled: 0,
        };
        if let Some(bytes) = block.compressed {
            work.spool.write_at(&bytes, self.spooled)?;
            extent.disk_len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            extent.compression = compression.number();
            extent.spooled = self.spooled;
            self.spooled += bytes.len() as u64;
        } else if let Some(last) = self.extents.last_mut()
            && !file.extents.is_empty()
            && last.is_followed_by(&extent)
        {
            last.len += extent.len;
            last.disk_len += extent.disk_len;
            return Ok(());
        }
        self.extents.push(extent);
        file.extents.end = number + 1;
        Ok(())
    }

    /// The files that have extents, without these. Equal ones are one.
    pub(super) fn files(survey: &Survey, options: &Options, looking: &Looking) -> Result<Data> {
        let mut data = Data {
            of_node: vec![NONE; survey.tree.len()],
            files: Vec::new(),
            extents: Vec::new(),
            sums: Vec::new(),
            spooled: 0,
        };
        let originals = match options.equal_files {
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
            let original = originals.as_ref().map_or(id, |originals| originals[id.index()]);
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
        Ok(data)
    }

    /// One file of so many extents of 1 MiB.
    #[cfg(test)]
    pub(super) fn of_extents(count: u32) -> Data {
        let len = u32::try_from(EXTENT_MAX).unwrap();
        let extent = |number| Extent {
            start: u64::from(number) * EXTENT_MAX,
            len,
            disk_len: len,
            compression: compression::NONE,
            spooled: 0,
        };
        Data {
            of_node: Vec::new(),
            files: vec![File {
                node: NodeId::ROOT,
                extents: 0..count as usize,
                users: vec![(5, 257)],
            }],
            extents: (0..count).map(extent).collect(),
            sums: vec![0; count as usize * 256],
            spooled: 0,
        }
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

    /// All extents with their files, in order.
    pub(super) fn with_files(&self) -> impl Iterator<Item = (&File, &Extent)> {
        let of_file = |file: &File| file.extents.clone();
        self.files
            .iter()
            .flat_map(move |file| of_file(file).map(move |extent| (file, &self.extents[extent])))
    }
}

/// What is read, and compressed, together.
#[derive(Clone, Copy, Debug)]
struct Job {
    file: usize,
    start: u64,
    len: u32,
}

/// What has become of it.
struct Block {
    /// In whole sectors, when it has shrunk.
    compressed: Option<Vec<u8>>,
    /// The checksums of its sectors.
    sums: Vec<u32>,
}

impl Job {
    fn read(&self, content: &Content, compressor: &mut Compressor) -> Result<Block> {
        let len = self.len as usize;
        // What is behind the end of the file counts as zeros.
        let mut bytes = vec![0; len.next_multiple_of(SECTOR_LEN)];
        let mut reader = content.reader()?;
        reader.skip(self.start);
        reader.fill(&mut bytes[..len])?;
        reader.finish()?;
        let compressed = compressor.compress(&bytes[..len])?.map(|compressed| {
            let mut bytes = compressed.to_vec();
            bytes.resize(bytes.len().next_multiple_of(SECTOR_LEN), 0);
            bytes
        });
        let stored = compressed.as_ref().unwrap_or(&bytes);
        let sums = stored.chunks(SECTOR_LEN).map(checksum).collect();
        Ok(Block { compressed, sums })
    }
}

/// Cuts a run of data into blocks.
fn cut(file: usize, run: Range<u64>, block_max: u64) -> impl Iterator<Item = Job> {
    let starts = run.clone().step_by(block_max.try_into().unwrap_or(usize::MAX));
    starts.map(move |start| Job {
        file,
        start,
        len: u32::try_from((run.end - start).min(block_max)).unwrap_or(u32::MAX),
    })
}

fn content<'a>(survey: &Survey<'a>, id: NodeId) -> &'a Content {
    match &survey.tree.node(id).kind {
        Kind::File(content) => content,
        _ => &Content::Zeros(0),
    }
}
