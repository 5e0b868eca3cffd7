//! `kiln release verify`: a release with the eyes of the devices that shall take it.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};

use image::Fault;
use release::names::{self, Named};
use release::sums::{self, Entry};
use release::transfers;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use signature::{OpenPgpKey, OpenPgpSignature};
use transport::{Coding, MAGIC_LEN};

use super::damaged;
use super::entry::ReleaseEntry;
use crate::args::release::Verify;
use crate::credentials;
use crate::failure::Failure;
use crate::ui::{Ui, hex, size};

/// What updates compare.
const BLOCK: usize = 4096;

/// What the names of files end with that are compressed with zstd.
const ZSTD: &str = ".zst";

/// The most blocks of an older release that are remembered: 128 GiB of them.
const BLOCKS_MAX: usize = 1 << 25;

/// What was found.
#[derive(Serialize)]
struct Report {
    id: String,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<String>,
    files: Vec<FileReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    best_before: Option<String>,
}

/// A file of a release.
#[derive(Serialize)]
struct FileReport {
    file: String,
    /// Its bytes when it is not compressed any more.
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot_size: Option<u64>,
    /// How many of its blocks of 4096 bytes the older release does not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    new_blocks: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocks: Option<u64>,
}

/// A folder that is a release.
struct Folder {
    path: PathBuf,
    entries: Vec<Entry>,
    text: Vec<u8>,
    best_before: Option<String>,
    named: Vec<Named>,
}

pub(super) fn run(args: &Verify, ui: &Ui) -> Result<(), Failure> {
    let folder = Folder::open(&args.folder)?;
    let signed_by = match &args.keyring {
        Some(keyring) => Some(signer(&folder, keyring)?),
        None => None,
    };
    let older = args.against.as_deref().map(Older::open).transpose()?;
    if let Some(older) = &older {
        older.check_names(&folder, ui)?;
    }
    let mut files = Vec::new();
    for (entry, named) in folder.entries.iter().zip(&folder.named) {
        files.push(file(&folder, entry, named, older.as_ref())?);
    }
    let first = folder.named.first();
    let report = Report {
        id: first.map(|named| named.id.clone()).unwrap_or_default(),
        version: first.map(|named| named.version.clone()).unwrap_or_default(),
        signed_by,
        files,
        best_before: folder.best_before.clone(),
    };
    if report.signed_by.is_none() {
        ui.warn("nobody has checked who signed it: --keyring is the file of the keys that devices have");
    }
    if ui.json() {
        return ui.print_json(&report);
    }
    ui.print(&report.text())
}

impl Folder {
    /// Reads the list, and what its names say.
    fn open(path: &Path) -> Result<Folder, Failure> {
        let sums_path = path.join(sums::FILE);
        let text = credentials::read(&sums_path)?.to_vec();
        let all = sums::read(&text).map_err(|error| damaged(&sums_path, &error))?;
        let (mut entries, mut named, mut best_before) = (Vec::new(), Vec::<Named>::new(), None);
        for entry in all {
            if let Some(day) = entry.name.strip_prefix(sums::BEST_BEFORE) {
                best_before = Some(day.to_owned());
                continue;
            }
            let failed = |problem: String| {
                Failure::new(
                    Fault::Damaged,
                    format!("{}: {:?}: {problem}", sums_path.display(), entry.name),
                )
            };
            let name = names::read(&entry.name)
                .ok_or_else(|| failed("is no name of a partition or an image of a release".into()))?;
            if let Some(first) = named.first()
                && (&first.id, &first.version) != (&name.id, &name.version)
            {
                return Err(failed(format!(
                    "is not of {} {}, as others are",
                    first.id, first.version
                )));
            }
            named.push(name);
            entries.push(entry);
        }
        if entries.is_empty() {
            return Err(Failure::new(
                Fault::Damaged,
                format!("{}: lists no file", sums_path.display()),
            ));
        }
        Ok(Folder {
            path: path.to_path_buf(),
            entries,
            text,
            best_before,
            named,
        })
    }

