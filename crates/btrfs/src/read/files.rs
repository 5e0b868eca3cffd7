//! The inodes of a subvolume, out of its items.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use image::{Content, Device, Directory, Kind, Layout, Meta, Node, Xattr};
use zerocopy::FromBytes;

use super::damaged;
use super::data::{Compressed, Data, Plain, Trust};
use super::decompress::decompress;
use crate::checksum::{extref_hash, name_hash};
use crate::format::{
    DirItem, FILE_INLINE, FILE_REGULAR, FILE_TYPE_DIRECTORY, FileExtentHead, FileExtentTail, InodeExtref,
    InodeItem, InodeRef, Key, SECTOR, compression, kind,
};
use crate::{Error, Result};

/// The most bytes of a compressed extent.
const COMPRESSED_MAX: u64 = 128 << 10;
/// An extent that was reserved and never written.
const FILE_PREALLOC: u8 = 2;
/// The type of items that say which inodes have no name; they stand under a number of their own.
const ORPHAN: u8 = 48;
/// The inode's data has no checksums.
const NODATASUM: u64 = 1;

/// The names of an inode: the directory and the bytes of each, and its index there.
pub(super) type Names = BTreeMap<(u64, Box<[u8]>), u64>;

/// An inode, as far as items tell.
#[derive(Debug, Default)]
pub(super) struct Inode {
    item: InodeItem,
    pub(super) names: Names,
    xattrs: Vec<Xattr>,
    /// A directory's entries in their order, and by their hashes.
    pub(super) entries: Vec<Entry>,
    hashed: BTreeMap<Box<[u8]>, (Key, u8)>,
    parts: Vec<Part>,
}

/// An entry of a directory.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: Box<[u8]>,
    pub(super) location: Key,
    pub(super) index: u64,
    /// What it says that it leads to.
    kind: u8,
}

impl Entry {
    /// Whether it says what it leads to.
    pub(super) fn is_of(&self, inode: &Inode) -> bool {
        let wanted = match inode.item.mode.get() & 0o170_000 {
            0o100_000 => 1,
            0o040_000 => FILE_TYPE_DIRECTORY,
            0o020_000 => 3,
            0o060_000 => 4,
            0o010_000 => 5,
            0o140_000 => 6,
            0o120_000 => 7,
            _ => 0,
        };
        self.kind == wanted
    }
}

/// A part of a file.
#[derive(Debug)]
enum Part {
    Inline {
        len: u64,
        compression: u8,
        bytes: Box<[u8]>,
    },
    Extent {
        range: Range<u64>,
        head: FileExtentHead,
        tail: FileExtentTail,
    },
}

/// All inodes of a subvolume.
#[derive(Debug, Default)]
pub(super) struct Inodes {
    pub(super) list: BTreeMap<u64, Inode>,
}

impl Inodes {
    /// Adds an item.
    pub(super) fn add(&mut self, key: Key, item: &[u8]) -> Result<()> {
        if key.kind == kind::INODE {
            self.list.insert(key.objectid, Inode::new(key, item)?);
            return Ok(());
        }
        if key.kind == ORPHAN {
            return Ok(());
        }
        let Some(inode) = self.list.get_mut(&key.objectid) else {
            return Err(damaged(
                format!("inode {}", key.objectid),
                "has items, and is none",
            ));
        };
        inode.add(key, item)
    }
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (first, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(first)
}

fn take_head<T: FromBytes>(bytes: &mut &[u8]) -> Option<T> {
    let (head, rest) = T::read_from_prefix(bytes).ok()?;
    *bytes = rest;
    Some(head)
}

impl Inode {
    /// An inode of which nothing else is known yet.
    pub(super) fn new(key: Key, item: &[u8]) -> Result<Inode> {
        let item = InodeItem::read_from_bytes(item)
            .map_err(|_| damaged(format!("inode {}", key.objectid), "its item has another length"))?;
        Ok(Inode {
            item,
            ..Inode::default()
        })
    }

