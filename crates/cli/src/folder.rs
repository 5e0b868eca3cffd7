//! The folders that receive outputs.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use image::Folder;

use crate::failure::Failure;

/// Claims a folder for outputs; it is made where only its parent is there.
pub(crate) fn claim(path: &Path) -> Result<Folder, Failure> {
    Folder::claim(path).map_err(|error| match &error {
        image::Error::Busy { .. } => Failure::output(
            format!("{}: another kiln is building into this folder", path.display()),
            Some("wait for it, or choose another --out".into()),
        ),
        image::Error::Write { source, .. }
            if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
        {
            missing(path)
        }
        _ => error.into(),
    })
}

/// As many links as Linux follows.
const LINKS_MAX: usize = 40;

/// The file that a name leads to, which need not be there: a link that the user gives is followed, and stays.
pub(crate) fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS_MAX {
        let Ok(target) = std::fs::read_link(&path) else {
            break;
        };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}

/// The folder of an output.
pub(crate) fn of(out: &Path) -> Result<&Path, Failure> {
    let folder = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if folder.is_dir() {
        Ok(folder)
    } else {
        Err(missing(folder))
    }
}

/// What to say of an output folder that is none.
pub(crate) fn missing(path: &Path) -> Failure {
    let shown = path.display();
    if path.exists() {
        return Failure::output(format!("{shown}: is not a folder"), None);
    }
    let hint = Some(format!("make it first: mkdir -p {shown}"));
    Failure::output(format!("{shown}: there is no such folder"), hint)
}
