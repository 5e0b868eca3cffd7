//! Looks through a tree: what is in it, what FAT calls it, how much room it takes.

use image::{Content, Node, NodeId, Tree, show};

use super::size::{CLUSTER_SIZES, Needs};
use crate::format::SLOT_SIZE;
use crate::geometry::{DEPTH_MAX, DIRECTORY_SLOTS_MAX};
use crate::names::{self, Name};
use crate::{Error, LargeFile, time};

/// The directories level by level, and the files in the order of their directories.
#[derive(Debug)]
pub(super) struct Survey<'a> {
    /// The root is the first.
    pub(super) directories: Vec<Directory>,
    pub(super) files: Vec<File<'a>>,
}

#[derive(Debug)]
pub(super) struct Directory {
    /// The path from the root, without a slash at the end: the root's is empty.
    pub(super) path: Vec<u8>,
    /// The parent's index; the root is its own.
    pub(super) parent: usize,
    pub(super) mtime: i64,
    pub(super) children: Vec<Child>,
    /// How many 32-byte entries it has.
    pub(super) slots: u64,
    id: NodeId,
    level: usize,
}

#[derive(Debug)]
pub(super) struct Child {
    pub(super) name: Name,
    pub(super) mtime: i64,
    pub(super) target: Target,
}

/// An index into one of the lists.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Directory(usize),
    File(usize),
}

#[derive(Debug)]
pub(super) struct File<'a> {
    pub(super) path: Vec<u8>,
    pub(super) content: &'a Content,
    /// The content's length.
    pub(super) len: u32,
}

/// How many of the largest files an error names.
const LARGEST: usize = 5;

/// Looks through a tree. `root_slots` is how many entries the root has besides names.
pub(super) fn survey(tree: &Tree, root_slots: u64) -> Result<Survey<'_>, Error> {
    let root = tree.node(NodeId::ROOT);
    if !matches!(root.kind, image::Kind::Directory(_)) {
        return Err(Error::RootIsNoDirectory {
            what: kind_name(root),
        });
    }
    let mut survey = Survey {
        directories: vec![Directory {
            path: Vec::new(),
            parent: 0,
            mtime: root.meta.mtime,
            children: Vec::new(),
            slots: root_slots,
            id: NodeId::ROOT,
            level: 0,
        }],
        files: Vec::new(),
    };
    let mut index = 0;
    while let Some(directory) = survey.directories.get(index) {
        let (path, id, level) = (directory.path.clone(), directory.id, directory.level);
        let (children, slots) = survey.children(tree, index, &path, id, level)?;
        if let Some(directory) = survey.directories.get_mut(index) {
            directory.children = children;
            directory.slots += slots;
            check_slots(&path, directory.slots)?;
        }
        index += 1;
    }
    Ok(survey)
}

impl<'a> Survey<'a> {
    /// The children of a directory, and the entries that their names take. What they are joins the lists.
    fn children(
        &mut self,
        tree: &'a Tree,
        parent: usize,
        path: &[u8],
        id: NodeId,
        level: usize,
    ) -> Result<(Vec<Child>, u64), Error> {
        let (raw, ids): (Vec<&[u8]>, Vec<NodeId>) = tree.children(id).unzip();
        check_slots(path, raw.len() as u64)?;
        let names = names::assign(&raw, |name| show(&join(path, name)))?;
        let slots = names.iter().map(|name| name.slots() as u64).sum();
        let mut children = Vec::with_capacity(names.len());
        for ((raw, id), name) in raw.into_iter().zip(ids).zip(names) {
            let (node, path) = (tree.node(id), join(path, raw));
            if !time::holds(node.meta.mtime) {
                return Err(Error::Time {
                    path: show(&path),
                    time: node.meta.mtime,
                });
            }
            let target = match &node.kind {
                image::Kind::Directory(_) => self.directory(path, parent, node, id, level + 1)?,
                image::Kind::File(content) => self.file(path, content)?,
                _ => {
                    return Err(Error::Unsupported {
                        path: show(&path),
                        what: kind_name(node),
                    });
                }
            };
            children.push(Child {
                name,
                mtime: node.meta.mtime,
                target,
            });
        }
        Ok((children, slots))
    }

    fn directory(
        &mut self,
        path: Vec<u8>,
        parent: usize,
        node: &Node,
        id: NodeId,
        level: usize,
    ) -> Result<Target, Error> {
        if level > DEPTH_MAX {
            return Err(Error::TooDeep {
                path: show(&path),
                depth: level,
                limit: DEPTH_MAX,
            });
        }
        self.directories.push(Directory {
            path,
            parent,
            mtime: node.meta.mtime,
            children: Vec::new(),
            slots: DOTS,
            id,
            level,
        });
        Ok(Target::Directory(self.directories.len() - 1))
    }

    fn file(&mut self, path: Vec<u8>, content: &'a Content) -> Result<Target, Error> {
        let len = u32::try_from(content.len()).map_err(|_| Error::FileTooLarge {
            path: show(&path),
            len: content.len(),
            limit: u32::MAX.into(),
        })?;
        self.files.push(File { path, content, len });
        Ok(Target::File(self.files.len() - 1))
    }

    /// What the file system needs, when the root directory keeps this many entries free.
    pub(super) fn needs(&self, spare_root_slots: u64) -> Needs {
        let root_slots = self.directories.first().map_or(0, |root| root.slots);
        let clusters = CLUSTER_SIZES.map(|cluster_size| {
            let files = self.files.iter().map(|file| u64::from(file.len));
            let directories = self.directories.iter().skip(1);
            let directories = directories.map(|directory| directory.slots * SLOT_SIZE as u64);
            files
                .chain(directories)
                .map(|len| len.div_ceil(cluster_size.into()))
                .sum()
        });
        let mut files: Vec<&File> = self.files.iter().filter(|file| file.len > 0).collect();
        files.sort_by_key(|file| std::cmp::Reverse(file.len));
        let largest = files.into_iter().take(LARGEST).map(|file| LargeFile {
            path: show(&file.path),
            len: file.len.into(),
        });
        Needs {
            clusters,
            root_slots: (root_slots + spare_root_slots).min(DIRECTORY_SLOTS_MAX),
            largest: largest.collect(),
        }
    }
}

/// The entries of a directory for itself and its parent.
const DOTS: u64 = 2;

fn check_slots(path: &[u8], slots: u64) -> Result<(), Error> {
    if slots <= DIRECTORY_SLOTS_MAX {
        return Ok(());
    }
    Err(Error::DirectoryTooLarge {
        path: if path.is_empty() { "/".into() } else { show(path) },
        entries: slots,
        limit: DIRECTORY_SLOTS_MAX,
    })
}

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    [path, name].join(&b'/')
}

fn kind_name(node: &Node) -> &'static str {
    match node.kind {
        image::Kind::Directory(_) => "a directory",
        image::Kind::File(_) => "a file",
        image::Kind::Symlink(_) => "a symbolic link",
        image::Kind::CharDevice(_) | image::Kind::BlockDevice(_) => "a device",
        image::Kind::Fifo => "a named pipe",
        image::Kind::Socket => "a socket",
    }
}
