//! Inodes and directories, and the tables around them.
//!
//! A directory's listing says where the inodes of its entries are, and a directory's inode says where its
//! listing is. So directories are taken from the deepest up: first the inodes of all entries, in one run, then
//! the listing that refers to them.

mod inodes;
mod listings;
mod order;

use std::collections::BTreeMap;

use cache::cut::{Cut as Segments, Job};
use image::{Kind, NodeId, Tree, show};
use zerocopy::IntoBytes;

use super::metadata::{List, Metadata, Position};
use super::pack::Packed;
use super::stored::Stored;
use super::xattrs::{XattrLists, Xattrs};
use crate::format::{FragmentEntry, InodeHeader, inode_type};
use crate::{Error, Options};
use listings::Listing;
use order::Order;

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
        stored: &Stored,
        options: &Options,
    ) -> Result<Tables, Error> {
        let order = Order::of(tree)?;
        let ids = ids(tree)?;
        let mut writer = Writer {
            tree,
            segments,
            packed,
            stored,
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

/// The different user and group numbers, sorted.
pub(in crate::plan) fn ids(tree: &Tree) -> Result<BTreeMap<u32, u16>, Error> {
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

struct Writer<'a> {
    tree: &'a Tree,
    segments: &'a Segments,
    packed: &'a Packed,
    stored: &'a Stored,
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
            Kind::Symlink(target) => (inode_type::SYMLINK, self.symlink(id, target)),
            Kind::BlockDevice(device) => (inode_type::BLOCK_DEVICE, self.device(id, *device)),
            Kind::CharDevice(device) => (inode_type::CHAR_DEVICE, self.device(id, *device)),
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
            mtime: u32::try_from(node.meta.mtime).unwrap_or(u32::MAX).into(),
            inode_number: self.order.number(id).into(),
        };
        self.positions[id.index()] = self.inodes.position();
        self.inodes.write(header.as_bytes())?;
        self.inodes.write(&body.bytes)
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

/// The path of a node, for errors.
pub(in crate::plan) fn path(tree: &Tree, id: NodeId) -> String {
    tree.walk()
        .find(|entry| entry.id == id)
        .map(|entry| show(&entry.path))
        .unwrap_or_default()
}

/// A count as the format has it.
pub(super) fn narrow(what: &str, count: u64) -> Result<u32, Error> {
    let too_many = |_| Error::TooMany {
        what: what.into(),
        count,
        limit: u32::MAX.into(),
    };
    u32::try_from(count).map_err(too_many)
}
