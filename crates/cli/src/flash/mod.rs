//! `kiln flash`: an image onto a disk, and what disks there are.

mod list;
mod opened;

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

use flash::{Device, Host, Job, Obstacle, Report, Target};
use serde::Serialize;

use crate::args::flash::Flash;
use crate::failure::Failure;
use crate::stop;
use crate::ui::{Ui, size};
use opened::Opened;

pub(crate) fn run(args: &Flash, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let host = Host::at(Path::new("/"));
    let (Some(image), Some(path)) = (&args.image, &args.device) else {
        return list::run(&host, ui);
    };
    let opened = opened::open(image, args, threads, ui)?;
    let device = host.device(path)?;
    refuse(&host, &opened, path, device.as_ref())?;
    let target = Target::open(path)?;
    let image_size = opened.size(ui)?;
    if image_size > target.size() {
        return Err(flash::Error::TooSmall {
            path: path.clone(),
            size: target.size(),
            image_size,
        }
        .into());
    }
    if let Some(sum) = opened.map.as_ref().and_then(|map| map.unknown_sum.as_ref()) {
        ui.warn(&format!(
            "{}: has checksums of the kind {sum}, which are not compared; sha256 would be",
            opened.shown_map()
        ));
    }
    if !args.yes {
        ask(&opened, image_size, path, device.as_ref(), &target, ui)?;
    }
    let report = write(args, &opened, image_size, &target, ui).map_err(|error| {
        let is_there = device.is_none() || matches!(host.device(path), Ok(Some(now)) if now.size > 0);
        // The kernel says no more than that a write failed.
        let error = if is_there { error } else { error.of_gone() };
        late(error, &opened, &target, ui)
    })?;
    drop(target);
    let partitions = device.as_ref().and_then(|_| partitions(&host, path));
    say(&opened, path, &report, partitions, args, ui)
}

/// What speaks against writing this image to that device.
fn refuse(host: &Host, opened: &Opened, path: &Path, device: Option<&Device>) -> Result<(), Failure> {
    let refused = |obstacle: Obstacle| {
        let path = path.to_path_buf();
        Err(flash::Error::Refused { path, obstacle }.into())
    };
    if let Some(obstacle) = device.and_then(|device| device.obstacle.clone()) {
        return refused(obstacle);
    }
    let of = device.and_then(|device| device.partition_of.clone());
    if let Some(of) = of.filter(|_| opened.format == inspect::Format::Disk) {
        return refused(Obstacle::Partition { of });
    }
    let from = host.device(&opened.path)?;
    let is_source = match (&from, device) {
        (Some(from), Some(to)) => host.overlaps(from, to)?,
        (Some(device), None) => host.is_on_file(device, path)?,
        (None, Some(device)) => host.is_on_file(device, &opened.path)?,
        (None, None) => {
            let place = |path: &Path| std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
            place(path).is_some_and(|to| place(&opened.path) == Some(to))
        }
    };
    if is_source {
        return refused(Obstacle::Source);
    }
    Ok(())
}

fn ask(
    opened: &Opened,
    image_size: u64,
    path: &Path,
    device: Option<&Device>,
    target: &Target,
    ui: &Ui,
) -> Result<(), Failure> {
    let mut text = String::new();
    let path = path.display();
    let _ = match device {
        Some(device) => writeln!(text, "{path}: {}", list::sentence(device)),
        None => writeln!(text, "{path}: a file, {}", size(target.size())),
    };
    let _ = write!(
        text,
        "{}: {}, {}",
        opened.path.display(),
        opened.format.name(),
        size(image_size)
    );
    if let Some(map) = &opened.map {
        let _ = write!(
            text,
            ", of which {} matter by {}",
            size(map.mapped_len()),
            opened.shown_map()
        );
    }
    let question = format!("Everything on {path} is lost. Flash it? [y/N] ");
    match ui.ask(&format!("{text}\n"), &question)? {
        None => Err(Failure::usage(format!(
            "{path}: nobody can be asked, because there is no terminal"
        ))
        .hint("say --yes if it is the right one")),
        Some(true) => Ok(()),
        Some(false) => Err(Failure::stopped_because(format!("{path}: not flashed"))),
    }
}

