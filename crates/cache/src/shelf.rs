//! Segments that somebody else keeps.

use std::io;
use std::path::{Path, PathBuf};

use crate::folder::{SEGMENTS, open, path};
use crate::key::Key;
use crate::warnings::Warnings;
use crate::{Error, Found, Made, Segments, entry};

/// A folder with the layout of a [`Cache`](crate::Cache) that is only read: nothing in it is kept, removed or touched.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
    warnings: Warnings,
}

impl Shelf {
    /// Opens a folder of segments.
    ///
    /// # Errors
    /// When there can be none in it.
    pub fn open(folder: &Path) -> Result<Shelf, Error> {
        let folder = folder.to_path_buf();
        if !folder.join(SEGMENTS).is_dir() {
            return Err(Error::NoSegments { folder });
        }
        let warnings = Warnings::default();
        Ok(Shelf { folder, warnings })
    }

    /// What the user should know: entries that are damaged.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.take()
    }
}

impl Segments for Shelf {
    fn find(&self, key: &Key) -> Option<Found> {
        let problem = match open(&path(&self.folder, key)) {
            Ok(file) => match entry::open(file, key) {
                Ok(found) => return Some(found),
                Err(problem) => problem,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => error.to_string(),
        };
        self.reject(key, &problem);
        None
    }

    fn reject(&self, key: &Key, problem: &str) {
        let path = path(&self.folder, key);
        self.warnings
            .add(format!("{}: damaged, and made anew: {problem}", path.display()));
    }

    fn keep(&self, _: &Key, _: &Made) {}
}
