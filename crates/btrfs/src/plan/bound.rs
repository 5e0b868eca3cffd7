//! What can be said before anything is compressed or written: how large a file system gets, or at most, and what cannot be.

use std::ops::Range;

use image::{Content, Kind, NodeId, Progress, Tree};
use rayon::prelude::*;

use super::data::{Data, EXTENT_MAX};
use super::fixpoint::{Forest, Known};
use super::segments::content;
use super::survey::{self, Survey};
use super::{Usage, check, size, trees, usage};
use crate::compress::BLOCK_MAX;
use crate::{Compression, EqualFiles, Error, Options, Result, Size};

/// Room for what a bound leaves out: where chunks end, extents that are longer lose more, up to their length.
const ROOM_PER_CHUNK: u64 = EXTENT_MAX;
/// The chunks that are there besides those of data, and the one that a bound may need less.
const OTHER_CHUNKS: u64 = 4;

/// How files are looked at.
pub struct Looking<'a> {
    /// How many threads read.
    pub threads: usize,
    /// SHA-256 of files, by [`NodeId::index`], where known already; they are computed where needed otherwise.
    pub digests: &'a [Option<[u8; 32]>],
    /// Hears about the bytes that are read.
    pub progress: &'a dyn Progress,
}

impl Looking<'_> {
    pub(super) fn pool(&self) -> Result<rayon::ThreadPool> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build();
        pool.map_err(|error| Error::NoThread(std::io::Error::other(error)))
    }
}

/// How large a file system gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The image's size, or the most that it can be.
    pub size: u64,
    /// How full it is; unknown when the size is a bound.
    pub usage: Option<Usage>,
}

/// Finds out how large the image of a tree gets: exactly where nothing is compressed and all files are at hand, which are looked
/// at for holes and equal bytes; otherwise a bound, for which names and lengths suffice.
///
/// # Errors
/// As [`plan()`](super::plan()).
pub fn outlook(tree: &Tree, options: &Options, looking: &Looking) -> Result<Outlook> {
    let survey = surveyed(tree, options)?;
    let at_hand = |node: &image::Node| match &node.kind {
        Kind::File(Content::Span { source, .. }) => source.is_at_hand(),
        _ => true,
    };
    if options.compression == Compression::None && tree.nodes().all(|(_, node)| at_hand(node)) {
        let data = Data::looked_at(&survey, options, looking)?;
        let forest = forest(&survey, &data, options)?;
        let size = size(&forest, options)?;
        let usage = Usage {
            shared: data.shared(),
            ..usage(&forest, options, size)
        };
        return Ok(Outlook {
            size,
            usage: Some(usage),
        });
    }
    let size = match options.size {
        Size::Exactly(size) => size,
        Size::Fit => most(&survey, options, looking)?,
    };
    Ok(Outlook { size, usage: None })
}

/// Finds what btrfs cannot hold, or what cannot fit, as far as names and lengths tell.
///
/// # Errors
/// As [`plan()`](super::plan()).
pub fn check_tree(tree: &Tree, options: &Options) -> Result<()> {
    let survey = surveyed(tree, options)?;
    let Size::Exactly(size) = options.size else {
        return Ok(());
    };
    // Files may be nothing but zeros.
    let least = forest(&survey, &Data::empty(&survey), options)?.chunks.end;
    if size >= least {
        return Ok(());
    }
    let looking = Looking {
        threads: 1,
        digests: &[],
        progress: &image::Silent,
    };
    Err(Error::Full {
        needed: most(&survey, options, &looking)?,
        free: options.free,
        size,
    })
}

/// Checks what can be checked before any work, and numbers inodes.
pub(super) fn surveyed<'a>(tree: &'a Tree, options: &Options) -> Result<Survey<'a>> {
    check(options)?;
    if !matches!(tree.node(NodeId::ROOT).kind, Kind::Directory(_)) {
        return Err(Error::RootNotADirectory);
    }
    survey::survey(tree, options)
}

/// The most bytes that an image of the least size has: no file has holes or equals another, no block shrinks, and still each is an
/// extent of its own.
fn most(survey: &Survey, options: &Options, looking: &Looking) -> Result<u64> {
    let options = &Options {
        equal_files: EqualFiles::Apart,
        ..options.clone()
    };
    let data = Data::unseen(survey, options, looking)?;
    let chunks = forest(survey, &data, options)?.chunks;
    let of_data = chunks.list.iter().filter(|chunk| chunk.is_data()).count() as u64;
    Ok(chunks.end + (of_data + OTHER_CHUNKS) * ROOM_PER_CHUNK)
}

/// The places of everything.
pub(super) fn forest(survey: &Survey, data: &Data, options: &Options) -> Result<Forest> {
    Forest::grow(&Known {
        options,
        data,
        trees: trees(survey, data, options)?,
    })
}

impl Data {
    /// The extents of all files as they are when nothing is compressed, without their checksums.
    fn looked_at(survey: &Survey, options: &Options, looking: &Looking) -> Result<Data> {
        let mut data = Data::files(survey, options, looking)?;
        let runs = |file: &super::data::File| content(survey, file.node).data_runs().map_err(Error::from);
        let pool = looking.pool()?;
        let runs: Vec<_> = pool.install(|| data.files.par_iter().map(runs).collect::<Result<_>>())?;
        data.lay_all(runs, EXTENT_MAX);
        Ok(data)
    }

    /// The most extents that files can have.
    fn unseen(survey: &Survey, options: &Options, looking: &Looking) -> Result<Data> {
        let mut data = Data::files(survey, options, looking)?;
        let whole = |file: &super::data::File| match content(survey, file.node) {
            Content::Zeros(_) => Vec::new(),
            content => std::iter::once(0..content.len()).collect(),
        };
        let runs = data.files.iter().map(whole).collect();
        let longest = match options.compression {
            Compression::None => EXTENT_MAX,
            _ => BLOCK_MAX,
        };
        data.lay_all(runs, longest);
        Ok(data)
    }

    /// Cuts the data of each file into extents.
    fn lay_all(&mut self, runs: Vec<Vec<Range<u64>>>, longest: u64) {
        for (number, runs) in runs.into_iter().enumerate() {
            self.lay(number, runs, longest);
        }
    }
}
