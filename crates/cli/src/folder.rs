//! The folder that receives outputs, locked while they are made.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::failure::Failure;

/// A folder that nobody else builds into. The lock ends with the value, or with the process.
#[derive(Debug)]
pub(crate) struct OutFolder {
    pub(crate) path: PathBuf,
    _lock: File,
}

impl OutFolder {
    pub(crate) fn lock(path: &Path) -> Result<OutFolder, Failure> {
        let shown = path.display();
        if !path.is_dir() {
            return Err(missing(path));
        }
        let lock = File::open(path).map_err(|error| Failure::output(format!("{shown}: {error}"), None))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(OutFolder {
                path: path.to_path_buf(),
                _lock: lock,
            }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let hint = Some("wait for it, or choose another --out".to_string());
                Err(Failure::output(
                    format!("{shown}: another kiln is building into this folder"),
                    hint,
                ))
            }
            Err(error) => Err(Failure::output(
                format!("{shown}: cannot be locked: {error}"),
                None,
            )),
        }
    }
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
