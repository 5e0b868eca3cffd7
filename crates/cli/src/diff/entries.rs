//! Differences, for machines and for people.

use std::collections::BTreeMap;

use serde::Serialize;

/// A part that is not the same in both.
#[derive(Debug, Default, Serialize)]
pub(super) struct PartEntry {
    /// Where it is; empty for what was opened.
    pub(super) path: String,
    /// `added`, `removed` or `changed`.
    pub(super) change: &'static str,
    /// What it is, before and after.
    pub(super) format: Pair<&'static str>,
    /// Bytes, before and after.
    pub(super) size: Pair<u64>,
    /// Why one of them could not be looked into, as far as that was tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) problems: Vec<String>,
    /// What it says of itself that differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) options: Vec<OptionEntry>,
    /// Of a disk: what differs outside of partitions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) regions: Vec<RegionEntry>,
    /// Files, without those of store paths that are in one alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<FileEntry>,
    /// Store paths, by the names of their packages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) packages: Vec<PackageEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) update: Option<UpdateEntry>,
    /// With `--bytes`: the first byte that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first: Option<FirstEntry>,
}

/// Something before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Pair<T> {
    pub(super) before: Option<T>,
    pub(super) after: Option<T>,
}

impl<T> Pair<T> {
    pub(super) fn both(before: T, after: T) -> Pair<T> {
        Pair {
            before: Some(before),
            after: Some(after),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct OptionEntry {
    pub(super) name: String,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct RegionEntry {
    pub(super) name: String,
    pub(super) start: u64,
    pub(super) end: u64,
    /// The first byte that differs.
    pub(super) first: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct FileEntry {
    pub(super) path: String,
    pub(super) change: &'static str,
    /// Of what is in both: what differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Vec<&'static str>,
    /// Bytes of its content.
    pub(super) bytes: Pair<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct PackageEntry {
    pub(super) name: String,
    /// Versions; an empty one where there is none.
    pub(super) versions: Pair<Vec<String>>,
    /// Bytes of its files.
    pub(super) bytes: Pair<u64>,
}

/// What an update costs a device that has the first.
#[derive(Debug, Serialize)]
pub(super) struct UpdateEntry {
    pub(super) block_size: u64,
    pub(super) blocks: u64,
    /// Blocks that are not what is at their place.
    pub(super) changed_blocks: u64,
    /// Blocks that are nowhere in the first.
    pub(super) new_blocks: u64,
    /// Of an image in a bundle: the bytes that RAUC fetches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fetched: Option<FetchedEntry>,
    /// The bytes of new blocks, by what they belong to.
    pub(super) causes: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct FetchedEntry {
    /// `block-hash-index`, or `everything` where the manifest has no such method for the image.
    pub(super) method: &'static str,
    pub(super) bytes: u64,
    /// How many of these are the index.
    pub(super) index: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct FirstEntry {
    /// The byte, counted from the part's start.
    pub(super) byte: u64,
    /// What is there, before and after.
    pub(super) structure: Pair<String>,
}
