//! From the root to all files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use image::{Device, Kind, Meta, Node, NodeId, Tree, show};

use super::directories::{self, Entry};
use super::inodes::{self, Inode};
use super::{Inner, damaged, data};
use crate::format::{TARGET_MAX, entry, mode};
use crate::{Error, Result};

/// All that was found.
pub(super) struct Walked {
    pub(super) tree: Tree,
    /// The inode of each node, by [`NodeId::index`].
    pub(super) inodes: Vec<Inode>,
}

/// The tree of all files.
pub(super) fn walk(inner: &Arc<Inner>) -> Result<Walked> {
    let root = inodes::read(inner, inner.geometry.root)?;
    if !root.is_directory() {
        return Err(damaged("root", "is no directory"));
    }
    let mut walked = Walked {
        tree: Tree::new(node(inner, &root)?),
        inodes: vec![root.clone()],
    };
    let mut known = BTreeMap::from([(root.number, NodeId::ROOT)]);
    // Directories, and those that they are in.
    let mut waiting = vec![(root.clone(), NodeId::ROOT, root.number, Vec::new())];
    while let Some((inode, id, parent, path)) = waiting.pop() {
        let entries = directories::entries(inner, &inode).map_err(|error| at(error, &path))?;
        check_dots(&entries, &inode, parent).map_err(|error| at(error, &path))?;
        for entry in entries.iter().filter(|entry| !entry.is_dots()) {
            let path = [&path[..], b"/", &entry.name].concat();
            let child = one(inner, entry).map_err(|error| at(error, &path))?;
            if let Some(known) = known.get(&child.number) {
                if child.is_directory() {
                    return Err(damaged(show(&path), "is a directory with two names"));
                }
                walked.tree.link(id, &entry.name, *known)?;
                continue;
            }
            let node = node(inner, &child).map_err(|error| at(error, &path))?;
            let own = walked.tree.add(id, &entry.name, node)?;
            known.insert(child.number, own);
            walked.inodes.push(child.clone());
            if child.is_directory() {
                waiting.push((child, own, inode.number, path));
            }
        }
    }
    Ok(walked)
}

/// The inode of an entry, whose kinds have to agree.
fn one(inner: &Inner, entry: &Entry) -> Result<Inode> {
    let inode = inodes::read(inner, entry.inode)?;
    if entry_kind(inode.kind()) != Some(entry.kind) {
        let problem = format!("is of kind {}, the inode of mode {:o}", entry.kind, inode.mode);
        return Err(damaged("entry", problem));
    }
    Ok(inode)
}

fn check_dots(entries: &[Entry], inode: &Inode, parent: u64) -> Result<()> {
    let own = inode.number;
    let dots: BTreeSet<(&[u8], u64)> = entries
        .iter()
        .filter(|entry| entry.is_dots())
        .map(|entry| (&*entry.name, entry.inode))
        .collect();
    let mut wanted = BTreeSet::from([(&b".."[..], parent)]);
    if !inode.is_dotless {
        wanted.insert((b".", own));
    }
    if dots == wanted {
        return Ok(());
    }
    Err(damaged(
        format!("directory {own}"),
        "does not say where it is itself, and what it is in",
    ))
}

/// The inode at a path.
pub(super) fn find(inner: &Arc<Inner>, path: &[u8]) -> Result<Option<Inode>> {
    let mut inode = inodes::read(inner, inner.geometry.root)?;
    for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
        if !inode.is_directory() {
            return Ok(None);
        }
        let entries = directories::entries(inner, &inode)?;
        let found = entries
            .iter()
            .find(|entry| &*entry.name == name && !entry.is_dots());
        let Some(entry) = found else { return Ok(None) };
        inode = one(inner, entry)?;
    }
    Ok(Some(inode))
}

/// An inode as a node; of a directory, without its entries.
pub(super) fn node(inner: &Arc<Inner>, inode: &Inode) -> Result<Node> {
    let number = u32::try_from(inode.place).unwrap_or(0);
    let [major, minor] = [number >> 8 & 0xfff, (number & 0xff) | (number >> 12 & 0xf_ff00)];
    let device = Device { major, minor };
    let kind = match inode.kind() {
        mode::DIRECTORY => Node::directory().kind,
        mode::FILE => Kind::File(data::content(inner, inode)?),
        mode::SYMLINK => Kind::Symlink(target(inner, inode)?),
        mode::CHAR_DEVICE => Kind::CharDevice(device),
        mode::BLOCK_DEVICE => Kind::BlockDevice(device),
        mode::FIFO => Kind::Fifo,
        mode::SOCKET => Kind::Socket,
        _ => return Err(damaged(inode.name(), format!("has the mode {:o}", inode.mode))),
    };
    let meta = Meta {
        mode: inode.mode & !mode::MASK,
        uid: inode.uid,
        gid: inode.gid,
        mtime: inode.mtime,
        xattrs: inode.xattrs.clone(),
    };
    Ok(Node { meta, kind })
}

fn target(inner: &Arc<Inner>, inode: &Inode) -> Result<Box<[u8]>> {
    if inode.size == 0 || inode.size > TARGET_MAX as u64 {
        return Err(damaged(
            inode.name(),
            format!("is a link of {} bytes", inode.size),
        ));
    }
    let target = data::content(inner, inode)?.to_vec()?;
    if target.contains(&0) {
        return Err(damaged(inode.name(), "has a zero byte in its target"));
    }
    Ok(target.into())
}

/// What entries call a kind of inodes.
fn entry_kind(kind: u16) -> Option<u8> {
    Some(match kind {
        mode::DIRECTORY => entry::DIRECTORY,
        mode::FILE => entry::FILE,
        mode::SYMLINK => entry::SYMLINK,
        mode::CHAR_DEVICE => entry::CHAR_DEVICE,
        mode::BLOCK_DEVICE => entry::BLOCK_DEVICE,
        mode::FIFO => entry::FIFO,
        mode::SOCKET => entry::SOCKET,
        _ => return None,
    })
}

/// The same error with a path in front of its place.
fn at(error: Error, path: &[u8]) -> Error {
    let path = if path.is_empty() { b"/" } else { path };
    match error {
        Error::Damaged { place, problem } => Error::Damaged {
            place: format!("{} ({place})", show(path)),
            problem,
        },
        Error::Read { what, source } => Error::Read {
            what: format!("{} ({what})", show(path)),
            source,
        },
        other => other,
    }
}
