//! The first look at a tree: which inodes there are, and what each is called.

use std::collections::{BTreeMap, VecDeque};

use image::{Kind, Node, NodeId, Tree, show};

use super::xattrs;
use crate::format::{LINKS_MAX, object};
use crate::{Access, Error, Options, Result};

/// The longest target of a symbolic link.
const TARGET_MAX: usize = 4095;
/// The longest file that Linux reads.
const FILE_MAX: u64 = i64::MAX as u64 - 4095;
/// The largest device numbers of Linux.
const MAJOR_MAX: u32 = (1 << 12) - 1;
const MINOR_MAX: u32 = (1 << 20) - 1;
/// The number of owners and groups that means none.
const NOBODY: u32 = u32::MAX;
/// The first index of a directory's entries.
pub(super) const INDEX_FIRST: u32 = 2;

/// A tree with its inodes numbered.
pub(super) struct Survey<'a> {
    pub(super) tree: &'a Tree,
    /// Sorted by id. The first is the file system itself.
    pub(super) subvolumes: Vec<Subvolume<'a>>,
    /// The number of each node in its subvolume.
    inodes: Vec<u32>,
    /// The id of each node's subvolume.
    trees: Vec<u64>,
    /// The ids of subvolumes by their roots.
    roots: BTreeMap<NodeId, u64>,
}

/// A tree of files.
pub(super) struct Subvolume<'a> {
    pub(super) id: u64,
    pub(super) access: Access,
    /// Its path in the whole tree.
    pub(super) path: String,
    /// The name that it has in another subvolume, and the id of that.
    pub(super) entry: Option<(u64, Name<'a>)>,
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
    pub(super) bytes: &'a [u8],
}

impl<'a> Survey<'a> {
    /// The number of a node's inode.
    pub(super) fn inode(&self, id: NodeId) -> u64 {
        self.inodes[id.index()].into()
    }

    /// The id of the subvolume that has this root.
    pub(super) fn subvolume(&self, id: NodeId) -> Option<u64> {
        self.roots.get(&id).copied()
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

/// A subvolume that the walk has come by, and does not go into.
struct Waiting<'a> {
    id: u64,
    root: NodeId,
    entry: Option<(u64, Name<'a>)>,
}

/// A number for every node of the tree.
pub(super) fn survey<'a>(tree: &'a Tree, options: &Options) -> Result<Survey<'a>> {
    let mut survey = Survey {
        tree,
        subvolumes: Vec::new(),
        inodes: vec![0; tree.len()],
        trees: vec![0; tree.len()],
        roots: BTreeMap::new(),
    };
    check_subvolumes(tree, options)?;
    let mut waiting = VecDeque::from([Waiting {
        id: object::FS_TREE,
        root: NodeId::ROOT,
        entry: None,
    }]);
    while let Some(next) = waiting.pop_front() {
        let subvolume = walk(&mut survey, &next, options, &mut waiting)?;
        survey.subvolumes.push(subvolume);
    }
    check(&survey)?;
    Ok(survey)
}

fn check_subvolumes(tree: &Tree, options: &Options) -> Result<()> {
    for id in options.subvolumes.keys() {
        if !matches!(tree.node(*id).kind, Kind::Directory(_)) {
            return Err(Error::SubvolumeNotADirectory {
                path: path(tree, *id),
            });
        }
    }
    let default = options.default_subvolume;
    if default != NodeId::ROOT && !options.subvolumes.contains_key(&default) {
        return Err(Error::BadOption {
            option: "default subvolume",
            value: path(tree, default),
            problem: "is no subvolume".to_string(),
        });
    }
    Ok(())
}

/// Numbers the nodes of one subvolume.
fn walk<'a>(
    survey: &mut Survey<'a>,
    own: &Waiting<'a>,
    options: &Options,
    waiting: &mut VecDeque<Waiting<'a>>,
) -> Result<Subvolume<'a>> {
    let tree = survey.tree;
    survey.roots.insert(own.root, own.id);
    let mut subvolume = Subvolume {
        id: own.id,
        access: options.subvolumes.get(&own.root).copied().unwrap_or_default(),
        path: path(tree, own.root),
        entry: own.entry,
        nodes: Vec::new(),
        names: Vec::new(),
    };
    let mut stack: Vec<(NodeId, Option<Name<'a>>)> = vec![(own.root, None)];
    while let Some((id, name)) = stack.pop() {
        if let Some(name) = name
            && options.subvolumes.contains_key(&id)
        {
            let count = survey.subvolumes.len() + waiting.len();
            waiting.push_back(Waiting {
                id: object::FIRST_FREE + count as u64,
                root: id,
                entry: Some((own.id, name)),
            });
            continue;
        }
        let known = &mut survey.inodes[id.index()];
        if *known == 0 {
            *known = ROOT_INODE + u32::try_from(subvolume.nodes.len()).unwrap_or(u32::MAX);
            survey.trees[id.index()] = own.id;
            subvolume.nodes.push(id);
        } else if survey.trees[id.index()] != own.id {
            return Err(Error::LinkAcrossSubvolumes { path: path(tree, id) });
        }
        let inode = *known;
        subvolume.names.extend(name.map(|name| Name { inode, ..name }));
        let first = stack.len();
        for (index, (bytes, child)) in (INDEX_FIRST..).zip(tree.children(id)) {
            let name = Name {
                inode: 0,
                parent: inode,
                index,
                bytes,
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
            xattrs::check(&node.meta, &place)?;
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
        Kind::Symlink(target) if target.contains(&0) => return Err(Error::TargetWithZero { path: place() }),
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
    if [node.meta.uid, node.meta.gid].contains(&NOBODY) {
        return Err(Error::Nobody {
            path: place(),
            id: NOBODY,
        });
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
