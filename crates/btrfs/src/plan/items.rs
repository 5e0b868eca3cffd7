//! The items of inodes: what the trees of files consist of.

use std::ops::Range;

use image::{Kind, Node, NodeId};
use zerocopy::IntoBytes;

use super::data::{self, Data, Place};
use super::survey::{INDEX_FIRST, Name, ROOT_INODE, Subvolume, Survey};
use super::xattrs;
use crate::checksum::{extref_hash, name_hash};
use crate::format::{
    DirItem, FILE_INLINE, FILE_REGULAR, FileExtentHead, FileExtentTail, GENERATION, ITEM_MAX, InodeExtref,
    InodeItem, InodeRef, Key, SECTOR, Timespec, compression, kind, object,
};
use crate::{Error, Profile, Result};

/// Takes the items of a tree in order.
pub(super) type Take<'a> = &'a mut dyn FnMut(Key, &[u8]) -> Result<()>;

/// What the items of inodes say.
pub(super) struct Items<'a> {
    pub(super) survey: &'a Survey<'a>,
    pub(super) data: &'a Data,
    pub(super) profile: Profile,
    /// Where each extent lies. As long as nobody knows, only the lengths of items count.
    pub(super) addresses: Option<&'a [u64]>,
}

/// The items of one inode, in any order.
#[derive(Default)]
struct Sheet {
    heads: Vec<(Key, Range<usize>)>,
    bytes: Vec<u8>,
}

impl Sheet {
    fn put(&mut self, key: Key, write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        let start = self.bytes.len();
        write(&mut self.bytes)?;
        self.heads.push((key, start..self.bytes.len()));
        Ok(())
    }

    fn hand_over(&mut self, take: Take) -> Result<()> {
        self.heads.sort_unstable_by_key(|(key, _)| *key);
        for (key, range) in self.heads.drain(..) {
            take(key, &self.bytes[range])?;
        }
        self.bytes.clear();
        Ok(())
    }
}

/// One inode.
struct Inode<'a> {
    number: u64,
    id: NodeId,
    node: &'a Node,
    names: &'a [Name<'a>],
}

