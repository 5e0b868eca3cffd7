//! `--reuse`: where segments are in an earlier output, as its manifest says, and as nobody has to believe.

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cache::{Earlier, Key, Record};
use image::{Content, Fault};
use inspect::{Last, Reach, Work};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::folder;
use crate::look;
use crate::ui::Ui;

/// A longer description is none.
const DESCRIPTION_MAX: u64 = 256 << 20;

/// How the description of an output is called that has no manifest.
const ENDING: &str = ".segments.json";
const MANIFEST_ENDING: &str = ".manifest.json";

/// What a manifest says of the segments of one file system, for `--reuse`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SegmentsEntry {
    /// The file system.
    pub(crate) part: String,
    /// Where it is.
    pub(crate) places: Vec<Place>,
    pub(crate) segments: Vec<SegmentEntry>,
}

/// Where a file system is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// An output.
    pub(crate) file: String,
    /// For a bundle, the image in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<String>,
    /// The first byte there.
    pub(crate) start: u64,
}

/// A segment in a file system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SegmentEntry {
    pub(crate) key: String,
    pub(crate) start: u64,
    /// Where it is in parts: the first byte and the length of each, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) parts: String,
    pub(crate) len: u64,
    /// The words of its blocks, in hexadecimal digits.
    pub(crate) blocks: String,
    pub(crate) digest: String,
}

/// The number of the form that manifests have. Those before it have a SHA-256 of each file in place of other digests.
pub(crate) const SCHEMA: u32 = 2;

/// A description: of a manifest, only what is needed here.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Description {
    /// The number of a manifest's form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) schema: Option<u32>,
    #[serde(default)]
    pub(crate) segments: Vec<SegmentsEntry>,
}

impl SegmentEntry {
    pub(crate) fn new(record: &Record) -> SegmentEntry {
        let words: Vec<String> = record.sizes.iter().map(|word| format!("{word:x}")).collect();
        let part = |part: &Range<u64>| format!("{:x}+{:x}", part.start, part.end - part.start);
        let parts: Vec<String> = record.parts.iter().map(part).collect();
        SegmentEntry {
            key: record.key.to_string(),
            start: record.start,
            parts: parts.join(" "),
            len: record.len,
            blocks: words.join(" "),
            digest: Key(record.digest).to_string(),
        }
    }

    /// The record of a segment in a file system that begins at `base`; none when it makes no sense.
    fn record(&self, base: u64) -> Option<Record> {
        let words = self
            .blocks
            .split(' ')
            .map(|word| u32::from_str_radix(word, 16).ok());
        let part = |part: &str| {
            let (start, len) = part.split_once('+')?;
            let [start, len] = [start, len].map(|number| u64::from_str_radix(number, 16).ok());
            let start = base.checked_add(start?)?;
            Some(start..start.checked_add(len?)?)
        };
        let parts = self.parts.split_terminator(' ').map(part);
        Some(Record {
            key: self.key.parse().ok()?,
            start: base.checked_add(self.start)?,
            parts: parts.collect::<Option<Vec<_>>>()?,
            sizes: words.collect::<Option<Vec<u32>>>()?,
            len: self.len,
            digest: self.digest.parse::<Key>().ok()?.0,
        })
    }
}

/// The segments of an earlier output, or of those that a description lies beside. A bundle that is damaged has none, and
/// the user is told.
pub(crate) fn open(path: &Path, ui: &Ui) -> Result<Vec<Earlier>, Failure> {
    let spool = std::env::temp_dir();
    let work = look::work(&spool, 1, ui);
    let path = &folder::followed(path);
    let (mut earlier, mut found) = (Vec::new(), false);
    for (said, description) in descriptions(path)? {
        for entry in &description.segments {
            let place = entry.places.iter().find_map(|place| {
                let file = beside(path, &place.file);
                let wanted = is_json(path) && file.is_file() || path.file_name() == file.file_name();
                wanted.then_some((place, file))
            });
            if let Some((place, file)) = place {
                found = true;
                match place.open(&file, entry, &work)? {
                    Ok(opened) => earlier.push(opened),
                    Err(problem) => {
                        ui.warn(&format!("{}: nothing of it is reused: {problem}", file.display()));
                    }
                }
            }
        }
        if found {
            if description.schema.is_some_and(|schema| schema < SCHEMA) {
                ui.warn(&format!(
                    "{}: a manifest of an older Kiln, without fs-verity digests: the segments that it names are reused",
                    said.display()
                ));
            }
            return Ok(earlier);
        }
    }
    let shown = path.display();
    Err(Failure::input(format!("{shown}: nothing beside it says which segments are in it")).hint(format!(
        "beside it, there has to be the manifest of its build, NAME{MANIFEST_ENDING}, or {shown}{ENDING}, which `kiln \
         squashfs`, `kiln btrfs` and `kiln erofs` write with --segments"
    )))
}

