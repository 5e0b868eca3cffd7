//! `kiln cache`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use cache::{Cache, Damage, Found, Pruned, Pushed, Usage, Verified};
use image::{Fault, Progress};
use remote::Options;
use serde::Serialize;

use crate::access;
use crate::args::cache::Command;
use crate::args::caching::CacheFolder;
use crate::args::logins::Logins;
use crate::failure::Failure;
use crate::logins::netrc;
use crate::places::usual_folder;
use crate::ui::{Ui, size};

/// `kiln cache`.
pub(crate) fn run(command: &Command, ui: &Ui) -> Result<(), Failure> {
    match command {
        Command::Info(folder) => {
            let Opened { folder, cache } = open(folder, u64::MAX)?;
            info(folder, &cache, ui)
        }
        Command::Prune { folder, cache_size } => {
            let limit = cache_size.bytes(512);
            prune(&open(folder, limit)?, limit, ui)
        }
        Command::Push { folder, to, logins } => push(&open(folder, u64::MAX)?, to, logins, ui),
        Command::Verify(folder) => verify(&open(folder, u64::MAX)?, ui),
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

/// Looks at the blocks of a segment of any format.
fn check_segment(found: &Found) -> Result<(), String> {
    if btrfs::is_segment(found) {
        btrfs::check_segment(found)
    } else if erofs::is_segment(found) {
        erofs::check_segment(found)
    } else {
        squashfs::check_segment(found)
    }
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
struct PushReport {
    folder: PathBuf,
    to: String,
    sent: UsageEntry,
    present: UsageEntry,
    damaged: Vec<DamageEntry>,
}

fn push(opened: &Opened, to: &str, logins: &Logins, ui: &Ui) -> Result<(), Failure> {
    let options = Options {
        netrc: netrc(logins, None, &[to], ui)?,
        ..access::remote()?
    };
    ui.begin("pushing segments", opened.cache.usage()?.bytes);
    let stopped = AtomicBool::new(false);
    let seen = |bytes| {
        let stop = ui.advance(bytes).is_err();
        stopped.fetch_or(stop, Ordering::Relaxed);
        !stop
    };
    let Pushed {
        to,
        sent,
        present,
        damaged,
    } = opened.cache.push(to, &options, &check_segment, &seen)?;
    if stopped.into_inner() {
        return Err(Failure::stopped());
    }
    let report = PushReport {
        folder: opened.folder.clone(),
        to,
        sent: sent.into(),
        present: present.into(),
        damaged: damaged.into_iter().map(DamageEntry::from).collect(),
    };
    for DamageEntry { path, problem } in &report.damaged {
        ui.warn(&format!("{}: damaged, and not pushed: {problem}", path.display()));
    }
    if ui.json() {
        return ui.print_json(&report);
    }
    ui.print(&format!(
        "{}: pushed {}; were there already: {}\n",
        report.folder.display(),
        report.sent.describe(),
        report.present.describe()
    ))
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

impl From<Damage> for DamageEntry {
    fn from(damage: Damage) -> DamageEntry {
        DamageEntry {
            path: damage.path,
            problem: damage.problem,
        }
    }
}

fn verify(opened: &Opened, ui: &Ui) -> Result<(), Failure> {
    ui.begin("verifying segments", opened.cache.usage()?.bytes);
    let mut stopped = false;
    let Verified { sound, damaged } = opened.cache.verify(&check_segment, &mut |bytes| {
        stopped = ui.advance(bytes).is_err();
        !stopped
    })?;
    if stopped {
        return Err(Failure::stopped());
    }
    let report = VerifyReport {
        folder: opened.folder.clone(),
        sound: sound.into(),
        damaged: damaged.into_iter().map(DamageEntry::from).collect(),
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
        let hint = "nothing is lost: what was damaged is removed, and made anew when it is needed; a disk or memory may be failing, or a shared cache had it";
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
