//! Inodes and directories, and the tables around them.
//!
//! A directory's listing says where the inodes of its entries are, and a directory's inode says where its
//! listing is. So directories are taken from the deepest up: first the inodes of all entries, in one run, then
//! the listing that refers to them.

use std::collections::BTreeMap;

use image::{Device, Kind, Node, NodeId, Tree, show};
use zerocopy::IntoBytes;

use super::metadata::{List, Metadata, Position};
use super::pack::Packed;
use super::segments::{Job, Segments};
use super::xattrs::{XattrLists, Xattrs};
use crate::format::{
    BasicDirectory, BasicFile, DIRECTORY_EXTRA, DIRECTORY_RUN_MAX, DeviceInode, DirectoryEntry,
    DirectoryHeader, DirectoryIndex, ExtendedDirectory, ExtendedFile, FragmentEntry, InodeHeader,
    METADATA_SIZE, NO_FRAGMENT, NO_XATTR, Symlink, inode_type,
};
use crate::{Error, Options};

/// All tables, but for their places.
pub(super) struct Tables {
    pub(super) inodes: Vec<u8>,
    pub(super) directories: Vec<u8>,
    pub(super) fragments: List,
    pub(super) export: List,
    pub(super) ids: List,
    pub(super) xattrs: XattrLists,
    pub(super) inode_count: u32,
    pub(super) id_count: u16,
    pub(super) root_inode: u64,
}

impl Tables {
    pub(super) fn make(
        tree: &Tree,
        segments: &Segments,
        packed: &Packed,
        options: &Options,
    ) -> Result<Tables, Error> {
        let order = Order::of(tree)?;
        let ids = ids(tree)?;
        let mut writer = Writer {
            tree,
            segments,
            packed,
            ids: &ids,
            links: tree.link_counts(),
            xattrs: Xattrs::make(tree, order.nodes.iter().copied(), options)?,
            inodes: Metadata::new(options)?,
            directories: Metadata::new(options)?,
            positions: vec![Position::default(); tree.len()],
            listings: vec![Listing::default(); tree.len()],
            order: &order,
        };
        let mut written = vec![false; tree.len()];
        for directory in order.directories.iter().rev() {
            for (_, child) in tree.children(*directory) {
                if !std::mem::replace(&mut written[child.index()], true) {
                    writer.inode(child, order.number(*directory))?;
                }
            }
            writer.listing(*directory)?;
        }
        writer.inode(NodeId::ROOT, order.inode_count() + 1)?;
        writer.finish(options)
    }
}

/// In which order inodes are written, which gives them their numbers.
struct Order {
    /// All directories, parents before children.
    directories: Vec<NodeId>,
    /// All nodes in the order of their inode numbers, which count from 1.
    nodes: Vec<NodeId>,
    /// Each node's inode number, by [`NodeId::index`].
    numbers: Vec<u32>,
}

impl Order {
    fn of(tree: &Tree) -> Result<Order, Error> {
        let limit = u32::MAX - 2;
        if u32::try_from(tree.len()).is_ok_and(|count| count > limit) {
            return Err(Error::TooMany {
                what: "inodes".into(),
                count: tree.len() as u64,
                limit: limit.into(),
            });
        }
        let mut directories = Vec::new();
        let mut stack = vec![NodeId::ROOT];
        while let Some(id) = stack.pop() {
            let first = stack.len();
            stack.extend(
                tree.children(id)
                    .map(|(_, child)| child)
                    .filter(|child| is_directory(tree, *child)),
            );
            stack[first..].reverse();
            directories.push(id);
        }
        let mut order = Order {
            directories,
            nodes: Vec::new(),
            numbers: vec![0; tree.len()],
        };
        let children = order
            .directories
            .iter()
            .rev()
            .flat_map(|directory| tree.children(*directory));
        for id in children.map(|(_, child)| child).chain([NodeId::ROOT]) {
            if order.numbers[id.index()] == 0 {
                order.nodes.push(id);
                order.numbers[id.index()] = u32::try_from(order.nodes.len()).unwrap_or(u32::MAX);
            }
        }
        Ok(order)
    }

    fn inode_count(&self) -> u32 {
        self.number(NodeId::ROOT)
    }

    fn number(&self, id: NodeId) -> u32 {
        self.numbers[id.index()]
    }
}

fn is_directory(tree: &Tree, id: NodeId) -> bool {
    matches!(tree.node(id).kind, Kind::Directory(_))
}