impl Place {
    /// Opens the file; the inner error says what is wrong with what it holds.
    fn open(
        &self,
        path: &Path,
        entry: &SegmentsEntry,
        work: &Work,
    ) -> Result<Result<Earlier, String>, Failure> {
        let records = entry
            .segments
            .iter()
            .filter_map(|segment| segment.record(self.start))
            .collect();
        let unreadable = |error| Failure::input(format!("{}: cannot be read: {error}", path.display()));
        let (file, meta) = image::open_regular(path).map_err(unreadable)?;
        match self.bytes(look::span(file, meta.len()), work) {
            Ok(bytes) => Ok(Ok(Earlier::new(path, Arc::new(bytes), records))),
            Err(error) if error.fault() == Fault::Cancelled => Err(error.into()),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// What places are counted in: an image of a bundle, or all of a file, decompressed.
    fn bytes(&self, content: Content, work: &Work) -> inspect::Result<Content> {
        let Some(image) = &self.image else {
            return inspect::plain(content, work);
        };
        let bundle = inspect::open(content, work)?;
        let found = bundle.find(image.as_bytes(), Last::Kept, Reach::Entries, work)?;
        found
            .content()
            .ok_or(inspect::Error::NoFiles("something that is no file"))
    }
}

/// The descriptions that may be those of an output, the likeliest first, and where they are.
fn descriptions(path: &Path) -> Result<Vec<(PathBuf, Description)>, Failure> {
    if is_json(path) {
        return Ok(vec![(path.to_path_buf(), read(path)?)]);
    }
    let mut own = path.as_os_str().to_owned();
    own.push(ENDING);
    let own = PathBuf::from(own);
    if own.is_file() {
        let description = read(&own)?;
        return Ok(vec![(own, description)]);
    }
    // Those of other builds need not make sense.
    let read = |file: PathBuf| read(&file).ok().map(|description| (file, description));
    Ok(manifests(path).into_iter().filter_map(read).collect())
}

/// The manifests beside an output.
#[expect(
    clippy::disallowed_methods,
    reason = "sorted here; which segments are found changes no byte"
)]
fn manifests(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(beside(path, "."))
        .into_iter()
        .flatten()
        .flatten();
    let named = |path: &PathBuf| path.to_string_lossy().ends_with(MANIFEST_ENDING);
    let mut manifests: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(named).collect();
    manifests.sort();
    manifests
}

fn read(path: &Path) -> Result<Description, Failure> {
    let failed = |problem: String| Failure::input(format!("{}: {problem}", path.display()));
    let mut bytes = Vec::new();
    let (file, _) = image::open_regular(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
    file.take(DESCRIPTION_MAX)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(format!("cannot be read: {error}")))?;
    let description: Description =
        serde_json::from_slice(&bytes).map_err(|error| failed(format!("is no manifest: {error}")))?;
    match description.schema {
        Some(schema) if schema > SCHEMA => Err(failed(format!(
            "is a manifest of form {schema}, and this Kiln reads those up to {SCHEMA}"
        ))),
        _ => Ok(description),
    }
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

/// A file in the same folder. Names that lead elsewhere stay in it.
fn beside(path: &Path, name: &str) -> PathBuf {
    let name = Path::new(name).file_name().unwrap_or_default();
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.join(name),
        _ => Path::new(".").join(name),
    }
}
