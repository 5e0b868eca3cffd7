//! No output is its own input: nothing is written below a folder whose files go into it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use spec::Spec;

use crate::failure::Failure;

/// Refuses to write at these paths, which need not be there yet, when they lie below a folder that goes into a file
/// system, unless what they lie in is left out of it.
pub(crate) fn check<'a>(
    spec: &Spec,
    folder: &Path,
    written: impl IntoIterator<Item = &'a Path>,
) -> Result<(), Failure> {
    let inputs = spec::inputs(spec, folder);
    if inputs.is_empty() {
        return Ok(());
    }
    for path in written {
        let Some(real) = real(path) else { continue };
        for input in &inputs {
            let below = below(&input.path, &real);
            if !below.is_some_and(|below| input.takes(&below)) {
                continue;
            }
            let (shown, input) = (path.display(), input.path.display());
            return Err(Failure::usage(format!(
                "{shown}: would be written into {input}, whose files go into what is made"
            ))
            .hint("write it elsewhere, or leave it out with `exclude`"));
        }
    }
    Ok(())
}

/// A path without links on the way, as far as it is there.
fn real(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let there = absolute.ancestors().find(|ancestor| ancestor.exists())?;
    let rest = absolute.strip_prefix(there).ok()?;
    Some(std::fs::canonicalize(there).ok()?.join(rest))
}

/// Where a path lies in a folder, by whatever name the folder is known.
fn below(folder: &Path, path: &Path) -> Option<PathBuf> {
    let identity = |meta: Metadata| (meta.dev(), meta.ino());
    let wanted = identity(std::fs::metadata(folder).ok()?);
    let is_it = |ancestor: &&Path| std::fs::metadata(ancestor).is_ok_and(|meta| identity(meta) == wanted);
    let ancestor = path.ancestors().find(is_it)?;
    Some(path.strip_prefix(ancestor).ok()?.to_path_buf())
}
