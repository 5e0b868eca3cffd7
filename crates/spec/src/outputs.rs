//! The names of the files that a specification makes.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, Result};
use crate::schema::{Disk, FileSystem, Format, Script};
use crate::{Gathered, Spec};

/// The output of a file system.
pub(crate) fn file_system(key: &str, fs: &FileSystem) -> String {
    let ending = match fs.format {
        Format::Squashfs => "squashfs",
        Format::Fat => "vfat",
    };
    fs.file.clone().unwrap_or_else(|| format!("{key}.{ending}"))
}

/// The outputs of a script: itself, and the commands in it for people.
pub(crate) fn script(key: &str, script: &Script) -> (String, String) {
    let file = script.file.clone().unwrap_or_else(|| format!("{key}.scr"));
    let readable = Path::new(&file).with_extension("cmd");
    (file, readable.to_string_lossy().into_owned())
}

/// The output of the disk.
pub(crate) fn disk(disk: &Disk, gathered: &Gathered) -> String {
    disk.file
        .clone()
        .unwrap_or_else(|| format!("{}.img", gathered.name))
}

/// The output that lists all others.
#[must_use]
pub fn manifest(gathered: &Gathered) -> String {
    format!("{}.manifest.json", gathered.name)
}

/// Refuses names that lead out of the output folder, and names that come twice.
pub(crate) fn check(spec: &Spec, gathered: &Gathered) -> Result<()> {
    check_name("name", &manifest(gathered), &gathered.name)?;
    let mut files = vec![(manifest(gathered), "the manifest".to_string())];
    for (key, fs) in &spec.fs {
        files.push((file_system(key, fs), format!("fs.{key}")));
    }
    for (key, part) in &spec.script {
        let (file, readable) = script(key, part);
        files.push((file, format!("script.{key}")));
        files.push((readable, format!("script.{key} (its commands)")));
    }
    if let Some(part) = &spec.disk {
        files.push((disk(part, gathered), "disk".to_string()));
    }
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (file, part) in files {
        check_name(&format!("{part}.file"), &file, &file)?;
        if let Some(first) = seen.insert(file.clone(), part.clone()) {
            return Err(Error::FileTwice {
                file,
                first,
                second: part,
            });
        }
    }
    Ok(())
}

/// `file` is the name of a file in the output folder; `said` is what the specification says at `place`.
fn check_name(place: &str, file: &str, said: &str) -> Result<()> {
    if Path::new(file).file_name() == Some(file.as_ref()) && !file.contains('\0') {
        return Ok(());
    }
    Err(Error::BadValue {
        place: place.to_string(),
        problem: format!("{said:?}: must be the name of a file, without folders"),
    })
}