/// The different user and group numbers, sorted.
fn ids(tree: &Tree) -> Result<BTreeMap<u32, u16>, Error> {
    let mut ids: BTreeMap<u32, u16> = BTreeMap::new();
    for (_, node) in tree.nodes() {
        ids.insert(node.meta.uid, 0);
        ids.insert(node.meta.gid, 0);
    }
    let count = ids.len();
    for (index, slot) in ids.values_mut().enumerate() {
        *slot = u16::try_from(index).map_err(|_| Error::TooManyIds(count))?;
    }
    u16::try_from(count).map_err(|_| Error::TooManyIds(count))?;
    Ok(ids)
}

/// Where a directory's listing lies.
#[derive(Clone, Default)]
struct Listing {
    position: Position,
    len: u32,
    index: Vec<u8>,
    index_count: u16,
    subdirectories: u32,
}

struct Writer<'a> {
    tree: &'a Tree,
    segments: &'a Segments,
    packed: &'a Packed,
    ids: &'a BTreeMap<u32, u16>,
    links: Vec<u32>,
    xattrs: Xattrs,
    inodes: Metadata,
    directories: Metadata,
    /// Where each inode is, by [`NodeId::index`].
    positions: Vec<Position>,
    listings: Vec<Listing>,
    order: &'a Order,
}