    /// The bytes of a file, as they come into a partition.
    fn payload(&self, name: &str) -> Result<Box<dyn Read>, Failure> {
        let path = self.path.join(name);
        payload(Box::new(open(&path)?), &path)
    }
}

fn open(path: &Path) -> Result<std::fs::File, Failure> {
    let opened = image::open_regular(path);
    let (file, _) =
        opened.map_err(|error| Failure::input(format!("{}: cannot be read: {error}", path.display())))?;
    Ok(file)
}

/// Decompresses, by what the bytes are and not by the name, as devices do.
fn payload(mut reader: Box<dyn Read>, path: &Path) -> Result<Box<dyn Read>, Failure> {
    let failed =
        |error: std::io::Error| Failure::input(format!("{}: cannot be read: {error}", path.display()));
    let mut head = Vec::new();
    reader
        .by_ref()
        .take(MAGIC_LEN as u64)
        .read_to_end(&mut head)
        .map_err(failed)?;
    let coding = Coding::of_magic(&head).unwrap_or(Coding::None);
    let whole = std::io::Cursor::new(head).chain(reader);
    transport::decode(coding, whole).map_err(failed)
}

/// Who signed the list.
fn signer(folder: &Folder, keyring: &Path) -> Result<String, Failure> {
    let keys = OpenPgpKey::read_keyring(&credentials::read(keyring)?, &keyring.to_string_lossy())?;
    let path = folder.path.join(sums::SIGNATURE_FILE);
    if !path.exists() {
        let problem = format!("{}: is not there: nobody has signed the release", path.display());
        return Err(Failure::new(Fault::Untrusted, problem));
    }
    let at = |error: signature::Error| Failure::from(error).at(&path);
    let signature = OpenPgpSignature::read(&credentials::read(&path)?).map_err(at)?;
    Ok(signature.verify(&folder.text, &keys).map_err(at)?.shown())
}

/// Checks a file, and compares it with the older one.
fn file(folder: &Folder, entry: &Entry, named: &Named, older: Option<&Older>) -> Result<FileReport, Failure> {
    let path = folder.path.join(&entry.name);
    let failed = |error: std::io::Error| {
        Failure::new(
            Fault::Damaged,
            format!("{}: cannot be read: {error}", path.display()),
        )
    };
    let mut hash = Sha256::new();
    let hear = |block: &[u8; BLOCK], count: usize| hash.update(block.get(..count).unwrap_or_default());
    each_block(&mut open(&path)?, hear).map_err(failed)?;
    let found: [u8; 32] = hash.finalize().into();
    if found != entry.sha256 {
        return Err(Failure::new(
            Fault::Damaged,
            format!(
                "{}: its SHA-256 is {}, the list says {}",
                path.display(),
                hex(&found),
                hex(&entry.sha256)
            ),
        ));
    }
    let known = match older {
        Some(older) => older.blocks(named)?,
        None => None,
    };
    let (mut len, mut blocks, mut new_blocks) = (0, 0, 0);
    let mut reader: Box<dyn Read> = match named.region {
        Some(_) => folder.payload(&entry.name)?,
        None => Box::new(open(&path)?),
    };
    each_block(&mut reader, |block, count| {
        len += count as u64;
        blocks += 1;
        let is_known = known.as_ref().is_none_or(|known| known.contains(&name_of(block)));
        new_blocks += u64::from(!is_known);
    })
    .map_err(failed)?;
    let slot_size = older.and_then(|older| older.slot_size(named));
    if let Some(slot_size) = slot_size.filter(|slot_size| len > *slot_size) {
        return Err(Failure::new(
            Fault::Limit,
            format!(
                "{}: has {len} bytes, {} more than the {slot_size} of the slots that devices have",
                path.display(),
                len - slot_size
            ),
        ));
    }
    Ok(FileReport {
        file: entry.name.clone(),
        size: len,
        slot_size,
        new_blocks: known.is_some().then_some(new_blocks),
        blocks: known.is_some().then_some(blocks),
    })
}

