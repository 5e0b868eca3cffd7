//! Whether store paths are what was registered.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use image::{Kind, NodeId, Progress, Tree};
use rayon::prelude::*;

use crate::closure::Closure;
use crate::error::{Difference, Error, Result, SHOWN_MAX};
use crate::nar::{self, Hashed, Hasher};
use crate::store_path::StorePath;

/// What to do about a store path that is not what was registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mismatch {
    /// It is an error.
    #[default]
    Fail,
    /// The closure gets the hash and size that were found. A path that was built twice with other bytes is
    /// registered as one and lies in the store as the other.
    Rehash,
}

/// How store paths are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checking {
    /// What becomes of a path that is not what was registered.
    pub mismatch: Mismatch,
    /// How much of a path is read.
    pub depth: Depth,
    /// Which digests are computed on the way.
    pub wanted: Wanted,
}

/// How much of a store path is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// All of it, and its NAR's hash and size are compared.
    #[default]
    Full,
    /// Names and lengths, which its NAR's size follows from, and only that is compared; it counts lengths in steps of eight
    /// bytes. Paths whose hash or size is not registered are read.
    Sizes,
}

/// Which files get a digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// None.
    #[default]
    None,
    /// Those that are read and have the length of another one: the others cannot have duplicates.
    Repeated,
}

impl From<Mismatch> for Checking {
    /// Everything is read, and digests are for all who may need them.
    fn from(mismatch: Mismatch) -> Checking {
        Checking {
            mismatch,
            depth: Depth::Full,
            wanted: Wanted::Repeated,
        }
    }
}

/// SHA-256 digests of files, by [`NodeId::index`]. Only regular files of store paths whose length another file
/// of the tree has too: the others cannot have duplicates.
pub type Digests = Vec<Option<[u8; 32]>>;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// For finding files with the same bytes without reading them again.
    pub digests: Digests,
    /// The paths that were [rehashed](Mismatch::Rehash), sorted.
    pub rehashed: Vec<Difference>,
}

/// Reads every path of a closure in its [tree](Closure::tree) and compares its NAR with the registration, in
/// parallel. A path whose hash is not known gets the one that was found.
///
/// # Errors
/// When paths are not what was registered and that shall fail; when something cannot be read; when a path is
/// not in the tree.
pub fn check(
    closure: &mut Closure,
    tree: &Tree,
    progress: &dyn Progress,
    checking: impl Into<Checking>,
) -> Result<Checked> {
    let Checking {
        mismatch,
        depth,
        wanted,
    } = checking.into();
    let mut jobs = jobs(closure, tree)?;
    let mut found = match depth {
        Depth::Full => Vec::new(),
        Depth::Sizes => measure(&mut jobs, closure, tree)?,
    };
    progress.begin("checking store paths", jobs.iter().map(|job| job.len).sum());
    let repeated = match wanted {
        Wanted::None => BTreeMap::new(),
        Wanted::Repeated => repeated_lens(tree),
    };
    let wants_digest = |len| repeated.get(&len).is_some_and(|repeats| *repeats);
    // A bridge hands out one job at a time in this order; splitting the list would start with small ones too.
    let hashed = jobs.into_iter().par_bridge().map_init(
        || Hasher::new(tree, &wants_digest, progress),
        |hasher, job| (job.position, hasher.hash(job.root)),
    );
    found.par_extend(hashed);
    found.sort_unstable_by_key(|(position, _)| *position);

    let mut checked = Checked {
        digests: vec![None; tree.len()],
        rehashed: Vec::new(),
    };
    for (info, (_, hashed)) in closure.paths_mut().iter_mut().zip(found) {
        let Hashed { hash, size, digests } = hashed?;
        for (id, digest) in digests {
            checked.digests[id.index()] = Some(digest);
        }
        let registered_hash = info.nar_hash.replace(hash).unwrap_or(hash);
        let registered_size = info.nar_size.replace(size).unwrap_or(size);
        if (registered_hash, registered_size) != (hash, size) {
            checked.rehashed.push(Difference {
                path: info.path.clone(),
                registered_hash,
                registered_size,
                found_hash: hash,
                found_size: size,
            });
        }
    }
    match mismatch {
        Mismatch::Fail if !checked.rehashed.is_empty() => {
            let mut shown = checked.rehashed;
            let count = shown.len();
            shown.truncate(SHOWN_MAX);
            Err(Error::Mismatch { shown, count })
        }
        Mismatch::Fail | Mismatch::Rehash => Ok(checked),
    }
}

/// Takes the jobs away whose paths have the size that is registered, as their names and lengths tell, and answers what was
/// found of these. The others are read: what differs is told with its hash.
fn measure(jobs: &mut Vec<Job>, closure: &Closure, tree: &Tree) -> Result<Vec<(usize, Result<Hashed>)>> {
    let mut found = Vec::with_capacity(jobs.len());
    let mut others = Vec::new();
    for job in std::mem::take(jobs) {
        let info = &closure.paths()[job.position];
        match (info.nar_hash, info.nar_size) {
            (Some(hash), Some(size)) if nar::size(tree, job.root)? == size => {
                let digests = Vec::new();
                found.push((job.position, Ok(Hashed { hash, size, digests })));
            }
            _ => others.push(job),
        }
    }
    *jobs = others;
    Ok(found)
}

/// One store path that is to be read.
struct Job {
    /// In the closure.
    position: usize,
    root: NodeId,
    /// The bytes of its files.
    len: u64,
}

/// The paths, the one with most bytes first, so that the last one to be read is short.
fn jobs(closure: &Closure, tree: &Tree) -> Result<Vec<Job>> {
    let job = |(position, path): (usize, &StorePath)| {
        let root = tree.lookup(path.as_str().as_bytes());
        let root = root.ok_or_else(|| Error::NotInTree { path: path.clone() })?;
        let len = tree
            .walk_from(root)
            .map(|entry| file_len(tree, entry.id).unwrap_or(0))
            .sum();
        Ok(Job { position, root, len })
    };
    let paths = closure.paths().iter().map(|info| &info.path);
    let mut jobs: Vec<Job> = paths.enumerate().map(job).collect::<Result<_>>()?;
    jobs.sort_by_key(|job| Reverse(job.len));
    Ok(jobs)
}

/// The lengths of the tree's files, and whether several have it.
fn repeated_lens(tree: &Tree) -> BTreeMap<u64, bool> {
    let mut repeated = BTreeMap::new();
    for len in tree.nodes().filter_map(|(id, _)| file_len(tree, id)) {
        repeated
            .entry(len)
            .and_modify(|repeated| *repeated = true)
            .or_insert(false);
    }
    repeated
}

fn file_len(tree: &Tree, id: NodeId) -> Option<u64> {
    match &tree.node(id).kind {
        Kind::File(content) => Some(content.len()),
        _ => None,
    }
}
