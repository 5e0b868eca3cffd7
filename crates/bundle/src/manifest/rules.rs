//! What a manifest may say, and since which RAUC.

use std::collections::BTreeSet;
use std::path::Path;

use super::{BLOCK_HASH_INDEX, FILE, Image, Manifest};
use crate::Error;
use crate::target::Target;
use verity::BLOCK_SIZE;

/// The types of images that RAUC knows, without those of casync's indices.
const KINDS: [&str; 8] = [
    "raw", "ext4", "vfat", "squashfs", "ubifs", "tar", "catar", "emptyfs",
];

/// The types that casync's indices have.
const CASYNC_KINDS: [&str; 6] = [
    "caidx",
    "ext4-caibx",
    "raw-caibx",
    "vfat-caibx",
    "squashfs-caibx",
    "ubifs-caibx",
];

/// The type that the ending of a file's name says, as RAUC reads it.
pub(super) fn kind_of(filename: &str) -> Option<&'static str> {
    let ends = |ending: &str| filename.ends_with(ending);
    let holds = |part: &str| filename.contains(part);
    let casync = [
        (".ext4.caibx", "ext4-caibx"),
        (".vfat.caibx", "vfat-caibx"),
        (".ubifs.caibx", "ubifs-caibx"),
        (".img.caibx", "raw-caibx"),
        (".squashfs.caibx", "squashfs-caibx"),
    ];
    if let Some((_, kind)) = casync.into_iter().find(|(ending, _)| ends(ending)) {
        return Some(kind);
    }
    match filename {
        _ if holds(".squashfs-") && ends(".caibx") => Some("squashfs-caibx"),
        _ if ends(".catar") => Some("catar"),
        _ if ends(".caidx") => Some("caidx"),
        _ if holds(".tar") || ends(".tgz") => Some("tar"),
        _ if ends(".ext4") => Some("ext4"),
        _ if ends(".vfat") => Some("vfat"),
        _ if ends(".img") => Some("raw"),
        _ if ends(".squashfs") || holds(".squashfs-") => Some("squashfs"),
        _ if ends(".ubifs") => Some("ubifs"),
        _ => None,
    }
}

/// Refuses what every RAUC refuses, or reads in another way, or what must not be taken for a name of a file.
pub(super) fn check_said(manifest: &Manifest) -> Result<(), Error> {
    if manifest.compatible.is_empty() {
        return Err(Error::Manifest("compatible is empty".into()));
    }
    if let Some(verity) = &manifest.verity
        && (verity.size == 0 || !verity.size.is_multiple_of(BLOCK_SIZE))
    {
        let problem = format!("verity-size={}: must be a multiple of {BLOCK_SIZE}", verity.size);
        return Err(Error::Manifest(problem));
    }
    let mut files = BTreeSet::new();
    let mut slots = BTreeSet::new();
    for image in &manifest.images {
        check_image(image, manifest)?;
        if !slots.insert(&image.slot) {
            return Err(Error::Manifest(format!("two images for {}", image.slot)));
        }
        files.extend(image.filename.as_deref());
    }
    let programs = manifest.hooks.iter().map(|hooks| &hooks.filename);
    for program in programs.chain(manifest.handler.iter().map(|handler| &handler.filename)) {
        check_filename(program)?;
        if files.contains(program.as_str()) {
            return Err(Error::Manifest(format!("{program}: is an image and a program")));
        }
    }
    let known = |hook: &&String| *hook != "install-check";
    if let Some(hook) = manifest.hooks.iter().flat_map(|hooks| &hooks.hooks).find(known) {
        return Err(Error::Manifest(format!("[hooks]: there is no hook {hook}")));
    }
    for (label, values) in &manifest.meta {
        for name in values.keys().chain([label]) {
            check_word("meta", name)?;
        }
    }
    Ok(())
}

fn bad(image: &Image, problem: impl std::fmt::Display) -> Error {
    Error::Manifest(format!("image {}: {problem}", image.slot))
}

fn check_image(image: &Image, manifest: &Manifest) -> Result<(), Error> {
    let (class, variant) = image.slot.split_once('.').unzip();
    check_word("image", class.unwrap_or(&image.slot))?;
    if let Some(variant) = variant {
        check_word("variant", variant)?;
    }
    match &image.filename {
        Some(filename) if image.kind.as_deref() == Some("emptyfs") => {
            return Err(bad(image, format!("type emptyfs: has a file, {filename}")));
        }
        Some(filename) => check_filename(filename)?,
        None => {}
    }
    for hook in &image.hooks {
        if !["pre-install", "install", "post-install"].contains(&hook.as_str()) {
            return Err(bad(image, format!("there is no hook {hook}")));
        }
    }
    if !image.hooks.is_empty() && manifest.hooks.is_none() {
        return Err(bad(image, "has a hook, and there is no program in [hooks]"));
    }
    Ok(())
}

