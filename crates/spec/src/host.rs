//! What comes from the host: folders and archives that become trees. A link whose name the user gives stands for what it
//! leads to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use archive::Packed;
use image::{Keep, Node, NodeId, Progress, Spool, Tree};

use crate::error::{Error, Result};
use crate::schema::{FileSystem, Kept};
use crate::{Spec, attributes, links};

/// What stands for standard input.
const STDIN: &str = "-";

/// The folder of the host that is a file system's tree.
pub(crate) fn folder(fs: &FileSystem, path: &Path) -> image::Result<Tree> {
    let tree = image::scan_without(path, keep(fs), &|path| attributes::fits(&fs.exclude, path))?;
    match tree.node(NodeId::ROOT).kind {
        image::Kind::Directory(_) => Ok(tree),
        _ => Err(image::Error::Read {
            path: path.to_path_buf(),
            source: std::io::ErrorKind::NotADirectory.into(),
        }),
    }
}

/// A file or folder of the host that is put somewhere.
pub(crate) fn file(fs: &FileSystem, path: &Path) -> image::Result<Tree> {
    image::scan_without(path, keep(fs), &|path| attributes::fits(&fs.exclude, path))
}

/// What of the host's metadata is kept.
fn keep(fs: &FileSystem) -> Keep {
    let kept = &fs.keep;
    Keep {
        modes: kept.contains(&Kept::Modes),
        owners: kept.contains(&Kept::Owners),
        times: kept.contains(&Kept::Times),
        xattrs: kept.contains(&Kept::Xattrs),
        hard_links: kept.contains(&Kept::HardLinks),
        follow_links: fs.follow_links,
    }
}

/// The folders of the host whose files go into file systems: whatever is written below them would be its own input.
#[must_use]
pub fn inputs(spec: &Spec, folder: &Path) -> Vec<PathBuf> {
    let mut inputs = Vec::new();
    for fs in spec.fs.values() {
        let files = fs.files.values().flat_map(|sources| &sources.0);
        let trees = fs.tree.iter().flat_map(|sources| &sources.0);
        for source in files.chain(trees).filter(|source| !source.contains('{')) {
            let path = folder.join(source);
            if path.is_dir() {
                inputs.push(path);
            }
        }
    }
    inputs
}

/// Whether a path below one of the [`inputs`] is left out of all trees that are made of it.
#[must_use]
pub fn is_excluded(spec: &Spec, input: &Path, folder: &Path, below: &Path) -> bool {
    let uses = |fs: &&FileSystem| {
        let files = fs.files.values().flat_map(|sources| &sources.0);
        let mut sources = files.chain(fs.tree.iter().flat_map(|sources| &sources.0));
        sources.any(|source| folder.join(source) == input)
    };
    let excluded = |fs: &FileSystem| {
        let ancestors = below.ancestors().filter(|path| !path.as_os_str().is_empty());
        ancestors.into_iter().any(|path| {
            let path = Path::new("/").join(path);
            attributes::fits(&fs.exclude, path.as_os_str().as_encoded_bytes())
        })
    };
    spec.fs.values().filter(uses).all(excluded)
}

/// Unpacks the archives that file systems come out of.
pub(crate) fn archives(
    spec: &Spec,
    folder: &Path,
    scratch: &Path,
    progress: &dyn Progress,
) -> Result<BTreeMap<String, Tree>> {
    let mut unpacked = BTreeMap::new();
    for (key, fs) in &spec.fs {
        let Some(sources) = &fs.tree else { continue };
        let part = format!("fs.{key}");
        let bad = |problem: String| Error::BadValue {
            place: format!("{part}.tree"),
            problem,
        };
        let is_folder = |source: &String| source != STDIN && folder.join(source).is_dir();
        match &sources.0[..] {
            [] => return Err(bad("must be a folder, an archive, or a list of archives".into())),
            [only] if is_folder(only) => continue,
            // What is not there is said where a folder is missed.
            [only] if only != STDIN && !folder.join(only).exists() => continue,
            _ => {}
        }
        if let Some(source) = sources.0.iter().find(|source| is_folder(source)) {
            let problem =
                format!("{source} is a folder: a list is one of archives, the layers of an OCI image");
            return Err(bad(problem));
        }
        let mut tree = layers(&sources.0, &part, fs, folder, scratch, progress)?;
        attributes::exclude(&mut tree, &fs.exclude);
        if fs.follow_links {
            tree = links::followed(&tree, b"/").map_err(bad)?;
        }
        unpacked.insert(key.clone(), tree);
    }
    Ok(unpacked)
}

/// The only archive, or the layers of an image, one on top of the other.
fn layers(
    sources: &[String],
    part: &str,
    fs: &FileSystem,
    folder: &Path,
    scratch: &Path,
    progress: &dyn Progress,
) -> Result<Tree> {
    let failed = |source| Error::Archive {
        part: part.to_string(),
        source,
    };
    let mut tree = Tree::new(Node::directory());
    for source in sources {
        let spool = Spool::create(scratch)?;
        let path = folder.join(source);
        let packed = match source.as_str() {
            STDIN => Packed::stream(Path::new("standard input"), std::io::stdin()),
            _ => Packed::open(&path).map_err(failed)?,
        };
        tree = match sources.len() {
            1 => archive::tar(packed, keep(fs), &spool, progress),
            _ => archive::layer(tree, packed, keep(fs), &spool, progress),
        }
        .map_err(failed)?;
    }
    Ok(tree)
}
