//! How these tests reach their sources.

use std::path::Path;

use image::Silent;
use spec::Access;

/// Everything lies in one folder, and nothing is far away.
pub(crate) fn access(folder: &Path) -> Access<'_> {
    Access {
        folder,
        remote: remote::Options::default(),
        spool: folder,
        download: None,
        threads: 1,
        progress: &Silent,
    }
}
