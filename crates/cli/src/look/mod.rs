//! Looking into images: each verb opens what it is given, finds a path in it, and says what is there.

mod check;
mod entry;
mod extract;
mod info;
mod open;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use image::{Fault, Progress as _, show};
use inspect::{Found, Inside, Last, Reach, Work};

use crate::args::look::{Cat, Image, Ls};
use crate::failure::Failure;
use crate::ui::Ui;
pub(crate) use check::run as check;
pub(crate) use extract::run as extract;
pub(crate) use info::{about, run as info};
pub(crate) use open::{Opened, Planned, content, open, open_planned, span};

use entry::Entry;

/// How images are looked into: what has to be decompressed lies where the system has temporary files.
pub(crate) fn work<'a>(spool: &'a std::path::Path, threads: usize, ui: &'a Ui) -> Work<'a> {
    Work {
        folder: spool,
        threads,
        progress: ui,
    }
}

/// Finds a path in what is open.
fn find(
    args: &Image,
    inside: &Inside,
    path: &OsStr,
    (last, reach): (Last, Reach),
    work: &Work,
) -> Result<Found, Failure> {
    let found = inside.find(path.as_bytes(), last, reach, work);
    found.map_err(|error| failure(args, error))
}

/// What was wrong with an image.
pub(crate) fn failure(args: &Image, error: inspect::Error) -> Failure {
    match Failure::from(error) {
        stopped if stopped.code() == 130 => stopped,
        failure => failure.at(&args.image),
    }
}

/// A listing of an image can be much longer than the image.
const PRINTED_AT_ONCE: usize = 1 << 20;

/// Why a listing ends before its end.
enum Stop {
    Reading(inspect::Error),
    Printing(Failure),
}

impl From<inspect::Error> for Stop {
    fn from(error: inspect::Error) -> Stop {
        Stop::Reading(error)
    }
}

/// `kiln ls`.
pub(crate) fn ls(args: &Ls, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let spool = std::env::temp_dir();
    let work = work(&spool, threads, ui);
    let inside = open(&args.image, &work, ui)?;
    let reach = if args.recursive {
        Reach::All
    } else {
        Reach::Entries
    };
    let found = find(&args.image, &inside, &args.path, (Last::Kept, reach), &work)?;
    let mut entries = Vec::new();
    let mut text = String::new();
    let mut problems = Vec::new();
    let at = |error: inspect::Error| failure(&args.image, error);
    let listed = found.list(args.recursive, &work, &mut |mut item| {
        ui.advance(0)
            .map_err(|stop| inspect::Error::from(image::Error::from(stop)))?;
        let problem = item.part.as_mut().and_then(|part| part.problem.take());
        if let Some(problem) = problem {
            problems.push(problem);
        }
        if ui.json() {
            entries.push(Entry::new(&item));
        } else if args.long {
            entry::long(&item, args.recursive, &mut text);
        } else {
            text.push_str(&entry::name(&item, args.recursive));
            text.push('\n');
        }
        if text.len() >= PRINTED_AT_ONCE {
            ui.print(&text).map_err(Stop::Printing)?;
            text.clear();
        }
        Ok::<(), Stop>(())
    });
    listed.map_err(|stop| match stop {
        Stop::Reading(error) => at(error),
        Stop::Printing(failure) => failure,
    })?;
    let mut problems = problems.into_iter().map(at);
    match problems.next() {
        None if ui.json() => ui.print_json(&entries),
        None => ui.print(&text),
        Some(first) => {
            if !ui.json() {
                ui.print(&text)?;
            }
            problems.for_each(|other| ui.warn(&other.message));
            Err(first.found(&entries))
        }
    }
}

/// `kiln cat`.
pub(crate) fn cat(args: &Cat, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let spool = std::env::temp_dir();
    let work = work(&spool, threads, ui);
    let inside = open(&args.image, &work, ui)?;
    let contents = args.paths.iter().map(|path| {
        let how = (Last::Followed, Reach::Entries);
        let found = find(&args.image, &inside, path, how, &work)?;
        found.content().ok_or_else(|| {
            let shown = show(path.as_bytes());
            Failure::new(Fault::Input, format!("{shown}: is no file")).at(&args.image.image)
        })
    });
    // None is printed when one is missing.
    let contents: Vec<image::Content> = contents.collect::<Result<_, Failure>>()?;
    for content in &contents {
        ui.print_bytes(content).map_err(|failure| match failure.code() {
            5 | 130 => failure,
            _ => failure.at(&args.image.image),
        })?;
    }
    Ok(())
}