/// Hands over each block, the last one filled with zeros, and how many bytes it has.
fn each_block(reader: &mut dyn Read, mut hear: impl FnMut(&[u8; BLOCK], usize)) -> std::io::Result<()> {
    let mut block = [0; BLOCK];
    loop {
        let mut filled = 0;
        while filled < BLOCK {
            match reader.read(block.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if filled == 0 {
            return Ok(());
        }
        if let Some(rest) = block.get_mut(filled..) {
            rest.fill(0);
        }
        hear(&block, filled);
    }
}

/// What a block is known by: sixteen bytes of its hash are enough to count.
fn name_of(block: &[u8; BLOCK]) -> u128 {
    let digest = Sha256::digest(block);
    digest
        .iter()
        .take(16)
        .fold(0, |name, byte| name << 8 | u128::from(*byte))
}

/// What is read of a manifest.
#[derive(Deserialize)]
struct Manifest {
    release: Option<ReleaseEntry>,
}

/// An older release.
struct Older {
    folder: Option<Folder>,
    manifest: Option<ReleaseEntry>,
    path: PathBuf,
}

impl Older {
    fn open(path: &Path) -> Result<Older, Failure> {
        let shown = path.display();
        if path.is_dir() {
            return Ok(Older {
                folder: Some(Folder::open(path)?),
                manifest: None,
                path: path.to_path_buf(),
            });
        }
        let manifest: Manifest = serde_json::from_slice(&credentials::read(path)?).map_err(|error| {
            Failure::input(format!("{shown}: is neither a folder nor a manifest: {error}"))
        })?;
        let Some(entry) = manifest.release else {
            return Err(Failure::input(format!(
                "{shown}: is the manifest of a build without [release]"
            )));
        };
        let folder = path.parent().unwrap_or(Path::new("")).join(&entry.folder);
        let folder = folder.join(sums::FILE).exists().then(|| Folder::open(&folder));
        Ok(Older {
            folder: folder.transpose()?,
            manifest: Some(entry),
            path: path.to_path_buf(),
        })
    }

    /// What its files are called.
    fn named(&self) -> Result<Vec<Named>, Failure> {
        let Some(entry) = &self.manifest else {
            return Ok(self
                .folder
                .iter()
                .flat_map(|folder| folder.named.clone())
                .collect());
        };
        let files = entry.partitions.iter().map(|partition| &partition.file);
        let named = |file: &String| {
            names::read(file).ok_or_else(|| {
                let shown = self.path.display();
                Failure::input(format!(
                    "{shown}: release: {file:?} is no name of a release's file"
                ))
            })
        };
        files.chain(&entry.uki).map(named).collect()
    }

    /// A device has transfers for what the older release has, and takes nothing that lacks one of them.
    fn check_names(&self, new: &Folder, ui: &Ui) -> Result<(), Failure> {
        let (named, shown) = (self.named()?, self.path.display());
        let (Some(old), Some(first)) = (named.first(), new.named.first()) else {
            return Ok(());
        };
        if first.id != old.id {
            return Err(Failure::usage(format!(
                "{shown}: is a release of {}, and the new one is of {}",
                old.id, first.id
            )));
        }
        if first.version == old.version {
            return Err(Failure::usage(format!(
                "{shown}: is version {}, too: no device would take the new one",
                old.version
            )));
        }
        for known in &named {
            let what = known
                .region
                .as_ref()
                .map_or_else(|| "image".into(), |region| format!("file of {region}"));
            let failed =
                |problem: &str| Failure::usage(format!("{}: has no {what} {problem}", new.path.display()));
            let found = new.named.iter().find(|named| named.region == known.region);
            let Some(found) = found else {
                return Err(failed(&format!(
                    "as {} has: devices look for one, and would not see the version",
                    known.version
                )));
            };
            match (known.uuid, found.uuid) {
                (Some(_), None) => {
                    return Err(failed(
                        "with a UUID in its name: devices look for one, and would not see the version",
                    ));
                }
                (None, Some(_)) => {
                    return Err(failed(
                        "without a UUID in its name: devices look for one, and would not see the version",
                    ));
                }
                _ => {}
            }
        }
        self.check_endings(&named, new, ui)
    }

    /// Devices look for what their systemd decompresses: xz, or nothing, or zstd as well.
    fn check_endings(&self, named: &[Named], new: &Folder, ui: &Ui) -> Result<(), Failure> {
        let mut files = new.named.iter().zip(&new.entries);
        let Some((_, entry)) = files.find(|(named, _)| named.ending == ZSTD) else {
            return Ok(());
        };
        let systemd = self.manifest.as_ref().and_then(|entry| entry.systemd);
        let problem = format!(
            "{}: devices with a systemd before {} do not look for {ZSTD}, and would not see the version",
            new.path.join(&entry.name).display(),
            transfers::SYSTEMD_ZSTD
        );
        match systemd {
            _ if named.iter().any(|known| known.ending == ZSTD) => Ok(()),
            Some(systemd) if systemd >= transfers::SYSTEMD_ZSTD => Ok(()),
            Some(systemd) => Err(Failure::usage(problem).hint(format!(
                "the older release is for systemd {systemd}: say compress = \"xz\""
            ))),
            None => {
                ui.warn(&problem);
                Ok(())
            }
        }
    }

    fn slot_size(&self, named: &Named) -> Option<u64> {
        let region = named.region.as_deref()?;
        let partitions = &self.manifest.as_ref()?.partitions;
        Some(partitions.iter().find(|known| known.region == region)?.slot_size)
    }

    /// The blocks of the same thing.
    fn blocks(&self, named: &Named) -> Result<Option<HashSet<u128>>, Failure> {
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        let all = folder.entries.iter().zip(&folder.named);
        let Some((entry, _)) = all.into_iter().find(|(_, known)| known.region == named.region) else {
            return Ok(None);
        };
        let path = folder.path.join(&entry.name);
        let mut reader: Box<dyn Read> = match named.region {
            Some(_) => folder.payload(&entry.name)?,
            None => Box::new(open(&path)?),
        };
        let mut blocks = HashSet::new();
        each_block(&mut reader, |block, _| {
            if blocks.len() < BLOCKS_MAX {
                blocks.insert(name_of(block));
            }
        })
        .map_err(|error| {
            Failure::new(
                Fault::Damaged,
                format!("{}: cannot be read: {error}", path.display()),
            )
        })?;
        Ok(Some(blocks))
    }
}

impl Report {
    fn text(&self) -> String {
        let mut text = format!("{} {}", self.id, self.version);
        if let Some(key) = &self.signed_by {
            let _ = write!(text, ", signed by {key}");
        }
        if let Some(day) = &self.best_before {
            let _ = write!(text, ", best before {day}");
        }
        text.push('\n');
        let width = self.files.iter().map(|file| file.file.len()).max().unwrap_or(0);
        let (mut all, mut new) = (0, 0);
        for file in &self.files {
            let _ = write!(text, "{:width$}  {:>11}", file.file, size(file.size));
            if let Some(slot_size) = file.slot_size {
                let _ = write!(text, " of {}", size(slot_size));
            }
            if let (Some(count), Some(blocks)) = (file.new_blocks, file.blocks) {
                let _ = write!(text, ", {count} of {blocks} blocks new");
                all += blocks;
                new += count;
            }
            text.push('\n');
        }
        if all > 0 {
            let _ = writeln!(text, "new blocks of 4096 bytes: {new} of {all}");
        }
        text
    }
}
