//! Binary caches: closures found by their references, before a NAR is fetched.
//!
//! ```text
//!  nix-cache-info                 which store it is of
//!  <hash>.narinfo                 what a path refers to; its NAR's hash, size and place; signatures
//!  <hash>.ls                      names and sizes, for plans
//!  nar/<file hash>.nar.zst        the NAR
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use image::{Progress, Spool, Tree};
use remote::Remote;
use transport::{Coding, decode};

use crate::closure::Closure;
use crate::download::DownloadDir;
use crate::error::{Error, Result};
use crate::fetch;
use crate::listing;
use crate::narinfo::{self, Narinfo};
use crate::store;
use crate::store_path::{STORE_DIR, StorePath};
use crate::trust::Trust;
use crate::workers::each;

/// How many requests for small objects are under way at once.
const ASKED_AT_ONCE: usize = 24;

/// The most bytes of `nix-cache-info`.
const CACHE_INFO_MAX: u64 = 64 << 10;

/// Binary caches, the first of which that knows a path is believed, if the path may be trusted.
#[derive(Debug)]
pub struct Caches {
    remotes: Vec<Remote>,
    trust: Trust,
}

/// A closure of which the caches have told everything but the contents.
#[derive(Debug)]
pub struct Found<'a> {
    caches: &'a Caches,
    /// By path.
    narinfos: Vec<(Narinfo, usize)>,
    closure: Closure,
    /// The trees of the paths that were fetched.
    trees: Vec<Option<Tree>>,
    /// The trees that listings tell of.
    listed: Vec<Option<Tree>>,
    spool_end: u64,
}

/// What fetching needs.
pub struct Fetching<'a> {
    /// Where contents go.
    pub spool: &'a Spool,
    /// Where compressed NARs are kept for the next time.
    pub download: Option<&'a DownloadDir>,
    /// How many NARs are fetched at once.
    pub threads: usize,
    /// Hears the bytes of NARs.
    pub progress: &'a dyn Progress,
}

impl Caches {
    /// Gets to know caches at these addresses.
    ///
    /// # Errors
    /// When one cannot be reached, is no binary cache, or is one of another store.
    pub fn open(addresses: &[String], options: &remote::Options, trust: Trust) -> Result<Caches> {
        let remotes = addresses
            .iter()
            .map(|address| Ok(Remote::open(address, options)?))
            .collect::<Result<Vec<Remote>>>()?;
        each(ASKED_AT_ONCE, &remotes, check_store)?;
        Ok(Caches { remotes, trust })
    }

    /// The closure of some paths.
    ///
    /// # Errors
    /// When a cache cannot be asked, no cache knows a path, a narinfo makes no sense, or a path is not to be trusted.
    pub fn find(&self, roots: &[StorePath], progress: &dyn Progress) -> Result<Found<'_>> {
        progress.begin("looking up store paths", 0);
        let mut known: BTreeMap<StorePath, (Narinfo, usize)> = BTreeMap::new();
        let mut wanted: BTreeSet<StorePath> = roots.iter().cloned().collect();
        while !wanted.is_empty() {
            let asked: Vec<StorePath> = std::mem::take(&mut wanted).into_iter().collect();
            let found = each(ASKED_AT_ONCE, &asked, |path| {
                progress.advance(0).map_err(image::Error::from)?;
                self.narinfo(path)
            })?;
            for (path, found) in asked.into_iter().zip(found) {
                known.insert(path, found);
            }
            let references = known
                .values()
                .flat_map(|(narinfo, _)| narinfo.info.references.iter().flatten());
            wanted.extend(references.filter(|path| !known.contains_key(path)).cloned());
        }
        let narinfos: Vec<(Narinfo, usize)> = known.into_values().collect();
        let closure = Closure::of(narinfos.iter().map(|(narinfo, _)| narinfo.info.clone()).collect())?;
        let none = || narinfos.iter().map(|_| None).collect();
        Ok(Found {
            caches: self,
            closure,
            trees: none(),
            listed: none(),
            narinfos,
            spool_end: 0,
        })
    }

    /// What the first cache that knows a path says of it.
    fn narinfo(&self, path: &StorePath) -> Result<(Narinfo, usize)> {
        let key = format!("{}.narinfo", path.hash_part());
        for (number, remote) in self.remotes.iter().enumerate() {
            let Some(bytes) = small(remote, &key, narinfo::SIZE_MAX)? else {
                continue;
            };
            let narinfo = Narinfo::parse(&remote.name_of(&key), &bytes)?;
            if narinfo.info.path != *path {
                return Err(Error::OtherPath {
                    object: remote.name_of(&key),
                    asked: path.clone(),
                    found: narinfo.info.path,
                });
            }
            self.trust.check(&narinfo, &remote.address().to_string())?;
            return Ok((narinfo, number));
        }
        Err(Error::NotInCaches {
            path: path.clone(),
            caches: self
                .remotes
                .iter()
                .map(|remote| remote.address().to_string())
                .collect(),
        })
    }
}

