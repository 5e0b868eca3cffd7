//! Inodes, and what stands behind them.

use image::{Kind, Meta, Node, NodeId};
use zerocopy::IntoBytes;

use super::clusters::Clusters;
use super::files::{Files, Shape, rest};
use super::survey::Survey;
use super::xattrs::{self, Shared};
use super::{directories, index};
use crate::format::{self, BLOCK, CompactInode, ExtendedInode, NO_BLOCK, layout, mode};
use crate::{Options, Profile};

/// What is known of an inode before it has a place.
pub(super) struct Record {
    pub(super) node: NodeId,
    /// Bytes of the file, of the directory's list, or of the link's target.
    size: u64,
    links: u32,
    extended: bool,
    layout: u16,
    xattr_len: usize,
    /// How many bytes stand behind the inode and its attributes: an index, or a rest.
    behind: u64,
}

/// What all inodes of a file system need to know.
pub(super) struct Known<'a> {
    pub(super) survey: &'a Survey<'a>,
    pub(super) options: &'a Options,
    pub(super) shared: &'a Shared<'a>,
    pub(super) files: &'a Files,
    pub(super) clusters: &'a Clusters,
}

impl Known<'_> {
    /// Decides how an inode will look.
    pub(super) fn record(&self, node: NodeId) -> Record {
        let Node { meta, kind } = self.survey.tree.node(node);
        let size = match kind {
            Kind::Directory(_) => directories::len(self.survey, node),
            Kind::File(content) => content.len(),
            Kind::Symlink(target) => target.len() as u64,
            _ => 0,
        };
        let links = self.survey.links[node.index()];
        let extended = u32::try_from(size).is_err()
            || [meta.uid, meta.gid, links]
                .iter()
                .any(|number| u16::try_from(*number).is_err())
            || seconds(meta.mtime, self.options).is_none();
        let mut record = Record {
            node,
            size,
            links,
            extended,
            layout: layout::PLAIN,
            xattr_len: self.shared.body_len(&meta.xattrs),
            behind: 0,
        };
        self.choose(&mut record, kind);
        record
    }

    /// The most bytes that an inode takes with what stands behind it, if its file may be compressed, and how many blocks a
    /// list or a target takes elsewhere.
    pub(super) fn most(&self, node: NodeId) -> (u64, u64) {
        let record = self.record(node);
        match &self.survey.tree.node(node).kind {
            Kind::File(_) => (index::most(record.size, record.head_len(), self.options), 0),
            _ => (record.len(), record.blocks()),
        }
    }

    /// Decides where the bytes of an inode are.
    fn choose(&self, record: &mut Record, kind: &Kind) {
        if let Kind::File(_) = kind {
            if let Some(map) = self.clusters.map(self.survey.tree, record.node) {
                record.layout = map.layout();
                record.behind = index::len(&map, record.size, record.head_len());
                return;
            }
            if let Some(shape @ Shape::Chunks { .. }) = self.files.shape(record.node) {
                record.layout = layout::CHUNKS;
                record.behind = shape.entries_len(record.size);
                return;
            }
            if self.options.stored.contains(&record.node) {
                return;
            }
        }
        let rest = rest(record.size);
        if rest > 0 && record.head_len() + rest <= BLOCK {
            record.layout = layout::INLINE;
            record.behind = rest;
        }
    }
}

impl Record {
    /// Bytes of the inode and its attributes.
    pub(super) fn head_len(&self) -> u64 {
        let inode = if self.extended {
            size_of::<ExtendedInode>()
        } else {
            size_of::<CompactInode>()
        };
        (inode + self.xattr_len) as u64
    }

    /// Bytes of everything.
    pub(super) fn len(&self) -> u64 {
        let aligned = match self.layout {
            layout::FULL | layout::COMPACT => self.head_len().next_multiple_of(8),
            layout::CHUNKS => self.head_len().next_multiple_of(4),
            _ => self.head_len(),
        };
        aligned + self.behind
    }

    /// Whether it is a file of chunks.
    pub(super) fn has_chunks(&self) -> bool {
        self.layout == layout::CHUNKS
    }

    /// Whether the rest lies behind the inode.
    pub(super) fn is_inline(&self) -> bool {
        self.layout == layout::INLINE
    }

    /// How many whole blocks a list or a target takes elsewhere.
    pub(super) fn blocks(&self) -> u64 {
        if self.is_inline() {
            self.size / BLOCK
        } else {
            self.size.div_ceil(BLOCK)
        }
    }

    /// The inode, with its attributes and, if it has one, its index. `block` is the first of the blocks of a directory or a
    /// link.
    pub(super) fn bytes(&self, known: &Known, serial: u32, block: u64, xattr_base: u64) -> Vec<u8> {
        let Node { meta, kind } = known.survey.tree.node(self.node);
        let index = self.index(known);
        let place = match kind {
            Kind::CharDevice(device) | Kind::BlockDevice(device) => {
                format::device(device.major, device.minor)
            }
            Kind::Fifo | Kind::Socket => 0,
            Kind::File(_) => self.file_place(known),
            Kind::Directory(_) | Kind::Symlink(_) if self.blocks() == 0 => NO_BLOCK,
            Kind::Directory(_) | Kind::Symlink(_) => narrow(block),
        };
        let mode = (meta.mode & 0o7777) | kind_bits(kind);
        let mut bytes = self.inode(mode, meta, place, serial, known.options);
        bytes.extend(known.shared.body(&meta.xattrs, xattr_base));
        if !index.is_empty() {
            let aligned = self.len() - self.behind;
            bytes.resize(usize::try_from(aligned).unwrap_or(bytes.len()), 0);
            bytes.extend(index);
        }
        bytes
    }

