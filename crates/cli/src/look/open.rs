//! What stands on the command line is opened: a file, a device, a folder of outputs, or a specification, which is planned.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek as _, SeekFrom};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use image::{Content, Keep, Kind, NodeId, Structure};
use inspect::{Inside, Output, Work};
use rustix::fs::OFlags;
use spec::Squashing;

use crate::access::access;
use crate::args::look::{Image, Planning};
use crate::described::{self, Described};
use crate::failure::Failure;
use crate::logins::warn_of_passwords;
use crate::steps::{gather, plan};
use crate::ui::Ui;

/// Opens what was said.
pub(crate) fn open(args: &Image, work: &Work, ui: &Ui) -> Result<Inside, Failure> {
    open_planned(args, work, ui).map(|opened| opened.inside)
}

/// What is open, and how it is planned when it is.
pub(crate) struct Opened {
    pub(crate) inside: Inside,
    pub(crate) planned: Option<Planned>,
}

/// A specification, and what it would make.
pub(crate) struct Planned {
    spec: spec::Spec,
    pub(crate) gathered: spec::Gathered,
    plan: spec::Plan,
}

/// Opens what was said, and keeps what is known of a plan.
pub(crate) fn open_planned(args: &Image, work: &Work, ui: &Ui) -> Result<Opened, Failure> {
    let path = &*args.image;
    if path
        .as_os_str()
        .as_encoded_bytes()
        .ends_with(described::ENDING.as_bytes())
    {
        return manifest(path).map(Opened::there);
    }
    let is_specification = path
        .extension()
        .is_some_and(|ending| ending == "toml" || ending == "json");
    if is_specification {
        let planned = planned(path, &args.planning, work, ui)?;
        return Ok(Opened {
            inside: planned.outputs()?,
            planned: Some(planned),
        });
    }
    let meta = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if meta.is_dir() {
        return outputs(path).map(Opened::there);
    }
    let content = content(path)?;
    let inside = inspect::open(content, work).map_err(|error| super::failure(args, error))?;
    Ok(Opened::there(inside))
}

impl Opened {
    fn there(inside: Inside) -> Opened {
        Opened {
            inside,
            planned: None,
        }
    }
}

/// The bytes of a file or a block device.
pub(crate) fn content(path: &Path) -> Result<Content, Failure> {
    let failed = |error: io::Error| unreadable(path, &error);
    // A pipe without a writer would keep us waiting.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(failed)?;
    let kind = file.metadata().map_err(failed)?.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        let problem = format!(
            "{}: is neither a file, a folder nor a block device",
            path.display()
        );
        return Err(Failure::input(problem));
    }
    let len = file.seek(SeekFrom::End(0)).map_err(failed)?;
    Ok(span(file, len))
}

/// The first bytes of an open file.
pub(crate) fn span(file: File, len: u64) -> Content {
    Content::Span {
        source: Arc::new(file),
        start: 0,
        len,
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::input(format!("{}: cannot be read: {error}", path.display()));
    match error.kind() {
        ErrorKind::PermissionDenied => {
            failure.hint("this user may not read it: `ls -l` shows who may; disks can be read by root and the group `disk`")
        }
        _ => failure,
    }
}

/// The outputs that a manifest names, which lie beside it.
fn manifest(path: &Path) -> Result<Inside, Failure> {
    let described = Described::read(path, &content(path)?)?;
    let mut outputs = Vec::new();
    for (file, place) in described.outputs(path) {
        let name = place.file_name().unwrap_or_default();
        outputs.push(Output {
            name: name.as_encoded_bytes().into(),
            part: Some(file.part.as_bytes().into()),
            content: content(&place)?,
        });
    }
    Ok(Inside::of_outputs(outputs))
}

/// The files of a folder, as the outputs that they may be. A manifest says what parts they are.
fn outputs(path: &Path) -> Result<Inside, Failure> {
    let tree = image::scan_entries(path, Keep::default())?;
    let manifests = described::beside(path);
    let mut outputs = Vec::new();
    for (name, id) in tree.children(NodeId::ROOT) {
        if let Kind::File(_) = tree.node(id).kind {
            let file = path.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(
                name,
            ));
            outputs.push(Output {
                name: name.into(),
                part: manifests
                    .iter()
                    .find_map(|manifest| manifest.part(name))
                    .map(|part| part.as_bytes().into()),
                content: content(&file)?,
            });
        }
    }
    Ok(Inside::of_outputs(outputs))
}

