//! `kiln build`: from a specification to the files that a factory needs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use image::{Content, Progress as _, Target, Written};
use spec::{Detail, Plan, Spec, Squashing, Transport, Work};
use transport::Method;

use crate::access::access;
use crate::args::build::{Build, Paths};
use crate::failure::Failure;
use crate::folder::OutFolder;
use crate::manifest::{FileEntry, Manifest};
use crate::outputs::{alone, write};
use crate::places::Places;
use crate::signing::Signing;
use crate::steps::{gather, plan};
use crate::ui::{Ui, hex, size};

pub(crate) fn run(args: &Build, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let Paths { spec: file, out } = &args.paths;
    let mut spec = spec::read(file)?;
    args.making.overrides.apply(&mut spec);
    if spec.bundle.is_none() && args.only == ["bundle"] {
        return Err(Failure::usage(format!("{}: has no [bundle]", file.display())));
    }
    spec::check_only(&spec, &args.only)?;
    spec::transports(&spec)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let out = OutFolder::lock(out)?;
    // Whoever cannot sign learns it before the work.
    let signing = Signing::read(&spec, args, folder, ui)?;
    let places = Places::open(&args.making.caching, ui)?;
    let job = Job {
        args,
        spec: &spec,
        folder,
        out: &out,
        signing: &signing,
        threads,
        ui,
    };
    let made = job.make(&places);
    places.close(ui);
    made
}

/// What is to be made.
struct Job<'a> {
    args: &'a Build,
    spec: &'a Spec,
    /// Where relative paths start.
    folder: &'a Path,
    out: &'a OutFolder,
    signing: &'a Signing,
    threads: usize,
    ui: &'a Ui,
}

impl Job<'_> {
    fn make(&self, places: &Places) -> Result<(), Failure> {
        let (spec, out, threads, ui) = (self.spec, self.out, self.threads, self.ui);
        // Gather: store paths become a tree, checked against their registration.
        let gathering = &self.args.making.gathering;
        let access = access(&gathering.fetch, self.folder, &out.path, threads, ui)?;
        let gathered = gather(spec, gathering.rehash(), &access, ui)?;
        // Plan: trees become images, images become a disk. Only the spool is written to.
        let near = places.near();
        let work = Work {
            folder: self.folder,
            squashing: Squashing::Spool(&out.path),
            threads,
            progress: ui,
            segments: Some(cache::Places {
                near: &near,
                shared: places.shared(),
            }),
            only: &self.args.only,
        };
        let plan = plan(spec, &gathered, &work, ui)?;
        // Sign: the bundle's manifest, and a look at the result with the devices' eyes.
        let bundle = self.signing.sign(&plan, &out.path, threads, ui)?;
        // Write: every output grows under a temporary name; when all are complete, they get their own.
        let transports = spec::transports(spec)?;
        let mut outputs = outputs(&plan, &transports);
        for (file, content) in &bundle {
            outputs.push(Output {
                part: "bundle",
                file,
                content: content.clone(),
                id: None,
                transport: Transport::default(),
            });
        }
        let (written, files) = write_all(&outputs, out, threads, ui)?;
        let manifest = Manifest::new(&gathered, spec, &plan, files);
        let manifest_file = self.args.only.is_empty().then(|| spec::manifest(&gathered));
        let manifest_written = match &manifest_file {
            None => None,
            Some(file) => Some(write_manifest(&manifest, &out.path.join(file), ui)?),
        };
        keep_all(written, manifest_written)?;
        if ui.json() {
            return ui.print_json(&manifest);
        }
        let mut summary = summary(&manifest, manifest_file.as_deref());
        if let Some(disk) = outputs.iter().find(|output| output.part == "disk") {
            summary.push_str(&how_to_flash(disk, &out.path));
        }
        ui.print(&summary)
    }
}

fn write_manifest(manifest: &Manifest, file: &Path, ui: &Ui) -> Result<Written, Failure> {
    let text = serde_json::to_vec_pretty(manifest).map_err(|error| Failure::usage(error.to_string()))?;
    Ok(image::write(file, &alone(&Content::from(text))?, ui)?)
}

