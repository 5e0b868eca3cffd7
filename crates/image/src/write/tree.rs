//! A tree becomes a folder of the host, whole or not at all.
//!
//! ```text
//!  Tree ──► .NAME.kiln-new ─ files, links, special files ─ at last: what folders have ── rename ──► NAME
//! ```
//!
//! The folder grows under a name of its own, for its owner alone. It gets its real name when everything is on the disk; what a
//! killed process left is removed by the next one.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, lsetxattr, makedev, mknodat, syncfs,
    utimensat,
};
use rustix::io::Errno;

use super::fresh::Fresh;
use super::nameless;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::scan::list;
use crate::tree::{Kind, Meta, Node, NodeId, Tree, show};
use crate::{Content, Device};

/// Whom the files of a folder belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// To whom the tree says, which only root can do.
    Kept,
    /// To whoever makes the folder.
    Mine,
}

/// Zeros are left out in parts of so many bytes, and so many are copied at once.
const PART: usize = 64 << 10;

/// Makes a folder of a tree, with its links, modes and times. It may be there already if it is empty.
///
/// # Errors
/// When there is something else, when this user cannot make what is in the tree ([`Error::NeedsRoot`], before anything is
/// written), when reading a content or writing fails, or `progress` asks to stop. Nothing is left behind then.
pub fn write_tree(path: &Path, tree: &Tree, owners: Owners, progress: &dyn Progress) -> Result<()> {
    let failed = |source| Error::Write {
        path: path.to_path_buf(),
        source,
    };
    let Kind::Directory(_) = tree.node(NodeId::ROOT).kind else {
        return Err(Error::NotADirectory { path: "/".into() });
    };
    if !rustix::process::geteuid().is_root() {
        needs_no_root(tree, owners)?;
    }
    let name = path.file_name();
    let name =
        name.ok_or_else(|| failed(io::Error::new(io::ErrorKind::InvalidInput, "not a folder's name")))?;
    match list(path) {
        Ok(names) if !names.is_empty() => return Err(failed(io::ErrorKind::DirectoryNotEmpty.into())),
        Ok(_) => {}
        Err(_) if std::fs::symlink_metadata(path).is_err() => {}
        Err(_) => return Err(failed(io::ErrorKind::AlreadyExists.into())),
    }
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(".kiln-new");
    let parent = nameless::folder(path);
    let fresh = Fresh::make(parent.join(hidden)).map_err(failed)?;
    let _growing = Growing::at(&fresh.path);
    fill(&fresh.path, tree, owners, progress)?;
    syncfs(&fresh.lock).map_err(|errno| failed(errno.into()))?;
    let _naming = nameless::naming();
    std::fs::rename(&fresh.path, path)
        .and_then(|()| File::open(parent))
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

/// A folder that [`abandon`](super::abandon) removes.
struct Growing<'a>(&'a Path);

impl Growing<'_> {
    fn at(path: &Path) -> Growing<'_> {
        nameless::remember_folder(path);
        Growing(path)
    }
}

impl Drop for Growing<'_> {
    fn drop(&mut self) {
        nameless::forget_folder(self.0);
    }
}

/// Refuses what only root can make.
fn needs_no_root(tree: &Tree, owners: Owners) -> Result<()> {
    let mine = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    for entry in tree.walk() {
        let node = tree.node(entry.id);
        let Meta { uid, gid, .. } = node.meta;
        let what = match node.kind {
            Kind::CharDevice(_) | Kind::BlockDevice(_) => "is a device".to_string(),
            _ if owners == Owners::Kept && (uid, gid) != mine => {
                format!("belongs to user {uid} and group {gid}")
            }
            _ => continue,
        };
        let path = show(&entry.path);
        return Err(Error::NeedsRoot { path, what });
    }
    Ok(())
}

/// Makes everything below a folder that is there, and at last gives folders what they have: none of them keeps its own
/// files out.
fn fill(root: &Path, tree: &Tree, owners: Owners, progress: &dyn Progress) -> Result<()> {
    let links = tree.link_counts();
    let mut first: Vec<Option<PathBuf>> = vec![None; links.len()];
    let mut folders = Vec::new();
    for entry in tree.walk() {
        let path = root.join(OsStr::from_bytes(
            entry.path.strip_prefix(b"/").unwrap_or(&entry.path),
        ));
        let node = tree.node(entry.id);
        let failed = |source| Error::Write {
            path: path.clone(),
            source,
        };
        if let Kind::Directory(_) = node.kind {
            if entry.id != NodeId::ROOT {
                DirBuilder::new().mode(0o700).create(&path).map_err(failed)?;
            }
            folders.push((path, entry.id));
            progress.advance(0).map_err(|_| Error::Cancelled)?;
            continue;
        }
        if let Some(first) = &first[entry.id.index()] {
            std::fs::hard_link(first, &path).map_err(failed)?;
            continue;
        }
        make(&path, node, progress)?;
        describe(&path, node, owners).map_err(failed)?;
        if links[entry.id.index()] > 1 {
            first[entry.id.index()] = Some(path);
        }
    }
    for (path, id) in folders.into_iter().rev() {
        describe(&path, tree.node(id), owners).map_err(|source| Error::Write {
            path: path.clone(),
            source,
        })?;
    }
    Ok(())
}