impl Writer<'_> {
    /// Writes an inode. The parent's number matters to directories only.
    fn inode(&mut self, id: NodeId, parent: u32) -> Result<(), Error> {
        let node = self.tree.node(id);
        let nlink = self.links[id.index()];
        let (basic, body) = match &node.kind {
            Kind::Directory(_) => (inode_type::DIRECTORY, self.directory(id, parent)?),
            Kind::File(content) => (inode_type::FILE, self.file(id, content.len())),
            Kind::Symlink(target) => (inode_type::SYMLINK, self.symlink(id, target)?),
            Kind::BlockDevice(device) => (inode_type::BLOCK_DEVICE, self.device(id, *device)?),
            Kind::CharDevice(device) => (inode_type::CHAR_DEVICE, self.device(id, *device)?),
            Kind::Fifo => (inode_type::FIFO, self.special(id, nlink.to_le_bytes().to_vec())),
            Kind::Socket => (inode_type::SOCKET, self.special(id, nlink.to_le_bytes().to_vec())),
        };
        let header = InodeHeader {
            inode_type: if body.extended {
                basic + inode_type::EXTENDED
            } else {
                basic
            }
            .into(),
            mode: (node.meta.mode & 0o7777).into(),
            uid_index: self.ids.get(&node.meta.uid).copied().unwrap_or(0).into(),
            gid_index: self.ids.get(&node.meta.gid).copied().unwrap_or(0).into(),
            mtime: u32::try_from(node.meta.mtime.max(0)).unwrap_or(u32::MAX).into(),
            inode_number: self.order.number(id).into(),
        };
        self.positions[id.index()] = self.inodes.position();
        self.inodes.write(header.as_bytes())?;
        self.inodes.write(&body.bytes)
    }

    fn directory(&self, id: NodeId, parent: u32) -> Result<Body, Error> {
        let listing = &self.listings[id.index()];
        let xattr = self.xattrs.indexes[id.index()];
        let nlink = 2 + listing.subdirectories;
        let start_block = narrow("bytes of directories", listing.position.block_start)?;
        let offset = listing.position.offset;
        let file_size = listing.len + DIRECTORY_EXTRA;
        if let (Ok(file_size), NO_XATTR, 0) = (u16::try_from(file_size), xattr, listing.index_count) {
            let body = BasicDirectory {
                start_block: start_block.into(),
                nlink: nlink.into(),
                file_size: file_size.into(),
                offset: offset.into(),
                parent_inode: parent.into(),
            };
            return Ok(Body::basic(body.as_bytes()));
        }
        let body = ExtendedDirectory {
            nlink: nlink.into(),
            file_size: file_size.into(),
            start_block: start_block.into(),
            parent_inode: parent.into(),
            index_count: listing.index_count.into(),
            offset: offset.into(),
            xattr: xattr.into(),
        };
        Ok(Body::extended(body.as_bytes()).and(&listing.index))
    }

    fn file(&self, id: NodeId, len: u64) -> Body {
        let place = self.segments.places[id.index()];
        let xattr = self.xattrs.indexes[id.index()];
        let nlink = self.links[id.index()];
        let (start, sparse, sizes) = match place.fragment {
            NO_FRAGMENT => self.blocks(place.first_job, len),
            _ => (0, 0, Vec::new()),
        };
        let basic = (u32::try_from(start), u32::try_from(len), xattr, nlink, sparse);
        if let (Ok(start_block), Ok(file_size), NO_XATTR, 1, 0) = basic {
            let body = BasicFile {
                start_block: start_block.into(),
                fragment: place.fragment.into(),
                offset: place.offset.into(),
                file_size: file_size.into(),
            };
            return Body::basic(body.as_bytes()).and(&sizes);
        }
        let body = ExtendedFile {
            start_block: start.into(),
            file_size: len.into(),
            sparse: sparse.into(),
            nlink: nlink.into(),
            fragment: place.fragment.into(),
            offset: place.offset.into(),
            xattr: xattr.into(),
        };
        Body::extended(body.as_bytes()).and(&sizes)
    }

    /// A large file's first byte in the image, its bytes in blocks of zeros, and its block sizes.
    fn blocks(&self, first_job: u32, len: u64) -> (u64, u64, Vec<u8>) {
        let (mut sparse, mut left, mut sizes) = (0, len, Vec::new());
        let first = first_job as usize;
        for (word, job) in self.packed.sizes.iter().zip(&self.segments.jobs).skip(first) {
            if left == 0 {
                break;
            }
            if *word == 0 {
                sparse += u64::from(job.len());
            }
            left -= u64::from(job.len());
            sizes.extend(word.to_le_bytes());
        }
        (self.packed.starts.get(first).copied().unwrap_or(0), sparse, sizes)
    }

    fn symlink(&self, id: NodeId, target: &[u8]) -> Result<Body, Error> {
        let Ok(target_size) = u16::try_from(target.len()) else {
            return Err(Error::TargetTooLong {
                path: self.path(id),
                len: target.len(),
            });
        };
        let nlink = self.links[id.index()].into();
        let body = Symlink {
            nlink,
            target_size: u32::from(target_size).into(),
        };
        let mut bytes = body.as_bytes().to_vec();
        bytes.extend_from_slice(target);
        Ok(self.special(id, bytes))
    }

    fn device(&self, id: NodeId, device: Device) -> Result<Body, Error> {
        let Device { major, minor } = device;
        if major > 0xfff || minor > 0xf_ffff {
            return Err(Error::DeviceNumber {
                path: self.path(id),
                major,
                minor,
            });
        }
        // Linux's "new" encoding: the minor number's upper bits stand above the major number.
        let rdev = (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12);
        let body = DeviceInode {
            nlink: self.links[id.index()].into(),
            rdev: rdev.into(),
        };
        Ok(self.special(id, body.as_bytes().to_vec()))
    }

    /// A body whose extended form has the attributes' index at its end.
    fn special(&self, id: NodeId, bytes: Vec<u8>) -> Body {
        match self.xattrs.indexes[id.index()] {
            NO_XATTR => Body {
                extended: false,
                bytes,
            },
            xattr => Body {
                extended: true,
                bytes,
            }
            .and(&xattr.to_le_bytes()),
        }
    }

    /// The path of a node, for errors.
    fn path(&self, id: NodeId) -> String {
        self.tree
            .walk()
            .find(|entry| entry.id == id)
            .map(|entry| show(&entry.path))
            .unwrap_or_default()
    }

    /// Writes a directory's listing. The inodes of all entries have been written.
    ///
    /// About every 8 KiB, the index notes which name begins where, so that a reader can start there.
    fn listing(&mut self, id: NodeId) -> Result<(), Error> {
        let Kind::Directory(directory) = &self.tree.node(id).kind else {
            return Ok(());
        };
        let mut listing = Listing {
            position: self.directories.position(),
            ..Listing::default()
        };
        let entries: Vec<(&[u8], NodeId)> = directory.iter().collect();
        let (mut rest, mut room) = (entries.as_slice(), METADATA_SIZE);
        while let Some((name, _)) = rest.first() {
            let run = self.run(rest, room)?;
            if run.count == 0 {
                if listing.index_count < u16::MAX {
                    let index = DirectoryIndex {
                        index: listing.len.into(),
                        start_block: narrow("bytes of directories", self.directories.position().block_start)?
                            .into(),
                        name_size: u32::from(name_size(name)).into(),
                    };
                    listing.index.extend_from_slice(index.as_bytes());
                    listing.index.extend_from_slice(name);
                    listing.index_count += 1;
                }
                room = METADATA_SIZE;
                continue;
            }
            self.directories.write(&run.bytes)?;
            listing.len = narrow(
                "bytes of a directory",
                u64::from(listing.len) + run.bytes.len() as u64,
            )?;
            listing.subdirectories += run.subdirectories;
            room = room.saturating_sub(run.bytes.len());
            rest = &rest[run.count..];
        }
        self.listings[id.index()] = listing;
        Ok(())
    }

    /// As many entries as one header can have, and as fit into `room` bytes: inodes in one metadata block, with
    /// numbers near the first one's.
    fn run(&self, entries: &[(&[u8], NodeId)], room: usize) -> Result<Run, Error> {
        let mut run = Run {
            count: 0,
            bytes: Vec::new(),
            subdirectories: 0,
        };
        let Some((_, first)) = entries.first() else {
            return Ok(run);
        };
        let start = self.positions[first.index()].block_start;
        let number = self.order.number(*first);
        let mut len = size_of::<DirectoryHeader>();
        let mut body = Vec::new();
        for (name, id) in entries.iter().take(DIRECTORY_RUN_MAX) {
            let position = self.positions[id.index()];
            let delta = i64::from(self.order.number(*id)) - i64::from(number);
            len += size_of::<DirectoryEntry>() + name.len();
            let (true, true, Ok(delta)) = (position.block_start == start, len <= room, i16::try_from(delta))
            else {
                break;
            };
            let node = self.tree.node(*id);
            let entry = DirectoryEntry {
                offset: position.offset.into(),
                inode_delta: delta.into(),
                inode_type: entry_type(node).into(),
                name_size: name_size(name).into(),
            };
            body.extend_from_slice(entry.as_bytes());
            body.extend_from_slice(name);
            run.count += 1;
            run.subdirectories += u32::from(matches!(node.kind, Kind::Directory(_)));
        }
        if run.count > 0 {
            let header = DirectoryHeader {
                count: u32::try_from(run.count - 1).unwrap_or(u32::MAX).into(),
                start_block: narrow("bytes of inodes", start)?.into(),
                inode_number: number.into(),
            };
            run.bytes.extend_from_slice(header.as_bytes());
            run.bytes.extend_from_slice(&body);
        }
        Ok(run)
    }

    fn finish(self, options: &Options) -> Result<Tables, Error> {
        let mut fragments = Metadata::new(options)?;
        for (number, job) in self.segments.jobs.iter().enumerate() {
            if let Job::Fragment { .. } = job {
                let (start, size) = (self.packed.starts[number], self.packed.sizes[number]);
                fragments.write(
                    FragmentEntry {
                        start: start.into(),
                        size: size.into(),
                        unused: 0.into(),
                    }
                    .as_bytes(),
                )?;
            }
        }
        let mut export = Metadata::new(options)?;
        for id in &self.order.nodes {
            export.write(&self.positions[id.index()].reference().to_le_bytes())?;
        }
        let mut ids = Metadata::new(options)?;
        for id in self.ids.keys() {
            ids.write(&id.to_le_bytes())?;
        }
        Ok(Tables {
            inodes: self.inodes.finish()?,
            directories: self.directories.finish()?,
            fragments: fragments.finish_list()?,
            export: export.finish_list()?,
            ids: ids.finish_list()?,
            xattrs: self.xattrs.finish()?,
            inode_count: self.order.inode_count(),
            id_count: u16::try_from(self.ids.len()).map_err(|_| Error::TooManyIds(self.ids.len()))?,
            root_inode: self.positions[NodeId::ROOT.index()].reference(),
        })
    }
}

