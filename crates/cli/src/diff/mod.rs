//! `kiln diff`: what two images, outputs or specifications differ in, part by part.

mod disks;
mod entries;
mod options;
mod parts;
mod text;

use std::os::unix::ffi::OsStrExt as _;
use std::process::ExitCode;

use inspect::{Inside, Last, Reach, Work};

use crate::args::diff::Diff;
use crate::args::look::Image;
use crate::described;
use crate::failure::Failure;
use crate::look;
use crate::ui::Ui;

/// The exit code when something differs.
const DIFFERENT: u8 = 1;

pub(crate) fn run(args: &Diff, threads: usize, ui: &Ui) -> Result<ExitCode, Failure> {
    let spool = std::env::temp_dir();
    let work = look::work(&spool, threads, ui);
    let [a, b] = args.images();
    let open = |image: &Image| open(image, args, &work, ui);
    let (left, right) = (open(&a)?, open(&b)?);
    // Whose fault something is, its path tells: both images have it.
    let regions = [&args.a, &args.b].map(|path| described::regions(path));
    let asked = parts::Asked {
        bytes: args.bytes,
        regions: &regions,
    };
    let parts = parts::compare(&left, &right, asked, &work).map_err(|error| look::failure(&b, error))?;
    if ui.json() {
        ui.print_json(&parts)?;
    } else {
        ui.print(&text::describe(&parts))?;
    }
    let code = if parts.is_empty() { 0 } else { DIFFERENT };
    Ok(ExitCode::from(code))
}

/// Opens an image, and in it what was asked for. One that is damaged is looked at from outside.
fn open(image: &Image, args: &Diff, work: &Work, ui: &Ui) -> Result<Inside, Failure> {
    let inside = match look::open(image, work, ui) {
        Err(failure) if failure.is_damage() && args.path == "/" => {
            ui.warn(&failure.message);
            return Ok(Inside::opaque(look::content(&image.image)?));
        }
        opened => opened?,
    };
    let failed = |error| look::failure(image, error);
    let found = inside.find(args.path.as_bytes(), Last::Followed, Reach::All, work);
    let found = found.map_err(failed)?;
    if let inspect::Spot::Inside(inside) = found.spot {
        return Ok(inside);
    }
    if found.content().is_some() {
        return found.open(work).map_err(failed);
    }
    let tree = found.tree(false, work).map_err(failed)?;
    Ok(Inside::of_tree(tree))
}