/// What is no device has no numbers.
const NONE: Device = Device { major: 0, minor: 0 };

/// Makes something that is no folder.
fn make(path: &Path, node: &Node, progress: &dyn Progress) -> Result<()> {
    let failed = |source| Error::Write {
        path: path.to_path_buf(),
        source,
    };
    let special = |kind: FileType, device: Device| {
        let number = makedev(device.major, device.minor);
        mknodat(CWD, path, kind, Mode::RUSR | Mode::WUSR, number).map_err(io::Error::from)
    };
    match &node.kind {
        Kind::Directory(_) => Ok(()),
        Kind::File(content) => return copy(path, content, progress),
        Kind::Symlink(target) => symlink(OsStr::from_bytes(target), path),
        Kind::CharDevice(device) => special(FileType::CharacterDevice, *device),
        Kind::BlockDevice(device) => special(FileType::BlockDevice, *device),
        Kind::Fifo => special(FileType::Fifo, NONE),
        Kind::Socket => special(FileType::Socket, NONE),
    }
    .map_err(failed)
}

/// Writes a file, without its zeros where they are many.
fn copy(path: &Path, content: &Content, progress: &dyn Progress) -> Result<()> {
    let failed = |source| Error::Write {
        path: path.to_path_buf(),
        source,
    };
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let file = file.map_err(failed)?;
    file.set_len(content.len()).map_err(failed)?;
    let mut reader = content.reader()?;
    let mut buffer = vec![0; PART];
    let mut position = 0;
    while reader.remaining() > 0 {
        let filled = reader.fill(&mut buffer)?;
        let part = &buffer[..filled];
        if part.iter().any(|byte| *byte != 0) {
            file.write_all_at(part, position).map_err(failed)?;
        }
        position += filled as u64;
        progress.advance(filled as u64).map_err(|_| Error::Cancelled)?;
    }
    reader.finish()
}