/// Some entries of a listing under one header.
struct Run {
    count: usize,
    bytes: Vec<u8>,
    subdirectories: u32,
}

/// What follows an inode's header.
struct Body {
    extended: bool,
    bytes: Vec<u8>,
}

impl Body {
    fn basic(bytes: &[u8]) -> Body {
        Body {
            extended: false,
            bytes: bytes.to_vec(),
        }
    }

    fn extended(bytes: &[u8]) -> Body {
        Body {
            extended: true,
            bytes: bytes.to_vec(),
        }
    }

    fn and(mut self, more: &[u8]) -> Body {
        self.bytes.extend_from_slice(more);
        self
    }
}

fn entry_type(node: &Node) -> u16 {
    match node.kind {
        Kind::Directory(_) => inode_type::DIRECTORY,
        Kind::File(_) => inode_type::FILE,
        Kind::Symlink(_) => inode_type::SYMLINK,
        Kind::BlockDevice(_) => inode_type::BLOCK_DEVICE,
        Kind::CharDevice(_) => inode_type::CHAR_DEVICE,
        Kind::Fifo => inode_type::FIFO,
        Kind::Socket => inode_type::SOCKET,
    }
}

/// A name's bytes less one, as the format has them. No tree has empty names, or ones above 255 bytes.
fn name_size(name: &[u8]) -> u16 {
    u16::try_from(name.len().saturating_sub(1)).unwrap_or(u16::MAX)
}

fn narrow(what: &str, count: u64) -> Result<u32, Error> {
    let too_many = |_| Error::TooMany {
        what: what.into(),
        count,
        limit: u32::MAX.into(),
    };
    u32::try_from(count).map_err(too_many)
}
