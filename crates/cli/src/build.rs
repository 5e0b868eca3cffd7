//! `kiln build`: from a specification to the files that a factory needs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{Content, Folder, Image, Progress, Spool, Target, Written};
use spec::{Detail, Plan, Spec, Squashing, Transport, Transports, Work};

use crate::access::access;
use crate::args::build::{Build, Paths};
use crate::beside::Beside;
use crate::efi::{self, Programs};
use crate::failure::Failure;
use crate::folder;
use crate::inputs;
use crate::logins::warn_of_passwords;
use crate::manifest::{FileEntry, Manifest};
use crate::outputs::{alone, complete, write};
use crate::places::{self, Places};
use crate::release::{self, Releases};
use crate::roots::{self, Roots};
use crate::signing::{Bundled, Signing};
use crate::steps::{gather, plan};
use crate::summary::{self, Earlier, Outcome, Room, Summary};
use crate::ui::{Ui, hex};

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
    let roots = Roots::read(&spec, &args.making.signing, &args.only, folder, ui)?;
    let programs = Programs::read(&spec, &args.making.signing, &args.only, folder, ui)?;
    let releases = Releases::read(&spec, &args.making.signing, &args.only, folder, ui)?;
    let places = Places::open(&args.making.caching, &args.making.gathering.fetch.logins, ui)?;
    let job = Job {
        args,
        spec: &spec,
        folder,
        out,
        signing: &signing,
        roots: &roots,
        programs: &programs,
        releases: &releases,
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
    roots: &'a Roots,
    programs: &'a Programs,
    releases: &'a Releases,
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
            roots: Some(self.roots),
            efi: Some(self.programs),
            release: Some(self.releases),
            only: &self.args.only,
        };
        let mut plan = plan(spec, &gathered, &work, ui)?;
        spec::contain(spec, &gathered, &work, &mut plan)?;
        roots::warn(&plan, ui);
        efi::warn(&plan, ui);
        release::warn(spec, plan.release.as_ref(), self.releases, ui);
        // Sign: the bundle's manifest.
        let bundle = self.signing.sign(&plan)?;
        // Write: every output grows without a name; when all are complete, they get their names together. Beside that, the
        // bundle is looked at with the devices' eyes.
        let transports = spec::transports(spec)?;
        let mut outputs = outputs(&plan, &transports);
        for (number, (file, content)) in bundle.files.iter().enumerate() {
            outputs.push(Output {
                part: "bundle",
                file,
                content: content.clone(),
                id: None,
                transport: transports.of("bundle"),
                spool: None,
                check: Some(&bundle).filter(|_| number == 0),
                format: None,
                folder: None,
            });
        }
        let (mut written, mut files) = write_all(&outputs, out, threads, ui)?;
        if let Some(planned) = plan.made_release() {
            for (last, entry) in release::finish(planned, self.releases, &written, out, ui)? {
                written.push(last);
                files.push(entry);
            }
        }
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
        // The last moment in which what was there before can be read.
        let earlier = Earlier::read(out, &manifest_file);
        let room = Room::all(spec, &plan);
        self.out.keep(written, seal, stale.as_slice())?;
        let summary = Summary {
            build: Outcome::new(&manifest, room, earlier, &shown),
            manifest: &manifest,
        };
        if ui.json() {
            return ui.print_json(&summary);
        }
        ui.print(&summary::text(
            &summary,
            self.args.only.is_empty().then_some(&*manifest_file),
        ))
    }
}

fn write_manifest(manifest: &Manifest, file: &Path, ui: &Ui) -> Result<Written, Failure> {
    let text = serde_json::to_vec_pretty(manifest).map_err(|error| Failure::usage(error.to_string()))?;
    let image = alone(&Content::from(text))?;
    Ok(image::write(file, &image, ui)?)
}

/// A file that will be made.
struct Output<'a> {
    part: &'a str,
    file: &'a str,
    content: Content,
    id: Option<String>,
    transport: Transport,
    spool: Option<&'a Spool>,
    /// What it is part of, if that is to be checked.
    check: Option<&'a Bundled<'a>>,
    /// What the disk is in.
    format: Option<&'static str>,
    /// The folder of the output that it lies in.
    folder: Option<&'a str>,
}

impl Output<'_> {
    /// Its name from the output folder on.
    fn shown(&self) -> String {
        let folder = self
            .folder
            .map_or_else(String::new, |folder| format!("{folder}/"));
        folder + self.file
    }

    /// How many bytes are looked at before it is written.
    fn check_len(&self) -> Option<u64> {
        self.check?.check_len()
    }
}

/// PCR 11 of an image with one profile and one device tree.
fn first_pcr(profiles: &[uki::Profile]) -> Option<String> {
    match profiles {
        [only] => only.pcr11.first().map(|value| hex(value)),
        _ => None,
    }
}

