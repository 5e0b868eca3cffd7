//! `kiln build`: from a specification to the files that a factory needs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use image::{Content, Folder, Progress as _, Spool, Target, Written};
use spec::{Detail, Plan, Spec, Squashing, Transport, Transports, Work};
use transport::Method;

use crate::access::access;
use crate::args::build::{Build, Paths};
use crate::failure::Failure;
use crate::folder;
use crate::inputs;
use crate::logins::warn_of_passwords;
use crate::manifest::{FileEntry, Manifest};
use crate::outputs::{alone, complete, write};
use crate::places::{self, Places};
use crate::signing::Signing;
use crate::steps::{gather, plan};
use crate::ui::{Ui, hex, size};

pub(crate) fn run(args: &Build, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let Paths { spec: file, out } = &args.paths;
    let mut spec = spec::read(file)?;
    args.making.overrides.apply(&mut spec);
    args.making.sums.apply(&mut spec);
    if spec.bundle.is_none() && args.only == ["bundle"] {
        return Err(Failure::usage(format!("{}: has no [bundle]", file.display())));
    }
    spec::check_only(&spec, &args.only)?;
    spec::transports(&spec)?;
    warn_of_passwords(&spec, ui);
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut written = places::written(&args.making.caching);
    written.extend(args.making.gathering.fetch.download_dir.clone());
    written.push(out.clone());
    inputs::check(&spec, folder, written.iter().map(PathBuf::as_path))?;
    let out = folder::claim(out)?;
    // Whoever cannot sign learns it before the work.
    let signing = Signing::read(&spec, args, folder, ui)?;
    let places = Places::open(&args.making.caching, &args.making.gathering.fetch.logins, ui)?;
    let job = Job {
        args,
        spec: &spec,
        folder,
        out,
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
    out: Folder,
    signing: &'a Signing,
    threads: usize,
    ui: &'a Ui,
}

impl Job<'_> {
    fn make(self, places: &Places) -> Result<(), Failure> {
        let (spec, threads, ui) = (self.spec, self.threads, self.ui);
        let out = self.out.path();
        // Gather: store paths become a tree, checked against their registration.
        let gathering = &self.args.making.gathering;
        let closure = spec.closure.as_ref();
        let access = access(&gathering.fetch, closure, self.folder, out, threads, ui)?;
        let gathered = gather(spec, gathering.rehash(), &access, ui)?;
        // Plan: trees become images, images become a disk. Only the spool is written to.
        let near = places.near();
        let work = Work {
            folder: self.folder,
            squashing: Squashing::Spool(out),
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
        let bundle = self.signing.sign(&plan, out, threads, ui)?;
        // Write: every output grows without a name; when all are complete, they get their names together.
        let transports = spec::transports(spec)?;
        let mut outputs = outputs(&plan, &transports);
        for (file, content) in &bundle {
            outputs.push(Output {
                part: "bundle",
                file,
                content: content.clone(),
                id: None,
                transport: transports.of("bundle"),
                spool: None,
            });
        }
        let (written, files) = write_all(&outputs, out, threads, ui)?;
        let manifest = Manifest::new(&gathered, spec, &plan, files);
        let manifest_file = spec::manifest(&gathered);
        let manifest_path = out.join(&manifest_file);
        // A part alone has no manifest, and the one that is there describes another set from now on.
        let (seal, stale) = if self.args.only.is_empty() {
            (Some(write_manifest(&manifest, &manifest_path, ui)?), None)
        } else {
            (None, Some(manifest_path))
        };
        let shown = out.to_path_buf();
        self.out.keep(written, seal, stale.as_slice())?;
        if ui.json() {
            return ui.print_json(&manifest);
        }
        let mut summary = summary(&manifest, self.args.only.is_empty().then_some(&*manifest_file));
        if let Some(disk) = outputs.iter().find(|output| output.part == "disk") {
            summary.push_str(&how_to_flash(disk, &shown));
        }
        ui.print(&summary)
    }
}

fn write_manifest(manifest: &Manifest, file: &Path, ui: &Ui) -> Result<Written, Failure> {
    let text = serde_json::to_vec_pretty(manifest).map_err(|error| Failure::usage(error.to_string()))?;
    Ok(image::write(file, &alone(&Content::from(text))?, ui)?)
}

/// A file that will be made.
struct Output<'a> {
    part: &'a str,
    file: &'a str,
    content: Content,
    id: Option<String>,
    transport: Transport,
    spool: Option<&'a Spool>,
}

/// All files of a plan.
fn outputs<'a>(plan: &'a Plan, transports: &Transports) -> Vec<Output<'a>> {
    let mut outputs = Vec::new();
    for part in &plan.parts {
        let id = match &part.detail {
            Detail::Fat { volume_id, .. } => {
                Some(format!("{:04X}-{:04X}", volume_id >> 16, volume_id & 0xffff))
            }
            Detail::Ext4 { uuid, .. } | Detail::Btrfs { uuid, .. } | Detail::Swap { uuid } => {
                Some(uuid.to_string())
            }
            Detail::Verity { root, .. } => root.as_ref().map(|root| hex(root)),
            Detail::Squashfs { .. } | Detail::Device | Detail::Script { .. } => None,
        };
        for (file, content) in &part.files {
            outputs.push(Output {
                part: &part.name,
                file,
                content: content.clone(),
                id: id.clone(),
                transport: transports.of(&part.name),
                spool: part.spool.as_ref(),
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
            transport: transports.of("disk"),
            spool: None,
        });
    }
    for beside in &plan.beside {
        outputs.push(Output {
            part: &beside.part,
            file: &beside.file,
            content: beside.content.clone(),
            id: None,
            transport: transports.of(&beside.part),
            spool: None,
        });
    }
    outputs
}

/// Writes all outputs, without their names.
fn write_all(
    outputs: &[Output],
    out: &Path,
    threads: usize,
    ui: &Ui,
) -> Result<(Vec<Written>, Vec<FileEntry>), Failure> {
    let (mut written, mut files) = (Vec::new(), Vec::new());
    for output in outputs {
        let Output { part, file, .. } = *output;
        let image = alone(&output.content)?;
        ui.begin(&format!("writing {file}"), image.mapped_len());
        let target = Target::claim(&out.join(file))?;
        let target = complete(target, &image, output.spool, output.transport);
        let (done, bmap) = write(target, &image, output.transport, threads, ui)?;
        files.push(FileEntry {
            id: output.id.clone(),
            ..FileEntry::new(part, file, &done)
        });
        written.push(done);
        if let Some((bmap, file)) = bmap.zip(output.transport.bmap_file(file)) {
            let done = image::write(&out.join(&file), &alone(&Content::from(bmap))?, ui)?;
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
        let (file, size, digest) = (&entry.file, size(entry.size), entry.digests.shown());
        let _ = writeln!(text, "{file:width$}  {size:>11}  {digest}");
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
