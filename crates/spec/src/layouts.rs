//! Closures that become roots: what the keys `layout`, `env` and `merge-usr` mean.

use std::collections::BTreeMap;

use image::{Progress, Silent, Tree};
use layout::{LaidOut, Layout, Usr};
use nix::StorePath;

use crate::Spec;
use crate::error::{Error, Result};
use crate::expand::expand;
use crate::gather::Gathered;
use crate::schema::{self, FileSystem};

/// Whether a file system has the whole store, with the nodes that it has in the closure's tree.
pub(crate) fn keeps_store(fs: &FileSystem) -> bool {
    matches!(
        fs.layout,
        Some(schema::Layout::Links | schema::Layout::Hardlinks | schema::Layout::Copies)
    )
}

/// Refuses what does not go together, and environments that are not there.
pub(crate) fn check(spec: &Spec, gathered: &Gathered) -> Result<()> {
    for (key, fs) in &spec.fs {
        let part = format!("fs.{key}");
        let bad = |problem: &str| {
            Err(Error::BadValue {
                place: part.clone(),
                problem: problem.to_string(),
            })
        };
        let Some(layout) = fs.layout else {
            if fs.env.is_some() || fs.merge_usr {
                return bad("env and merge-usr belong to a layout");
            }
            continue;
        };
        if gathered.closure.paths().is_empty() {
            return bad("a layout needs a [closure] with store paths");
        }
        if layout == schema::Layout::Fhs {
            let registered = [
                ("closure = true", fs.closure),
                ("database = true", fs.database),
                ("registration", fs.registration.is_some()),
                ("extlinux", fs.extlinux.is_some()),
                ("grub", fs.grub.is_some()),
            ];
            if let Some((key, _)) = registered.iter().find(|(_, given)| *given) {
                return bad(&format!(
                    "{key} needs a store, and a root of layout = \"fhs\" has none; links, hardlinks and copies have"
                ));
            }
        } else if fs.merge_usr {
            return bad("merge-usr belongs to layout = \"fhs\"");
        }
        let env = env(key, fs, gathered)?;
        layout::check_env(&gathered.tree, env.as_bytes()).map_err(|source| Error::Layout { part, source })?;
    }
    Ok(())
}

/// The roots of all file systems that have a layout.
pub(crate) fn roots(
    spec: &Spec,
    gathered: &Gathered,
    progress: &dyn Progress,
) -> Result<BTreeMap<String, LaidOut>> {
    let with_layout = spec.fs.iter().filter(|(_, fs)| fs.layout.is_some());
    let root = |(key, fs): (&String, &FileSystem)| Ok((key.clone(), lay_out(key, fs, gathered, progress)?));
    with_layout.map(root).collect()
}

/// The root of one of them.
pub(crate) fn root(key: &str, fs: &FileSystem, gathered: &Gathered) -> Result<Tree> {
    match gathered.roots.get(key) {
        Some(root) => Ok(root.tree.clone()),
        // Asked for before everything was gathered.
        None => Ok(lay_out(key, fs, gathered, &Silent)?.tree),
    }
}

fn lay_out(key: &str, fs: &FileSystem, gathered: &Gathered, progress: &dyn Progress) -> Result<LaidOut> {
    let layout = match fs.layout {
        None | Some(schema::Layout::Links) => Layout::Links,
        Some(schema::Layout::Hardlinks) => Layout::HardLinks,
        Some(schema::Layout::Copies) => Layout::Copies,
        Some(schema::Layout::Fhs) if fs.merge_usr => Layout::Fhs(Usr::Merged),
        Some(schema::Layout::Fhs) => Layout::Fhs(Usr::AsItIs),
    };
    let paths = gathered.closure.paths().iter();
    let paths: Vec<StorePath> = paths.map(|info| info.path.clone()).collect();
    let env = env(key, fs, gathered)?;
    layout::lay_out(&gathered.tree, &paths, env.as_bytes(), layout, progress).map_err(|source| {
        Error::Layout {
            part: format!("fs.{key}"),
            source,
        }
    })
}

/// The environment's path.
fn env(key: &str, fs: &FileSystem, gathered: &Gathered) -> Result<String> {
    let place = format!("fs.{key}.env");
    let env = fs.env.as_deref().unwrap_or("{toplevel}");
    expand(env, &place, |key| gathered.value(key, &place))
}
