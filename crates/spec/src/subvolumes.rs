//! The subvolumes of a btrfs: paths of the specification become nodes of the tree.

use image::{Kind, NodeId, Tree, show};

use crate::error::{Error, Result};
use crate::schema::FileSystem;

/// Refuses what makes no sense whatever is in the tree.
pub(crate) fn check(key: &str, fs: &FileSystem) -> Result<()> {
    let mut known: Vec<(Vec<&str>, &str)> = Vec::new();
    for path in fs.subvolumes.keys() {
        let bad = |problem: String| bad(&format!("fs.{key}"), path, problem);
        if !path.starts_with('/') {
            return Err(bad("must begin with /".to_string()));
        }
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            return Err(bad(
                "is the file system itself, which is a subvolume always".to_string()
            ));
        }
        if let Some(name) = names.iter().find(|name| matches!(**name, "." | "..")) {
            return Err(bad(format!("{name:?} is no name of a directory")));
        }
        if let Some((_, other)) = known.iter().find(|(others, _)| *others == names) {
            return Err(bad(format!("is {other:?}, which is a subvolume already")));
        }
        known.push((names, path));
    }
    let mut defaults = fs.subvolumes.iter().filter(|(_, subvolume)| subvolume.default);
    match (defaults.next(), defaults.next()) {
        (Some((first, _)), Some((second, _))) => {
            let problem = format!("{first:?} is the default already, and only one can be");
            Err(bad(&format!("fs.{key}"), second, problem))
        }
        _ => Ok(()),
    }
}

/// Finds the subvolumes in a tree.
pub(crate) fn find(part: &str, fs: &FileSystem, tree: &Tree, options: &mut btrfs::Options) -> Result<()> {
    for (path, subvolume) in &fs.subvolumes {
        let id = directory(tree, path).map_err(|problem| bad(part, path, problem))?;
        let access = if subvolume.read_only {
            btrfs::Access::ReadOnly
        } else {
            btrfs::Access::Writable
        };
        options.subvolumes.insert(id, access);
        if subvolume.default {
            options.default_subvolume = id;
        }
    }
    Ok(())
}

/// The directory at a path.
fn directory(tree: &Tree, path: &str) -> Result<NodeId, String> {
    let mut id = NodeId::ROOT;
    let mut way = String::new();
    for name in path.split('/').filter(|name| !name.is_empty()) {
        let Kind::Directory(directory) = &tree.node(id).kind else {
            break;
        };
        way = format!("{way}/{name}");
        id = directory.get(name.as_bytes()).ok_or_else(|| {
            let shown = show(way.as_bytes());
            format!("there is no {shown}; directories = [{path:?}] makes one")
        })?;
    }
    match &tree.node(id).kind {
        Kind::Directory(_) => Ok(id),
        _ => Err(format!("{} is no directory", show(way.as_bytes()))),
    }
}

fn bad(part: &str, path: &str, problem: String) -> Error {
    Error::BadValue {
        place: format!("{part}.subvolumes.{path:?}"),
        problem,
    }
}
