//! What is served: a part of a specification, planned as builds plan it, or an image that is there.

use std::path::{Path, PathBuf};

use image::Content;
use inspect::{Last, Reach, Spot, What};
use spec::{Plan, Spec, Squashing, Work};

use crate::access::access;
use crate::args::look::{self as args, Planning};
use crate::args::serve::Source;
use crate::failure::Failure;
use crate::inputs;
use crate::logins::warn_of_passwords;
use crate::look;
use crate::places::{self, Places};
use crate::steps::{gather, plan};
use crate::ui::Ui;

/// The part that is meant when none is named.
const DISK: &str = "disk";

/// Bytes, and what they are called.
pub(crate) struct Opened {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) content: Content,
}

/// Opens what was said.
pub(crate) fn open(source: &Source, part: Option<&str>, threads: usize, ui: &Ui) -> Result<Opened, Failure> {
    let is_specification = |ending: &std::ffi::OsStr| ending == "toml" || ending == "json";
    let image = &source.image;
    let is_manifest = image
        .as_os_str()
        .as_encoded_bytes()
        .ends_with(crate::described::ENDING.as_bytes());
    let name = part.unwrap_or(DISK);
    let content = if !is_manifest && image.extension().is_some_and(is_specification) {
        planned(source, name, threads, ui)?
    } else {
        found(source, part, threads, ui)?
    };
    Ok(Opened {
        name: name.into(),
        description: image.display().to_string(),
        content,
    })
}

/// A part that is not written.
fn planned(source: &Source, name: &str, threads: usize, ui: &Ui) -> Result<Content, Failure> {
    let file = &*source.image;
    let planning = &source.planning;
    let mut spec = spec::read(file)?;
    planning.overrides.apply(&mut spec);
    check_part(&spec, file, name)?;
    warn_of_passwords(&spec, ui);
    warn_of_signatures(&spec, ui);
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut written = places::written(&planning.caching);
    written.extend(planning.gathering.fetch.download_dir.clone());
    inputs::check(&spec, folder, written.iter().map(PathBuf::as_path))?;
    // What has to be made first lies where the system has temporary files.
    let spool = std::env::temp_dir();
    let places = Places::open(&planning.caching, &planning.gathering.fetch.logins, ui)?;
    let fetch = &planning.gathering.fetch;
    let access = access(fetch, spec.closure.as_ref(), folder, &spool, threads, ui)?;
    let gathered = gather(&spec, planning.gathering.rehash(), &access, ui)?;
    let near = places.near();
    let work = Work {
        folder,
        squashing: Squashing::Spool(&spool),
        threads,
        progress: ui,
        segments: Some(cache::Places {
            near: &near,
            shared: places.shared(),
        }),
        roots: None,
        efi: None,
        release: None,
        only: &[name.to_string()],
    };
    let plan = plan(&spec, &gathered, &work, ui);
    drop(near);
    places.close(ui);
    part(plan?, name).ok_or_else(|| no_part(&spec, file, name))
}

fn part(plan: Plan, name: &str) -> Option<Content> {
    if name == DISK {
        return plan.disk.map(|(planned, _)| planned.image.into());
    }
    let part = plan.parts.into_iter().find(|part| part.name == name);
    part.map(|part| part.content)
}

/// The parts that can be served.
fn parts(spec: &Spec) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(spec.disk.iter().map(|_| DISK.to_string()));
    parts.extend(spec.fs.keys().map(|key| format!("fs.{key}")));
    parts.extend(spec.script.keys().map(|key| format!("script.{key}")));
    parts.extend(spec.verity.keys().map(|key| format!("verity.{key}")));
    parts.extend(spec.uki.keys().map(|key| format!("uki.{key}")));
    parts.extend(spec.efi.keys().map(|key| format!("efi.{key}")));
    parts
}

/// Keys are for builds.
fn warn_of_signatures(spec: &Spec, ui: &Ui) {
    let mut signed: Vec<String> = Vec::new();
    let trees = spec.verity.iter().filter(|(_, tree)| tree.signature.is_some());
    signed.extend(trees.map(|(key, _)| format!("verity.{key}.signature")));
    let has_key =
        |uki: &spec::Uki| uki.sign.is_some() || uki.measure.as_ref().is_some_and(|said| said.key.is_some());
    let images = spec.uki.iter().filter(|(_, uki)| has_key(uki));
    signed.extend(images.map(|(key, _)| format!("uki.{key}")));
    signed.extend(spec.efi.keys().map(|key| format!("efi.{key}")));
    let release = spec.release.as_ref().and_then(|release| release.sign.as_ref());
    signed.extend(
        release
            .filter(|sign| sign.keyring.is_none())
            .map(|_| "release.keyring".to_owned()),
    );
    if !signed.is_empty() {
        ui.warn(&format!(
            "{}: signed by builds, not here: build it and serve its outputs for the very bytes",
            signed.join(", ")
        ));
    }
}

fn check_part(spec: &Spec, file: &Path, name: &str) -> Result<(), Failure> {
    if parts(spec).iter().any(|part| part == name) {
        return Ok(());
    }
    Err(no_part(spec, file, name))
}

fn no_part(spec: &Spec, file: &Path, name: &str) -> Failure {
    let problem = match name {
        DISK => format!("{}: has no [disk]", file.display()),
        name => format!("{}: has no part {name:?} that can be served", file.display()),
    };
    let parts: Vec<String> = parts(spec).iter().map(|part| format!("--part {part}")).collect();
    let failure = Failure::usage(problem);
    if parts.is_empty() {
        failure
    } else {
        failure.hint(format!("there is {}", parts.join(", ")))
    }
}

/// An image that is there, or a part of it.
fn found(source: &Source, part: Option<&str>, threads: usize, ui: &Ui) -> Result<Content, Failure> {
    let spool = std::env::temp_dir();
    let work = look::work(&spool, threads, ui);
    let image = args::Image {
        image: source.image.clone(),
        planning: Planning {
            overrides: source.planning.overrides.clone(),
            gathering: source.planning.gathering.clone(),
        },
    };
    let inside = look::open(&image, &work, ui)?;
    let part = match (part, &inside.what) {
        (Some(part), _) => part,
        (None, What::Outputs(_)) => DISK,
        (None, _) => return Ok(inside.plain().content.clone()),
    };
    let failed = |error| look::failure(&image, error);
    let found = inside.find(part.as_bytes(), Last::Followed, Reach::Entries, &work);
    let found = found.map_err(failed)?;
    // What is compressed is served as what it is inside.
    match found.spot {
        Spot::Inside(inside) => Ok(inside.plain().content.clone()),
        Spot::Image(_) => Ok(found.open(&work).map_err(failed)?.plain().content.clone()),
        Spot::Node(..) => match found.content() {
            Some(content) => Ok(content),
            None => Err(Failure::input(format!("{part}: is no file")).at(&source.image)),
        },
    }
}