    /// Adds an item that is not its first.
    pub(super) fn add(&mut self, key: Key, item: &[u8]) -> Result<()> {
        let place = || format!("inode {}", key.objectid);
        let done = match key.kind {
            kind::INODE_REF => self.add_names(key, item),
            kind::INODE_EXTREF => self.add_further_names(key, item),
            kind::XATTR | kind::DIR_ITEM | kind::DIR_INDEX => self.add_entries(key, item),
            kind::EXTENT_DATA => self.add_part(key, item),
            _ => return Err(damaged(place(), format!("has an item of type {}", key.kind))),
        };
        done.ok_or_else(|| {
            damaged(
                place(),
                format!("an item of type {} contradicts itself", key.kind),
            )
        })
    }

    fn add_names(&mut self, key: Key, mut item: &[u8]) -> Option<()> {
        while !item.is_empty() {
            let head: InodeRef = take_head(&mut item)?;
            let name = take(&mut item, head.name_len.get().into())?;
            let before = self.names.insert((key.offset, name.into()), head.index.get());
            before.is_none().then_some(())?;
        }
        Some(())
    }

    fn add_further_names(&mut self, key: Key, mut item: &[u8]) -> Option<()> {
        while !item.is_empty() {
            let head: InodeExtref = take_head(&mut item)?;
            let name = take(&mut item, head.name_len.get().into())?;
            let parent = head.parent.get();
            (key.offset == extref_hash(parent, name)).then_some(())?;
            let before = self.names.insert((parent, name.into()), head.index.get());
            before.is_none().then_some(())?;
        }
        Some(())
    }

    /// Entries of a directory, and attributes.
    fn add_entries(&mut self, key: Key, mut item: &[u8]) -> Option<()> {
        while !item.is_empty() {
            let head: DirItem = take_head(&mut item)?;
            let name: Box<[u8]> = take(&mut item, head.name_len.get().into())?.into();
            let value = take(&mut item, head.data_len.get().into())?;
            let location = Key::new(
                head.location.objectid.get(),
                head.location.kind,
                head.location.offset.get(),
            );
            if key.kind == kind::DIR_INDEX {
                let (index, kind) = (key.offset, head.kind);
                self.entries.push(Entry {
                    name,
                    location,
                    index,
                    kind,
                });
                return item.is_empty().then_some(());
            }
            (key.offset == name_hash(&name)).then_some(())?;
            if key.kind == kind::XATTR {
                let value = value.into();
                self.xattrs.push(Xattr { name, value });
            } else {
                let before = self.hashed.insert(name, (location, head.kind));
                before.is_none().then_some(())?;
            }
        }
        Some(())
    }

    fn add_part(&mut self, key: Key, mut item: &[u8]) -> Option<()> {
        let head: FileExtentHead = take_head(&mut item)?;
        (head.encryption == 0 && head.other_encoding.get() == 0).then_some(())?;
        if head.kind == FILE_INLINE {
            (key.offset == 0 && self.parts.is_empty()).then_some(())?;
            let len = head.ram_bytes.get();
            let is_right = match head.compression {
                compression::NONE => len == item.len() as u64,
                _ => len <= SECTOR,
            };
            is_right.then_some(())?;
            self.parts.push(Part::Inline {
                len,
                compression: head.compression,
                bytes: item.into(),
            });
            return Some(());
        }
        (head.kind == FILE_REGULAR || head.kind == FILE_PREALLOC).then_some(())?;
        let tail = FileExtentTail::read_from_bytes(item).ok()?;
        let before = match self.parts.last() {
            Some(Part::Extent { range, .. }) => range.end,
            Some(Part::Inline { .. }) => return None,
            None => 0,
        };
        let len = tail.num_bytes.get();
        let end = key
            .offset
            .checked_add(len)
            .filter(|end| i64::try_from(*end).is_ok())?;
        let within = tail.offset.get().checked_add(len)?;
        let numbers = [
            key.offset,
            len,
            tail.offset.get(),
            tail.disk_bytenr.get(),
            tail.disk_num_bytes.get(),
        ];
        let is_aligned = numbers.iter().all(|number| number.is_multiple_of(SECTOR));
        let ram = head.ram_bytes.get();
        let is_hole = tail.disk_bytenr.get() == 0;
        let fits = is_hole
            || within <= ram
                && (head.compression != compression::NONE || within <= tail.disk_num_bytes.get());
        let is_small = head.compression == compression::NONE
            || ram <= COMPRESSED_MAX && tail.disk_num_bytes.get() <= COMPRESSED_MAX;
        (is_aligned && fits && is_small && len > 0 && key.offset >= before).then_some(())?;
        let range = key.offset..end;
        self.parts.push(Part::Extent { range, head, tail });
        Some(())
    }

