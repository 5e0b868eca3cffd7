//! Which kind of source a text names.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::{export, local};

/// Where a closure comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A folder of closureInfo, a registration, or a list of store paths: [`Closure::read`](crate::Closure::read).
    Text(PathBuf),
    /// The database of a local store: [`read_database`](crate::read_database).
    Database {
        /// The database.
        database: PathBuf,
        /// The folder under which that store's `nix/store` lies, when the database lies where Nix has it.
        root: Option<PathBuf>,
    },
    /// A stream of `nix-store --export`: [`read_export`](crate::read_export).
    Export(PathBuf),
    /// Binary caches: [`Caches`](crate::Caches).
    Caches(Vec<String>),
}

impl Source {
    /// The source that texts name: addresses of binary caches, or one path, which starts at `folder` when it is
    /// relative. What lies there is looked at.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(from: &[String], folder: &Path) -> Result<Source> {
        if let [only] = from
            && !only.contains("://")
        {
            return of_path(&folder.join(only));
        }
        // A word that is no address is told so when the caches are opened.
        Ok(Source::Caches(from.to_vec()))
    }
}

fn of_path(path: &Path) -> Result<Source> {
    let failed = |source| Error::Read {
        path: path.into(),
        source,
    };
    if path.is_dir() {
        let database = local::database_of(path);
        return Ok(if database.is_file() && !path.join("registration").exists() {
            let root = Some(path.into());
            Source::Database { database, root }
        } else {
            Source::Text(path.into())
        });
    }
    let mut head = Vec::new();
    let (file, _) = image::open_regular(path).map_err(failed)?;
    file.take(export::HEAD.len() as u64)
        .read_to_end(&mut head)
        .map_err(failed)?;
    if head.starts_with(local::MAGIC) {
        // …/nix/var/nix/db/db.sqlite
        let root = path
            .ancestors()
            .nth(5)
            .filter(|root| local::database_of(root) == path);
        return Ok(Source::Database {
            database: path.into(),
            root: root.map(Path::to_path_buf),
        });
    }
    if head == export::HEAD {
        return Ok(Source::Export(path.into()));
    }
    Ok(Source::Text(path.into()))
}