/// What a specification would make.
fn planned(path: &Path, planning: &Planning, work: &Work, ui: &Ui) -> Result<Planned, Failure> {
    let mut spec = spec::read(path)?;
    planning.overrides.apply(&mut spec);
    warn_of_passwords(&spec, ui);
    let folder = path.parent().unwrap_or(Path::new(""));
    let fetch = &planning.gathering.fetch;
    let access = access(
        fetch,
        spec.closure.as_ref(),
        folder,
        work.folder,
        work.threads,
        ui,
    )?;
    let gathered = gather(&spec, planning.gathering.rehash(), &access, ui)?;
    let spec_work = spec::Work {
        folder,
        squashing: Squashing::Spool(work.folder),
        threads: work.threads,
        progress: ui,
        segments: None,
        roots: None,
        efi: None,
        release: None,
        only: &[],
    };
    let plan = plan(&spec, &gathered, &spec_work, ui)?;
    let sign = spec.release.as_ref().and_then(|release| release.sign.as_ref());
    let holds_keyring = |fs: &String| spec::asks_for(&spec, &[format!("fs.{fs}")], "release.keyring");
    if sign.is_some_and(|sign| sign.keyring.is_none()) && spec.fs.keys().any(holds_keyring) {
        ui.warn("{release.keyring}: is made with the key, which is not read here: zeros stand for it");
    }
    Ok(Planned { spec, gathered, plan })
}

impl Planned {
    /// What it would make.
    fn outputs(&self) -> Result<Inside, Failure> {
        let plan = &self.plan;
        let mut outputs = Vec::new();
        let mut put = |part: &str, file: &str, content: Content| {
            outputs.push(Output {
                name: file.as_bytes().into(),
                part: Some(part.as_bytes().into()),
                content,
            });
        };
        for part in &plan.parts {
            for (file, content) in &part.files {
                put(&part.name, file, content.clone());
            }
        }
        if let Some((planned, file)) = &plan.disk {
            put("disk", file, planned.image.clone().into());
        }
        for beside in &plan.beside {
            put(&beside.part, &beside.file, beside.content.clone());
        }
        if let Some(bundle) = &plan.bundle
            && let Some(unsigned) = &bundle.unsigned
        {
            put("bundle", &bundle.file, unsigned.image()?.into());
        }
        outputs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Inside::of_outputs(outputs))
    }

    /// What lies on the disk outside of partitions.
    pub(crate) fn raw(&self) -> Vec<Structure> {
        let map = self.plan.disk.iter().flat_map(|(disk, _)| &disk.map);
        map.filter(|entry| entry.kind == disk::Kind::Raw)
            .map(|entry| Structure::new(entry.start, entry.end - entry.start, entry.name.clone()))
            .collect()
    }

    /// What is promised to stay free, by the first bytes of regions on the disk.
    pub(crate) fn promised_on_disk(&self) -> BTreeMap<u64, u64> {
        let regions = self.spec.disk.iter().flat_map(|disk| &disk.region);
        let promised = regions.filter_map(|region| {
            let part = self.part(region.content.as_deref()?)?;
            let map = self.plan.disk.iter().flat_map(|(disk, _)| &disk.map);
            let entry = map.into_iter().find(|entry| entry.name == region.name)?;
            Some((entry.start, part.detail.room()?.promised))
        });
        promised.collect()
    }

    /// The same by the names of files.
    pub(crate) fn promised_in_files(&self) -> BTreeMap<Vec<u8>, u64> {
        let parts = self.plan.parts.iter();
        let promised = parts.filter_map(|part| {
            let (file, _) = part.files.first()?;
            Some((file.clone().into_bytes(), part.detail.room()?.promised))
        });
        promised.collect()
    }

    fn part(&self, name: &str) -> Option<&spec::Part> {
        self.plan.parts.iter().find(|part| part.name == name)
    }
}
