//! The first look at a tree: which inodes there are, what each is called, and how many blocks it needs.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use image::{Content, Device, Kind, Node, NodeId, Tree, show};

use super::directories::{self, Child};
use super::features::Features;
use super::xattrs::{self, Xattrs};
use crate::format::{BLOCK, FIRST_INODE, INLINE, LINKS_MAX, ROOT_INODE};
use crate::{Error, Options, Result};

/// A tree with its inodes numbered.
pub(super) struct Survey<'a> {
    pub(super) tree: &'a Tree,
    /// The inodes of the tree, lost+found among them, in the order of their numbers: 2, 11, 12 …
    pub(super) items: Vec<Item<'a>>,
    /// The blocks of extended attributes, each once however many inodes share it.
    pub(super) xattr_blocks: Vec<xattrs::Block>,
    /// Whether there are files whose holes nobody has looked for.
    pub(super) is_bound: bool,
}

/// What is done about the holes of files that only reading finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holes {
    /// The files are read.
    Found,
    /// There are none.
    Assumed,
}

/// One inode.
pub(super) struct Item<'a> {
    pub(super) number: u32,
    /// None: lost+found, which the tree has not.
    pub(super) id: Option<NodeId>,
    pub(super) node: &'a Node,
    pub(super) links: u32,
    /// What the map calls its blocks.
    pub(super) label: Arc<str>,
    pub(super) data: Data<'a>,
    pub(super) xattrs: Xattrs,
}

/// What an inode's blocks hold.
pub(super) enum Data<'a> {
    /// There are none.
    None,
    /// Blocks made here: those of a directory, or a long link's target.
    Made(Content),
    /// The blocks of a directory that is a hash tree.
    HashTree(Arc<[u8]>),
    /// A file's bytes, as ranges of blocks; what is between them is a hole.
    File(&'a Content, Box<[Range<u32>]>),
}

impl Item<'_> {
    /// How many blocks of data, without those of extent trees.
    pub(super) fn block_count(&self) -> u64 {
        match &self.data {
            Data::None => 0,
            Data::Made(content) => content.len().div_ceil(BLOCK),
            Data::HashTree(bytes) => (bytes.len() as u64).div_ceil(BLOCK),
            Data::File(_, runs) => runs.iter().map(|run| u64::from(run.end - run.start)).sum(),
        }
    }

    pub(super) fn is_directory(&self) -> bool {
        matches!(self.node.kind, Kind::Directory(_))
    }
}

/// The folder into which e2fsck puts what has lost its name. It has room for many names from the start, because
/// e2fsck may not be able to give it more.
static LOST_AND_FOUND: LazyLock<Node> = LazyLock::new(|| Node::directory().mode(0o700));
const LOST_AND_FOUND_NAME: &[u8] = b"lost+found";
const LOST_AND_FOUND_BLOCKS: usize = 4;

/// The label of what belongs to no unit.
pub(super) const FILES: &str = "files";

/// The longest target of a symbolic link.
const TARGET_MAX: usize = 4095;
/// What Linux has room for in a device's number.
const MAJOR_MAX: u32 = 0xfff;
const MINOR_MAX: u32 = 0xf_ffff;
/// The number that is no user and no group.
const NOBODY: u32 = u32::MAX;
/// Times have 32 bits with a sign, and two more for what comes after 2038.
pub(super) const TIME_MIN: i64 = -(1 << 31);
pub(super) const TIME_MAX: i64 = (1 << 34) - (1 << 31) - 1;

