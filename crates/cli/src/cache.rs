//! `kiln cache`, and the places where a build looks for compressed segments.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use cache::{Cache, Earlier, Pruned, Segments, Shelf, Usage, Verified};
use image::{Fault, Progress};
use serde::Serialize;

use crate::args::{CacheCommand, CacheFolder, Caching};
use crate::environment::variable;
use crate::failure::Failure;
use crate::reuse;
use crate::ui::{Ui, size};

/// Where a build looks for compressed segments.
pub(crate) struct Places {
    cache: Option<Cache>,
    shelves: Vec<Shelf>,
    earlier: Vec<Earlier>,
}

impl Places {
    /// Opens what the command line says. A cache that nobody asked for is used where it can be.
    pub(crate) fn open(args: &Caching, ui: &Ui) -> Result<Places, Failure> {
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
                earlier.extend(reuse::open(path)?);
            }
        }
        Ok(Places {
            cache,
            shelves,
            earlier,
        })
    }

    /// All places, in the order in which they are asked.
    pub(crate) fn all(&self) -> Vec<&dyn Segments> {
        let cache = self.cache.iter().map(|cache| cache as &dyn Segments);
        cache
            .chain(self.shelves.iter().map(|shelf| shelf as &dyn Segments))
            .chain(self.earlier.iter().map(|earlier| earlier as &dyn Segments))
            .collect()
    }

    /// Says what was wrong with segments, and makes room.
    pub(crate) fn close(self, ui: &Ui) {
        let mut warnings: Vec<String> = self.earlier.iter().flat_map(Earlier::warnings).collect();
        warnings.extend(self.shelves.iter().flat_map(Shelf::warnings));
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

/// The user's own cache folder. There is none where a build must see nothing but its inputs.
fn usual_folder() -> Option<PathBuf> {
    let home = variable("HOME").filter(|home| home != "/homeless-shelter");
    if variable("NIX_BUILD_TOP").is_some() {
        return None;
    }
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let caches = variable("XDG_CACHE_HOME").and_then(absolute);
    let caches = caches.or_else(|| Some(home.and_then(absolute)?.join(".cache")));
    Some(caches?.join("kiln"))
}

/// `kiln cache`.
pub(crate) fn run(command: &CacheCommand, ui: &Ui) -> Result<(), Failure> {
    match command {
        CacheCommand::Info(folder) => {
            let Opened { folder, cache } = open(folder, u64::MAX)?;
            info(folder, &cache, ui)
        }
        CacheCommand::Prune { folder, cache_size } => {
            let limit = cache_size.bytes(512);
            prune(&open(folder, limit)?, limit, ui)
        }
        CacheCommand::Verify(folder) => verify(&open(folder, u64::MAX)?, ui),
    }
}

/// A cache and its folder.
struct Opened {
    folder: PathBuf,
    cache: Cache,
}

fn open(folder: &CacheFolder, limit: u64) -> Result<Opened, Failure> {
    let folder = folder.cache.clone().or_else(usual_folder).ok_or_else(|| {
        Failure::usage("there is no usual cache folder here: HOME is not set, or this is Nix's sandbox")
            .hint("say which one with --cache")
    })?;
    let cache = Cache::open(&folder, limit)?;
    Ok(Opened { folder, cache })
}

#[derive(Serialize)]
struct UsageEntry {
    segments: u64,
    bytes: u64,
}

impl From<Usage> for UsageEntry {
    fn from(usage: Usage) -> UsageEntry {
        UsageEntry {
            segments: usage.entries,
            bytes: usage.bytes,
        }
    }
}

impl UsageEntry {
    fn describe(&self) -> String {
        let s = if self.segments == 1 { "" } else { "s" };
        format!("{} segment{s}, {}", self.segments, size(self.bytes))
    }
}

#[derive(Serialize)]
struct Info {
    folder: PathBuf,
    #[serde(flatten)]
    usage: UsageEntry,
}

/// Says what is in a cache.
pub(crate) fn info(folder: PathBuf, cache: &Cache, ui: &Ui) -> Result<(), Failure> {
    let usage = cache.usage()?.into();
    let info = Info { folder, usage };
    if ui.json() {
        return ui.print_json(&info);
    }
    ui.print(&format!("{}: {}\n", info.folder.display(), info.usage.describe()))
}

#[derive(Serialize)]
struct PruneReport {
    folder: PathBuf,
    removed: UsageEntry,
    leftovers: UsageEntry,
    left: UsageEntry,
}

fn prune(opened: &Opened, limit: u64, ui: &Ui) -> Result<(), Failure> {
    let Pruned {
        removed,
        leftovers,
        left,
    } = opened.cache.prune(limit)?;
    let report = PruneReport {
        folder: opened.folder.clone(),
        removed: removed.into(),
        leftovers: leftovers.into(),
        left: left.into(),
    };
    if ui.json() {
        return ui.print_json(&report);
    }
    let mut text = format!(
        "{}: removed {}",
        report.folder.display(),
        report.removed.describe()
    );
    if report.leftovers.segments > 0 {
        let _ = write!(text, "; of killed builds, {}", report.leftovers.describe());
    }
    let _ = writeln!(text, "; left {}", report.left.describe());
    ui.print(&text)
}

#[derive(Serialize)]
struct VerifyReport {
    folder: PathBuf,
    sound: UsageEntry,
    damaged: Vec<DamageEntry>,
}

#[derive(Serialize)]
struct DamageEntry {
    path: PathBuf,
    problem: String,
}

fn verify(opened: &Opened, ui: &Ui) -> Result<(), Failure> {
    ui.begin("verifying segments", opened.cache.usage()?.bytes);
    let mut stopped = false;
    let Verified { sound, damaged } = opened.cache.verify(&mut |bytes| {
        stopped = ui.advance(bytes).is_err();
        !stopped
    })?;
    if stopped {
        return Err(Failure::new(Fault::Cancelled, "stopped"));
    }
    let report = VerifyReport {
        folder: opened.folder.clone(),
        sound: sound.into(),
        damaged: damaged
            .into_iter()
            .map(|damage| DamageEntry {
                path: damage.path,
                problem: damage.problem,
            })
            .collect(),
    };
    for damage in &report.damaged {
        ui.warn(&format!(
            "{}: damaged, and removed: {}",
            damage.path.display(),
            damage.problem
        ));
    }
    let count = report.damaged.len();
    if count > 0 {
        let s = if count == 1 { " was" } else { "s were" };
        let message = format!("{}: {count} segment{s} damaged", report.folder.display());
        let hint = "nothing is lost: what was damaged is removed, and made anew when it is needed; a disk or memory may be failing";
        return Err(Failure::new(Fault::Damaged, message).hint(hint));
    }
    if ui.json() {
        return ui.print_json(&report);
    }
    ui.print(&format!(
        "{}: sound: {}\n",
        report.folder.display(),
        report.sound.describe()
    ))
}