/// Gives all outputs their names. Files cannot be renamed together, so the manifest says when they are complete: the
/// old one goes first, and the new one comes last.
fn keep_all(written: Vec<Written>, manifest: Option<Written>) -> Result<(), Failure> {
    if let Some(manifest) = &manifest
        && let Err(source) = std::fs::remove_file(manifest.path())
        && source.kind() != std::io::ErrorKind::NotFound
    {
        return Err(image::Error::Write {
            path: manifest.path().to_path_buf(),
            source,
        }
        .into());
    }
    for written in written.into_iter().chain(manifest) {
        written.keep()?;
    }
    Ok(())
}

/// A file that will be made.
struct Output<'a> {
    part: &'a str,
    file: &'a str,
    content: Content,
    id: Option<String>,
    transport: Transport,
}

/// All files of a plan.
fn outputs<'a>(plan: &'a Plan, transports: &BTreeMap<String, Transport>) -> Vec<Output<'a>> {
    let transport = |part: &str| transports.get(part).copied().unwrap_or_default();
    let mut outputs = Vec::new();
    for part in &plan.parts {
        let id = match &part.detail {
            Detail::Fat { volume_id, .. } => {
                Some(format!("{:04X}-{:04X}", volume_id >> 16, volume_id & 0xffff))
            }
            Detail::Ext4 { uuid, .. } => Some(uuid.to_string()),
            Detail::Verity { root, .. } => root.as_ref().map(|root| hex(root)),
            Detail::Squashfs { .. } | Detail::Device | Detail::Script { .. } => None,
        };
        for (file, content) in &part.files {
            outputs.push(Output {
                part: &part.name,
                file,
                content: content.clone(),
                id: id.clone(),
                transport: transport(&part.name),
            });
        }
    }
    if let Some((planned, file)) = &plan.disk {
        let id = planned.id.map(|id| id.to_string());
        outputs.push(Output {
            part: "disk",
            file,
            content: planned.image.clone().into(),
            id,
            transport: transport("disk"),
        });
    }
    outputs
}

/// Writes all outputs under temporary names.
fn write_all(
    outputs: &[Output],
    out: &OutFolder,
    threads: usize,
    ui: &Ui,
) -> Result<(Vec<Written>, Vec<FileEntry>), Failure> {
    let (mut written, mut files) = (Vec::new(), Vec::new());
    for output in outputs {
        let Output { part, file, .. } = *output;
        let image = alone(&output.content)?;
        ui.begin(&format!("writing {file}"), image.mapped_len());
        let target = Target::claim(&out.path.join(file))?;
        let (done, bmap) = write(target, &image, output.transport, threads, ui)?;
        files.push(FileEntry {
            id: output.id.clone(),
            ..FileEntry::new(part, file, &done)
        });
        written.push(done);
        if let Some((bmap, file)) = bmap.zip(output.transport.bmap_file(file)) {
            let done = image::write(&out.path.join(&file), &alone(&Content::from(bmap))?, ui)?;
            files.push(FileEntry::new(part, &file, &done));
            written.push(done);
        }
    }
    Ok((written, files))
}

/// What was made.
fn summary(manifest: &Manifest, manifest_file: Option<&str>) -> String {
    let mut text = String::new();
    let width = manifest
        .files
        .iter()
        .map(|entry| entry.file.len())
        .max()
        .unwrap_or(0);
    for entry in &manifest.files {
        let _ = writeln!(
            text,
            "{:width$}  {:>11}  sha256 {}",
            entry.file,
            size(entry.size),
            entry.sha256
        );
    }
    if let Some(file) = manifest_file {
        let _ = writeln!(text, "{file}");
    }
    text
}

/// What to do with a disk.
fn how_to_flash(disk: &Output, out: &Path) -> String {
    let file = out.join(disk.file);
    let file = file.display();
    let to = "of=/dev/DEVICE bs=4M conv=fsync status=progress";
    let command = match disk.transport.compress.map(|options| options.method) {
        _ if disk.transport.bmap => format!("sudo bmaptool copy {file} /dev/DEVICE"),
        None => format!("sudo dd if={file} {to}"),
        Some(Method::Zstd) => format!("zstd -dc {file} | sudo dd {to}"),
        Some(Method::Xz) => format!("xz -dc {file} | sudo dd {to}"),
        Some(Method::Gzip) => format!("gzip -dc {file} | sudo dd {to}"),
    };
    format!(
        "\nTo flash it, with the device's name for DEVICE (everything on the device is lost):\n  {command}\n"
    )
}
