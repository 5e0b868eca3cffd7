//! Where a build looks for compressed segments, and keeps them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use cache::{Cache, Earlier, Segments, Shared, Shelf, Uploads};
use remote::{Options, Slow};

use crate::access;
use crate::args::caching::Caching;
use crate::args::logins::Logins;
use crate::environment::variable;
use crate::failure::Failure;
use crate::logins::netrc;
use crate::reuse;
use crate::ui::{Ui, size};

/// How long a shared cache may be silent, and is waited for in the end.
const PATIENCE: Duration = Duration::from_secs(2);

/// All places that the command line names.
pub(crate) struct Places {
    cache: Option<Cache>,
    shelves: Vec<Shelf>,
    earlier: Vec<Earlier>,
    shared: Vec<Shared>,
    uploads: Option<Uploads>,
}

impl Places {
    /// Opens what the command line says. A cache that nobody asked for is used where it can be.
    pub(crate) fn open(args: &Caching, logins: &Logins, ui: &Ui) -> Result<Places, Failure> {
        let limit = args.cache_size.bytes(512);
        let cache = match (&args.folder.cache, args.no_cache) {
            (_, true) => None,
            (Some(folder), _) => Some(Cache::open(folder, limit)?),
            (None, _) => usual_folder().and_then(|folder| match Cache::open(&folder, limit) {
                Ok(cache) => Some(cache),
                Err(error) => {
                    ui.warn(&format!("no cache: {error}"));
                    None
                }
            }),
        };
        let (mut shelves, mut earlier) = (Vec::new(), Vec::new());
        for path in &args.reuse {
            if path.is_dir() {
                shelves.push(Shelf::open(path)?);
            } else {
                earlier.extend(reuse::open(path, ui)?);
            }
        }
        let mut places = Places {
            cache,
            shelves,
            earlier,
            shared: Vec::new(),
            uploads: None,
        };
        if args.cache_from.is_empty() && args.cache_to.is_none() {
            return Ok(places);
        }
        let addresses = args.cache_from.iter().chain(&args.cache_to);
        let addresses: Vec<&str> = addresses.map(String::as_str).collect();
        let options = Options {
            netrc: netrc(logins, None, &addresses, ui)?,
            tries: 2,
            stall: PATIENCE,
            slow: Slow {
                time: 4 * PATIENCE,
                ..Slow::default()
            },
            ..access::remote()?
        };
        for address in &args.cache_from {
            places.shared.push(Shared::open(address, &options)?);
        }
        if let Some(address) = &args.cache_to {
            places.uploads = Some(Uploads::open(address, &options)?);
        }
        Ok(places)
    }

    /// The places that are near, in the order in which they are asked.
    pub(crate) fn near(&self) -> Vec<&dyn Segments> {
        // What is sent to others has to hear of everything.
        let uploads = self.uploads.iter().map(|uploads| uploads as &dyn Segments);
        let cache = self.cache.iter().map(|cache| cache as &dyn Segments);
        let shelves = self.shelves.iter().map(|shelf| shelf as &dyn Segments);
        let earlier = self.earlier.iter().map(|earlier| earlier as &dyn Segments);
        uploads.chain(cache).chain(shelves).chain(earlier).collect()
    }

    /// The places that are far away.
    pub(crate) fn shared(&self) -> &[Shared] {
        &self.shared
    }

    /// Says what was wrong with segments, and makes room.
    pub(crate) fn close(self, ui: &Ui) {
        let mut warnings: Vec<String> = self.earlier.iter().flat_map(Earlier::warnings).collect();
        warnings.extend(self.shelves.iter().flat_map(Shelf::warnings));
        warnings.extend(self.shared.iter().flat_map(Shared::warnings));
        if let Some(uploads) = self.uploads {
            let address = uploads.address();
            let sent = uploads.close(PATIENCE);
            if let Some(problem) = sent.problem {
                warnings.push(format!("{problem}; nothing more is sent to this shared cache"));
            } else if sent.unsent > 0 {
                let (unsent, sent) = (sent.unsent, size(sent.bytes));
                warnings.push(format!(
                    "{address}: {sent} were sent in time, {unsent} segments were not: `kiln cache push --to` sends what is left"
                ));
            }
        }
        if let Some(cache) = &self.cache {
            if let Err(error) = cache.tidy() {
                warnings.push(format!("the cache was not tidied: {error}"));
            }
            warnings.extend(cache.warnings());
        }
        for warning in &warnings {
            ui.warn(warning);
        }
    }
}

/// The folders that caching writes to.
pub(crate) fn written(args: &Caching) -> Vec<PathBuf> {
    let cache = args
        .folder
        .cache
        .clone()
        .or_else(usual_folder)
        .filter(|_| !args.no_cache);
    let shared = args.cache_to.as_ref().and_then(|url| url.strip_prefix("file://"));
    cache.into_iter().chain(shared.map(PathBuf::from)).collect()
}

/// The user's own cache folder. There is none where a build must see nothing but its inputs.
pub(crate) fn usual_folder() -> Option<PathBuf> {
    let home = variable("HOME").filter(|home| home != "/homeless-shelter");
    if variable("NIX_BUILD_TOP").is_some() {
        return None;
    }
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let caches = variable("XDG_CACHE_HOME").and_then(absolute);
    let caches = caches.or_else(|| Some(home.and_then(absolute)?.join(".cache")));
    Some(caches?.join("kiln"))
}
