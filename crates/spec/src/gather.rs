//! The closure of a specification, read and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use image::{Content, Kind, NodeId, Progress, Seed, Tree};
use nix::{Checked, Checking, Depth, Mismatch, StorePath, Wanted};

use crate::Spec;
use crate::error::{Error, Result};
use crate::formats;
use crate::schema::{Check, FileSystem, Format};
use crate::sources::{self, Access};

/// Everything that comes from outside, ready to be planned with.
#[derive(Debug)]
pub struct Gathered {
    /// The store paths, with the hashes that were found.
    pub closure: nix::Closure,
    /// The tree of all store paths under `/nix/store`; empty without a closure.
    pub tree: Tree,
    /// SHA-256 of files in that tree, where they matter for finding duplicates.
    pub digests: nix::Digests,
    /// The trees of file systems that come out of archives, by the file systems' names.
    pub archives: BTreeMap<String, Tree>,
    /// The roots of file systems with a layout, by the file systems' names.
    pub roots: BTreeMap<String, layout::LaidOut>,
    /// The store paths whose hash was not the registered one. Empty unless that is allowed.
    pub rehashed: Vec<nix::Difference>,
    /// What is known of the closure's hashes.
    pub hashes: Hashes,
    /// The system.
    pub toplevel: Option<StorePath>,
    /// What all ids derive from.
    pub seed: Seed,
    /// The specification's name with its braces replaced.
    pub name: String,
    /// What Nix knows of packages.
    pub meta: sbom::Meta,
}

/// What to do with store paths, as `kiln build` and `kiln plan` differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rehash {
    /// Compare every path with its registration; a difference is an error.
    Compare,
    /// Compare, and take the found hash where they differ.
    Accept,
    /// Believe the registration: for plans that write nothing.
    Skip,
}

/// What is known of a closure's hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hashes {
    /// Somebody has said them, and nobody has compared: they name nothing.
    Claimed,
    /// The store that the paths lie in has registered them. Under such a name things are looked for; before something gets
    /// it, the paths are compared.
    Registered,
    /// They are those of what lies in the store.
    Compared,
}

/// Who says which hashes store paths have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registrar {
    /// The database of the store that they lie in.
    Store,
    /// A file, or another store.
    Other,
}

impl Registrar {
    /// Whether its hashes name something of a file system before anything else could compare them. A squashfs and an erofs ask for
    /// that when they know what they have to make; of a btrfs, what is not compressed is read out of the files, and has to be what a
    /// segment's sums are of.
    fn has_to_be_compared_for(self, fs: &FileSystem) -> bool {
        let asks = self == Registrar::Store && matches!(fs.format, Format::Squashfs | Format::Erofs);
        formats::names_segments(fs) && !asks
    }
}

/// Reads the closure and finds out what the whole specification derives from.
///
/// # Errors
/// When the closure cannot be read, contradicts itself, is not to be trusted, or a store path is not what it is
/// registered as.
pub fn gather(spec: &Spec, rehash: Rehash, access: &Access) -> Result<Gathered> {
    let mut gathered = Gathered {
        closure: nix::Closure::default(),
        tree: Tree::default(),
        digests: Vec::new(),
        archives: BTreeMap::new(),
        roots: BTreeMap::new(),
        rehashed: Vec::new(),
        hashes: Hashes::Claimed,
        toplevel: None,
        seed: Seed::new(spec.seed.as_deref().unwrap_or_default().as_bytes()),
        name: String::new(),
        meta: sbom::Meta::default(),
    };
    for (key, fs) in &spec.fs {
        formats::check_keys(key, fs)?;
        crate::subvolumes::check(key, fs)?;
        crate::attributes::check(key, fs)?;
    }
    gathered.archives = crate::host::archives(spec, access.folder, access.spool, access.progress)?;
    match &spec.closure {
        Some(source) => sources::take(&mut gathered, source, spec, rehash, access)?,
        None => gathered.settle(spec, access.folder)?,
    }
    gathered.roots = crate::layouts::roots(spec, &gathered, access.progress)?;
    Ok(gathered)
}