impl Found<'_> {
    /// The closure, as the caches tell of it.
    #[must_use]
    pub fn closure(&self) -> &Closure {
        &self.closure
    }

    /// Fetches the NARs of at most `nar_size_max` bytes that were not fetched yet. Each is compared with the hash and
    /// the size in its narinfo.
    ///
    /// # Errors
    /// When a NAR cannot be had or is not what it should be.
    pub fn fetch(&mut self, nar_size_max: u64, fetching: &Fetching) -> Result<()> {
        let mut jobs: Vec<fetch::Job> = Vec::new();
        for (position, (narinfo, cache)) in self.narinfos.iter().enumerate() {
            let size = narinfo.info.nar_size.unwrap_or(0);
            if self.trees[position].is_none() && size <= nar_size_max {
                let (remote, base) = (&self.caches.remotes[*cache], self.spool_end);
                jobs.push(fetch::Job {
                    position,
                    narinfo,
                    remote,
                    base,
                });
                self.spool_end += size;
            }
        }
        let total = jobs.iter().filter_map(|job| job.narinfo.info.nar_size).sum();
        fetching.progress.begin("fetching store paths", total);
        // The largest first, so that the last one to be fetched is short.
        jobs.sort_by_key(|job| std::cmp::Reverse(job.narinfo.info.nar_size));
        let fetched = each(fetching.threads, &jobs, |job| fetch::fetch(job, fetching))?;
        for (job, tree) in jobs.iter().zip(fetched) {
            self.trees[job.position] = Some(tree);
        }
        Ok(())
    }

    /// Asks for the listings of the paths that were not fetched; answers whether all of them are known now. A cache that
    /// has none, or whose listing makes no sense, costs nothing but that.
    ///
    /// # Errors
    /// When the user asks to stop.
    pub fn list(&mut self, progress: &dyn Progress) -> Result<bool> {
        let missing: Vec<usize> = (0..self.trees.len())
            .filter(|position| self.trees[*position].is_none())
            .collect();
        let listed = each(ASKED_AT_ONCE, &missing, |position| {
            progress.advance(0).map_err(image::Error::from)?;
            let (narinfo, cache) = &self.narinfos[*position];
            let key = format!("{}.ls", narinfo.info.path.hash_part());
            let bytes = small(&self.caches.remotes[*cache], &key, listing::SIZE_MAX);
            Ok(bytes.ok().flatten().and_then(|bytes| listing::tree(&bytes)))
        })?;
        for (position, tree) in missing.into_iter().zip(listed) {
            self.listed[position] = tree;
        }
        Ok(self
            .trees
            .iter()
            .zip(&self.listed)
            .all(|(fetched, listed)| fetched.is_some() || listed.is_some()))
    }

    /// The closure's tree, out of what was fetched, and where that is not all, of what was listed. Nothing when a path
    /// is neither.
    ///
    /// # Errors
    /// When the trees cannot be put together.
    pub fn tree(&self) -> Result<Option<Tree>> {
        let known = self
            .trees
            .iter()
            .zip(&self.listed)
            .map(|(fetched, listed)| fetched.as_ref().or(listed.as_ref()));
        let Some(trees) = known.map(Option::<&Tree>::cloned).collect::<Option<Vec<Tree>>>() else {
            return Ok(None);
        };
        store::assemble(&self.closure, trees).map(Some)
    }
}

/// Whether a cache is one of our store.
fn check_store(remote: &Remote) -> Result<()> {
    let cache = || remote.address().to_string();
    let Some(bytes) = small(remote, "nix-cache-info", CACHE_INFO_MAX)? else {
        return Err(Error::NotACache { cache: cache() });
    };
    let text = String::from_utf8_lossy(&bytes);
    let store = text.lines().find_map(|line| line.strip_prefix("StoreDir:"));
    match store.map(str::trim) {
        None | Some(STORE_DIR) => Ok(()),
        Some(other) => Err(Error::OtherStore {
            cache: cache(),
            store: image::show(other.as_bytes()),
        }),
    }
}

/// A small object, without the compression of its transfer.
fn small(remote: &Remote, key: &str, limit: u64) -> Result<Option<Vec<u8>>> {
    let Some(object) = remote.get(key, limit)? else {
        return Ok(None);
    };
    let Some(encoding) = object.encoding else {
        return Ok(Some(object.bytes));
    };
    let bad = |problem: String| Error::BadEncoding {
        object: remote.name_of(key),
        problem,
    };
    let coding = Coding::of_name(&encoding);
    let coding = coding.ok_or_else(|| {
        bad(format!(
            "the server compresses it with '{encoding}', which is not known here"
        ))
    })?;
    let mut bytes = Vec::new();
    decode(coding, &*object.bytes)
        .and_then(|reader| reader.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|error| bad(format!("cannot be unpacked ({encoding}): {error}")))?;
    if bytes.len() as u64 > limit {
        return Err(bad(format!("has more than {limit} bytes, the limit")));
    }
    Ok(Some(bytes))
}
