//! `kiln tree`: what a file system of a specification would hold, as a folder.

use std::path::Path;

use image::{Owners, Progress as _, Tree};
use serde::Serialize;
use spec::{Spec, Squashing, Work};

use crate::access::access;
use crate::args::tree as args;
use crate::efi::Programs;
use crate::failure::Failure;
use crate::folder;
use crate::inputs;
use crate::logins::warn_of_passwords;
use crate::release::Releases;
use crate::roots::Roots;
use crate::steps::gather;
use crate::ui::{Ui, size};

pub(crate) fn run(args: &args::Tree, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let mut spec = spec::read(&args.spec)?;
    args.overrides.apply(&mut spec);
    warn_of_passwords(&spec, ui);
    let part = part(&spec, args.part.as_deref())?;
    let folder = args.spec.parent().unwrap_or(Path::new(""));
    let out = &*folder::followed(&args.out);
    let download = args.gathering.fetch.download_dir.as_deref();
    inputs::check(&spec, folder, [out].into_iter().chain(download))?;
    let beside = folder::of(out)?;
    // What is signed in it is signed as builds sign it. Whoever cannot learns it before the work.
    let only = [part.clone()];
    let roots = Roots::read(&spec, &args.signing, &only, folder, ui)?;
    let programs = Programs::read(&spec, &args.signing, &only, folder, ui)?;
    let releases = Releases::read(&spec, &args.signing, &only, folder, ui)?;
    let fetch = &args.gathering.fetch;
    let access = access(fetch, spec.closure.as_ref(), folder, beside, threads, ui)?;
    let gathered = gather(&spec, args.gathering.rehash(), &access, ui)?;
    let work = Work {
        folder,
        squashing: Squashing::Spool(beside),
        threads,
        progress: ui,
        segments: None,
        roots: Some(&roots),
        efi: Some(&programs),
        release: Some(&releases),
        only: &only,
    };
    let tree = spec::tree(&spec, &gathered, &part, &work)?;
    let owners = owners(args.owners, &tree, ui);
    ui.begin(&format!("writing {}", out.display()), tree.content_len());
    image::write_tree(out, &tree, owners, ui).map_err(needs_root)?;
    let made = Made {
        folder: out.display().to_string(),
        entries: tree.walk().count(),
        content: tree.content_len(),
    };
    if ui.json() {
        return ui.print_json(&made);
    }
    let Made {
        folder,
        entries,
        content,
    } = made;
    ui.print(&format!("{folder}: {entries} entries, {}\n", size(content)))
}

/// What was made.
#[derive(Serialize)]
struct Made {
    folder: String,
    entries: usize,
    /// The bytes of its files.
    content: u64,
}

/// The file system that is asked for, or the only one.
fn part(spec: &Spec, asked: Option<&str>) -> Result<String, Failure> {
    if let Some(asked) = asked {
        return Ok(asked.to_string());
    }
    let mut names = spec.fs.keys();
    match (names.next(), names.next()) {
        (Some(name), None) => Ok(format!("fs.{name}")),
        (None, _) => Err(Failure::usage("the specification has no file system")),
        (Some(one), Some(other)) => Err(Failure::usage("the specification has several file systems")
            .hint(format!("say which one: --part fs.{one}, --part fs.{other} …"))),
    }
}

/// Whom the files belong to. Where nobody says it, that is root's to decide; whoever is not root makes a tree that is all
/// root's their own, since it has no other owners to lose.
fn owners(asked: Option<args::Owners>, tree: &Tree, ui: &Ui) -> Owners {
    match asked {
        Some(args::Owners::Keep) => return Owners::Kept,
        Some(args::Owners::Mine) => return Owners::Mine,
        None => {}
    }
    let all_root = || {
        tree.nodes()
            .all(|(_, node)| (node.meta.uid, node.meta.gid) == (0, 0))
    };
    if rustix::process::geteuid().is_root() || !all_root() {
        return Owners::Kept;
    }
    ui.warn(
        "everything belongs to you and not to root: only root gives files to others (--owners mine says so)",
    );
    Owners::Mine
}

/// The way out where root is needed.
fn needs_root(error: image::Error) -> Failure {
    let needs_root = matches!(error, image::Error::NeedsRoot { .. });
    let failure = Failure::from(error);
    if needs_root {
        return failure.hint(
            "run it as root, give everything to yourself with --owners mine, or leave devices out of `nodes`",
        );
    }
    failure
}
