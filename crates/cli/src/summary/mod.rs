//! What a build says when it is done: its files, how full they are, what changed since the last build, and what to do next.

mod changes;
mod next;
mod room;

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::manifest::Manifest;
use crate::ui::size;
pub(crate) use changes::{Changes, Earlier};
pub(crate) use room::Room;

/// Everything that is said, for machines: the manifest, and what depends on this run and this folder, which no manifest has.
#[derive(Serialize)]
pub(crate) struct Summary<'a> {
    #[serde(flatten)]
    pub(crate) manifest: &'a Manifest,
    pub(crate) build: Outcome,
}

/// What is said besides the manifest.
#[derive(Serialize)]
pub(crate) struct Outcome {
    /// How full file systems are, and how near to their limits.
    pub(crate) room: Vec<Room>,
    /// What is different from the last build in the folder; nothing when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) changes: Option<Changes>,
    /// Commands that one may want to run next.
    pub(crate) next: Vec<String>,
}

impl Outcome {
    /// What can be done with the outputs in a folder.
    pub(crate) fn new(manifest: &Manifest, room: Vec<Room>, earlier: Option<Earlier>, out: &Path) -> Outcome {
        Outcome {
            room,
            changes: earlier.map(|earlier| Changes::new(&earlier, manifest)),
            next: next::commands(manifest, out),
        }
    }
}

/// The same for people. Without a manifest's file, none was written.
pub(crate) fn text(summary: &Summary, manifest_file: Option<&str>) -> String {
    let mut text = String::new();
    let files = &summary.manifest.files;
    let width = files.iter().map(|entry| entry.file.len()).max().unwrap_or(0);
    for entry in files {
        let (file, size, digest) = (&entry.file, size(entry.size), entry.digests.shown());
        let _ = writeln!(text, "{file:width$}  {size:>11}  {digest}");
    }
    if let Some(file) = manifest_file {
        let _ = writeln!(text, "{file}");
    }
    let Outcome { room, changes, next } = &summary.build;
    if !room.is_empty() {
        text.push('\n');
        room::describe(room, &mut text);
    }
    if let Some(changes) = changes {
        text.push('\n');
        changes.describe(&mut text);
    }
    if !next.is_empty() {
        text.push_str("\nnext:\n");
        for command in next {
            let _ = writeln!(text, "  {command}");
        }
    }
    text
}
