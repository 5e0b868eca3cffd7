//! Which parts are made for those that `--only` names. Nothing is made to find it out, so keys are read before the work.
//!
//! ```text
//!  release ──► disk ──► fs.esp ──► uki.main ──► fs.root ──► release.keyring
//!                   └─► verity.root.signature ──► verity.root ──┘
//! ```
//!
//! A text with `{fs.root.roothash}` needs `fs.root`, and so does everything that is needed for that. The answer may have a
//! part too many, never one too few.

use std::collections::BTreeSet;

use crate::schema::{FileSystem, Spec};
use crate::{netboot, release_plan, releases, ukis};

/// Whether a part is made: it is asked for, or needed for what is. `release.keyring` is a part in this sense.
#[must_use]
pub fn asks_for(spec: &Spec, only: &[String], part: &str) -> bool {
    if only.is_empty() {
        return true;
    }
    let mut open: Vec<String> = only.to_vec();
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        if name == part {
            return true;
        }
        if seen.insert(name.clone()) {
            open.extend(needs(spec, &name));
        }
    }
    false
}

/// What is needed for a part itself, by name.
fn needs(spec: &Spec, part: &str) -> Vec<String> {
    match part.split_once('.') {
        Some(("fs", key)) => {
            let mut parts = spec.fs.get(key).map(|fs| held(spec, key, fs)).unwrap_or_default();
            // Its root hash may be asked for, and its partition's GUID is a half of that.
            let trees = spec.verity.iter().filter(|(_, tree)| tree.data == part);
            parts.extend(trees.map(|(tree, _)| format!("verity.{tree}")));
            parts
        }
        Some(("verity", key)) => match spec.verity.get(key) {
            Some(tree) => vec![tree.data.clone()],
            None => part
                .strip_suffix(".signature")
                .map(str::to_owned)
                .into_iter()
                .collect(),
        },
        Some(("uki", key)) => {
            let texts = spec.uki.get(key).into_iter().flat_map(ukis::texts);
            texts.flat_map(|text| named(text)).collect()
        }
        Some(("efi", key)) => spec
            .efi
            .get(key)
            .map(|efi| named(&efi.source))
            .unwrap_or_default(),
        Some(("script", key)) => {
            let Some(script) = spec.script.get(key) else {
                return Vec::new();
            };
            let mut parts = named(&script.source.to_string_lossy());
            parts.extend(script.substitute.values().flat_map(|text| named(text)));
            parts
        }
        _ => outputs(spec, part),
    }
}

/// What is needed for what `--only` calls by one word.
fn outputs(spec: &Spec, name: &str) -> Vec<String> {
    match name {
        "disk" => {
            let regions = spec.disk.iter().flat_map(|disk| &disk.region);
            regions.filter_map(|region| region.content.clone()).collect()
        }
        releases::PART => {
            let uki = spec.release.iter().filter_map(|release| release.uki.as_ref());
            let image = uki.map(|uki| format!("uki.{uki}"));
            let keyring = release_plan::KEYRING.to_owned();
            image.chain(["disk".to_owned(), keyring]).collect()
        }
        "bundle" => {
            let images = spec.bundle.iter().flat_map(|bundle| bundle.image.values());
            let version = spec.bundle.iter().filter_map(|bundle| bundle.version.as_ref());
            let contents = images.filter_map(|image| image.content.clone());
            contents.chain(version.flat_map(|text| named(text))).collect()
        }
        netboot::PART => {
            let netboot = spec.netboot.iter();
            let texts = netboot.clone().flat_map(|netboot| {
                let initrds = netboot.initrd.iter().flat_map(|sources| &sources.0);
                initrds.chain(&netboot.kernel).chain(&netboot.cmdline)
            });
            let store = netboot.map(|netboot| netboot.store.clone());
            texts.flat_map(|text| named(text)).chain(store).collect()
        }
        _ => Vec::new(),
    }
}

/// The parts that are in a file system, or named in it.
fn held(spec: &Spec, key: &str, fs: &FileSystem) -> Vec<String> {
    let menus = [
        fs.extlinux.as_ref().map(|menu| &menu.generations),
        fs.grub.as_ref().map(|menu| &menu.generations),
    ];
    let sources = fs.files.values().chain(&fs.tree).flat_map(|sources| &sources.0);
    let texts = sources
        .chain(fs.text.values())
        .chain(fs.symlinks.values())
        .chain(&fs.directories)
        .chain(
            menus
                .into_iter()
                .flatten()
                .flat_map(|generations| generations.values()),
        );
    let mut parts: Vec<String> = texts.flat_map(|text| named(text)).collect();
    // What is wrong with the keys of a release is said when it is planned.
    let started = spec.release.as_ref().map(|release| releases::uki(release, spec));
    if let Some(Ok(Some((uki, esp)))) = started
        && esp == key
    {
        parts.push(format!("uki.{uki}"));
    }
    parts
}

/// The names in a text's values that may be parts: `fs.root` of `{fs.root.roothash}`, and the longer one as well.
fn named(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    // Braces that stand for themselves are no matter: a name too many does no harm.
    for piece in text.split('{').skip(1) {
        let key = piece.split('}').next().unwrap_or_default();
        let dots = key.match_indices('.').map(|(at, _)| at).chain([key.len()]);
        names.extend(dots.skip(1).filter_map(|end| key.get(..end)).map(str::to_owned));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_texts() {
        assert_eq!(
            named("a {fs.root.id} {toplevel} {uki.main"),
            ["fs.root", "fs.root.id", "uki.main"]
        );
        assert_eq!(named("{{fs.root}}"), ["fs.root"]);
        assert!(named("no { value }").is_empty());
    }
}