impl Items<'_> {
    /// Hands over all items of a subvolume.
    pub(super) fn subvolume(&self, subvolume: &Subvolume, take: Take) -> Result<()> {
        let mut names = &subvolume.names[..];
        let mut sheet = Sheet::default();
        for (number, id) in (ROOT_INODE..).zip(&subvolume.nodes) {
            let count = names.iter().take_while(|name| name.inode == number).count();
            let (own, others) = names.split_at(count);
            names = others;
            let inode = Inode {
                number: number.into(),
                id: *id,
                node: self.survey.tree.node(*id),
                names: own,
            };
            self.inode(&inode, &mut sheet)?;
            sheet.hand_over(take)?;
        }
        Ok(())
    }

    fn inode(&self, inode: &Inode, sheet: &mut Sheet) -> Result<()> {
        put_names(inode, sheet)?;
        put_xattrs(inode, sheet)?;
        let mut item = head(inode.node);
        match &inode.node.kind {
            Kind::Directory(directory) => {
                let names: usize = directory.iter().map(|(name, _)| name.len()).sum();
                item.size = (2 * names as u64).into();
                self.put_entries(inode, sheet)?;
            }
            Kind::Symlink(target) => {
                (item.size, item.nbytes) = ((target.len() as u64).into(), (target.len() as u64).into());
                put_inline(inode, sheet, target.len() as u64, |bytes| {
                    bytes.extend_from_slice(target);
                    Ok(())
                })?;
            }
            Kind::File(content) => {
                item.size = content.len().into();
                item.nbytes = self.put_file(inode, content, sheet)?.into();
            }
            Kind::CharDevice(device) | Kind::BlockDevice(device) => {
                item.rdev = (u64::from(device.major) << 20 | u64::from(device.minor)).into();
            }
            Kind::Fifo | Kind::Socket => {}
        }
        let links = u32::try_from(inode.names.len()).unwrap_or(u32::MAX);
        // The root has no name, and directories have one however many others are in them.
        item.nlink = links.max(1).into();
        sheet.put(Key::new(inode.number, kind::INODE, 0), |bytes| {
            bytes.extend_from_slice(item.as_bytes());
            Ok(())
        })
    }

    /// The entries of a directory: by their hashes, and by their indices.
    fn put_entries(&self, inode: &Inode, sheet: &mut Sheet) -> Result<()> {
        let tree = self.survey.tree;
        let push = |bytes: &mut Vec<u8>, name: &[u8], child: NodeId| {
            let location = match self.survey.subvolume(child) {
                Some(id) => Key::new(id, kind::ROOT, u64::MAX),
                None => Key::new(self.survey.inode(child), kind::INODE, 0),
            };
            let head = DirItem {
                location: location.disk(),
                transid: GENERATION.into(),
                data_len: 0.into(),
                name_len: len16(name).into(),
                kind: file_type(&tree.node(child).kind),
            };
            bytes.extend_from_slice(head.as_bytes());
            bytes.extend_from_slice(name);
        };
        let mut hashed = Vec::new();
        for (index, (name, child)) in (INDEX_FIRST..).zip(tree.children(inode.id)) {
            hashed.push((name_hash(name), name, child));
            sheet.put(Key::new(inode.number, kind::DIR_INDEX, index.into()), |bytes| {
                push(bytes, name, child);
                Ok(())
            })?;
        }
        hashed.sort_unstable_by_key(|(hash, name, _)| (*hash, *name));
        for same in hashed.chunk_by(|a, b| a.0 == b.0) {
            sheet.put(Key::new(inode.number, kind::DIR_ITEM, same[0].0), |bytes| {
                let start = bytes.len();
                for (_, name, child) in same {
                    push(bytes, name, *child);
                }
                let len = bytes.len() - start;
                if len <= ITEM_MAX {
                    return Ok(());
                }
                Err(Error::TooManyCollisions {
                    path: super::survey::path(tree, inode.id),
                    count: same.len(),
                    len,
                    limit: ITEM_MAX,
                })
            })?;
        }
        Ok(())
    }

    /// The bytes of a file, or where they lie. Answers how many bytes the inode counts as its own.
    fn put_file(&self, inode: &Inode, content: &image::Content, sheet: &mut Sheet) -> Result<u64> {
        match data::place(content) {
            Place::Nowhere => Ok(0),
            Place::Leaf => {
                put_inline(inode, sheet, content.len(), |bytes| {
                    if self.addresses.is_none() {
                        let end = bytes.len() as u64 + content.len();
                        bytes.resize(usize::try_from(end).unwrap_or(usize::MAX), 0);
                    } else {
                        bytes.extend(content.to_vec()?);
                    }
                    Ok(())
                })?;
                Ok(content.len())
            }
            Place::Extents => self.put_extents(inode, content.len(), sheet),
        }
    }

    fn put_extents(&self, inode: &Inode, len: u64, sheet: &mut Sheet) -> Result<u64> {
        let (first, extents) = self.data.extents(inode.id);
        let (mut end, mut own) = (0, 0);
        for (number, extent) in (first..).zip(extents) {
            self.put_hole(inode, end..extent.start, sheet)?;
            let tail = FileExtentTail {
                disk_bytenr: self.addresses.map_or(0, |addresses| addresses[number]).into(),
                disk_num_bytes: u64::from(extent.disk_len).into(),
                offset: 0.into(),
                num_bytes: extent.covered().into(),
            };
            let head = extent_head(extent.covered(), FILE_REGULAR, extent.compression);
            put_extent(inode, extent.start, head, tail, sheet)?;
            end = extent.start + extent.covered();
            own += extent.covered();
        }
        self.put_hole(inode, end..len.next_multiple_of(SECTOR), sheet)?;
        Ok(own)
    }

    /// A hole is an item for readers that need one.
    fn put_hole(&self, inode: &Inode, hole: Range<u64>, sheet: &mut Sheet) -> Result<()> {
        if hole.is_empty() || self.profile == Profile::Modern {
            return Ok(());
        }
        let tail = FileExtentTail {
            disk_bytenr: 0.into(),
            disk_num_bytes: 0.into(),
            offset: 0.into(),
            num_bytes: (hole.end - hole.start).into(),
        };
        let head = extent_head(hole.end - hole.start, FILE_REGULAR, compression::NONE);
        put_extent(inode, hole.start, head, tail, sheet)
    }
}

fn put_extent(
    inode: &Inode,
    start: u64,
    head: FileExtentHead,
    tail: FileExtentTail,
    sheet: &mut Sheet,
) -> Result<()> {
    sheet.put(Key::new(inode.number, kind::EXTENT_DATA, start), |bytes| {
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(tail.as_bytes());
        Ok(())
    })
}