/// Gives a file what it has beside its content: an owner before its mode, which a change of owners takes bits from, and its
/// time at last.
fn describe(path: &Path, node: &Node, owners: Owners) -> io::Result<()> {
    let Meta {
        mode,
        uid,
        gid,
        mtime,
        ref xattrs,
    } = node.meta;
    if owners == Owners::Kept {
        lchown(path, Some(uid), Some(gid))?;
    }
    for xattr in xattrs {
        let name = show(&xattr.name);
        lsetxattr(path, &*xattr.name, &xattr.value, XattrFlags::CREATE).map_err(|errno| {
            let why = io::Error::from(errno);
            let way = if errno == Errno::PERM {
                ": only root can set it"
            } else {
                ""
            };
            io::Error::new(why.kind(), format!("the extended attribute {name}: {why}{way}"))
        })?;
    }
    if !matches!(node.kind, Kind::Symlink(_)) {
        std::fs::set_permissions(path, Permissions::from_mode(mode.into()))?;
    }
    let time = Timespec {
        tv_sec: mtime,
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{Cancelled, Silent};
    use crate::scan::{Keep, scan};
    use crate::tree::Xattr;

    const ALL: Keep = Keep {
        modes: true,
        owners: true,
        times: true,
        xattrs: true,
        hard_links: true,
        follow_links: false,
    };

    /// Of this user, so that anybody can make it.
    fn odd() -> Tree {
        let mut tree = Tree::default();
        tree.add_at(b"/d/closed/file", Node::file(&b"text"[..]).mode(0o4751))
            .unwrap();
        let closed = tree.lookup(b"/d/closed").unwrap();
        let file = tree.lookup(b"/d/closed/file").unwrap();
        tree.link(closed, b"again", file).unwrap();
        tree.node_mut(closed).meta.mode = 0o555;
        let mut sparse = vec![0; 300 << 10];
        sparse[200 << 10] = 1;
        tree.add_at(b"/sparse", Node::file(sparse)).unwrap();
        tree.add_at(b"/empty", Node::file(&b""[..])).unwrap();
        tree.add_at(b"/\xff\n", Node::symlink("../nowhere")).unwrap();
        for (path, kind) in [(&b"/pipe"[..], Kind::Fifo), (b"/socket", Kind::Socket)] {
            let meta = Meta::root(0o620);
            tree.add_at(path, Node { meta, kind }).unwrap();
        }
        let mine = (
            rustix::process::geteuid().as_raw(),
            rustix::process::getegid().as_raw(),
        );
        let ids: Vec<NodeId> = tree.nodes().map(|(id, _)| id).collect();
        for (number, id) in (0..).zip(ids) {
            let meta = &mut tree.node_mut(id).meta;
            (meta.uid, meta.gid) = mine;
            meta.mtime = -5 + number * 1_000_000;
        }
        tree
    }

    /// A tree as lines: all that a file system keeps.
    fn lines(tree: &Tree) -> Vec<String> {
        let links = tree.link_counts();
        let line = |entry: crate::tree::Entry| {
            let Node { meta, kind } = tree.node(entry.id);
            let kind = match kind {
                Kind::File(content) => format!("{:?}", content.to_vec().unwrap()),
                Kind::Directory(_) => "folder".into(),
                other => format!("{other:?}"),
            };
            format!(
                "{} {kind} {} {meta:?}",
                show(&entry.path),
                links[entry.id.index()]
            )
        };
        tree.walk().map(line).collect()
    }

    #[test]
    fn a_tree_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let mut tree = odd();
        let sparse = tree.lookup(b"/sparse").unwrap();
        tree.node_mut(sparse).meta.xattrs = vec![Xattr {
            name: (*b"user.note").into(),
            value: (*b"kept").into(),
        }];
        for owners in [Owners::Kept, Owners::Mine] {
            match write_tree(&out, &tree, owners, &Silent) {
                // Not every file system has them.
                Err(Error::Write { source, .. }) if source.to_string().contains("user.note") => {
                    tree.node_mut(sparse).meta.xattrs.clear();
                    write_tree(&out, &tree, owners, &Silent).unwrap();
                }
                written => written.unwrap(),
            }
            assert_eq!(lines(&scan(&out, ALL).unwrap()), lines(&tree));
            remove(&out);
        }
        assert!(list(dir.path()).unwrap().is_empty());
    }

    fn remove(out: &Path) {
        super::super::fresh::remove_folder(out).unwrap();
    }

    #[test]
    fn nothing_else_is_replaced_and_nothing_is_left_of_what_fails() {
        struct Stop;
        impl Progress for Stop {
            fn begin(&self, _: &str, _: u64) {}
            fn advance(&self, bytes: u64) -> Result<(), Cancelled> {
                if bytes == 0 { Ok(()) } else { Err(Cancelled) }
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let stopped = write_tree(&out, &odd(), Owners::Mine, &Stop);
        assert!(matches!(stopped, Err(Error::Cancelled)), "{stopped:?}");
        assert!(list(dir.path()).unwrap().is_empty());
        std::fs::create_dir(&out).unwrap();
        // What a killed process left, which keeps its own files in.
        let left = dir.path().join(".out.kiln-new");
        std::fs::create_dir_all(left.join("closed")).unwrap();
        std::fs::write(left.join("closed/file"), "left").unwrap();
        std::fs::set_permissions(left.join("closed"), Permissions::from_mode(0o555)).unwrap();
        write_tree(&out, &odd(), Owners::Mine, &Silent).unwrap();
        assert_eq!(list(dir.path()).unwrap().len(), 1);
        let again = write_tree(&out, &odd(), Owners::Mine, &Silent).unwrap_err();
        assert_eq!(
            again.to_string(),
            format!("{}: cannot be written: directory not empty", out.display())
        );
        remove(&out);
        std::fs::write(&out, "a file").unwrap();
        assert!(write_tree(&out, &odd(), Owners::Mine, &Silent).is_err());
        assert_eq!(std::fs::read(&out).unwrap(), b"a file");
    }

    #[test]
    fn what_only_root_can_make_is_named_before_anything_is_written() {
        let mut tree = odd();
        assert!(needs_no_root(&tree, Owners::Kept).is_ok());
        let file = tree.lookup(b"/empty").unwrap();
        tree.node_mut(file).meta.uid = 4_000_000;
        let told = needs_no_root(&tree, Owners::Kept).unwrap_err().to_string();
        assert!(
            told.starts_with("/empty: belongs to user 4000000 and group "),
            "{told}"
        );
        assert!(needs_no_root(&tree, Owners::Mine).is_ok());
        let (meta, major, minor) = (Meta::root(0o600), 5, 1);
        let kind = Kind::CharDevice(Device { major, minor });
        tree.add_at(b"/dev/console", Node { meta, kind }).unwrap();
        let told = needs_no_root(&tree, Owners::Mine).unwrap_err().to_string();
        assert_eq!(told, "/dev/console: is a device, and only root can make that");
    }
}