/// A number for every node of the tree, and what it needs.
pub(super) fn survey<'a>(
    tree: &'a Tree,
    options: &Options,
    features: &Features,
    holes: Holes,
) -> Result<Survey<'a>> {
    if holes == Holes::Found {
        image::find_data_runs(tree.nodes().filter_map(|(_, node)| match &node.kind {
            Kind::File(content) => Some(content),
            _ => None,
        }));
    }
    let mut is_bound = false;
    let mut numbers = Numbers::new(tree)?;
    let mut xattr_blocks = xattrs::Blocks::default();
    let mut items = Vec::with_capacity(numbers.met.len());
    let met = std::mem::take(&mut numbers.met);
    for met in met {
        let number = numbers.of_met(&met);
        let node = met.id.map_or(&*LOST_AND_FOUND, |id| tree.node(id));
        let place = || met.id.map_or_else(String::new, |id| path(tree, id));
        let links = match &node.kind {
            Kind::Directory(_) => numbers.directory_links(tree, met.id),
            _ => met.id.map_or(1, |id| numbers.links[id.index()]),
        };
        check(node, links, features, &place)?;
        let data = match &node.kind {
            Kind::Directory(_) => {
                let children = numbers.children(tree, met.id);
                let least = if number == FIRST_INODE {
                    LOST_AND_FOUND_BLOCKS
                } else {
                    1
                };
                let directory = directories::Directory {
                    number,
                    parent: met.parent,
                    children,
                    least_blocks: least,
                };
                let seed = options.hash_seed.as_bytes();
                match directories::blocks(&directory, features, seed, &place)? {
                    directories::Blocks::List(content) => Data::Made(content),
                    directories::Blocks::HashTree(bytes) => Data::HashTree(bytes.into()),
                }
            }
            Kind::Symlink(target) if target.len() >= INLINE => Data::Made(target[..].to_vec().into()),
            Kind::File(content) => {
                let known = match holes {
                    Holes::Found => Some(content.data_runs()?),
                    Holes::Assumed => content.known_data_runs(),
                };
                is_bound |= known.is_none();
                let whole = 0..content.len();
                Data::File(content, blocks(&known.unwrap_or_else(|| vec![whole])))
            }
            _ => Data::None,
        };
        items.push(Item {
            number,
            id: met.id,
            node,
            links,
            label: met.label,
            data,
            xattrs: xattr_blocks.add(&node.meta.xattrs, &place)?,
        });
    }
    Ok(Survey {
        tree,
        items,
        xattr_blocks: xattr_blocks.finish(),
        is_bound,
    })
}

/// A node as the walk meets it first.
struct Met {
    /// None: lost+found, which the tree has not.
    id: Option<NodeId>,
    /// The number of the directory that it was met in.
    parent: u32,
    label: Arc<str>,
}

struct Numbers {
    met: Vec<Met>,
    /// By node; 0 before it was met.
    of_node: Vec<u32>,
    links: Vec<u32>,
    has_lost_and_found: bool,
}

impl Numbers {
    fn new(tree: &Tree) -> Result<Numbers> {
        let Kind::Directory(root) = &tree.node(NodeId::ROOT).kind else {
            let what = what(&tree.node(NodeId::ROOT).kind);
            return Err(Error::NoDirectory { path: "/", what });
        };
        let lost_and_found = root.get(LOST_AND_FOUND_NAME);
        if let Some(id) = lost_and_found
            && !matches!(tree.node(id).kind, Kind::Directory(_))
        {
            let (path, what) = ("/lost+found", what(&tree.node(id).kind));
            return Err(Error::NoDirectory { path, what });
        }
        let mut numbers = Numbers {
            met: Vec::with_capacity(tree.len() + 1),
            of_node: vec![0; tree.len()],
            links: tree.link_counts(),
            has_lost_and_found: lost_and_found.is_some(),
        };
        let label: Arc<str> = FILES.into();
        numbers.meet(NodeId::ROOT, ROOT_INODE, ROOT_INODE, label.clone());
        match lost_and_found {
            Some(id) => numbers.meet(id, ROOT_INODE, FIRST_INODE, label.clone()),
            None => numbers.met.push(Met {
                id: None,
                parent: ROOT_INODE,
                label: label.clone(),
            }),
        }
        numbers.walk(tree, label)?;
        Ok(numbers)
    }

    fn walk(&mut self, tree: &Tree, label: Arc<str>) -> Result<()> {
        let mut stack: Vec<(NodeId, u32, Arc<str>)> = vec![(NodeId::ROOT, ROOT_INODE, label)];
        while let Some((id, parent, label)) = stack.pop() {
            let label = match tree.unit(id) {
                Some(unit) => show(&unit.name).into(),
                None => label,
            };
            if self.of_node[id.index()] == 0 {
                let next = u32::try_from(self.met.len() - 1).ok();
                let number =
                    next.and_then(|next| next.checked_add(FIRST_INODE))
                        .ok_or(Error::TooManyInodes {
                            needed: tree.len() as u64,
                            promised: 0,
                            limit: u32::MAX.into(),
                        })?;
                self.meet(id, parent, number, label.clone());
            }
            let number = self.of_node[id.index()];
            let first = stack.len();
            stack.extend(tree.children(id).map(|(_, child)| (child, number, label.clone())));
            stack[first..].reverse();
        }
        Ok(())
    }

    fn meet(&mut self, id: NodeId, parent: u32, number: u32, label: Arc<str>) {
        self.of_node[id.index()] = number;
        self.met.push(Met {
            id: Some(id),
            parent,
            label,
        });
    }

    fn of_met(&self, met: &Met) -> u32 {
        met.id.map_or(FIRST_INODE, |id| self.of_node[id.index()])
    }