fn put_inline(
    inode: &Inode,
    sheet: &mut Sheet,
    len: u64,
    write: impl FnOnce(&mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    sheet.put(Key::new(inode.number, kind::EXTENT_DATA, 0), |bytes| {
        bytes.extend_from_slice(extent_head(len, FILE_INLINE, compression::NONE).as_bytes());
        write(bytes)
    })
}

fn extent_head(len: u64, kind: u8, compression: u8) -> FileExtentHead {
    FileExtentHead {
        generation: GENERATION.into(),
        ram_bytes: len.into(),
        compression,
        encryption: 0,
        other_encoding: 0.into(),
        kind,
    }
}

/// The names of an inode: those in one directory in one item, as many as fit.
fn put_names(inode: &Inode, sheet: &mut Sheet) -> Result<()> {
    if inode.names.is_empty() {
        return put_root_name(inode.number, &mut |key, item| {
            sheet.put(key, |bytes| {
                bytes.extend_from_slice(item);
                Ok(())
            })
        });
    }
    let mut names: Vec<&Name> = inode.names.iter().collect();
    names.sort_by_key(|name| name.parent);
    let mut further: Vec<(u64, &Name)> = Vec::new();
    for same in names.chunk_by(|a, b| a.parent == b.parent) {
        let key = Key::new(inode.number, kind::INODE_REF, same[0].parent.into());
        sheet.put(key, |bytes| {
            let start = bytes.len();
            for name in same {
                if bytes.len() - start + size_of::<InodeRef>() + name.bytes.len() > ITEM_MAX {
                    further.push((extref_hash(name.parent.into(), name.bytes), name));
                    continue;
                }
                let head = InodeRef {
                    index: u64::from(name.index).into(),
                    name_len: len16(name.bytes).into(),
                };
                bytes.extend_from_slice(head.as_bytes());
                bytes.extend_from_slice(name.bytes);
            }
            Ok(())
        })?;
    }
    further.sort_by_key(|(hash, _)| *hash);
    for same in further.chunk_by(|a, b| a.0 == b.0) {
        sheet.put(Key::new(inode.number, kind::INODE_EXTREF, same[0].0), |bytes| {
            for (_, name) in same {
                let head = InodeExtref {
                    parent: u64::from(name.parent).into(),
                    index: u64::from(name.index).into(),
                    name_len: len16(name.bytes).into(),
                };
                bytes.extend_from_slice(head.as_bytes());
                bytes.extend_from_slice(name.bytes);
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// A root is its own parent.
fn put_root_name(inode: u64, take: Take) -> Result<()> {
    let head = InodeRef {
        index: 0.into(),
        name_len: 2.into(),
    };
    take(
        Key::new(inode, kind::INODE_REF, inode),
        &[head.as_bytes(), b".."].concat(),
    )
}

fn put_xattrs(inode: &Inode, sheet: &mut Sheet) -> Result<()> {
    for same in xattrs::items(&inode.node.meta.xattrs).chunk_by(|a, b| a.0 == b.0) {
        sheet.put(Key::new(inode.number, kind::XATTR, same[0].0), |bytes| {
            for (_, xattr) in same {
                xattrs::push(bytes, xattr);
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The items of a root directory in which nothing is.
pub(super) fn empty_root(inode: u64, time: i64, take: Take) -> Result<()> {
    let mut node = Node::directory();
    node.meta.mtime = time;
    take(Key::new(inode, kind::INODE, 0), head(&node).as_bytes())?;
    put_root_name(inode, take)
}

/// The entry `default` of the root tree: which subvolume is mounted when none is named.
pub(super) fn default_entry(subvolume: u64) -> (Key, Vec<u8>) {
    let name = b"default";
    let head = DirItem {
        location: Key::new(subvolume, kind::ROOT, u64::MAX).disk(),
        transid: GENERATION.into(),
        data_len: 0.into(),
        name_len: len16(name).into(),
        kind: crate::format::FILE_TYPE_DIRECTORY,
    };
    let key = Key::new(object::ROOT_TREE_DIR, kind::DIR_ITEM, name_hash(name));
    (key, [head.as_bytes(), name].concat())
}

/// An inode as far as its metadata tell.
fn head(node: &Node) -> InodeItem {
    let meta = &node.meta;
    let time = timespec(meta.mtime);
    InodeItem {
        generation: GENERATION.into(),
        transid: GENERATION.into(),
        nlink: 1.into(),
        uid: meta.uid.into(),
        gid: meta.gid.into(),
        mode: (u32::from(meta.mode & 0o7777) | type_bits(&node.kind)).into(),
        atime: time,
        ctime: time,
        mtime: time,
        otime: time,
        ..InodeItem::default()
    }
}

pub(super) fn timespec(seconds: i64) -> Timespec {
    Timespec {
        sec: seconds.cast_unsigned().into(),
        nsec: 0.into(),
    }
}

/// The type of a file as its mode has it.
fn type_bits(kind: &Kind) -> u32 {
    match kind {
        Kind::Fifo => 0o010_000,
        Kind::CharDevice(_) => 0o020_000,
        Kind::Directory(_) => 0o040_000,
        Kind::BlockDevice(_) => 0o060_000,
        Kind::File(_) => 0o100_000,
        Kind::Symlink(_) => 0o120_000,
        Kind::Socket => 0o140_000,
    }
}

/// The type of a file as directories have it.
fn file_type(kind: &Kind) -> u8 {
    match kind {
        Kind::File(_) => 1,
        Kind::Directory(_) => crate::format::FILE_TYPE_DIRECTORY,
        Kind::CharDevice(_) => 3,
        Kind::BlockDevice(_) => 4,
        Kind::Fifo => 5,
        Kind::Socket => 6,
        Kind::Symlink(_) => 7,
    }
}

fn len16(name: &[u8]) -> u16 {
    u16::try_from(name.len()).unwrap_or(u16::MAX)
}
