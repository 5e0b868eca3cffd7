//! The first look at a tree: which inodes there are, and what each is called.

use std::collections::VecDeque;

use image::{Kind, Node, NodeId, Tree, show};

use super::xattrs;
use crate::format::{LINKS_MAX, object};
use crate::{Error, Result};

/// The longest target of a symbolic link.
const TARGET_MAX: usize = 4095;
/// The longest file that Linux reads.
const FILE_MAX: u64 = i64::MAX as u64 - 4095;
/// The largest device numbers of Linux.
const MAJOR_MAX: u32 = (1 << 12) - 1;
const MINOR_MAX: u32 = (1 << 20) - 1;
/// The first index of a directory's entries.
pub(super) const INDEX_FIRST: u32 = 2;

/// A tree with its inodes numbered.
pub(super) struct Survey<'a> {
    pub(super) tree: &'a Tree,
    /// Sorted by id. The first is the file system itself.
    pub(super) subvolumes: Vec<Subvolume<'a>>,
    /// The number of each node in its subvolume.
    inodes: Vec<u32>,
}

/// A tree of files.
pub(super) struct Subvolume<'a> {
    pub(super) id: u64,
    /// The nodes in the order of their inodes' numbers, from [`object::FIRST_FREE`] on.
    pub(super) nodes: Vec<NodeId>,
    /// All names, sorted by the inodes that have them.
    pub(super) names: Vec<Name<'a>>,
}

/// A name of an inode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'a> {
    pub(super) inode: u32,
    pub(super) parent: u32,
    /// Its index in the parent.
    pub(super) index: u32,
    pub(super) name: &'a [u8],
}

impl<'a> Survey<'a> {
    /// The number of a node's inode.
    pub(super) fn inode(&self, id: NodeId) -> u64 {
        self.inodes[id.index()].into()
    }

    /// All nodes with the ids of their subvolumes, in order.
    pub(super) fn nodes(&'a self) -> impl Iterator<Item = (u64, NodeId)> {
        let nodes = |subvolume: &'a Subvolume<'a>| subvolume.nodes.iter().map(|id| (subvolume.id, *id));
        self.subvolumes.iter().flat_map(nodes)
    }
}

/// The number of the first inode.
pub(super) const ROOT_INODE: u32 = 256;
const _: () = assert!(ROOT_INODE as u64 == object::FIRST_FREE);

/// A number for every node of the tree.
pub(super) fn survey(tree: &Tree) -> Result<Survey<'_>> {
    let mut survey = Survey {
        tree,
        subvolumes: Vec::new(),
        inodes: vec![0; tree.len()],
    };
    let mut waiting = VecDeque::from([(object::FS_TREE, NodeId::ROOT)]);
    while let Some((id, root)) = waiting.pop_front() {
        let subvolume = walk(&mut survey, id, root)?;
        survey.subvolumes.push(subvolume);
    }
    check(&survey)?;
    Ok(survey)
}

/// Numbers the nodes of one subvolume.
fn walk<'a>(survey: &mut Survey<'a>, id: u64, root: NodeId) -> Result<Subvolume<'a>> {
    let tree = survey.tree;
    let mut subvolume = Subvolume {
        id,
        nodes: Vec::new(),
        names: Vec::new(),
    };
    let mut stack: Vec<(NodeId, Option<Name<'a>>)> = vec![(root, None)];
    while let Some((id, name)) = stack.pop() {
        let known = &mut survey.inodes[id.index()];
        if *known == 0 {
            *known = ROOT_INODE + u32::try_from(subvolume.nodes.len()).unwrap_or(u32::MAX);
            subvolume.nodes.push(id);
        }
        let inode = *known;
        subvolume.names.extend(name.map(|name| Name { inode, ..name }));
        let first = stack.len();
        for (index, (name, child)) in (INDEX_FIRST..).zip(tree.children(id)) {
            let name = Name {
                inode: 0,
                parent: inode,
                index,
                name,
            };
            stack.push((child, Some(name)));
        }
        stack[first..].reverse();
    }
    // Stable: the names of one inode stay in the order of the walk.
    subvolume.names.sort_by_key(|name| name.inode);
    Ok(subvolume)
}

fn check(survey: &Survey) -> Result<()> {
    let tree = survey.tree;
    let links = tree.link_counts();
    for (id, node) in tree.nodes() {
        if survey.inodes[id.index()] != 0 {
            let place = || path(tree, id);
            check_node(node, links[id.index()], &place)?;
            xattrs::check(&node.meta.xattrs, &place)?;
        }
    }
    Ok(())
}

fn check_node(node: &Node, links: u32, place: &dyn Fn() -> String) -> Result<()> {
    match &node.kind {
        Kind::Symlink(target) if target.len() > TARGET_MAX => {
            return Err(Error::TargetTooLong {
                path: place(),
                len: target.len(),
                limit: TARGET_MAX,
            });
        }
        Kind::Symlink(target) if target.is_empty() => return Err(Error::TargetEmpty { path: place() }),
        Kind::File(content) if content.len() > FILE_MAX => {
            return Err(Error::FileTooLarge {
                path: place(),
                len: content.len(),
                limit: FILE_MAX,
            });
        }
        Kind::CharDevice(device) | Kind::BlockDevice(device)
            if device.major > MAJOR_MAX || device.minor > MINOR_MAX =>
        {
            return Err(Error::DeviceNumber {
                path: place(),
                major: device.major,
                minor: device.minor,
            });
        }
        _ => {}
    }
    if links > LINKS_MAX {
        return Err(Error::TooManyLinks {
            path: place(),
            links,
            limit: LINKS_MAX,
        });
    }
    Ok(())
}

/// A path of a node, for errors.
pub(super) fn path(tree: &Tree, id: NodeId) -> String {
    let entry = tree.walk().find(|entry| entry.id == id);
    entry.map_or_else(String::new, |entry| show(&entry.path))
}