    /// The names of a directory: its own `.`, its parent's, and one `..` of each directory in it.
    fn directory_links(&self, tree: &Tree, id: Option<NodeId>) -> u32 {
        let Some(id) = id else { return 2 };
        let is_directory = |(_, child)| matches!(tree.node(child).kind, Kind::Directory(_));
        let count = tree.children(id).filter(|child| is_directory(*child)).count();
        let lost_and_found = id == NodeId::ROOT && !self.has_lost_and_found;
        let links = u32::try_from(count).unwrap_or(u32::MAX);
        links.saturating_add(2 + u32::from(lost_and_found))
    }

    fn children<'a>(&self, tree: &'a Tree, id: Option<NodeId>) -> Vec<Child<'a>> {
        let Some(id) = id else { return Vec::new() };
        let child = |(name, id): (&'a [u8], NodeId)| Child {
            name,
            number: self.of_node[id.index()],
            file_type: file_type(&tree.node(id).kind),
        };
        let mut children: Vec<Child> = tree.children(id).map(child).collect();
        if id == NodeId::ROOT && !self.has_lost_and_found {
            let place = children.partition_point(|child| child.name < LOST_AND_FOUND_NAME);
            let lost_and_found = Child {
                name: LOST_AND_FOUND_NAME,
                number: FIRST_INODE,
                file_type: file_type(&LOST_AND_FOUND.kind),
            };
            children.insert(place, lost_and_found);
        }
        children
    }
}

fn check(node: &Node, links: u32, features: &Features, place: &dyn Fn() -> String) -> Result<()> {
    if let Some((xattr, problem)) = node.meta.impossible_xattr() {
        return Err(xattrs::bad(xattr, place, problem.to_string()));
    }
    let time = node.meta.mtime;
    if !(TIME_MIN..=TIME_MAX).contains(&time) {
        return Err(Error::TimeOutOfRange {
            path: place(),
            time,
            least: TIME_MIN,
            most: TIME_MAX,
        });
    }
    if [node.meta.uid, node.meta.gid].contains(&NOBODY) {
        return Err(Error::Nobody {
            path: place(),
            id: NOBODY,
        });
    }
    match &node.kind {
        Kind::Directory(_) => return Ok(()),
        Kind::CharDevice(Device { major, minor }) | Kind::BlockDevice(Device { major, minor })
            if *major > MAJOR_MAX || *minor > MINOR_MAX =>
        {
            return Err(Error::DeviceNumber {
                path: place(),
                major: *major,
                minor: *minor,
            });
        }
        Kind::Symlink(target) if target.len() > TARGET_MAX => {
            return Err(Error::TargetTooLong {
                path: place(),
                len: target.len(),
                limit: TARGET_MAX,
            });
        }
        Kind::Symlink(target) if target.is_empty() => return Err(Error::TargetEmpty { path: place() }),
        Kind::Symlink(target) if target.contains(&0) => return Err(Error::TargetWithZero { path: place() }),
        Kind::File(content) if content.len() > features.file_len_max => {
            return Err(Error::FileTooLarge {
                path: place(),
                len: content.len(),
                limit: features.file_len_max,
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

/// The blocks of these bytes.
fn blocks(runs: &[Range<u64>]) -> Box<[Range<u32>]> {
    let block = |byte: u64| u32::try_from(byte.div_ceil(BLOCK)).unwrap_or(u32::MAX);
    let runs = runs.iter().map(|run| block(run.start)..block(run.end));
    runs.filter(|run| !run.is_empty()).collect()
}

/// What directory entries say of a node.
fn file_type(kind: &Kind) -> u8 {
    match kind {
        Kind::File(_) => 1,
        Kind::Directory(_) => 2,
        Kind::CharDevice(_) => 3,
        Kind::BlockDevice(_) => 4,
        Kind::Fifo => 5,
        Kind::Socket => 6,
        Kind::Symlink(_) => 7,
    }
}

fn what(kind: &Kind) -> &'static str {
    match kind {
        Kind::File(_) => "a file",
        Kind::Directory(_) => "a directory",
        Kind::CharDevice(_) | Kind::BlockDevice(_) => "a device",
        Kind::Fifo => "a named pipe",
        Kind::Socket => "a socket",
        Kind::Symlink(_) => "a symbolic link",
    }
}

/// A path of a node, for errors.
pub(super) fn path(tree: &Tree, id: NodeId) -> String {
    let entry = tree.walk().find(|entry| entry.id == id);
    entry.map_or_else(String::new, |entry| show(&entry.path))
}
