//! Sets of store paths that hold everything they refer to.

use std::collections::BTreeSet;
use std::path::Path;

use crate::error::{Error, Result, SHOWN_MAX};
use crate::hash::Hash;
use crate::references_graph;
use crate::registration;
use crate::store_path::StorePath;

/// Store paths, sorted, with every path that they refer to, as far as references are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure {
    paths: Vec<PathInfo>,
}

/// What is known of a store path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathInfo {
    /// The path.
    pub path: StorePath,
    /// The SHA-256 of its NAR; a list does not say it.
    pub nar_hash: Option<Hash>,
    /// The bytes of its NAR; a list does not say it.
    pub nar_size: Option<u64>,
    /// The paths that its bytes name, sorted, which may include itself; a list does not say them.
    pub references: Option<Vec<StorePath>>,
}

impl Closure {
    /// Reads a closure: the folder that nixpkgs' `closureInfo` makes, the registration of one, a references graph
    /// in JSON, or a list of store paths, one per line.
    ///
    /// # Errors
    /// When something cannot be read or parsed, the three files of a folder contradict each other, or a path
    /// refers to one that is not there.
    pub fn read(path: &Path) -> Result<Closure> {
        if path.is_dir() {
            return Closure::read_folder(path);
        }
        let bytes = read(path)?;
        if references_graph::is_json(&bytes) {
            return Closure::from_references_graph(path, &bytes);
        }
        if registration::is_registration(&bytes) {
            return Closure::from_registration(path, &bytes);
        }
        Closure::from_list(path, &bytes)
    }

    fn read_folder(folder: &Path) -> Result<Closure> {
        let list = folder.join("store-paths");
        let listed: BTreeSet<StorePath> = registration::parse_list(&list, &read(&list)?)?
            .into_iter()
            .collect();
        let registered = folder.join("registration");
        let closure = Closure::from_registration(&registered, &read(&registered)?)?;
        if let Some(path) = listed.iter().find(|path| closure.get(path).is_none()) {
            return Err(Error::Unregistered {
                path: path.clone(),
                list,
            });
        }
        if let Some(info) = closure.paths.iter().find(|info| !listed.contains(&info.path)) {
            return Err(Error::Unlisted {
                path: info.path.clone(),
                list,
            });
        }
        let file = folder.join("total-nar-size");
        let stated = registration::parse_total(&file, &read(&file)?)?;
        let sum = closure
            .paths
            .iter()
            .filter_map(|info| info.nar_size)
            .map(u128::from)
            .sum();
        if sum != u128::from(stated) {
            return Err(Error::TotalSize { file, stated, sum });
        }
        Ok(closure)
    }

    /// The closure of a registration, in the spelling of closureInfo or of `nix-store --dump-db`. `file` is
    /// what errors call it.
    ///
    /// # Errors
    /// When it cannot be parsed, or a path refers to one that is not there.
    pub fn from_registration(file: &Path, bytes: &[u8]) -> Result<Closure> {
        Closure::of(registration::parse(file, bytes)?)
    }

    /// The closure of a references graph in JSON: the array that `exportReferencesGraph` makes of one, or an object
    /// such as a derivation's `.attrs.json`, in which the key `closure` is such an array. `file` is what errors call it.
    ///
    /// # Errors
    /// When it cannot be parsed, or a path refers to one that is not there.
    pub fn from_references_graph(file: &Path, bytes: &[u8]) -> Result<Closure> {
        Closure::of(references_graph::parse(file, bytes)?)
    }

    /// Sorts paths, and refuses references to others.
    pub(crate) fn of(mut paths: Vec<PathInfo>) -> Result<Closure> {
        paths.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        let closure = Closure { paths };
        for info in &closure.paths {
            let missing = |reference: &&StorePath| closure.get(reference).is_none();
            if let Some(reference) = info.references.iter().flatten().find(missing) {
                return Err(Error::MissingReference {
                    path: info.path.clone(),
                    reference: reference.clone(),
                });
            }
        }
        Ok(closure)
    }

    /// The closure that a list of store paths says it is. `file` is what errors call it.
    ///
    /// # Errors
    /// When it cannot be parsed.
    pub fn from_list(file: &Path, bytes: &[u8]) -> Result<Closure> {
        let mut paths = registration::parse_list(file, bytes)?;
        paths.sort_unstable();
        let unknown = |path| PathInfo {
            path,
            nar_hash: None,
            nar_size: None,
            references: None,
        };
        Ok(Closure {
            paths: paths.into_iter().map(unknown).collect(),
        })
    }

    /// Only these of its paths. Nothing is known of their references then, which may lead to the others.
    ///
    /// # Errors
    /// When one is not in the closure.
    pub fn only(&self, paths: &BTreeSet<StorePath>) -> Result<Closure> {
        let info = |path: &StorePath| {
            let info = self.get(path).cloned().ok_or_else(|| Error::NotInClosure {
                path: path.clone(),
                count: self.paths.len(),
            })?;
            Ok(PathInfo {
                references: None,
                ..info
            })
        };
        let paths = paths.iter().map(info).collect::<Result<_>>()?;
        Ok(Closure { paths })
    }

    /// The paths, sorted.
    #[must_use]
    pub fn paths(&self) -> &[PathInfo] {
        &self.paths
    }

    pub(crate) fn paths_mut(&mut self) -> &mut [PathInfo] {
        &mut self.paths
    }

    /// What is known of a path, when it is in the closure.
    #[must_use]
    pub fn get(&self, path: &StorePath) -> Option<&PathInfo> {
        self.paths.get(self.position(path)?)
    }

    /// The place of a path among the sorted ones.
    pub(crate) fn position(&self, path: &StorePath) -> Option<usize> {
        self.paths.binary_search_by(|info| info.path.cmp(path)).ok()
    }

    /// The path that the closure is made for: the given one, or else the only one that no other refers to.
    ///
    /// # Errors
    /// When the given one is not in the closure, or none is given and there is not exactly one.
    pub fn toplevel(&self, given: Option<&StorePath>) -> Result<&StorePath> {
        if let Some(given) = given {
            return self
                .get(given)
                .map(|info| &info.path)
                .ok_or_else(|| Error::ToplevelNotInClosure {
                    path: given.clone(),
                    count: self.paths.len(),
                });
        }
        let referred: BTreeSet<&StorePath> = self
            .paths
            .iter()
            .flat_map(|info| {
                info.references
                    .iter()
                    .flatten()
                    .filter(|reference| **reference != info.path)
            })
            .collect();
        let mut candidates: Vec<&StorePath> = self
            .paths
            .iter()
            .map(|info| &info.path)
            .filter(|path| !referred.contains(path))
            .collect();
        if let [only] = candidates[..] {
            return Ok(only);
        }
        let count = candidates.len();
        candidates.truncate(SHOWN_MAX);
        Err(Error::AmbiguousToplevel {
            shown: candidates.into_iter().cloned().collect(),
            count,
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    image::read_regular(path).map_err(|source| Error::Read {
        path: path.into(),
        source,
    })
}
