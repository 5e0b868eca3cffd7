//! The end of a release: its files are written, and their sums are listed and signed.

use std::path::Path;

use image::{Content, Sums, Target, Written};
use release::sums::{self, Entry};
use spec::{PlannedRelease, Spec, Transport};

use super::Releases;
use crate::failure::Failure;
use crate::manifest::FileEntry;
use crate::outputs;
use crate::ui::Ui;

/// Lists the files of a release that were written, signs the list, and answers with what was written last.
pub(crate) fn finish(
    release: &PlannedRelease,
    releases: &Releases,
    made: &[Written],
    out: &Path,
    ui: &Ui,
) -> Result<Vec<(Written, FileEntry)>, Failure> {
    let folder = out.join(&release.folder);
    let mut entries = Vec::new();
    for written in made
        .iter()
        .filter(|written| written.path().parent() == Some(folder.as_path()))
    {
        let name = written.path().file_name().unwrap_or_default().to_string_lossy();
        entries.push(entry(&name, written)?);
    }
    let mut files = Vec::new();
    if let Some(day) = &release.best_before {
        let name = format!("{}{day}", sums::BEST_BEFORE);
        let (written, file) = write(release, &name, Vec::new(), out, ui)?;
        entries.push(entry(&name, &written)?);
        files.push((written, file));
    }
    let text = sums::text(entries).into_bytes();
    // What the strictest reader refuses is not published.
    sums::read(&text).map_err(|error| Failure::usage(format!("release: {error}")))?;
    let signature = releases.sign(&text)?;
    let rest = [(sums::FILE, Some(text)), (sums::SIGNATURE_FILE, signature)];
    for (name, bytes) in rest {
        if let Some(bytes) = bytes {
            files.push(write(release, name, bytes, out, ui)?);
        }
    }
    Ok(files)
}

/// A file for the list, which names no file without a hash, and leaves none out.
fn entry(name: &str, written: &Written) -> Result<Entry, Failure> {
    let sha256 = written.digests.sha256;
    let sha256 =
        sha256.ok_or_else(|| Failure::usage(format!("release: {name} was written without its SHA-256")))?;
    Ok(Entry {
        name: name.to_owned(),
        sha256,
    })
}

fn write(
    release: &PlannedRelease,
    name: &str,
    bytes: Vec<u8>,
    out: &Path,
    ui: &Ui,
) -> Result<(Written, FileEntry), Failure> {
    let image = outputs::alone(&Content::from(bytes))?;
    let target = target(out, &release.folder, name)?;
    let transport = Transport {
        sums: Sums::File,
        ..Transport::default()
    };
    let (written, _) = outputs::write(target, &image, transport, 1, ui)?;
    let entry = FileEntry::new("release", &format!("{}/{name}", release.folder), &written);
    Ok((written, entry))
}

/// A place in the folder of a release.
pub(crate) fn target(out: &Path, folder: &str, name: &str) -> Result<Target, Failure> {
    let beside = Target::claim(&out.join(format!(".{folder}.{name}")))?;
    Ok(beside.below(folder, name))
}

/// Says what a release lacks.
pub(crate) fn warn(spec: &Spec, release: Option<&PlannedRelease>, releases: &Releases, ui: &Ui) {
    let (Some(keys), Some(release)) = (&spec.release, release) else {
        return;
    };
    let folder = &release.folder;
    if !release.unsigned.is_empty() {
        ui.warn(&format!(
            "release: is not made, because {} has no signature yet",
            release.unsigned.join(" and ")
        ));
    } else if releases.is_later() {
        ui.warn(&format!(
            "release: is not signed: `kiln release sign {folder}` does it, or build again with `release.sign.attach`, the \
             signature of {folder}/{}",
            sums::FILE
        ));
    } else if keys.sign.is_none() {
        ui.warn("release: nobody signs it (release.sign), so its transfer files tell devices to take it from anybody");
    }
}