    fn is_link(&self) -> bool {
        self.item.mode.get() & 0o170_000 == 0o120_000
    }

    pub(super) fn is_directory(&self) -> bool {
        self.item.mode.get() & 0o170_000 == 0o040_000
    }

    /// Where an entry of that name leads.
    pub(super) fn location(&self, name: &[u8]) -> Option<Key> {
        self.hashed.get(name).map(|(location, _)| *location)
    }

    /// The extents that it has bytes in, and whether these have checksums.
    pub(super) fn extents(&self) -> impl Iterator<Item = (&FileExtentHead, &FileExtentTail)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Extent { head, tail, .. } if tail.disk_bytenr.get() != 0 && head.kind == FILE_REGULAR => {
                Some((head, tail))
            }
            _ => None,
        })
    }

    /// Whether its bytes have checksums.
    pub(super) fn trust(&self) -> Trust {
        if self.item.flags.get() & NODATASUM == 0 {
            Trust::Sums
        } else {
            Trust::Blind
        }
    }

    /// What every node has, without its attributes.
    pub(super) fn meta(&self) -> Meta {
        let item = self.item;
        Meta {
            mode: u16::try_from(item.mode.get() & 0o7777).unwrap_or(0),
            uid: item.uid.get(),
            gid: item.gid.get(),
            mtime: item.mtime.sec.get().cast_signed(),
            xattrs: Vec::new(),
        }
    }

    /// Whether it has lost its last name, and waits to be removed.
    pub(super) fn is_orphan(&self) -> bool {
        self.item.nlink.get() == 0
    }

    /// The node, without a directory's entries.
    pub(super) fn node(&mut self, number: u64, data: &Arc<Data>) -> Result<Node> {
        let wrong = |problem: String| damaged(format!("inode {number}"), problem);
        let item = self.item;
        let mode = item.mode.get();
        let device = || {
            let number = item.rdev.get();
            let half = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
            Device {
                major: half(number >> 20),
                minor: half(number & 0xf_ffff),
            }
        };
        let kind = match mode & 0o170_000 {
            0o010_000 => Kind::Fifo,
            0o020_000 => Kind::CharDevice(device()),
            0o040_000 => Kind::Directory(Directory::default()),
            0o060_000 => Kind::BlockDevice(device()),
            0o100_000 => Kind::File(self.content(number, data)?),
            0o120_000 => {
                let size = item.size.get();
                if size == 0 || size >= SECTOR {
                    return Err(wrong(format!("a link to a target of {size} bytes")));
                }
                Kind::Symlink(self.content(number, data)?.to_vec()?.into())
            }
            0o140_000 => Kind::Socket,
            _ => return Err(wrong(format!("mode {mode:o}"))),
        };
        if !matches!(kind, Kind::Directory(_)) && item.nlink.get() as usize != self.names.len() {
            return Err(wrong(format!(
                "has {} names, and counts {}",
                self.names.len(),
                item.nlink
            )));
        }
        let mut xattrs = std::mem::take(&mut self.xattrs);
        xattrs.sort();
        let meta = Meta {
            xattrs,
            ..self.meta()
        };
        Ok(Node { meta, kind })
    }

    /// A directory's entries must be the same by their indices and by their hashes.
    pub(super) fn check_entries(&self, number: u64) -> Result<()> {
        let wrong = |problem: &str| damaged(format!("inode {number}"), problem);
        let is_known = |entry: &Entry| self.hashed.get(&entry.name) == Some(&(entry.location, entry.kind));
        if self.entries.len() != self.hashed.len() || !self.entries.iter().all(is_known) {
            return Err(wrong("its entries by name are not those by index"));
        }
        let len: usize = self.entries.iter().map(|entry| entry.name.len()).sum();
        if self.item.size.get() != 2 * len as u64 {
            return Err(wrong("its size is not that of its names"));
        }
        Ok(())
    }

    fn content(&self, number: u64, data: &Arc<Data>) -> Result<Content> {
        let size = self.item.size.get();
        let wrong = |problem: String| damaged(format!("inode {number}"), problem);
        if i64::try_from(size).is_err() {
            return Err(wrong(format!("has {size} bytes")));
        }
        if let [
            Part::Inline {
                len,
                compression,
                bytes,
            },
        ] = &self.parts[..]
        {
            // mkfs.btrfs has ended the targets of links with a zero byte, and Linux reads as much as the size says.
            let is_ended = self.is_link() && *len == size + 1 && bytes.last() == Some(&0);
            if *len != size && !is_ended {
                return Err(wrong(format!("has {size} bytes, and {len} in its leaf")));
            }
            if *compression == compression::NONE {
                let size = usize::try_from(size).unwrap_or(0);
                return Ok(bytes[..size.min(bytes.len())].into());
            }
            let len = usize::try_from(*len).unwrap_or(0);
            return Ok(decompress(*compression, bytes, len).map_err(wrong)?.into());
        }
        let trust = self.trust();
        let (mut layout, mut own) = (Layout::new(), 0);
        for part in &self.parts {
            let Part::Extent { range, head, tail } = part else {
                continue;
            };
            if tail.disk_bytenr.get() == 0 {
                continue;
            }
            own += range.end - range.start;
            if head.kind == FILE_PREALLOC || range.start >= size {
                continue;
            }
            let len = range.end.min(size) - range.start;
            let content = extent(data, trust, head, tail, len).map_err(wrong)?;
            layout.put(range.start, "data", content);
        }
        if own != self.item.nbytes.get() {
            return Err(wrong(format!("counts {} bytes, and has {own}", self.item.nbytes)));
        }
        Ok(layout.finish(size).map_err(Error::from)?.into())
    }
}