/// Refuses what RAUC shows and does not install, and what cannot be checked.
pub(super) fn check_installable(manifest: &Manifest) -> Result<(), Error> {
    if manifest.images.is_empty() && manifest.handler.is_none() {
        return Err(Error::Manifest("there is no image, and no handler either".into()));
    }
    let by_handler = manifest.handler.is_some();
    for image in &manifest.images {
        check_installable_image(image, by_handler)?;
    }
    Ok(())
}

fn check_installable_image(image: &Image, by_handler: bool) -> Result<(), Error> {
    let by_hook = image.is_installed_by_hook();
    if let Some(file) = image.filename.as_ref().filter(|_| is_casync_index(image)) {
        return Err(Error::CasyncIndex(file.clone()));
    }
    if !by_hook {
        check_kind(image, by_handler)?;
    }
    if image.filename.is_some() && image.size == 0 && !by_hook {
        return Err(bad(image, "is empty"));
    }
    if image.hooks.len() > 1 && by_hook {
        return Err(bad(image, "the hook install takes the place of all others"));
    }
    if let Some(method) = image.adaptive.iter().find(|method| *method != BLOCK_HASH_INDEX) {
        return Err(bad(
            image,
            format!("adaptive={method}: must be {BLOCK_HASH_INDEX}"),
        ));
    }
    if image.index_file().is_some() && !image.size.is_multiple_of(BLOCK_SIZE) {
        return Err(Error::Unaligned {
            image: image.slot.clone(),
            len: image.size,
        });
    }
    Ok(())
}

fn is_casync_index(image: &Image) -> bool {
    let file = image.filename.as_deref().map(Path::new);
    let ending = file.and_then(Path::extension);
    ending.is_some_and(|ending| ending == "caibx")
        || image
            .known_kind()
            .is_some_and(|kind| CASYNC_KINDS.contains(&kind))
}

/// Whether RAUC knows what an image is that it installs itself.
fn check_kind(image: &Image, by_handler: bool) -> Result<(), Error> {
    match (&image.filename, image.known_kind()) {
        (None, Some("emptyfs")) => Ok(()),
        (None, _) => Err(bad(image, "needs a file")),
        (Some(_), Some(kind)) if !KINDS.contains(&kind) => Err(bad(
            image,
            format!("type {kind}: must be one of {}", KINDS.join(", ")),
        )),
        (Some(file), None) if !by_handler => Err(bad(
            image,
            format!(
                "{file}: its ending does not tell RAUC what it is; the endings are .img, .ext4, .vfat, .squashfs, \
                 .ubifs, .tar, and `type` says it to RAUC 1.15 and later"
            ),
        )),
        (Some(_), _) => Ok(()),
    }
}

/// The name of a file at the top of the bundle.
pub(crate) fn check_filename(name: &str) -> Result<(), Error> {
    let problem = match name {
        "" => "is empty",
        FILE => "is the manifest's own",
        name if name.contains(['/', '\0']) => "must be a name without folders",
        name if name.contains(char::is_control) => "holds a control character",
        name if name.starts_with('.') => "begins with a dot",
        name if name.len() > 200 => "is longer than 200 bytes",
        _ => return Ok(()),
    };
    Err(Error::Manifest(format!("file name {name:?} {problem}")))
}

fn check_word(what: &str, name: &str) -> Result<(), Error> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !name.is_empty() && name.bytes().all(word) {
        return Ok(());
    }
    let problem = format!("{what} {name:?}: must be letters, digits, - and _");
    Err(Error::Manifest(problem))
}

pub(super) fn check_target(manifest: &Manifest, target: Target) -> Result<(), Error> {
    let images = || manifest.images.iter();
    let needs = [
        (true, "bundles of the format verity", Target::VERITY),
        (
            images().any(|image| !image.adaptive.is_empty()),
            "adaptive images",
            Target::ADAPTIVE,
        ),
        (!manifest.meta.is_empty(), "meta sections", Target::META),
        (
            manifest.min_rauc_version.is_some(),
            "min-rauc-version",
            Target::MIN_RAUC_VERSION,
        ),
        (
            images().any(|image| image.kind.is_some()),
            "an image's type",
            Target::TYPE,
        ),
    ];
    match needs
        .into_iter()
        .find(|(used, _, since)| *used && target < *since)
    {
        None => Ok(()),
        Some((_, what, since)) => Err(Error::TooNew { what, since, target }),
    }
}
