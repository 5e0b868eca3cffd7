//! What became of closures that are roots: a few lines for people, all of it for machines.

use std::fmt::{Display, Write as _};

use image::show;
use serde::Serialize;
use spec::Gathered;

use crate::ui::Ui;

/// How many of a kind people are told.
const SHOWN_MAX: usize = 10;

/// One root.
#[derive(Debug, Serialize)]
pub(crate) struct LayoutEntry {
    part: String,
    rewritten_files: u64,
    rewritten_references: u64,
    rewritten_links: u64,
    conflicts: Vec<ConflictEntry>,
    leftovers: Vec<LeftoverEntry>,
}

#[derive(Debug, Serialize)]
struct ConflictEntry {
    path: String,
    kept: String,
    dropped: Vec<String>,
}

#[derive(Debug, Serialize)]
struct LeftoverEntry {
    path: String,
    store_path: String,
    kind: &'static str,
    problem: String,
}

/// All roots.
pub(crate) fn entries(gathered: &Gathered) -> Vec<LayoutEntry> {
    let conflict = |conflict: &layout::Conflict| ConflictEntry {
        path: show(&conflict.path),
        kept: conflict.kept.to_string(),
        dropped: conflict.dropped.iter().map(ToString::to_string).collect(),
    };
    let leftover = |leftover: &layout::Leftover| LeftoverEntry {
        path: show(&leftover.path),
        store_path: leftover.owner.to_string(),
        kind: leftover.what.name(),
        problem: leftover.what.to_string(),
    };
    let entry = |(key, root): (&String, &layout::LaidOut)| LayoutEntry {
        part: format!("fs.{key}"),
        rewritten_files: root.report.rewritten_files,
        rewritten_references: root.report.rewritten_references,
        rewritten_links: root.report.rewritten_links,
        conflicts: root.report.conflicts.iter().map(conflict).collect(),
        leftovers: root.report.leftovers.iter().map(leftover).collect(),
    };
    gathered.roots.iter().map(entry).collect()
}

/// Says what somebody may want to look at.
pub(crate) fn warn(gathered: &Gathered, ui: &Ui) {
    for (key, root) in &gathered.roots {
        let report = &root.report;
        let paths = match report.conflicts.len() {
            1 => "one path is".to_string(),
            count => format!("{count} paths are"),
        };
        list(
            &format!("fs.{key}: {paths} in several store paths, with different things there"),
            &report.conflicts,
            ui,
        );
        let files = match report.leftovers.len() {
            1 => "one thing".to_string(),
            count => format!("{count} things"),
        };
        list(
            &format!("fs.{key}: {files} may still need the store"),
            &report.leftovers,
            ui,
        );
    }
}

fn list(title: &str, items: &[impl Display], ui: &Ui) {
    if items.is_empty() {
        return;
    }
    let mut text = format!("{title}:");
    for item in items.iter().take(SHOWN_MAX) {
        let _ = write!(text, "\n  {item}");
    }
    if let more @ 1.. = items.len().saturating_sub(SHOWN_MAX) {
        let _ = write!(text, "\n  and {more} more; --json lists all");
    }
    ui.warn(&text);
}
