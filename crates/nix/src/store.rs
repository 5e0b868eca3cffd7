//! Where store paths lie on the host, and closures as trees.

use std::io;
use std::path::{Path, PathBuf};

use image::{Keep, Tree, Unit, scan_path};
use rayon::prelude::*;

use crate::closure::Closure;
use crate::error::{Error, Result};
use crate::store_path::{STORE_DIR, StorePath};

/// A store on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Store {
    /// The folder that holds `nix/store`; the host's root when there is none. What Nix calls
    /// `--store DIR`.
    pub root: Option<PathBuf>,
}

impl Store {
    /// Where a store path lies on the host.
    #[must_use]
    pub fn host_path(&self, path: &StorePath) -> PathBuf {
        match &self.root {
            Some(root) => root.join(path.as_str().trim_start_matches('/')),
            None => PathBuf::from(path.as_str()),
        }
    }
}

impl Closure {
    /// The closure as a tree: every path under `/nix/store`, as the store means it (modes 0444 and 0555, time
    /// 1, owner root, no attributes, no hard links), each marked as a unit. `/nix` and `/nix/store` are plain
    /// folders of mode 0755.
    ///
    /// # Errors
    /// When a path is not in the store, or something in it cannot be looked up.
    pub fn tree(&self, store: &Store) -> Result<Tree> {
        let scanned: Vec<Result<Tree>> = self
            .paths()
            .par_iter()
            .map(|info| scan(&info.path, &store.host_path(&info.path)))
            .collect();
        assemble(self, scanned.into_iter().collect::<Result<_>>()?)
    }
}

/// Puts the trees of a closure's paths, in the order of the paths, into one.
pub(crate) fn assemble(closure: &Closure, trees: Vec<Tree>) -> Result<Tree> {
    let mut tree = Tree::default();
    let parent = tree.make_directory(STORE_DIR.as_bytes())?;
    for (info, subtree) in closure.paths().iter().zip(trees) {
        let root = tree.graft(parent, info.path.base_name().as_bytes(), subtree)?;
        tree.mark_unit(root, unit(&info.path));
    }
    Ok(tree)
}

fn scan(path: &StorePath, host_path: &Path) -> Result<Tree> {
    if let Err(error) = std::fs::symlink_metadata(host_path)
        && error.kind() == io::ErrorKind::NotFound
    {
        return Err(Error::NotInStore {
            path: path.clone(),
            looked_for: host_path.into(),
        });
    }
    Ok(scan_path(host_path, Keep::default())?)
}

/// Sorted by name without hash, so that a path that was made anew keeps its place.
fn unit(path: &StorePath) -> Unit {
    Unit {
        order: path.name().as_bytes().into(),
        name: path.base_name().as_bytes().into(),
    }
}
