//! `kiln extract`: what is in an image becomes a folder or a file, and nothing appears outside of it.
//!
//! Names were checked when the image was read: none leads anywhere. The folder grows under a name of its own, so that
//! nothing which is there already can be followed.

use std::os::unix::ffi::OsStrExt as _;

use image::{Content, Kind, Layout, Owners, Progress as _, Target, Tree, show};
use inspect::{Last, Reach, Spot};
use serde::Serialize;

use crate::args::look::Extract;
use crate::failure::Failure;
use crate::folder;
use crate::ui::{Ui, size};

/// The bits that give whoever runs a file another's rights.
const SET_ID: u16 = 0o6000;

/// What was made.
#[derive(Serialize)]
struct Made {
    out: String,
    entries: usize,
    /// The bytes of its files.
    content: u64,
}

pub(crate) fn run(args: &Extract, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let spool = std::env::temp_dir();
    let work = super::work(&spool, threads, ui);
    let out = &*folder::followed(&args.out);
    folder::of(out)?;
    let inside = super::open(&args.image, &work, ui)?;
    let how = (Last::Kept, Reach::All);
    let found = super::find(&args.image, &inside, &args.path, how, &work)?;
    let owners = if args.keep || rustix::process::geteuid().is_root() && !args.mine {
        Owners::Kept
    } else {
        Owners::Mine
    };
    let failed = |error| super::failure(&args.image, error);
    let single = match &found.spot {
        Spot::Node(tree, id) => match &tree.node(*id).kind {
            Kind::Directory(_) => None,
            Kind::File(content) => Some((content.clone(), Some(tree.node(*id).meta.mode))),
            _ => {
                let shown = show(args.path.as_bytes());
                let problem = format!("{shown}: is neither a file nor a folder");
                let hint = "extract the folder that it is in, or, for a link, what it leads to";
                return Err(Failure::input(problem).at(&args.image.image).hint(hint));
            }
        },
        Spot::Image(content) if !args.recursive && !is_folder(content) => Some((content.clone(), None)),
        _ => None,
    };
    let made = if let Some((content, mode)) = single {
        file(out, &content, mode, ui)?;
        Made {
            out: out.display().to_string(),
            entries: 1,
            content: content.len(),
        }
    } else {
        let mut tree = found.tree(args.recursive, &work).map_err(failed)?;
        if owners == Owners::Mine {
            strip(&mut tree, ui);
        }
        ui.begin(&format!("writing {}", out.display()), tree.content_len());
        image::write_tree(out, &tree, owners, ui).map_err(needs_root)?;
        Made {
            out: out.display().to_string(),
            entries: tree.walk().count(),
            content: tree.content_len(),
        }
    };
    if ui.json() {
        return ui.print_json(&made);
    }
    let Made {
        out,
        entries,
        content,
    } = made;
    ui.print(&format!("{out}: {entries} entries, {}\n", size(content)))
}

fn is_folder(content: &Content) -> bool {
    inspect::Format::of(content).is_ok_and(inspect::Format::is_folder)
}

/// One file, without its zeros where they are many.
fn file(out: &std::path::Path, content: &Content, mode: Option<u16>, ui: &Ui) -> Result<(), Failure> {
    let target = Target::claim(out)?;
    let target = match mode {
        Some(mode) => target.mode(mode & !SET_ID)?,
        None => target,
    };
    let mut layout = Layout::new();
    for run in content.data_runs()? {
        let part = Content::Span {
            source: std::sync::Arc::new(content.clone()),
            start: run.start,
            len: run.end - run.start,
        };
        layout.put(run.start, "data", part);
    }
    ui.begin(&format!("writing {}", out.display()), content.len());
    let written = target.write(&layout.finish(content.len())?, ui)?;
    Ok(written.keep()?)
}

/// Takes away what means something only together with owners.
fn strip(tree: &mut Tree, ui: &Ui) {
    let (mut bits, mut xattrs) = (0, 0);
    let ids: Vec<image::NodeId> = tree.nodes().map(|(id, _)| id).collect();
    for id in ids {
        let node = tree.node_mut(id);
        let special = !matches!(node.kind, Kind::Directory(_)) && node.meta.mode & SET_ID != 0;
        if special {
            node.meta.mode &= !SET_ID;
            bits += 1;
        }
        xattrs += usize::from(!node.meta.xattrs.is_empty());
        node.meta.xattrs.clear();
    }
    if bits + xattrs > 0 {
        ui.warn(&format!(
            "everything belongs to you: {bits} files are without their set-id bits, {xattrs} without their extended \
             attributes (--keep keeps them, where the system lets you)"
        ));
    }
}

/// The way out where root is needed.
fn needs_root(error: image::Error) -> Failure {
    let needs_root = matches!(error, image::Error::NeedsRoot { .. });
    let failure = Failure::from(error);
    if needs_root {
        return failure
            .hint("run it as root, or extract the folders without it; `kiln ls -l` shows what is there");
    }
    failure
}
