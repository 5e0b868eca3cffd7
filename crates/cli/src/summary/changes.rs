//! What changed since the last build in a folder, by its manifest.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::described::{self, Described};
use crate::manifest::Manifest;
use crate::ui::size;

/// As many store paths are shown that came, and that went.
const PATHS_SHOWN: usize = 5;

/// The manifest of the last build, as far as it counts here.
pub(crate) struct Earlier(Described);

impl Earlier {
    /// The manifest in a folder: that of the same name, or else the only one.
    pub(crate) fn read(out: &Path, manifest_file: &str) -> Option<Earlier> {
        if let Some(same) = described::named(&out.join(manifest_file)) {
            return Some(Earlier(same));
        }
        let mut all = described::beside(out).into_iter();
        match (all.next(), all.next()) {
            (Some(only), None) => Some(Earlier(only)),
            _ => None,
        }
    }
}

/// What is different now.
#[derive(Debug, Serialize)]
pub(crate) struct Changes {
    /// The outputs that have other bytes, or are new, in the manifest's order; then those that are no more.
    files: Vec<FileChange>,
    /// How many outputs are as they were.
    same: usize,
    /// Store paths that came, and went.
    came: Vec<PathChange>,
    went: Vec<PathChange>,
}

#[derive(Debug, Serialize)]
struct FileChange {
    part: String,
    file: String,
    /// Its bytes in the last build, if it was made there.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
    /// Its bytes now, if it is made still.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<u64>,
}

#[derive(Debug, Serialize)]
struct PathChange {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    nar_size: Option<u64>,
}

impl Changes {
    pub(crate) fn new(Earlier(earlier): &Earlier, manifest: &Manifest) -> Changes {
        let (files, same) = files(earlier, manifest);
        let before: BTreeMap<&str, Option<u64>> = earlier
            .closure
            .iter()
            .map(|entry| (entry.path.as_str(), entry.nar_size))
            .collect();
        let now: BTreeMap<&str, Option<u64>> = manifest
            .closure
            .iter()
            .map(|entry| (entry.path.as_str(), entry.nar_size))
            .collect();
        Changes {
            files,
            same,
            came: only_in(&now, &before),
            went: only_in(&before, &now),
        }
    }

    /// Lines for people.
    pub(super) fn describe(&self, text: &mut String) {
        if self.files.is_empty() && self.came.is_empty() && self.went.is_empty() {
            text.push_str("since the last build in this folder: nothing has changed\n");
            return;
        }
        text.push_str("since the last build in this folder:\n");
        let width = self
            .files
            .iter()
            .map(|change| change.file.len())
            .max()
            .unwrap_or(0);
        for change in &self.files {
            let file = &change.file;
            let said = match (change.before, change.now) {
                (None, Some(now)) => format!("new, {}", size(now)),
                (Some(_), None) => "is made no more".into(),
                (Some(before), Some(now)) if before == now => "other bytes, as many".into(),
                (before, now) => difference(before.unwrap_or(0), now.unwrap_or(0)),
            };
            let _ = writeln!(text, "  {file:width$}  {said}");
        }
        if self.same > 0 {
            let _ = writeln!(text, "  {} as they were", counted(self.same, "file"));
        }
        for (paths, sign) in [(&self.came, '+'), (&self.went, '-')] {
            for change in paths.iter().take(PATHS_SHOWN) {
                let name = described::base(&change.path);
                let bytes = change.nar_size.map(|bytes| format!("  {}", size(bytes)));
                let _ = writeln!(text, "  {sign} {name}{}", bytes.unwrap_or_default());
            }
            if let Some(more) = paths.len().checked_sub(PATHS_SHOWN).filter(|more| *more > 0) {
                let _ = writeln!(text, "  {sign} {} more", counted(more, "store path"));
            }
        }
    }
}

/// The outputs that differ, and how many do not. A file can have another name than in the last build: parts are compared.
fn files(earlier: &Described, manifest: &Manifest) -> (Vec<FileChange>, usize) {
    let mut before: BTreeMap<&str, Vec<&described::File>> = BTreeMap::new();
    for file in earlier.files.iter().rev() {
        before.entry(&file.part).or_default().push(file);
    }
    let (mut changes, mut same) = (Vec::new(), 0);
    for entry in &manifest.files {
        let old = before.get_mut(entry.part.as_str()).and_then(Vec::pop);
        let is_same = old.is_some_and(|old| {
            old.size == Some(entry.size) && entry.digests.is(old.fsverity.as_deref(), old.sha256.as_deref())
        });
        if is_same {
            same += 1;
            continue;
        }
        changes.push(FileChange {
            part: entry.part.clone(),
            file: entry.file.clone(),
            before: old.and_then(|old| old.size),
            now: Some(entry.size),
        });
    }
    let gone = before.values().flat_map(|files| files.iter().rev());
    changes.extend(gone.map(|file| FileChange {
        part: file.part.clone(),
        file: file.file.clone(),
        before: Some(file.size.unwrap_or(0)),
        now: None,
    }));
    (changes, same)
}

fn only_in(these: &BTreeMap<&str, Option<u64>>, others: &BTreeMap<&str, Option<u64>>) -> Vec<PathChange> {
    let only = these.iter().filter(|(path, _)| !others.contains_key(*path));
    only.map(|(path, nar_size)| PathChange {
        path: (*path).to_owned(),
        nar_size: *nar_size,
    })
    .collect()
}

fn difference(before: u64, now: u64) -> String {
    let sign = if now > before { '+' } else { '-' };
    format!("{sign}{} ({} before)", size(now.abs_diff(before)), size(before))
}

fn counted(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        count => format!("{count} {thing}s"),
    }
}
