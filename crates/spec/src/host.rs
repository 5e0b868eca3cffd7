//! What comes from the host: folders and archives that become trees. A link whose name the user gives stands for what it
//! leads to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use archive::Packed;
use image::{FOLLOWED_MAX, Keep, Node, NodeId, Progress, Spool, Tree, show};
use nix::{Unfollowable, Unfollowed};

use crate::error::{Error, Result};
use crate::schema::{FileSystem, Kept};
use crate::{Spec, attributes};

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

/// A folder of the host whose files go into a file system: what is written below it would be its own input.
pub struct Input {
    /// Where it is.
    pub path: PathBuf,
    exclude: Vec<String>,
}

impl Input {
    /// Whether what lies at a path below the folder goes into the file system.
    #[must_use]
    pub fn takes(&self, below: &Path) -> bool {
        let mut ancestors = below.ancestors().filter(|path| !path.as_os_str().is_empty());
        !ancestors.any(|path| {
            let path = Path::new("/").join(path);
            attributes::fits(&self.exclude, path.as_os_str().as_encoded_bytes())
        })
    }
}

/// All folders of the host whose files go into file systems.
#[must_use]
pub fn inputs(spec: &Spec, folder: &Path) -> Vec<Input> {
    let of = |fs: &FileSystem| -> Vec<Input> {
        let files = fs.files.values().flat_map(|sources| &sources.0);
        let sources = files.chain(fs.tree.iter().flat_map(|sources| &sources.0));
        let paths = sources.map(|source| folder.join(source));
        let input = |path| Input {
            path,
            exclude: fs.exclude.clone(),
        };
        paths.filter(|path| path.is_dir()).map(input).collect()
    };
    spec.fs.values().flat_map(of).collect()
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
            tree = followed(&tree, b"/", &format!("{part}.tree"))?;
        }
        unpacked.insert(key.clone(), tree);
    }
    Ok(unpacked)
}

/// What lies at a path of a tree, with every link in it replaced by what it leads to in that tree.
pub(crate) fn followed(tree: &Tree, path: &[u8], place: &str) -> Result<Tree> {
    let bad = |path: &str, problem: &str| Error::NotA {
        place: place.to_string(),
        problem: format!("{path}: {problem}"),
    };
    let found = nix::resolve(tree, path).ok_or_else(|| bad(&show(path), "leads to nothing"))?;
    nix::followed(tree, &found, FOLLOWED_MAX).map_err(|Unfollowed { path, problem }| match problem {
        Unfollowable::Nothing => bad(&path, "leads to nothing"),
        Unfollowable::Back => bad(&path, "leads back to a folder that it lies in"),
        Unfollowable::TooMany => bad(
            &path,
            &format!("is one of more than {FOLLOWED_MAX} files, links followed"),
        ),
    })
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
