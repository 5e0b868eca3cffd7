//! Trees as the host's file system shows them, without a line of Kiln's own code.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::demo::{host_path, store_paths, toplevel};
use crate::tools::files;

/// All that is compared of a file, one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Type and content: a file's size and sha256, a link's target.
    pub(crate) what: String,
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    pub(crate) mtime: i64,
}

/// Entries by their path; the root's is empty.
pub(crate) type Listing = BTreeMap<Vec<u8>, Entry>;

/// Everything below a path, and the path itself.
pub(crate) fn list(root: &Path) -> Listing {
    let mut listing = Listing::new();
    let mut todo = vec![root.to_path_buf()];
    while let Some(path) = todo.pop() {
        let metadata = path
            .symlink_metadata()
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if metadata.is_dir() {
            todo.extend(files(&path));
        }
        let entry = Entry {
            what: what(&path, &metadata),
            mode: metadata.mode() & 0o7777,
            owner: (metadata.uid(), metadata.gid()),
            mtime: metadata.mtime(),
        };
        let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes();
        listing.insert(name.to_vec(), entry);
    }
    listing
}

fn what(path: &Path, metadata: &Metadata) -> String {
    let kind = metadata.file_type();
    if kind.is_dir() {
        "folder".into()
    } else if kind.is_symlink() {
        link_to(fs::read_link(path).unwrap().as_os_str().as_bytes())
    } else if kind.is_file() {
        let digest = Sha256::digest(fs::read(path).unwrap());
        format!("file of {} bytes, {digest:x?}", metadata.len())
    } else {
        let device = kind.is_block_device() || kind.is_char_device();
        format!(
            "special file {kind:?} {}",
            if device { metadata.rdev() } else { 0 }
        )
    }
}

fn link_to(target: &[u8]) -> String {
    format!("link to {}", target.escape_ascii())
}

/// What the root file system of the demo's specifications has to hold: the store's paths as Nix sees them, owned by
/// root, with the time stamp 1, and around them what the specification asks for.
pub(crate) fn demo_root() -> Listing {
    let made = |what: String, mode| Entry {
        what,
        mode,
        owner: (0, 0),
        mtime: 1,
    };
    let mut listing = Listing::new();
    for path in store_paths() {
        for (name, found) in list(&host_path(&path)) {
            let mode = match (found.what.as_bytes()[0], found.mode & 0o100) {
                (b'l', _) => 0o777,
                (b'f', 0) => 0o444,
                _ => 0o555,
            };
            let mut inside = path.trim_start_matches('/').as_bytes().to_vec();
            if !name.is_empty() {
                inside.push(b'/');
                inside.extend(name);
            }
            listing.insert(inside, made(found.what, mode));
        }
    }
    let folders = "nix nix/store sbin proc sys dev run etc var tmp root home bin usr usr/bin";
    for folder in std::iter::once("").chain(folders.split(' ')) {
        listing.insert(folder.into(), made("folder".into(), 0o755));
    }
    let init = link_to(format!("{}/init", toplevel()).as_bytes());
    for link in ["init", "sbin/init"] {
        listing.insert(link.into(), made(init.clone(), 0o777));
    }
    listing
}

/// Compares, and shows the first paths that differ.
pub(crate) fn assert_same(found: &Listing, wanted: &Listing) {
    let mut differences = Vec::new();
    for path in found.keys().chain(wanted.keys()) {
        let (found, wanted) = (found.get(path), wanted.get(path));
        if found != wanted {
            let name = String::from_utf8_lossy(path);
            differences.push(format!("/{name}\n  found  {found:?}\n  wanted {wanted:?}"));
        }
    }
    let count = differences.len();
    differences.truncate(10);
    assert!(
        count == 0,
        "{count} differences, such as\n{}",
        differences.join("\n")
    );
    assert!(wanted.len() > 10_000, "only {} paths", wanted.len());
}
