//! The manifest: what was made, for machines.

use std::collections::BTreeMap;
use std::path::Path;

use image::{Digests, Written};
use serde::Serialize;
use spec::{Detail, Gathered, Hashes};

use crate::efi::{self, ProfileEntry};
use crate::layouts::{self, LayoutEntry};
use crate::release::ReleaseEntry;
use crate::reuse::{Place, SCHEMA, SegmentEntry, SegmentsEntry};
use crate::ui::{hex, size};

/// Everything that a build made. The same inputs give the same manifest.
#[derive(Debug, Serialize)]
pub(crate) struct Manifest {
    pub(crate) schema: u32,
    pub(crate) kiln: &'static str,
    pub(crate) name: String,
    pub(crate) files: Vec<FileEntry>,
    /// Where segments are, for `--reuse`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) segments: Vec<SegmentsEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) disk: Option<DiskEntry>,
    /// What PCR 11 will be, by the names of unified kernel images.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) uki: BTreeMap<String, Vec<ProfileEntry>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) release: Option<ReleaseEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) toplevel: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) layouts: Vec<LayoutEntry>,
    /// How store paths were compared with their registration, when not in full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) closure_check: Option<&'static str>,
    pub(crate) closure: Vec<PathEntry>,
}

/// An output.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FileEntry {
    pub(crate) part: String,
    pub(crate) file: String,
    pub(crate) size: u64,
    #[serde(flatten)]
    pub(crate) digests: DigestsEntry,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uncompressed: Option<Uncompressed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// The container that the disk is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<&'static str>,
}

/// What a file is known by: as `fsverity digest` prints it and, where it is there, as `sha256sum` does.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DigestsEntry {
    fsverity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

impl DigestsEntry {
    pub(crate) fn new(digests: &Digests) -> DigestsEntry {
        DigestsEntry {
            fsverity: hex(&digests.fsverity),
            sha256: digests.sha256.map(|digest| hex(&digest)),
        }
    }

    /// The one that most people can compare, for a line.
    pub(crate) fn shown(&self) -> String {
        match &self.sha256 {
            Some(sha256) => format!("sha256 {sha256}"),
            None => format!("fsverity {}", self.fsverity),
        }
    }
}

/// The only output of a command.
#[derive(Debug, Serialize)]
pub(crate) struct Made<'a> {
    file: &'a Path,
    size: u64,
    #[serde(flatten)]
    digests: DigestsEntry,
    #[serde(skip_serializing_if = "Option::is_none")]
    uncompressed: Option<Uncompressed>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    layouts: Vec<LayoutEntry>,
}

impl Made<'_> {
    pub(crate) fn new<'a>(file: &'a Path, written: &Written) -> Made<'a> {
        let FileEntry {
            size,
            digests,
            uncompressed,
            ..
        } = FileEntry::new("", "", written);
        Made {
            file,
            size,
            digests,
            uncompressed,
            layouts: Vec::new(),
        }
    }

    /// The same with what became of the closure.
    pub(crate) fn of(self, gathered: &Gathered) -> Self {
        Made {
            layouts: layouts::entries(gathered),
            ..self
        }
    }

    /// The same for people.
    pub(crate) fn line(&self) -> String {
        format!(
            "{}  {}  {}\n",
            self.file.display(),
            size(self.size),
            self.digests.shown()
        )
    }
}

/// The image in a compressed output.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Uncompressed {
    pub(crate) size: u64,
    #[serde(flatten)]
    pub(crate) digests: DigestsEntry,
}

/// The disk's regions.
#[derive(Debug, Serialize)]
pub(crate) struct DiskEntry {
    pub(crate) sector_size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    pub(crate) regions: Vec<disk::MapEntry>,
}

/// A store path.
#[derive(Debug, Serialize)]
pub(crate) struct PathEntry {
    pub(crate) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nar_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nar_size: Option<u64>,
}

