//! Folders of the host as trees. The only code that lists folders.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::content::{Content, HostFile};
use crate::error::{Error, Result};
use crate::tree::{Device, Directory, Kind, Meta, Node, NodeId, Tree, Xattr};

/// What of the host's metadata a tree keeps. Nothing by default: then the tree is the same on any host, with
/// owner root, times of 1970-01-01 00:00:01, and modes 0555 or 0444 as in a Nix store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, named where they are set"
)]
pub struct Keep {
    /// Permission bits.
    pub modes: bool,
    /// User and group numbers.
    pub owners: bool,
    /// Times of last change.
    pub times: bool,
    /// Extended attributes.
    pub xattrs: bool,
    /// Several names of one file.
    pub hard_links: bool,
    /// Not the links, but what they lead to.
    pub follow_links: bool,
}

/// With links followed, a tree has at most so many files: links to folders of links can stand for any number.
pub const FOLLOWED_MAX: usize = 4 << 20;

/// A folder of the host as a tree. A link to one stands for it.
///
/// # Errors
/// When something in it cannot be looked up, or the path is no folder.
pub fn scan(path: &Path, keep: Keep) -> Result<Tree> {
    let meta = folder(path)?;
    below(path, &meta, keep, Levels::All, &|_| false)
}

/// A folder of the host with what is directly in it: folders in it are empty, whatever is in them. A link to one stands for it.
///
/// # Errors
/// When something in it cannot be looked up, or the path is no folder.
pub fn scan_entries(path: &Path, keep: Keep) -> Result<Tree> {
    let meta = folder(path)?;
    below(path, &meta, keep, Levels::One, &|_| false)
}

/// A file, link or folder of the host as a tree, whose root it is. A link is not followed.
///
/// # Errors
/// When something in it cannot be looked up.
pub fn scan_path(path: &Path, keep: Keep) -> Result<Tree> {
    let meta = std::fs::symlink_metadata(path).map_err(|source| read_error(path, source))?;
    below(path, &meta, keep, Levels::All, &|_| false)
}

/// A file or folder of the host, or what a link leads to, as a tree, without what `excluded` says of paths in it,
/// which begin with `/`.
///
/// # Errors
/// When something that is not left out cannot be looked up.
pub fn scan_without(path: &Path, keep: Keep, excluded: &dyn Fn(&[u8]) -> bool) -> Result<Tree> {
    let meta = std::fs::metadata(path).map_err(|source| read_error(path, source))?;
    below(path, &meta, keep, Levels::All, excluded)
}

fn folder(path: &Path) -> Result<Metadata> {
    let meta = std::fs::metadata(path).map_err(|source| read_error(path, source))?;
    if !meta.is_dir() {
        return Err(read_error(path, io::ErrorKind::NotADirectory.into()));
    }
    Ok(meta)
}

/// How far a folder is looked into.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Levels {
    /// Up to its last folder.
    All,
    /// No further than what is directly in it.
    One,
}

/// A folder that is to be listed.
struct Open {
    path: PathBuf,
    /// Its path in the tree.
    inside: Vec<u8>,
    id: NodeId,
    /// Its own device and inode and those of the folders that it lies in, when links are followed.
    trail: Vec<(u64, u64)>,
}

fn below(
    path: &Path,
    meta: &Metadata,
    keep: Keep,
    levels: Levels,
    excluded: &dyn Fn(&[u8]) -> bool,
) -> Result<Tree> {
    let mut tree = Tree::new(node(path, meta, keep)?);
    if !meta.is_dir() {
        return Ok(tree);
    }
    // Maps the host's device and inode to the node that was made for it; only looked up, never listed.
    let mut seen: HashMap<(u64, u64), NodeId> = HashMap::new();
    let mut open = vec![Open {
        path: path.to_path_buf(),
        inside: Vec::new(),
        id: NodeId::ROOT,
        trail: vec![(meta.dev(), meta.ino())],
    }];
    while let Some(folder) = open.pop() {
        for name in list(&folder.path)? {
            let inside = [&folder.inside[..], b"/", &name].concat();
            if excluded(&inside) {
                continue;
            }
            let path = folder.path.join(std::ffi::OsStr::from_bytes(&name));
            let failed = |source| read_error(&path, source);
            let (path, meta) = if keep.follow_links {
                let real = std::fs::canonicalize(&path).map_err(failed)?;
                let meta = std::fs::metadata(&real).map_err(failed)?;
                (real, meta)
            } else {
                let meta = std::fs::symlink_metadata(&path).map_err(failed)?;
                (path, meta)
            };
            let inode = (meta.dev(), meta.ino());
            let linked = keep.hard_links && !meta.is_dir() && meta.nlink() > 1;
            if let Some(target) = seen.get(&inode).filter(|_| linked) {
                tree.link(folder.id, &name, *target)?;
                continue;
            }
            if meta.is_dir() && folder.trail.contains(&inode) {
                return Err(read_error(
                    &path,
                    io::Error::other("leads back to a folder that it lies in"),
                ));
            }
            if keep.follow_links && tree.len() >= FOLLOWED_MAX {
                let problem = format!("is one of more than {FOLLOWED_MAX} files, links followed");
                return Err(read_error(&path, io::Error::other(problem)));
            }
            let id = tree.add(folder.id, &name, node(&path, &meta, keep)?)?;
            if linked {
                seen.insert(inode, id);
            }
            if meta.is_dir() && levels == Levels::All {
                let mut trail = Vec::new();
                if keep.follow_links {
                    trail = [&folder.trail[..], &[inode]].concat();
                }
                open.push(Open {
                    path,
                    inside,
                    id,
                    trail,
                });
            }
        }
    }
    Ok(tree)
}

