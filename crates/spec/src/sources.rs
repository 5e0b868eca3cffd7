//! Where closures come from: registrations, stores, streams and binary caches. All of them give the same closure and
//! the same tree.

use std::path::Path;

use image::{Fault, Progress, Spool};
use nix::{Caches, Closure, DownloadDir, Fetching, Source, StorePath, Trust};

use crate::Spec;
use crate::error::{Error, Result};
use crate::gather::{Gathered, Hashes, Registrar, Rehash};
use crate::schema;

/// How sources are reached.
pub struct Access<'a> {
    /// Where relative paths start.
    pub folder: &'a Path,
    /// How caches are spoken to.
    pub remote: remote::Options,
    /// Where contents are kept that come as streams: a folder with room for the closure.
    pub spool: &'a Path,
    /// Where compressed NARs wait for the next build.
    pub download: Option<DownloadDir>,
    /// How many threads work.
    pub threads: usize,
    /// Hears how far it is, and can stop it.
    pub progress: &'a dyn Progress,
}

/// NARs of at most this size are fetched before listings are asked for: what a specification reads of a system, its
/// version and its kernel's parameters, lies in such.
const SMALL_NAR_MAX: u64 = 256 << 10;

/// At least this many NARs are fetched at once: caches are far away.
const FETCHED_AT_ONCE_MIN: usize = 6;

/// Takes the closure of a specification. Only what was not compared on its way here is compared with its registration.
pub(crate) fn take(
    gathered: &mut Gathered,
    source: &schema::Closure,
    spec: &Spec,
    rehash: Rehash,
    access: &Access,
) -> Result<()> {
    let folder = access.folder;
    match Source::of(&source.from.0, folder)? {
        Source::Text(_) | Source::Database { .. } => {
            let Stored {
                closure,
                store,
                registrar,
            } = in_store(source, folder)?;
            let tree = closure.tree(&store)?;
            gathered.take(closure, tree, spec, folder)?;
            gathered.check(spec, rehash, registrar, access.progress)
        }
        Source::Export(path) => {
            let spool = Spool::create(access.spool)?;
            let (closure, tree) = nix::read_export(&path, &spool, access.progress)?;
            gathered.hashes = Hashes::Compared;
            gathered.take(closure, tree, spec, folder)
        }
        Source::Caches(addresses) => {
            let caches = Caches::open(&addresses, &access.remote, trust(source)?)?;
            from_caches(gathered, &caches, source, spec, rehash, access)
        }
    }
}

/// A closure that lies in a store of this machine.
pub(crate) struct Stored {
    pub(crate) closure: Closure,
    pub(crate) store: nix::Store,
    pub(crate) registrar: Registrar,
}

/// A closure that lies in a store of this machine, and that store.
pub(crate) fn in_store(source: &schema::Closure, folder: &Path) -> Result<Stored> {
    let (closure, own) = match Source::of(&source.from.0, folder)? {
        Source::Text(path) => (Closure::read(&path)?, None),
        Source::Database { database, root } => (nix::read_database(&database, &roots(source)?)?, root),
        Source::Export(_) | Source::Caches(_) => {
            return Err(Error::BadValue {
                place: places(source),
                problem: "is no closure in a store of this machine".to_string(),
            });
        }
    };
    let given = source.store_root.as_ref().map(|root| folder.join(root));
    // Another folder may be another store, in which the same names are other bytes.
    let registrar = match (&own, &given) {
        (Some(_), None) => Registrar::Store,
        (Some(own), Some(given)) if own == given => Registrar::Store,
        _ => Registrar::Other,
    };
    let store = nix::Store { root: given.or(own) };
    Ok(Stored {
        closure,
        store,
        registrar,
    })
}

/// A closure alone, without what is in its store paths.
pub(crate) fn closure(source: &schema::Closure, access: &Access) -> Result<Closure> {
    match Source::of(&source.from.0, access.folder)? {
        Source::Text(path) => Ok(Closure::read(&path)?),
        Source::Database { database, .. } => Ok(nix::read_database(&database, &roots(source)?)?),
        Source::Export(path) => {
            let spool = Spool::create(access.spool)?;
            Ok(nix::read_export(&path, &spool, access.progress)?.0)
        }
        Source::Caches(addresses) => {
            let caches = Caches::open(&addresses, &access.remote, trust(source)?)?;
            let found = caches.find(&roots(source)?, access.progress)?;
            Ok(found.closure().clone())
        }
    }
}

/// Plans with what listings tell, where there are listings, and fetches the rest.
fn from_caches(
    gathered: &mut Gathered,
    caches: &Caches,
    source: &schema::Closure,
    spec: &Spec,
    rehash: Rehash,
    access: &Access,
) -> Result<()> {
    let spool = Spool::create(access.spool)?;
    let fetching = Fetching {
        spool: &spool,
        download: access.download.as_ref(),
        threads: access.threads.max(FETCHED_AT_ONCE_MIN),
        progress: access.progress,
    };
    let mut found = caches.find(&roots(source)?, access.progress)?;
    found.fetch(SMALL_NAR_MAX, &fetching)?;
    if found.list(access.progress)?
        && let Some(tree) = found.tree()?
    {
        let early = gathered.take(found.closure().clone(), tree, spec, access.folder);
        match early {
            // A plan needs no contents, unless it rewrites them.
            _ if rehash == Rehash::Skip && spec.fs.values().all(|fs| fs.layout.is_none()) => return early,
            // What only the contents can tell is known when they are here.
            Err(error) if error.fault() == Fault::Input => {}
            Err(error) => return Err(error),
            Ok(()) => {}
        }
    }
    found.fetch(u64::MAX, &fetching)?;
    let tree = found.tree()?.unwrap_or_default();
    gathered.hashes = Hashes::Compared;
    gathered.take(found.closure().clone(), tree, spec, access.folder)
}

/// The paths that are wanted.
fn roots(source: &schema::Closure) -> Result<Vec<StorePath>> {
    let bad = |place: &str, error: nix::Error| Error::BadValue {
        place: place.to_string(),
        problem: error.to_string(),
    };
    let mut roots = Vec::new();
    for text in &source.paths {
        roots.push(text.parse().map_err(|error| bad("closure.paths", error))?);
    }
    if let Some(text) = &source.toplevel {
        roots.push(text.parse().map_err(|error| bad("closure.toplevel", error))?);
    }
    if roots.is_empty() {
        return Err(nix::Error::NoRoots { from: places(source) }.into());
    }
    Ok(roots)
}

/// What errors call a source.
fn places(source: &schema::Closure) -> String {
    let places: Vec<String> = source.from.0.iter().map(|text| remote::shown(text)).collect();
    places.join(", ")
}

fn trust(source: &schema::Closure) -> Result<Trust> {
    let texts: Vec<&str> = match source.trusted_keys.as_slice() {
        [] => vec![nix::NIXOS_KEY],
        given => given.iter().map(String::as_str).collect(),
    };
    let bad = |error: nix::Error| Error::BadValue {
        place: "closure.trusted-keys".to_string(),
        problem: error.to_string(),
    };
    Ok(Trust {
        keys: texts
            .iter()
            .map(|text| text.parse().map_err(bad))
            .collect::<Result<_>>()?,
        unsigned: source.allow_unsigned,
    })
}
