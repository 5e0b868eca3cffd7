//! `kiln bundle extract`: everything is checked, and only then is the bundle looked into as a folder. Its files are unpacked,
//! and have to be what was checked. They get their names together, when all are there.

use std::path::Path;

use image::{Content, Kind, NodeId, Progress as _, Sums, Target, Tree, Written, show};
use inspect::{Last, Reach};
use serde::Serialize;
use spec::Transport;

use super::open::{bytes, verified, warn_of_unnamed, work};
use crate::args::bundle::Extract;
use crate::credentials;
use crate::failure::Failure;
use crate::folder;
use crate::look;
use crate::manifest::DigestsEntry;
use crate::outputs::{alone, write};
use crate::ui::{Ui, size};

/// A file that was unpacked, for machines.
#[derive(Serialize)]
struct Unpacked {
    file: String,
    size: u64,
    #[serde(flatten)]
    digests: DigestsEntry,
}

pub(super) fn run(args: &Extract, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let trust = credentials::trust_now(&args.trust)?;
    let out = folder::claim(&args.out)?;
    refuse_full(out.path())?;
    let bytes = bytes(&args.bundle)?;
    let (_, checked) = verified(&args.bundle, &bytes, &trust, &work(threads, ui))?;
    warn_of_unnamed(&checked, ui);
    let tree = files(&args.bundle, bytes, ui)?;
    let mut written: Vec<Written> = Vec::new();
    let mut files = Vec::new();
    for (name, id) in tree.children(NodeId::ROOT) {
        let Kind::File(content) = &tree.node(id).kind else {
            ui.warn(&format!("{}: is no file, and is left out", show(name)));
            continue;
        };
        let path = out
            .path()
            .join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(
                name,
            ));
        let image = alone(content)?;
        ui.begin(&format!("unpacking {}", show(name)), content.len());
        let mut target = Target::claim(&path)?;
        if tree.node(id).meta.mode & 0o111 != 0 {
            target = target.executable()?;
        }
        let transport = Transport {
            sums: Sums::File,
            ..Transport::default()
        };
        let (done, _) = write(target, &image, transport, threads, ui)?;
        if checked.digests.get(name) != done.digests.sha256.as_ref() {
            let problem = format!(
                "{}: {} changed while it was unpacked",
                args.bundle.display(),
                show(name)
            );
            return Err(Failure::input(problem));
        }
        files.push(Unpacked {
            file: show(name),
            size: done.size,
            digests: DigestsEntry::new(&done.digests),
        });
        written.push(done);
    }
    out.keep(written, None, &[])?;
    if ui.json() {
        return ui.print_json(&files);
    }
    let lines = files
        .iter()
        .map(|file| format!("{}  {}  {}\n", file.file, size(file.size), file.digests.shown()));
    ui.print(&lines.collect::<String>())
}

/// What is in a bundle. It was checked before, and each file is compared with that.
fn files(path: &Path, bytes: Content, ui: &Ui) -> Result<Tree, Failure> {
    let spool = std::env::temp_dir();
    let work = look::work(&spool, 1, ui);
    let find = || {
        let found = inspect::open(bytes, &work)?.find(b"", Last::Kept, Reach::All, &work)?;
        found.tree(false, &work)
    };
    find().map_err(|error| Failure::from(error).at(path))
}

/// What lies in the folder must not be mistaken for what was unpacked.
fn refuse_full(path: &Path) -> Result<(), Failure> {
    let keep = image::Keep::default();
    let tree = image::scan_entries(path, keep)?;
    if tree.len() == 1 {
        return Ok(());
    }
    let hint = "choose an empty folder with --out";
    Err(Failure::output(
        format!("{}: is not empty", path.display()),
        Some(hint.into()),
    ))
}