/// The names in a folder, sorted by their bytes.
#[expect(
    clippy::disallowed_methods,
    reason = "the one wrapper that may list folders: it sorts"
)]
pub(crate) fn list(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let failed = |source| read_error(folder, source);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().into_vec());
    }
    names.sort_unstable();
    Ok(names)
}

fn node(path: &Path, meta: &Metadata, keep: Keep) -> Result<Node> {
    let kind = meta.file_type();
    let kind = if kind.is_dir() {
        Kind::Directory(Directory::default())
    } else if kind.is_file() {
        Kind::File(Content::File(HostFile::new(path, meta)))
    } else if kind.is_symlink() {
        let target = std::fs::read_link(path).map_err(|source| read_error(path, source))?;
        Kind::Symlink(target.into_os_string().into_vec().into())
    } else if kind.is_char_device() {
        Kind::CharDevice(device(meta))
    } else if kind.is_block_device() {
        Kind::BlockDevice(device(meta))
    } else if kind.is_fifo() {
        Kind::Fifo
    } else {
        Kind::Socket
    };
    Ok(Node {
        meta: node_meta(path, meta, &kind, keep)?,
        kind,
    })
}

fn node_meta(path: &Path, meta: &Metadata, kind: &Kind, keep: Keep) -> Result<Meta> {
    let mode = match kind {
        Kind::Symlink(_) => 0o777,
        _ if keep.modes => u16::try_from(meta.mode() & 0o7777).unwrap_or(0),
        Kind::Directory(_) => 0o555,
        _ if meta.mode() & 0o100 != 0 => 0o555,
        _ => 0o444,
    };
    Ok(Meta {
        mode,
        uid: if keep.owners { meta.uid() } else { 0 },
        gid: if keep.owners { meta.gid() } else { 0 },
        mtime: if keep.times { meta.mtime() } else { 1 },
        xattrs: if keep.xattrs {
            xattrs(path).map_err(|source| read_error(path, source))?
        } else {
            Vec::new()
        },
    })
}

fn device(meta: &Metadata) -> Device {
    let numbers = meta.rdev();
    Device {
        major: rustix::fs::major(numbers),
        minor: rustix::fs::minor(numbers),
    }
}

/// The most bytes that Linux gives for a list of names or for one value.
const XATTR_MAX: usize = 64 << 10;

fn xattrs(path: &Path) -> io::Result<Vec<Xattr>> {
    // Most files have none; only then is there anything to make room for.
    let mut names = vec![0; 256];
    let len = match rustix::fs::llistxattr(path, &mut names[..]) {
        Err(Errno::OPNOTSUPP) => 0,
        Err(Errno::RANGE) => {
            names.resize(XATTR_MAX, 0);
            rustix::fs::llistxattr(path, &mut names[..])?
        }
        result => result?,
    };
    let mut value = vec![0; if len > 0 { XATTR_MAX } else { 0 }];
    let mut xattrs = Vec::new();
    for name in names[..len]
        .split(|&byte| byte == 0)
        .filter(|name| !name.is_empty())
    {
        let len = rustix::fs::lgetxattr(path, &CString::new(name)?, &mut value[..])?;
        xattrs.push(Xattr {
            name: name.into(),
            value: value[..len].into(),
        });
    }
    xattrs.sort();
    Ok(xattrs)
}

fn read_error(path: &Path, source: io::Error) -> Error {
    Error::Read {
        path: PathBuf::from(path),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn nothing_of_the_host_is_kept_unless_asked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        std::fs::write(path.join("one"), b"1").unwrap();
        std::fs::hard_link(path.join("one"), path.join("two")).unwrap();
        std::fs::set_permissions(path.join("one"), PermissionsExt::from_mode(0o4710)).unwrap();
        let plain = scan(path, Keep::default()).unwrap();
        assert_ne!(plain.lookup(b"/one"), plain.lookup(b"/two"));
        let one = plain.lookup(b"/one").unwrap();
        assert_eq!(plain.node(one).meta, Meta::root(0o555));
        let kept = scan(
            path,
            Keep {
                modes: true,
                hard_links: true,
                ..Keep::default()
            },
        )
        .unwrap();
        assert_eq!(kept.lookup(b"/one"), kept.lookup(b"/two"));
        assert_eq!(kept.node(kept.lookup(b"/one").unwrap()).meta.mode, 0o4710);
    }

    #[test]
    fn extended_attributes_are_kept_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, b"").unwrap();
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(&path, c"user.note", b"value", flags).unwrap();
        let kept = scan_path(
            &path,
            Keep {
                xattrs: true,
                ..Keep::default()
            },
        )
        .unwrap();
        let note = Xattr {
            name: (*b"user.note").into(),
            value: (*b"value").into(),
        };
        assert_eq!(kept.node(NodeId::ROOT).meta.xattrs, [note]);
        assert_eq!(
            scan_path(&path, Keep::default())
                .unwrap()
                .node(NodeId::ROOT)
                .meta
                .xattrs,
            []
        );
    }

    #[test]
    fn a_file_is_no_folder() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), b"").unwrap();
        assert!(scan(&dir.path().join("file"), Keep::default()).is_err());
        assert!(scan(&dir.path().join("missing"), Keep::default()).is_err());
        assert_eq!(
            scan_path(&dir.path().join("file"), Keep::default())
                .unwrap()
                .len(),
            1
        );
    }
}
