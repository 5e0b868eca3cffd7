//! `kiln check`: all strict checks, part by part, and what nothing vouches for.

use std::fmt::Write as _;
use std::path::Path;

use image::{Content, Progress as _, show};
use inspect::{Check, Last, Manifest, Outcome, Reach, Spot, Work};
use serde::Serialize;
use serde_json::Value;

use crate::args::look::Check as Args;
use crate::credentials;
use crate::failure::Failure;
use crate::ui::Ui;

/// What was found out of one part, for machines.
#[derive(Serialize)]
struct CheckEntry {
    path: String,
    what: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    checked: Vec<&'static str>,
    unchecked: Vec<&'static str>,
}

pub(crate) fn run(args: &Args, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let spool = std::env::temp_dir();
    let work = super::work(&spool, threads, ui);
    let trust = match args.trust.keyring {
        Some(_) => Some(credentials::trust_now(&args.trust)?),
        None => None,
    };
    let mut entries = Vec::new();
    let mut first = None;
    let mut hear = |check: Check| {
        ui.advance(0).map_err(image::Error::from)?;
        let (entry, problem) = CheckEntry::new(check, entries.is_empty());
        if first.is_none() {
            first = problem;
        }
        entries.push(entry);
        Ok::<(), inspect::Error>(())
    };
    let failed = |error| super::failure(&args.image, error);
    for check in by_manifest(&args.image.image, &work).map_err(failed)? {
        hear(check).map_err(failed)?;
    }
    let opened = super::open(&args.image, &work, ui).and_then(|inside| {
        let how = (Last::Followed, Reach::Entries);
        let found = super::find(&args.image, &inside, &args.path, how, &work)?;
        match found.spot {
            Spot::Inside(inside) => Ok(inside),
            _ => found.open(&work).map_err(failed),
        }
    });
    let result = opened.and_then(|inside| inside.check(trust.as_ref(), &work, &mut hear).map_err(failed));
    let damaged = first.map(|error| super::failure(&args.image, error));
    // What was found before it could not be opened is said, too.
    let result = result.and(damaged.map_or(Ok(()), Err));
    match result {
        Ok(()) if ui.json() => ui.print_json(&entries),
        Ok(()) => ui.print(&text(&entries)),
        Err(failure) => {
            if !ui.json() {
                ui.print(&text(&entries))?;
            }
            Err(failure.found(&entries))
        }
    }
}

impl CheckEntry {
    /// What cannot be looked into is a problem when it is all that was asked for, and nothing else vouches for it.
    fn new(check: Check, is_all: bool) -> (CheckEntry, Option<inspect::Error>) {
        let path = if check.path.is_empty() {
            "/".into()
        } else {
            show(&check.path)
        };
        let (outcome, problem, error) = match check.outcome {
            Outcome::Sound => ("sound", None, None),
            Outcome::Unknown(why) => {
                let is_all = is_all && check.path.is_empty();
                ("unknown", Some(why.to_string()), Some(why).filter(|_| is_all))
            }
            Outcome::Damaged(error) => ("damaged", Some(error.to_string()), Some(error.at(&check.path))),
        };
        let entry = CheckEntry {
            path,
            what: check.what,
            outcome,
            problem,
            checked: check.checked,
            unchecked: check.unchecked,
        };
        (entry, error)
    }
}

fn text(entries: &[CheckEntry]) -> String {
    let mut text = String::new();
    for entry in entries {
        let _ = write!(text, "{} ({}): {}", entry.path, entry.what, entry.outcome);
        if let Some(problem) = &entry.problem {
            let _ = write!(text, ": {problem}");
        }
        text.push('\n');
        for checked in &entry.checked {
            let _ = writeln!(text, "  checked: {checked}");
        }
        for unchecked in &entry.unchecked {
            let _ = writeln!(text, "  not checked: {unchecked}");
        }
    }
    text
}

/// Compares a file with what the manifests beside it say.
fn by_manifest(path: &Path, work: &Work) -> inspect::Result<Vec<Check>> {
    let mut checks = Vec::new();
    for manifest in manifests(path) {
        if let Ok(content) = super::open::content(path) {
            checks.push(inspect::check_manifest(&content, &manifest, work)?);
        }
    }
    Ok(checks)
}

/// The longest manifest that is read.
const MANIFEST_MAX: u64 = 256 << 20;

/// What the manifests in the folder of a file say of it.
fn manifests(path: &Path) -> Vec<Manifest> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let (Some(name), Ok(tree)) = (
        path.file_name(),
        image::scan_entries(folder, image::Keep::default()),
    ) else {
        return Vec::new();
    };
    let name = name.to_string_lossy();
    let mut found = Vec::new();
    for (file, id) in tree.children(image::NodeId::ROOT) {
        let image::Kind::File(content) = &tree.node(id).kind else {
            continue;
        };
        if file.ends_with(b".manifest.json") && content.len() <= MANIFEST_MAX {
            found.extend(said(content, &name));
        }
    }
    found
}

/// What a manifest says of a file.
fn said(manifest: &Content, name: &str) -> Option<Manifest> {
    let value: Value = serde_json::from_slice(&manifest.to_vec().ok()?).ok()?;
    let files = value.get("files")?.as_array()?;
    let file = files
        .iter()
        .find(|file| file.get("file").and_then(Value::as_str) == Some(name))?;
    let digest = |key: &str| file.get(key).and_then(Value::as_str).and_then(digest);
    Some(Manifest {
        size: file.get("size")?.as_u64()?,
        fsverity: digest("fsverity"),
        sha256: digest("sha256"),
    })
}

/// 32 bytes as hexadecimal digits.
fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}