/// All files of a plan.
fn outputs<'a>(plan: &'a Plan, transports: &Transports) -> Vec<Output<'a>> {
    let mut outputs = Vec::new();
    for part in &plan.parts {
        let id = match &part.detail {
            Detail::Fat { volume_id, .. } => {
                Some(format!("{:04X}-{:04X}", volume_id >> 16, volume_id & 0xffff))
            }
            Detail::Ext4 { uuid, .. }
            | Detail::Btrfs { uuid, .. }
            | Detail::Erofs { uuid, .. }
            | Detail::Swap { uuid } => Some(uuid.to_string()),
            Detail::Verity { root, .. } | Detail::RootSignature { root, .. } => {
                root.as_ref().map(|root| hex(root))
            }
            Detail::Uki { profiles, .. } => first_pcr(profiles),
            Detail::Squashfs { .. } | Detail::Device | Detail::Script { .. } | Detail::Efi { .. } => None,
        };
        for (file, content) in &part.files {
            outputs.push(Output {
                part: &part.name,
                file,
                content: content.clone(),
                id: id.clone(),
                transport: transports.of(&part.name),
                spool: part.spool.as_ref(),
                check: None,
                format: None,
                folder: None,
            });
        }
    }
    if let Some((planned, file)) = plan.disk.as_ref().filter(|_| plan.disk_is_output) {
        let id = planned.id.map(|id| id.to_string());
        outputs.push(Output {
            part: "disk",
            file,
            content: planned.image.clone().into(),
            id,
            transport: transports.of("disk"),
            spool: None,
            check: None,
            format: None,
            folder: None,
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
            check: None,
            format: None,
            folder: None,
        });
    }
    for contained in &plan.contained {
        if let Some(image) = &contained.image {
            outputs.push(Output {
                part: "disk.output",
                file: &contained.file,
                content: Content::Image(Arc::clone(image)),
                id: None,
                transport: contained.transport,
                spool: contained.spool.as_ref(),
                check: None,
                format: Some(contained.format.name()),
                folder: None,
            });
        }
    }
    if let Some(release) = plan.made_release() {
        for file in &release.files {
            outputs.push(Output {
                part: "release",
                file: &file.file,
                content: file.content.clone(),
                id: None,
                transport: file.transport,
                spool: None,
                check: None,
                format: None,
                folder: Some(&release.folder),
            });
        }
    }
    outputs
}

/// Writes all outputs, without their names: beside each other, as far as there are threads.
fn write_all(
    outputs: &[Output],
    out: &Path,
    threads: usize,
    ui: &Ui,
) -> Result<(Vec<Written>, Vec<FileEntry>), Failure> {
    let images: Vec<Arc<Image>> = outputs
        .iter()
        .map(|output| alone(&output.content))
        .collect::<Result<_, _>>()?;
    let step = |(output, image): (&Output, &Arc<Image>)| {
        let check = output
            .check_len()
            .map(|len| (format!("checking {}", output.file), len));
        let write = (format!("writing {}", output.file), image.mapped_len());
        check.into_iter().chain([write]).collect::<Vec<_>>()
    };
    let steps: Vec<(String, u64)> = outputs.iter().zip(&images).flat_map(step).collect();
    let all = match outputs {
        [output] => format!("writing {}", output.file),
        outputs => format!("writing {} files", outputs.len()),
    };
    ui.begin_together(&all, &steps);
    // What is checked or compressed takes long.
    let heavy = |output: &Output| output.check_len().is_some() || output.transport.compress.is_some();
    let heavy: Vec<bool> = outputs.iter().map(heavy).collect();
    let beside = Beside {
        threads,
        heavy: &heavy,
        progress: ui,
    };
    let write = |number: usize, progress: &dyn Progress| {
        write_one(&outputs[number], &images[number], out, threads, progress)
    };
    let done = beside.each(write)?;
    Ok(done.into_iter().flatten().unzip())
}

/// Writes an output, and its block map beside it when it has one.
fn write_one(
    output: &Output,
    image: &Image,
    out: &Path,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Vec<(Written, FileEntry)>, Failure> {
    let Output { part, file, .. } = *output;
    if let Some(bundled) = output.check {
        bundled.check(out, threads, progress)?;
    }
    let target = match output.folder {
        Some(folder) => release::target(out, folder, file)?,
        None => Target::claim(&out.join(file))?,
    };
    let target = complete(target, image, output.spool, output.transport);
    let (done, bmap) = write(target, image, output.transport, threads, progress)?;
    let entry = FileEntry {
        id: output.id.clone(),
        format: output.format,
        ..FileEntry::new(part, &output.shown(), &done)
    };
    let mut files = vec![(done, entry)];
    if let Some((bmap, file)) = bmap.zip(output.transport.bmap_file(file)) {
        let image = alone(&Content::from(bmap))?;
        let done = image::write(&out.join(&file), &image, progress)?;
        let entry = FileEntry::new(part, &file, &done);
        files.push((done, entry));
    }
    Ok(files)
}