    fn file_place(&self, known: &Known) -> u32 {
        if let Some(map) = known.clusters.map(known.survey.tree, self.node) {
            return map.place();
        }
        match known.files.shape(self.node) {
            Some(Shape::Piece { block, whole }) if *whole || self.size >= BLOCK => narrow(*block),
            Some(Shape::Chunks { bits, .. }) => u32::from(*bits),
            _ => NO_BLOCK,
        }
    }

    /// What stands behind the attributes, if it is not a rest of the file.
    fn index(&self, known: &Known) -> Vec<u8> {
        if let Some(map) = known.clusters.map(known.survey.tree, self.node) {
            return index::bytes(&map, self.size, self.head_len());
        }
        let Some(Shape::Chunks { bits, runs }) = known.files.shape(self.node) else {
            return Vec::new();
        };
        let count = usize::try_from(self.size.div_ceil(BLOCK << bits)).unwrap_or(0);
        let mut entries = vec![NO_BLOCK; count];
        for (run, block) in runs {
            for chunk in run.clone() {
                let own = block + ((chunk - run.start) << bits);
                if let Some(entry) = usize::try_from(chunk)
                    .ok()
                    .and_then(|chunk| entries.get_mut(chunk))
                {
                    *entry = narrow(own);
                }
            }
        }
        entries.iter().flat_map(|entry| entry.to_le_bytes()).collect()
    }

    fn inode(&self, mode: u16, meta: &Meta, place: u32, serial: u32, options: &Options) -> Vec<u8> {
        let format = u16::from(self.extended) | self.layout << 1;
        let xattr_count = xattrs::count(self.xattr_len).into();
        if self.extended {
            let inode = ExtendedInode {
                format: format.into(),
                xattr_count,
                mode: mode.into(),
                wide_place: 0.into(),
                size: self.size.into(),
                place: place.into(),
                serial: serial.into(),
                uid: meta.uid.into(),
                gid: meta.gid.into(),
                mtime: meta.mtime.cast_unsigned().into(),
                nanoseconds: 0.into(),
                links: self.links.into(),
                reserved2: [0; 16],
            };
            return inode.as_bytes().to_vec();
        }
        let short = |number: u32| u16::try_from(number).unwrap_or(u16::MAX).into();
        let inode = CompactInode {
            format: format.into(),
            xattr_count,
            mode: mode.into(),
            links: short(self.links),
            size: narrow(self.size).into(),
            mtime: seconds(meta.mtime, options).unwrap_or(0).into(),
            place: place.into(),
            serial: serial.into(),
            uid: short(meta.uid),
            gid: short(meta.gid),
            reserved: 0.into(),
        };
        inode.as_bytes().to_vec()
    }
}

/// The most bytes that the inode of a packed file of this length takes with its index.
pub(super) fn packed_most(size: u64, options: &Options) -> u64 {
    index::most(size, size_of::<ExtendedInode>() as u64, options)
}

/// The file without a name that small files lie in.
pub(super) struct Packed {
    size: u64,
    behind: u64,
}

impl Packed {
    pub(super) fn of(clusters: &Clusters) -> Packed {
        let mut packed = Packed {
            size: clusters.packed_len(),
            behind: 0,
        };
        packed.behind = index::len(&clusters.packed(), packed.size, packed.head_len());
        packed
    }

    fn is_extended(&self) -> bool {
        u32::try_from(self.size).is_err()
    }

    fn head_len(&self) -> u64 {
        let len = if self.is_extended() {
            size_of::<ExtendedInode>()
        } else {
            size_of::<CompactInode>()
        };
        len as u64
    }

    /// Bytes of everything.
    pub(super) fn len(&self) -> u64 {
        self.head_len() + self.behind
    }

    /// The inode and its index.
    pub(super) fn bytes(&self, clusters: &Clusters, options: &Options) -> Vec<u8> {
        let map = clusters.packed();
        let record = Record {
            node: NodeId::ROOT,
            size: self.size,
            links: 1,
            extended: self.is_extended(),
            layout: map.layout(),
            xattr_len: 0,
            behind: self.behind,
        };
        let meta = Meta {
            mtime: options.time.into(),
            mode: 0o444,
            uid: 0,
            gid: 0,
            xattrs: Vec::new(),
        };
        let mut bytes = record.inode(mode::FILE | 0o444, &meta, map.place(), 0, options);
        bytes.extend(index::bytes(&map, self.size, self.head_len()));
        bytes
    }
}

/// What a small inode says of a time, if it can.
fn seconds(mtime: i64, options: &Options) -> Option<u32> {
    let seconds = u32::try_from(mtime.checked_sub(options.time.into())?).ok()?;
    (seconds == 0 || options.profile == Profile::Modern).then_some(seconds)
}

/// Addresses of blocks have 32 bits, which was checked of the last one.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn kind_bits(kind: &Kind) -> u16 {
    match kind {
        Kind::Directory(_) => mode::DIRECTORY,
        Kind::File(_) => mode::FILE,
        Kind::Symlink(_) => mode::SYMLINK,
        Kind::CharDevice(_) => mode::CHAR_DEVICE,
        Kind::BlockDevice(_) => mode::BLOCK_DEVICE,
        Kind::Fifo => mode::FIFO,
        Kind::Socket => mode::SOCKET,
    }
}
