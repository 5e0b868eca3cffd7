//! The size of an image without making it: exactly where nothing is compressed, and the most that it can be otherwise.

use cache::cut::{Cut, Job};
use image::{Kind, NodeId, Progress, Tree};

use super::clusters::Clusters;
use super::files::Files;
use super::inodes::{Known, packed_most};
use super::survey::Survey;
use super::xattrs::Shared;
use super::{Map, check, place};
use crate::format::{BLOCK, SLOT};
use crate::{Compression, Error, Options, Result};

/// What looking at a tree needs besides it and the options.
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

/// What is known of an image that was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// Its bytes.
    pub size: u64,
    /// Whether these are the most that it can have, and not exactly its own.
    pub is_bound: bool,
}

/// How large an image will be, with nothing written. Where nothing is compressed, files of equal lengths are read, and
/// holes are looked for; otherwise no file is read, and the size is the most that it can be.
///
/// # Errors
/// As [`plan`](super::plan()).
pub fn outlook(tree: &Tree, options: &Options, looking: &Looking) -> Result<Outlook> {
    let survey = surveyed(tree, options)?;
    if options.compression == Compression::None {
        let shared = Shared::of(&survey);
        let clusters = Clusters::none();
        let map = Map::of(&survey, options, &shared, &clusters, looking)?;
        return Ok(Outlook {
            size: map.size()?,
            is_bound: false,
        });
    }
    Ok(Outlook {
        size: most(&survey, options)?,
        is_bound: true,
    })
}

/// Finds what an image cannot hold, as far as names, lengths and attributes tell.
///
/// # Errors
/// When there is such a thing, or an option makes no sense.
pub fn check_tree(tree: &Tree, options: &Options) -> Result<()> {
    surveyed(tree, options).map(drop)
}

/// The inodes of a tree, when it and the options make sense.
pub(super) fn surveyed<'a>(tree: &'a Tree, options: &Options) -> Result<Survey<'a>> {
    check(options)?;
    if !matches!(tree.node(NodeId::ROOT).kind, Kind::Directory(_)) {
        return Err(Error::RootNotADirectory);
    }
    Survey::of(tree)
}

/// A size that an image does not pass, whatever its files hold: nothing compresses, no files are equal, and everything that
/// describes them takes its longest form.
fn most(survey: &Survey, options: &Options) -> Result<u64> {
    let tree = survey.tree;
    let every_file_differs: Vec<u32> = (0..).take(tree.len()).collect();
    let cut = Cut::plan(tree, &every_file_differs, options.cluster, &options.stored)?;
    let (mut data, mut packed) = (0, 0);
    for job in &cut.jobs {
        let len = u64::from(job.len()).next_multiple_of(BLOCK);
        match job {
            Job::Block { .. } => data += len,
            // Where files are equal, others share a cluster, and its end lies elsewhere.
            Job::Fragment { .. } => packed += len + BLOCK,
        }
    }
    let stored: u64 = options
        .stored
        .iter()
        .map(|id| match &tree.node(*id).kind {
            Kind::File(content) => content.len().next_multiple_of(BLOCK),
            _ => 0,
        })
        .sum();
    let shared = Shared::of(survey);
    let known = Known {
        survey,
        options,
        shared: &shared,
        files: &Files::default(),
        clusters: &Clusters::none(),
    };
    let (mut inodes, mut lists) = (SLOT, 0);
    for id in &survey.order {
        let (len, blocks) = known.most(*id);
        inodes += place::most(len);
        lists += blocks * BLOCK;
    }
    inodes += place::most(packed_most(packed, options));
    let zeros = u64::from(options.cluster);
    let end = BLOCK + data + packed + zeros + stored + lists + inodes + 4 + shared.bytes.len() as u64;
    Ok(end.next_multiple_of(BLOCK))
}
