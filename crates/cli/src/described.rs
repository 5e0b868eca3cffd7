//! Manifests that builds left, read: what outputs are, and what lies where on a disk. See docs/manifest.md.

use std::path::{Path, PathBuf};

use image::{Content, Keep, Kind, NodeId, Structure};
use report::Registered;
use serde::Deserialize;

use crate::failure::Failure;

/// How the name of a manifest ends.
pub(crate) const ENDING: &str = ".manifest.json";

/// The newest manifests that are read.
const SCHEMA_MAX: u32 = 2;

/// The longest manifest that is read.
const LEN_MAX: u64 = 256 << 20;

/// What is read of a manifest. The first ones have the same keys, and digests of another kind.
#[derive(Debug, Deserialize)]
pub(crate) struct Described {
    schema: u32,
    pub(crate) files: Vec<File>,
    #[serde(default)]
    disk: Option<Disk>,
    #[serde(default)]
    toplevel: Option<String>,
    #[serde(default)]
    pub(crate) closure: Vec<Known>,
}

/// A store path.
#[derive(Debug, Deserialize)]
pub(crate) struct Known {
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) nar_size: Option<u64>,
    /// The names of those that it refers to.
    #[serde(default)]
    references: Option<Vec<String>>,
}

/// An output.
#[expect(clippy::struct_field_names, reason = "the key of its name is `file`")]
#[derive(Debug, Deserialize)]
pub(crate) struct File {
    pub(crate) part: String,
    pub(crate) file: String,
    pub(crate) size: Option<u64>,
    pub(crate) fsverity: Option<String>,
    pub(crate) sha256: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Disk {
    regions: Vec<Region>,
}

#[derive(Debug, Deserialize)]
struct Region {
    kind: String,
    name: String,
    start: u64,
    end: u64,
}

impl Described {
    /// Reads a manifest.
    pub(crate) fn read(path: &Path, content: &Content) -> Result<Described, Failure> {
        let failed = |problem: String| Failure::input(format!("{}: {problem}", path.display()));
        if content.len() > LEN_MAX {
            return Err(failed(format!(
                "has {} bytes, the limit is {LEN_MAX}",
                content.len()
            )));
        }
        let manifest: Described = serde_json::from_slice(&content.to_vec()?)
            .map_err(|error| failed(format!("is no manifest of a build: {error}")))?;
        match manifest.schema {
            1..=SCHEMA_MAX => Ok(manifest),
            other => Err(failed(format!(
                "is a manifest of schema {other}, and those of 1 to {SCHEMA_MAX} are read"
            ))
            .hint("a newer kiln has made it")),
        }
    }

    /// What the specification calls a file.
    pub(crate) fn part(&self, name: &[u8]) -> Option<&str> {
        let file = self.files.iter().find(|file| file.file.as_bytes() == name)?;
        Some(&file.part)
    }

    /// The store path of the system.
    pub(crate) fn toplevel(&self) -> Option<String> {
        self.toplevel.clone()
    }

    /// Whether it says who refers to whom.
    pub(crate) fn has_references(&self) -> bool {
        self.closure.iter().any(|known| known.references.is_some())
    }

    /// Who refers to whom.
    pub(crate) fn registered(&self) -> impl Iterator<Item = Registered> {
        self.closure.iter().map(|known| Registered {
            name: base(&known.path).into(),
            references: known.references.clone(),
        })
    }

    /// The names of store paths, and the sizes of their NARs where they are known.
    pub(crate) fn nars(&self) -> impl Iterator<Item = (&str, u64)> {
        let known = self.closure.iter();
        known.map(|known| (base(&known.path), known.nar_size.unwrap_or_default()))
    }

    /// The outputs that lie beside a manifest, and where. What lies in a folder of its own, a release, is a copy of these.
    pub(crate) fn outputs(&self, path: &Path) -> impl Iterator<Item = (&File, PathBuf)> {
        let files = self.files.iter().filter(|file| !file.file.contains('/'));
        files.map(move |file| {
            // A name that leads elsewhere stays here.
            let name = Path::new(&file.file).file_name().unwrap_or_default();
            (file, path.with_file_name(name))
        })
    }

    /// Whether all outputs are beside it.
    pub(crate) fn outputs_are_beside(&self, path: &Path) -> bool {
        self.outputs(path).all(|(_, place)| place.is_file())
    }

    /// What lies on the disk outside of partitions and has a name.
    pub(crate) fn regions(&self) -> Vec<Structure> {
        let regions = self.disk.iter().flat_map(|disk| &disk.regions);
        regions
            .filter(|region| region.kind == "raw" && region.start < region.end)
            .map(|region| Structure::new(region.start, region.end - region.start, region.name.clone()))
            .collect()
    }
}

/// The manifest of a name, if there is one that makes sense.
pub(crate) fn named(path: &Path) -> Option<Described> {
    let content = Content::host_file(path).ok()?;
    Described::read(path, &content).ok()
}

/// A store path without the store.
pub(crate) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The manifest of an output, or of a folder of outputs, or the one that is named itself.
pub(crate) fn of(path: &Path) -> Option<Described> {
    if path.is_dir() {
        return beside(path).into_iter().next();
    }
    let name = path.file_name()?.as_encoded_bytes();
    if name.ends_with(ENDING.as_bytes()) {
        return Described::read(path, &crate::look::content(path).ok()?).ok();
    }
    let manifests = beside(path.parent().unwrap_or(Path::new("")));
    manifests
        .into_iter()
        .find(|manifest| manifest.part(name).is_some())
}

/// The manifests in a folder that make sense, by their names.
pub(crate) fn beside(folder: &Path) -> Vec<Described> {
    let is_here = folder.as_os_str().is_empty();
    let folder = if is_here { Path::new(".") } else { folder };
    let Ok(tree) = image::scan_entries(folder, Keep::default()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (name, id) in tree.children(NodeId::ROOT) {
        if let Kind::File(content) = &tree.node(id).kind
            && name.ends_with(ENDING.as_bytes())
        {
            found.extend(Described::read(folder, content));
        }
    }
    found
}

/// What lies on the disk that a file is, as far as the manifest beside it says, or on that of a folder or a manifest.
pub(crate) fn regions(path: &Path) -> Vec<Structure> {
    if path.is_dir() {
        return beside(path).first().map(Described::regions).unwrap_or_default();
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().map(|name| name.as_encoded_bytes().to_vec());
    let name = name.unwrap_or_default();
    let is_manifest = name.ends_with(ENDING.as_bytes());
    let manifests = beside(folder);
    let mut own = manifests
        .iter()
        .filter(|manifest| is_manifest || manifest.part(&name) == Some("disk"));
    own.next().map(Described::regions).unwrap_or_default()
}
