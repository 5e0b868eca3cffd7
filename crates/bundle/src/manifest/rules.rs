//! What a manifest may say, and since which RAUC.

use std::collections::BTreeSet;

use super::{BLOCK_HASH_INDEX, FILE, Image, Manifest};
use crate::Error;
use crate::target::Target;
use verity::BLOCK_SIZE;

/// The types that RAUC knows.
const KINDS: [&str; 8] = [
    "raw",
    "ext4",
    "vfat",
    "squashfs",
    "ubifs",
    "ubivol",
    "tar",
    "boot-emmc",
];

pub(super) fn check(manifest: &Manifest) -> Result<(), Error> {
    if manifest.compatible.is_empty() {
        return Err(Error::Manifest("compatible is empty".into()));
    }
    if manifest.images.is_empty() && manifest.handler.is_none() {
        return Err(Error::Manifest("there is no image, and no handler either".into()));
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
        files.insert(image.filename.as_str());
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

fn check_image(image: &Image, manifest: &Manifest) -> Result<(), Error> {
    let bad = |problem: String| Err(Error::Manifest(format!("image {}: {problem}", image.slot)));
    check_filename(&image.filename)?;
    let (class, variant) = image.slot.split_once('.').unzip();
    check_word("image", class.unwrap_or(&image.slot))?;
    if let Some(variant) = variant {
        check_word("variant", variant)?;
    }
    if image.size == 0 {
        return bad("is empty".into());
    }
    if let Some(kind) = image.kind.as_deref().filter(|kind| !KINDS.contains(kind)) {
        return bad(format!("type {kind}: must be one of {}", KINDS.join(", ")));
    }
    for hook in &image.hooks {
        if !["pre-install", "install", "post-install"].contains(&hook.as_str()) {
            return bad(format!("there is no hook {hook}"));
        }
    }
    if image.hooks.len() > 1 && image.hooks.iter().any(|hook| hook == "install") {
        return bad("the hook install takes the place of all others".into());
    }
    if !image.hooks.is_empty() && manifest.hooks.is_none() {
        return bad("has a hook, and there is no program in [hooks]".into());
    }
    if let Some(method) = image.adaptive.iter().find(|method| *method != BLOCK_HASH_INDEX) {
        return bad(format!("adaptive={method}: must be {BLOCK_HASH_INDEX}"));
    }
    if image.has_index() && !image.size.is_multiple_of(BLOCK_SIZE) {
        return Err(Error::Unaligned {
            image: image.slot.clone(),
            len: image.size,
        });
    }
    Ok(())
}

/// The name of a file at the top of the bundle.
fn check_filename(name: &str) -> Result<(), Error> {
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