impl Manifest {
    pub(crate) fn new(
        gathered: &Gathered,
        spec: &spec::Spec,
        plan: &spec::Plan,
        files: Vec<FileEntry>,
    ) -> Manifest {
        let path = |info: &nix::PathInfo| PathEntry {
            path: info.path.to_string(),
            nar_hash: info.nar_hash.map(|hash| hash.to_string()),
            nar_size: info.nar_size,
        };
        let has_paths = !gathered.closure.paths().is_empty();
        Manifest {
            schema: SCHEMA,
            kiln: env!("CARGO_PKG_VERSION"),
            name: gathered.name.clone(),
            segments: segments(spec, plan, &files),
            files,
            disk: plan.disk.as_ref().map(|(planned, _)| DiskEntry::new(planned)),
            uki: ukis(plan),
            release: plan.made_release().map(ReleaseEntry::new),
            toplevel: gathered.toplevel.as_ref().map(ToString::to_string),
            layouts: layouts::entries(gathered),
            closure_check: (has_paths && gathered.hashes != Hashes::Compared).then_some("sizes"),
            closure: gathered.closure.paths().iter().map(path).collect(),
        }
    }
}

/// What a TPM will hold, by the names of unified kernel images.
fn ukis(plan: &spec::Plan) -> BTreeMap<String, Vec<ProfileEntry>> {
    let profiles = plan.parts.iter().filter_map(|part| match &part.detail {
        Detail::Uki { profiles, .. } => Some((part.name.clone(), efi::profiles(profiles))),
        _ => None,
    });
    profiles.collect()
}

/// What `--reuse` needs to know of all file systems with segments.
fn segments(spec: &spec::Spec, plan: &spec::Plan, files: &[FileEntry]) -> Vec<SegmentsEntry> {
    let mut entries = Vec::new();
    for part in &plan.parts {
        let (Detail::Squashfs { segments, .. }
        | Detail::Btrfs { segments, .. }
        | Detail::Erofs { segments, .. }) = &part.detail
        else {
            continue;
        };
        let places = places(&part.name, spec, plan, files);
        if !segments.is_empty() && !places.is_empty() {
            entries.push(SegmentsEntry {
                part: part.name.clone(),
                places,
                segments: segments.iter().map(SegmentEntry::new).collect(),
            });
        }
    }
    entries
}

/// Where a part is; in compressed outputs last, because they take longer to read.
fn places(part: &str, spec: &spec::Spec, plan: &spec::Plan, files: &[FileEntry]) -> Vec<Place> {
    let (mut places, mut compressed) = (Vec::new(), Vec::new());
    let mut put = |of: &str, start: u64, image: Option<&str>| {
        if let Some(output) = files.iter().find(|entry| entry.part == of) {
            let (file, image) = (output.file.clone(), image.map(ToString::to_string));
            let places = match output.uncompressed {
                None => &mut places,
                Some(_) => &mut compressed,
            };
            places.push(Place { file, image, start });
        }
    };
    put(part, 0, None);
    let regions = spec.disk.iter().flat_map(|disk| &disk.region);
    for region in regions.filter(|region| region.content.as_deref() == Some(part)) {
        let map = plan.disk.iter().flat_map(|(planned, _)| &planned.map);
        if let Some(entry) = map.into_iter().find(|entry| entry.name == region.name) {
            put("disk", entry.start, None);
        }
    }
    let bundled = spec.bundle.iter().flat_map(|bundle| &bundle.image);
    for (slot, _) in bundled.filter(|(_, image)| image.content.as_deref() == Some(part)) {
        let planned = plan.bundle.iter().flat_map(|bundle| &bundle.images);
        let planned = planned.into_iter().find(|(name, _)| name == slot);
        if let Some((_, Some((file, _)))) = planned {
            put("bundle", 0, Some(file));
        }
    }
    places.append(&mut compressed);
    places
}

impl FileEntry {
    pub(crate) fn new(part: &str, file: &str, written: &Written) -> FileEntry {
        let uncompressed = written.image.map(|(size, digests)| Uncompressed {
            size,
            digests: DigestsEntry::new(&digests),
        });
        FileEntry {
            part: part.to_string(),
            file: file.to_string(),
            size: written.size,
            digests: DigestsEntry::new(&written.digests),
            uncompressed,
            id: None,
            format: None,
        }
    }
}

impl DiskEntry {
    pub(crate) fn new(planned: &disk::Planned) -> DiskEntry {
        DiskEntry {
            sector_size: planned.sector_size.bytes(),
            id: planned.id.map(|id| id.to_string()),
            regions: planned.map.clone(),
        }
    }
}
