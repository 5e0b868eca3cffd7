//! `kiln report`: what takes the space in an image, what keeps it there, and what grew.

mod against;
mod collect;
mod data;
mod disks;
mod equal;
mod files;
mod nodes;
mod references;

use std::path::Path;

use image::{Content, Fault, show};
use inspect::{Inside, Last, Reach, Spot, What, Work};
use report::{Found, Problem, Report};

use crate::args::look::Image;
use crate::args::report::Report as Args;
use crate::failure::Failure;
use crate::look::{self, Opened};
use crate::outputs::alone;
use crate::ui::Ui;
use collect::{Collected, Known};

pub(crate) fn run(args: &Args, threads: usize, ui: &Ui) -> Result<(), Failure> {
    // Whether it can be written is known before the work.
    let target = args.out.as_deref().map(image::Target::claim).transpose()?;
    let spool = std::env::temp_dir();
    let work = look::work(&spool, threads, ui);
    let (mut report, damage) = make(
        &args.image,
        args.path.as_encoded_bytes(),
        args.closure.as_deref(),
        &work,
        ui,
    )?;
    if let Some(old) = &args.against {
        against::compare(&mut report, old, args, &work, ui)?;
    }
    if let Some(target) = target {
        let text = if args.svg {
            report::svg(&report, args.by.lower())
        } else {
            report::page(&report)
        };
        let content = Content::Bytes(text.into_bytes().into());
        target.write(&*alone(&content)?, ui)?.keep()?;
    }
    for problem in &report.problems {
        ui.warn(&format!("{}: {}", problem.path, problem.problem));
    }
    match damage {
        Some(failure) => Err(failure.found(&report)),
        None if ui.json() => ui.print_json(&report),
        None => Ok(()),
    }
}

/// The report of an image, and the first damage in it.
fn make(
    image: &Image,
    path: &[u8],
    closure: Option<&Path>,
    work: &Work,
    ui: &Ui,
) -> Result<(Report, Option<Failure>), Failure> {
    let (opened, damage) = open(image, path, work, ui)?;
    let Opened { inside, planned } = opened;
    let failed = |error| look::failure(image, error);
    let found = inside
        .find(path, Last::Followed, Reach::All, work)
        .map_err(failed)?;
    let mut within = within(&found, work).map_err(failed)?;
    let damage = damage.or_else(|| within.damage.take().map(failed));
    let is_unknown = matches!(within.inside.plain().what, What::Opaque(inspect::Format::Unknown));
    if is_unknown && damage.is_none() {
        return Err(failed(
            within.inside.plain().why_opaque().unwrap_or_else(|error| error),
        ));
    }
    let known = Known::new(&image.image, path, planned.as_ref());
    let mut collected = Collected::new(work, &known);
    let name = name_of(&image.image, path, &within);
    let (tree, regions) = match damage {
        Some(_) => Collected::unread(&within.inside, &name),
        None => collected.image(&within.inside, &name).map_err(failed)?,
    };
    let equal = equal::find(&mut collected, work).map_err(failed)?;
    let mut found = Found {
        kiln: env!("CARGO_PKG_VERSION").into(),
        name,
        format: within.inside.plain().format().name().into(),
        file: Collected::travels_as(&within.inside),
        tree,
        regions,
        equal,
        notes: Collected::notes(&within),
        ..Found::default()
    };
    references::gather(&mut found, &collected, closure, &image.image, planned.as_ref())?;
    let first = damage.or_else(|| collected.damage.take().map(failed));
    found.problems = std::mem::take(&mut collected.problems);
    if let Some(failure) = first.as_ref().filter(|_| found.problems.is_empty()) {
        found.problems.push(Problem {
            path: "/".into(),
            problem: failure.message.clone(),
        });
    }
    Ok((found.assemble(), first))
}

/// Opens an image. One that is damaged is looked at from outside.
fn open(image: &Image, path: &[u8], work: &Work, ui: &Ui) -> Result<(Opened, Option<Failure>), Failure> {
    match look::open_planned(image, work, ui) {
        Err(failure) if failure.is_damage() && path == b"/" => {
            let inside = Inside::opaque(look::content(&image.image)?);
            let opened = Opened {
                inside,
                planned: None,
            };
            Ok((opened, Some(failure)))
        }
        opened => Ok((opened?, None)),
    }
}

/// What is reported.
struct Within {
    inside: Inside,
    /// The output that it is, and how many others there are.
    chosen: Option<(String, usize)>,
    /// Why it is looked at from outside.
    damage: Option<inspect::Error>,
}

/// What a path has led to. Of outputs, the disk: it holds most of the others.
fn within(found: &inspect::Found, work: &Work) -> inspect::Result<Within> {
    let (inside, damage) = match found.content() {
        Some(content) => from_outside(found.open(work), &content)?,
        None => match found.spot {
            Spot::Node(..) => (Inside::of_tree(found.tree(false, work)?), None),
            _ => (found.open(work)?, None),
        },
    };
    if let What::Outputs(outputs) = &inside.what {
        let mut disk = outputs
            .iter()
            .find(|output| output.part.as_deref() == Some(b"disk"));
        if disk.is_none() {
            for output in &**outputs {
                if inspect::Format::of(&output.content)? == inspect::Format::Disk {
                    disk = Some(output);
                    break;
                }
            }
        }
        if let Some(disk) = disk {
            let opened = inspect::open(disk.content.clone(), work);
            let opened = opened.map_err(|error| error.at(&disk.name));
            let chosen = Some((show(&disk.name), outputs.len() - 1));
            let (inside, damage) = from_outside(opened, &disk.content)?;
            return Ok(Within {
                inside,
                chosen,
                damage,
            });
        }
    }
    Ok(Within {
        inside,
        chosen: None,
        damage,
    })
}

/// What was opened; of what is damaged, its bytes.
fn from_outside(
    opened: inspect::Result<Inside>,
    content: &Content,
) -> inspect::Result<(Inside, Option<inspect::Error>)> {
    match opened {
        Err(error) if error.fault() == Fault::Damaged => Ok((Inside::opaque(content.clone()), Some(error))),
        opened => Ok((opened?, None)),
    }
}

/// What the report is about, without the folder that it lies in.
fn name_of(image: &Path, path: &[u8], within: &Within) -> String {
    let name = match (&within.chosen, image.file_name()) {
        (Some((disk, _)), _) => disk.clone(),
        (None, Some(name)) => show(name.as_encoded_bytes()),
        (None, None) => show(image.as_os_str().as_encoded_bytes()),
    };
    let path = show(path);
    match path.trim_matches('/') {
        "" => name,
        path => format!("{name}/{path}"),
    }
}