/// An extent that is compressed.
pub(super) fn compressed(
    data: Arc<Data>,
    trust: Trust,
    head: &FileExtentHead,
    tail: &FileExtentTail,
) -> Result<Compressed, String> {
    let short = |number: u64| u32::try_from(number).map_err(|error| error.to_string());
    Ok(Compressed {
        data,
        address: tail.disk_bytenr.get(),
        disk_len: short(tail.disk_num_bytes.get())?,
        len: short(head.ram_bytes.get())?,
        compression: head.compression,
        trust,
        last: Mutex::new(None),
    })
}

/// The first bytes of what a file has of an extent.
fn extent(
    data: &Arc<Data>,
    trust: Trust,
    head: &FileExtentHead,
    tail: &FileExtentTail,
    len: u64,
) -> Result<Content, String> {
    let data = Arc::clone(data);
    let address = tail.disk_bytenr.get();
    if data
        .system
        .chunks
        .place(address, tail.disk_num_bytes.get())
        .is_none()
    {
        return Err(format!("its data at {address} lies in no chunk"));
    }
    let source: Arc<dyn image::ReadAt> = match head.compression {
        compression::NONE => Arc::new(Plain { data, address, trust }),
        compression::ZLIB | compression::LZO | compression::ZSTD => {
            Arc::new(compressed(data, trust, head, tail)?)
        }
        other => return Err(format!("compression {other}")),
    };
    Ok(Content::Span {
        source,
        start: tail.offset.get(),
        len,
    })
}
