//! The first look at a tree: which inodes there are, in which order, and what the format cannot hold.

use image::{Kind, Node, NodeId, Tree, show};

use super::xattrs;
use crate::format::{TARGET_MAX, entry};
use crate::{Error, Result};

/// The longest file that Linux reads.
const FILE_MAX: u64 = i64::MAX as u64 - 4095;
/// The largest device numbers of Linux.
const MAJOR_MAX: u32 = (1 << 12) - 1;
const MINOR_MAX: u32 = (1 << 20) - 1;
/// The number that is no user and no group.
const NOBODY: u32 = u32::MAX;

/// A tree, and its inodes.
pub(super) struct Survey<'a> {
    pub(super) tree: &'a Tree,
    /// All nodes, by their first names: a directory before what is in it. The root is the first.
    pub(super) order: Vec<NodeId>,
    /// How often each node is referred to, by [`NodeId::index`]: by names, and directories by themselves and by those in them.
    pub(super) links: Vec<u32>,
    /// The directory that each directory is in, by [`NodeId::index`].
    pub(super) parents: Vec<NodeId>,
}

impl<'a> Survey<'a> {
    /// Looks at all nodes that have a name.
    pub(super) fn of(tree: &'a Tree) -> Result<Survey<'a>> {
        let mut survey = Survey {
            tree,
            order: Vec::with_capacity(tree.len()),
            links: tree.link_counts(),
            parents: vec![NodeId::ROOT; tree.len()],
        };
        let mut seen = vec![false; tree.len()];
        let mut stack = vec![NodeId::ROOT];
        while let Some(id) = stack.pop() {
            if std::mem::replace(&mut seen[id.index()], true) {
                continue;
            }
            survey.order.push(id);
            let node = tree.node(id);
            check(node, &|| path(tree, id))?;
            if let Kind::Directory(directory) = &node.kind {
                // A directory has one name, itself, and one from each directory in it.
                survey.links[id.index()] = 2;
                let first = stack.len();
                for (_, child) in directory.iter() {
                    stack.push(child);
                    if let Kind::Directory(_) = tree.node(child).kind {
                        survey.links[id.index()] += 1;
                        survey.parents[child.index()] = id;
                    }
                }
                stack[first..].reverse();
            }
        }
        Ok(survey)
    }
}

fn check(node: &Node, place: &dyn Fn() -> String) -> Result<()> {
    if [node.meta.uid, node.meta.gid].contains(&NOBODY) {
        return Err(Error::Nobody {
            path: place(),
            id: NOBODY,
        });
    }
    xattrs::check(&node.meta, place)?;
    match &node.kind {
        Kind::Symlink(target) if target.len() > TARGET_MAX => Err(Error::TargetTooLong {
            path: place(),
            len: target.len(),
            limit: TARGET_MAX,
        }),
        Kind::Symlink(target) if target.is_empty() => Err(Error::TargetEmpty { path: place() }),
        Kind::Symlink(target) if target.contains(&0) => Err(Error::TargetWithZero { path: place() }),
        Kind::File(content) if content.len() > FILE_MAX => Err(Error::FileTooLarge {
            path: place(),
            len: content.len(),
            limit: FILE_MAX,
        }),
        Kind::CharDevice(device) | Kind::BlockDevice(device)
            if device.major > MAJOR_MAX || device.minor > MINOR_MAX =>
        {
            Err(Error::DeviceNumber {
                path: place(),
                major: device.major,
                minor: device.minor,
            })
        }
        _ => Ok(()),
    }
}

/// A path of a node, for errors.
pub(super) fn path(tree: &Tree, id: NodeId) -> String {
    let entry = tree.walk().find(|entry| entry.id == id);
    entry.map_or_else(String::new, |entry| show(&entry.path))
}

/// What a directory's entry says of a node.
pub(super) fn entry_kind(kind: &Kind) -> u8 {
    match kind {
        Kind::Directory(_) => entry::DIRECTORY,
        Kind::File(_) => entry::FILE,
        Kind::Symlink(_) => entry::SYMLINK,
        Kind::CharDevice(_) => entry::CHAR_DEVICE,
        Kind::BlockDevice(_) => entry::BLOCK_DEVICE,
        Kind::Fifo => entry::FIFO,
        Kind::Socket => entry::SOCKET,
    }
}