/// The system's path: the given one, or the only one that nothing refers to. It may stay unknown when nothing
/// in the specification needs it, as for a bare list of store paths.
fn toplevel(closure: &nix::Closure, given: Option<&str>, spec: &Spec) -> Result<Option<StorePath>> {
    let bad = |error: nix::Error| Error::BadValue {
        place: "closure.toplevel".to_string(),
        problem: error.to_string(),
    };
    let given = given.map(str::parse::<StorePath>).transpose().map_err(bad)?;
    match closure.toplevel(given.as_ref()) {
        Ok(path) => Ok(Some(path.clone())),
        Err(error) if given.is_some() => Err(bad(error)),
        Err(error) if crate::trees::mentions_toplevel(spec) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// Without a seed of its own, a specification derives its ids from its name and its store paths.
pub(crate) fn seed_of(spec: &Spec, name: &str, closure: &nix::Closure) -> Seed {
    if let Some(seed) = &spec.seed {
        return Seed::new(seed.as_bytes());
    }
    let mut text = name.to_string();
    for info in closure.paths() {
        let _ = write!(text, "\n{}", info.path);
    }
    Seed::new(text.as_bytes())
}

pub(crate) fn unknown(place: &str, key: &str, known: &[&str]) -> Error {
    Error::Unknown {
        place: place.to_string(),
        what: format!("value {{{key}}}"),
        hint: Some(crate::text::choice(key, known)),
    }
}

fn not_a(path: &str, found: &str, what: &str, place: &str) -> Error {
    Error::NotA {
        place: place.to_string(),
        problem: format!("{path} {found}, which is no {what}"),
    }
}

/// The values that come from the closure.
pub(crate) const CLOSURE_VALUES: [&str; 7] = [
    "toplevel",
    "kernel",
    "initrd",
    "dtbs",
    "version",
    "series",
    "kernel-params",
];

impl Gathered {
    /// Takes a closure and its tree, and settles what follows from them.
    pub(crate) fn take(
        &mut self,
        closure: nix::Closure,
        tree: Tree,
        spec: &Spec,
        folder: &Path,
    ) -> Result<()> {
        let given = spec
            .closure
            .as_ref()
            .and_then(|source| source.toplevel.as_deref());
        self.toplevel = toplevel(&closure, given, spec)?;
        (self.closure, self.tree) = (closure, tree);
        self.settle(spec, folder)
    }

    /// Finds name and seed, and says what cannot fit before gigabytes are read.
    fn settle(&mut self, spec: &Spec, folder: &Path) -> Result<()> {
        self.name = crate::expand::expand(&spec.name, "name", |key| match key {
            "version" | "series" => self.value(key, "name"),
            _ => Err(unknown("name", key, &["version", "series"])),
        })?;
        self.seed = seed_of(spec, &self.name, &self.closure);
        crate::layouts::check(spec, self)?;
        if let Some(sbom) = &spec.sbom {
            self.meta = crate::bills::meta(sbom, folder)?;
        }
        crate::parts::check(spec, self, folder)
    }

    /// Compares all store paths with their registration, as much of them as the specification wants. Those who registered
    /// them are the store that they lie in, or others.
    pub(crate) fn check(
        &mut self,
        spec: &Spec,
        rehash: Rehash,
        registrar: Registrar,
        progress: &dyn Progress,
    ) -> Result<()> {
        let mismatch = match rehash {
            Rehash::Compare => Mismatch::Fail,
            Rehash::Accept => Mismatch::Rehash,
            Rehash::Skip => return Ok(()),
        };
        if self.closure.paths().is_empty() {
            return Ok(());
        }
        let sizes = spec.closure.as_ref().and_then(|source| source.check) == Some(Check::Sizes);
        let (depth, hashes) = match registrar {
            // What differs is taken as it is found, so all of it has to be found.
            _ if !sizes || rehash == Rehash::Accept => (Depth::Full, Hashes::Compared),
            _ if spec.fs.values().any(|fs| registrar.has_to_be_compared_for(fs)) => {
                (Depth::Full, Hashes::Compared)
            }
            Registrar::Store => (Depth::Sizes, Hashes::Registered),
            Registrar::Other => (Depth::Sizes, Hashes::Claimed),
        };
        let checking = Checking {
            mismatch,
            depth,
            wanted: if spec.fs.values().any(formats::finds_equal_files) {
                Wanted::Repeated
            } else {
                Wanted::None
            },
        };
        let Checked { digests, rehashed } = nix::check(&mut self.closure, &self.tree, progress, checking)?;
        (self.digests, self.rehashed) = (digests, rehashed);
        self.hashes = hashes;
        Ok(())
    }

    /// Compares these store paths of the closure, which nobody has read yet, with their registration.
    pub(crate) fn compare(&self, paths: &BTreeSet<StorePath>, progress: &dyn Progress) -> Result<()> {
        let mut closure = self.closure.only(paths)?;
        nix::check(&mut closure, &self.tree, progress, Checking::default())?;
        Ok(())
    }

    /// One of the values that come from the closure, which `CLOSURE_VALUES` lists.
    pub(crate) fn value(&self, key: &str, place: &str) -> Result<String> {
        let toplevel = self.toplevel.as_ref().ok_or_else(|| Error::BadValue {
            place: place.to_string(),
            problem: format!("{{{key}}} needs a [closure] with a toplevel"),
        })?;
        match key {
            "toplevel" => Ok(toplevel.to_string()),
            "kernel" | "initrd" | "dtbs" => Ok(format!("{toplevel}/{key}")),
            "version" => self.version(toplevel, place),
            "series" => Ok(series(&self.version(toplevel, place)?).to_string()),
            "kernel-params" => self.line(&format!("{toplevel}/kernel-params"), "line of parameters", place),
            _ => Err(unknown(place, key, &CLOSURE_VALUES)),
        }
    }

    fn version(&self, toplevel: &StorePath, place: &str) -> Result<String> {
        let path = format!("{toplevel}/nixos-version");
        let text = self.line(&path, "version", place)?;
        // Outputs are called by it.
        if text.is_empty() || text.contains('/') || text.contains(char::is_control) {
            return Err(not_a(&path, &format!("says {text:?}"), "version", place));
        }
        Ok(text)
    }

    /// The only line of a small file in the closure, which is a `what`.
    fn line(&self, path: &str, what: &str, place: &str) -> Result<String> {
        let Kind::File(content) = &self.tree.node(self.find(path, place)?).kind else {
            return Err(Error::NotInClosure {
                place: place.to_string(),
                path: path.to_string(),
            });
        };
        if content.len() > 4096 {
            return Err(not_a(path, &format!("has {} bytes", content.len()), what, place));
        }
        let text = String::from_utf8_lossy(&content.to_vec()?).trim().to_string();
        if text.contains('\n') {
            return Err(not_a(path, &format!("says {text:?}"), what, place));
        }
        Ok(text)
    }

    /// What lies at a path in the closure, with symbolic links followed.
    pub(crate) fn find(&self, path: &str, place: &str) -> Result<NodeId> {
        let found = nix::resolve(&self.tree, path.as_bytes());
        found.map(|found| found.node).ok_or_else(|| Error::NotInClosure {
            place: place.to_string(),
            path: path.to_string(),
        })
    }

    /// The content of a file at a path in the closure.
    pub(crate) fn content(&self, id: NodeId) -> Option<&Content> {
        match &self.tree.node(id).kind {
            Kind::File(content) => Some(content),
            _ => None,
        }
    }
}

/// The release series of a version: 25.11 of 25.11.20261121; the whole version when it has none.
fn series(version: &str) -> &str {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let year = digits(version);
    let month = version.get(year + 1..).map_or(0, digits);
    if year > 0 && month > 0 && version[year..].starts_with('.') {
        &version[..=year + month]
    } else {
        version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_versions() {
        for (version, wanted) in [
            ("25.11.2026.abc", "25.11"),
            ("25.11", "25.11"),
            ("unstable", "unstable"),
            ("25.", "25."),
            ("25é", "25é"),
        ] {
            assert_eq!(series(version), wanted);
        }
    }
}