fn write(
    args: &Flash,
    opened: &Opened,
    image_size: u64,
    target: &Target,
    ui: &Ui,
) -> Result<Report, flash::Error> {
    let job = Job {
        source: &opened.source,
        image_size,
        map: opened.map.as_ref(),
        keep_gaps: args.keep_gaps,
        discard: args.discard,
        read_back: !args.no_read_back,
    };
    let (other, path, writing) = (ui.clone(), target.path().to_path_buf(), target.writing());
    stop::before_exit(move || {
        if writing.load(Ordering::Relaxed) {
            other.warn(&partly(&path));
        }
    });
    let done = flash::flash(&job, target, ui);
    // What has failed is told here.
    target.writing().store(false, Ordering::Relaxed);
    done
}

/// What became of a flash that failed, and whether it has left something behind.
fn late(error: flash::Error, opened: &Opened, target: &Target, ui: &Ui) -> Failure {
    let is_stop = matches!(error, flash::Error::Cancelled { .. });
    if !is_stop && target.is_partly_written() {
        ui.warn(&partly(target.path()));
    }
    match error {
        // Of the image, not of the device.
        flash::Error::Image { .. } | flash::Error::OtherSize { .. } | flash::Error::OtherBytes { .. } => {
            Failure::from(error).at(&opened.path)
        }
        error => error.into(),
    }
}

fn partly(path: &Path) -> String {
    format!(
        "{}: is partly written; its first block says so, and it boots nothing until it is flashed again",
        path.display()
    )
}

/// Lets the kernel read the new partition table, and answers what partitions it has found. Where udev runs, it does the same.
fn partitions(host: &Host, path: &Path) -> Option<Vec<String>> {
    let mut command = Command::new("blockdev");
    command.arg("--rereadpt").arg(path);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let is_read = command.status().is_ok_and(|status| status.success());
    let device = host.device(path).ok()??;
    (is_read || device.partition_of.is_some()).then_some(device.partitions)
}

/// What was done, for machines.
#[derive(Serialize)]
struct Flashed<'a> {
    device: &'a Path,
    image: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    bmap: Option<&'a PathBuf>,
    #[serde(flatten)]
    report: &'a Report,
    /// What the kernel found in the new table, when it was told to look.
    #[serde(skip_serializing_if = "Option::is_none")]
    partitions: Option<Vec<String>>,
}

fn say(
    opened: &Opened,
    path: &Path,
    report: &Report,
    partitions: Option<Vec<String>>,
    args: &Flash,
    ui: &Ui,
) -> Result<(), Failure> {
    if args.discard && report.discarded.is_none() {
        ui.warn(&format!(
            "{}: cannot discard, so the rest is as it was",
            path.display()
        ));
    }
    if ui.json() {
        return ui.print_json(&Flashed {
            device: path,
            image: &opened.path,
            bmap: opened.map_path.as_ref(),
            report,
            partitions,
        });
    }
    let compared = if report.compared > 0 {
        "read back, and equal"
    } else {
        "not read back"
    };
    let (written, image_size) = (size(report.written), size(report.image_size));
    let mut text = format!(
        "{}: {written} of {image_size} written, {compared}\n",
        path.display()
    );
    if report.gaps > 0 {
        let gaps = size(report.gaps);
        let _ = writeln!(
            text,
            "  {gaps} of these are gaps of the block map in which an older loader could be found"
        );
    }
    if let Some(discarded) = report.discarded {
        let _ = writeln!(text, "  {} discarded", size(discarded));
    }
    match partitions.as_deref() {
        Some([]) | None => {}
        Some(names) => {
            let _ = writeln!(text, "  partitions: {}", names.join(", "));
        }
    }
    ui.print(&text)
}
