//! The extents of files, and the checksums of their sectors. Every file that has extents is read once for that.

use std::ops::Range;

use image::{Content, Kind, NodeId};
use rayon::prelude::*;

use super::survey::Survey;
use super::{Work, duplicates};
use crate::checksum::checksum;
use crate::format::SECTOR;
use crate::{EqualFiles, Error, Options, Result};

/// Files up to this length lie in leaves.
pub(super) const INLINE_MAX: u64 = 2048;
/// The longest extent. It is small, so that little is left over where an extent does not fit before the end of a chunk.
pub(super) const EXTENT_MAX: u64 = 1 << 20;
/// How many extents each thread reads before those of all are put together.
const BATCH: usize = 16;

/// All extents of a file system.
pub(super) struct Data {
    /// For each node the number of its file, if it has extents.
    of_node: Vec<u32>,
    /// The files in the order of their extents.
    pub(super) files: Vec<File>,
    /// The extents of all files.
    pub(super) extents: Vec<Extent>,
    /// The checksums of all sectors, extent after extent.
    pub(super) sums: Vec<u32>,
}

const NONE: u32 = u32::MAX;

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
}

impl Extent {
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
        let mut data = Data::files(survey, options, work)?;
        let pool = work.pool()?;
        let content = |file: &File| content(survey, file.node);
        let runs = |file: &File| content(file).data_runs().map_err(Error::from);
        let runs: Vec<Vec<Range<u64>>> =
            pool.install(|| data.files.par_iter().map(runs).collect::<Result<_>>())?;
        for (file, runs) in data.files.iter_mut().zip(runs) {
            let start = data.extents.len();
            data.extents.extend(runs.into_iter().flat_map(cut));
            file.extents = start..data.extents.len();
        }
        let jobs: Vec<(&File, usize)> = data
            .files
            .iter()
            .flat_map(|file| file.extents.clone().map(move |extent| (file, extent)))
            .collect();
        work.progress.begin(
            "reading",
            data.extents.iter().map(|extent| u64::from(extent.len)).sum(),
        );
        let read = |(file, extent): &(&File, usize)| {
            let extent = &data.extents[*extent];
            let sums = sums(content(file), extent)?;
            work.progress.advance(extent.len.into())?;
            Ok(sums)
        };
        for batch in jobs.chunks(BATCH * work.threads.max(1)) {
            let sums: Vec<Vec<u32>> = pool.install(|| batch.par_iter().map(read).collect::<Result<_>>())?;
            data.sums.extend(sums.into_iter().flatten());
        }
        Ok(data)
    }

    /// The files that have extents, without these. Equal ones are one.
    fn files(survey: &Survey, options: &Options, work: &Work) -> Result<Data> {
        let mut data = Data {
            of_node: vec![NONE; survey.tree.len()],
            files: Vec::new(),
            extents: Vec::new(),
            sums: Vec::new(),
        };
        let originals = match options.equal_files {
            EqualFiles::Shared => Some(duplicates::originals(survey, work)?),
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
            let number = match data.files.get_mut(data.of_node[original.index()] as usize) {
                Some(file) => {
                    file.users.push(user);
                    data.of_node[original.index()]
                }
                None => {
                    data.files.push(File {
                        node: id,
                        extents: 0..0,
                        users: vec![user],
                    });
                    u32::try_from(data.files.len() - 1).unwrap_or(NONE)
                }
            };
            data.of_node[id.index()] = number;
        }
        Ok(data)
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

/// Cuts a run of data into extents.
fn cut(run: Range<u64>) -> impl Iterator<Item = Extent> {
    let starts = run.clone().step_by(EXTENT_MAX.try_into().unwrap_or(usize::MAX));
    starts.map(move |start| {
        let len = u32::try_from((run.end - start).min(EXTENT_MAX)).unwrap_or(u32::MAX);
        Extent {
            start,
            len,
            disk_len: len.next_multiple_of(4096),
        }
    })
}

fn content<'a>(survey: &Survey<'a>, id: NodeId) -> &'a Content {
    match &survey.tree.node(id).kind {
        Kind::File(content) => content,
        _ => &Content::Zeros(0),
    }
}

/// The checksums of an extent's sectors. What is behind the end of the file counts as zeros.
fn sums(content: &Content, extent: &Extent) -> Result<Vec<u32>> {
    let mut bytes = vec![0; extent.disk_len as usize];
    let mut reader = content.reader()?;
    reader.skip(extent.start);
    reader.fill(&mut bytes[..extent.len as usize])?;
    reader.finish()?;
    Ok(bytes.chunks(4096).map(checksum).collect())
}
