//! Inodes and directories.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use image::{Content, Device, Directory, Kind, Meta, Node, NodeId, Tree, Xattr, show};

use super::data::{Data, FileData};
use super::metadata::{Metadata, Position, list};
use super::{Archive, Budget};
use crate::Error;
use crate::format::{
    BasicDirectory, BasicFile, DIRECTORY_EXTRA, DIRECTORY_RUN_MAX, DeviceInode, DirectoryEntry,
    DirectoryHeader, ExtendedDirectory, ExtendedFile, FragmentEntry, InodeHeader, NAME_MAX, NO_FRAGMENT,
    NO_TABLE, NO_XATTR, Symlink, XATTR_NAME_MAX, XATTR_OUT_OF_LINE, XATTR_PREFIXES, XATTR_VALUE_MAX, XattrId,
    XattrKey, XattrTable, XattrValue, inode_type,
};
use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::U32;

/// Linux cannot name what lies deeper.
const DEPTH_MAX: u32 = 2048;

/// What an entry of a directory costs in memory, about.
const NODE_COST: u64 = 200;

pub(super) fn read(archive: &Archive) -> Result<Tree, Error> {
    read_with(archive, &mut |_, _| {})
}

/// Tells of each file that has bytes, too, once: who it is, and where they are.
pub(super) fn read_with(archive: &Archive, tell: &mut dyn FnMut(NodeId, &FileData)) -> Result<Tree, Error> {
    let superblock = &archive.superblock;
    let mut reader = Reader::new(archive)?;
    let root = Position::of_reference(superblock.root_inode.get());
    let Inode {
        node,
        directory,
        number,
        ..
    } = reader.inode(root)?;
    let Some(listing) = directory else {
        return Err(Error::Damaged("its root is no directory".into()));
    };
    let mut met = Met::default();
    *met.slot(number, root)? = Some(NodeId::ROOT);
    let mut tree = Tree::new(node);
    let mut open = vec![(NodeId::ROOT, listing, 0)];
    let damaged = |error: image::Error| Error::Damaged(error.to_string());
    while let Some((parent, listing, depth)) = open.pop() {
        if depth > DEPTH_MAX {
            return Err(Error::Damaged(format!("directories more than {DEPTH_MAX} deep")));
        }
        for entry in reader.listing(&listing)? {
            let Entry { name, position, .. } = entry;
            let wrong = |problem: &str| Error::Damaged(format!("{}: {problem}", show(&name)));
            let slot = met.slot(entry.number, position)?;
            if let Some(id) = *slot {
                if matches!(tree.node(id).kind, Kind::Directory(_)) {
                    return Err(wrong("a directory with two names"));
                }
                tree.link(parent, &name, id).map_err(damaged)?;
                continue;
            }
            let Inode {
                node,
                directory,
                basic_type,
                number,
                data,
            } = reader.inode(position)?;
            if number != entry.number {
                return Err(wrong("the entry's inode number is not the inode's"));
            }
            if basic_type != entry.basic_type {
                return Err(wrong("the entry's type is not the inode's"));
            }
            let id = tree.add(parent, &name, node).map_err(damaged)?;
            *slot = Some(id);
            if let Some(data) = data {
                tell(id, &data);
            }
            if let Some(listing) = directory {
                open.push((id, listing, depth + 1));
            }
        }
    }
    Ok(tree)
}

/// Linux adds the type to the mode, which makes another type of it when there is one already.
fn check_mode(mode: u16, basic_type: u16) -> Result<(), Error> {
    if mode & !0o7777 & !inode_type::mode(basic_type) == 0 {
        return Ok(());
    }
    Err(Error::Damaged(format!(
        "an inode of type {basic_type} with the mode {mode:o}"
    )))
}

/// Which inode has which number, and what became of it. Linux knows inodes by their numbers, so of two with the same number it
/// would take the one for the other.
#[derive(Default)]
struct Met {
    /// Those with small numbers, by these.
    few: Vec<Option<(Position, Option<NodeId>)>>,
    others: BTreeMap<u32, (Position, Option<NodeId>)>,
}

/// Numbers below are small.
const FEW: usize = 1 << 20;

impl Met {
    /// What became of an inode, if anything did yet.
    fn slot(&mut self, number: u32, position: Position) -> Result<&mut Option<NodeId>, Error> {
        if number == 0 {
            return Err(Error::Damaged("an inode with the number 0".into()));
        }
        let index = number as usize;
        let new = || (position, None);
        let (other, id) = if index < FEW {
            if self.few.len() <= index {
                self.few.resize(index + 1, None);
            }
            self.few[index].get_or_insert_with(new)
        } else {
            self.others.entry(number).or_insert_with(new)
        };
        if *other != position {
            return Err(Error::Damaged(format!("two inodes with the number {number}")));
        }
        Ok(id)
    }
}

struct Reader {
    inodes: Metadata,
    directories: Metadata,
    ids: Vec<U32>,
    data: Arc<Data>,
    xattrs: Option<Xattrs>,
    budget: Budget,
    /// The bytes of the file that was read last.
    last: Option<Arc<FileData>>,
}

struct Xattrs {
    ids: Vec<XattrId>,
    values: Metadata,
}

struct Inode {
    node: Node,
    directory: Option<Listing>,
    basic_type: u16,
    number: u32,
    /// Where a file's bytes are.
    data: Option<Arc<FileData>>,
}

/// An entry of a directory.
struct Entry {
    name: Vec<u8>,
    /// Where its inode is.
    position: Position,
    basic_type: u16,
    /// Its inode's number.
    number: u32,
}

struct Listing {
    position: Position,
    len: u32,
}

impl Reader {
    fn new(archive: &Archive) -> Result<Reader, Error> {
        let Archive {
            source,
            superblock,
            coding,
        } = archive;
        let mut budget = Budget::of(source);
        let inode_start = superblock.inode_table_start.get();
        let directory_start = superblock.directory_table_start.get();
        let id_start = superblock.id_table_start.get();
        let ids = list(
            source,
            coding,
            id_start,
            superblock.id_count.get().into(),
            &mut budget,
        )?;
        let fragments: Vec<FragmentEntry> = match superblock.fragment_count.get() {
            0 => Vec::new(),
            count => list(
                source,
                coding,
                superblock.fragment_table_start.get(),
                count as usize,
                &mut budget,
            )?,
        };
        let xattrs = match superblock.xattr_table_start.get() {
            NO_TABLE => None,
            start => {
                let head = source.read(start, size_of::<XattrTable>())?;
                let short = |_| Error::Damaged("the table of extended attributes is too short".into());
                let head = XattrTable::read_from_bytes(&head).map_err(short)?;
                let places = start + size_of::<XattrTable>() as u64;
                let ids = list(source, coding, places, head.id_count.get() as usize, &mut budget)?;
                Some(Xattrs {
                    ids,
                    values: Metadata::new(source, coding, head.xattr_start.get(), start)?,
                })
            }
        };
        let data = Data {
            source: source.clone(),
            coding: coding.clone(),
            block_size: superblock.block_size.get(),
            fragments,
            last: Mutex::new(None),
            idle: Mutex::new(Vec::new()),
        };
        Ok(Reader {
            inodes: Metadata::new(source, coding, inode_start, directory_start)?,
            directories: Metadata::new(source, coding, directory_start, source.size)?,
            ids,
            data: Arc::new(data),
            xattrs,
            budget,
            last: None,
        })
    }

    fn inode(&mut self, mut position: Position) -> Result<Inode, Error> {
        let at = &mut position;
        let header: InodeHeader = self.inodes.get(at)?;
        let inode_type = header.inode_type.get();
        let extended = inode_type > inode_type::EXTENDED;
        let basic_type = if extended {
            inode_type - inode_type::EXTENDED
        } else {
            inode_type
        };
        check_mode(header.mode.get(), basic_type)?;
        self.budget.take(NODE_COST)?;
        let mut directory = None;
        let (kind, xattr) = match basic_type {
            inode_type::DIRECTORY => {
                let (listing, xattr) = self.directory(at, extended)?;
                directory = Some(listing);
                (Kind::Directory(Directory::default()), xattr)
            }
            inode_type::FILE => self.file(at, extended)?,
            inode_type::SYMLINK => {
                let link: Symlink = self.inodes.get(at)?;
                let len = link.target_size.get();
                if len > u32::from(u16::MAX) {
                    return Err(Error::Damaged(format!("a symbolic link to {len} bytes")));
                }
                self.budget.take(len.into())?;
                let target = self.inodes.read(at, len as usize)?;
                (Kind::Symlink(target.into()), self.xattr_index(at, extended)?)
            }
            inode_type::BLOCK_DEVICE | inode_type::CHAR_DEVICE => {
                let device: DeviceInode = self.inodes.get(at)?;
                let number = device.rdev.get();
                let device = Device {
                    major: number >> 8 & 0xfff,
                    minor: (number & 0xff) | (number >> 12 & 0xfff00),
                };
                let kind = match basic_type {
                    inode_type::BLOCK_DEVICE => Kind::BlockDevice(device),
                    _ => Kind::CharDevice(device),
                };
                (kind, self.xattr_index(at, extended)?)
            }
            inode_type::FIFO | inode_type::SOCKET => {
                self.inodes.get::<U32>(at)?;
                let kind = if basic_type == inode_type::FIFO {
                    Kind::Fifo
                } else {
                    Kind::Socket
                };
                (kind, self.xattr_index(at, extended)?)
            }
            _ => return Err(Error::Damaged(format!("an inode of type {inode_type}"))),
        };
        let meta = Meta {
            mode: header.mode.get() & 0o7777,
            uid: self.id(header.uid_index.get())?,
            gid: self.id(header.gid_index.get())?,
            mtime: header.mtime.get().into(),
            xattrs: self.xattrs(xattr)?,
        };
        Ok(Inode {
            node: Node { meta, kind },
            directory,
            basic_type,
            number: header.inode_number.get(),
            data: self.last.take(),
        })
    }

    fn id(&self, index: u16) -> Result<u32, Error> {
        let id = self.ids.get(usize::from(index)).map(|id| id.get());
        id.ok_or_else(|| Error::Damaged("an owner that is not in the id table".into()))
    }

    fn xattr_index(&mut self, at: &mut Position, extended: bool) -> Result<u32, Error> {
        if extended {
            Ok(self.inodes.get::<U32>(at)?.get())
        } else {
            Ok(NO_XATTR)
        }
    }

    fn directory(&mut self, at: &mut Position, extended: bool) -> Result<(Listing, u32), Error> {
        let (block, offset, size, xattr) = if extended {
            let body: ExtendedDirectory = self.inodes.get(at)?;
            (
                body.start_block,
                body.offset,
                body.file_size.get(),
                body.xattr.get(),
            )
        } else {
            let body: BasicDirectory = self.inodes.get(at)?;
            (
                body.start_block,
                body.offset,
                body.file_size.get().into(),
                NO_XATTR,
            )
        };
        let position = Position {
            block: block.get().into(),
            offset: offset.get().into(),
        };
        Ok((
            Listing {
                position,
                len: size.saturating_sub(DIRECTORY_EXTRA),
            },
            xattr,
        ))
    }

    fn file(&mut self, at: &mut Position, extended: bool) -> Result<(Kind, u32), Error> {
        let (start, len, fragment, offset, xattr) = if extended {
            let body: ExtendedFile = self.inodes.get(at)?;
            (
                body.start_block.get(),
                body.file_size.get(),
                body.fragment,
                body.offset,
                body.xattr.get(),
            )
        } else {
            let body: BasicFile = self.inodes.get(at)?;
            (
                body.start_block.get().into(),
                body.file_size.get().into(),
                body.fragment,
                body.offset,
                NO_XATTR,
            )
        };
        let block_size = u64::from(self.data.block_size);
        let tail = (fragment.get() != NO_FRAGMENT).then_some((fragment.get(), offset.get()));
        if tail.is_some_and(|(fragment, _)| fragment as usize >= self.data.fragments.len()) {
            return Err(Error::Damaged(
                "a file in a fragment block that does not exist".into(),
            ));
        }
        let count = if tail.is_some() {
            len / block_size
        } else {
            len.div_ceil(block_size)
        };
        let bytes = count.saturating_mul(4);
        // A size word, and where the block begins.
        self.budget.take(bytes.saturating_mul(3))?;
        let bytes = self
            .inodes
            .read(at, usize::try_from(bytes).unwrap_or(usize::MAX))?;
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap_or_default());
        let blocks: Vec<u32> = bytes.chunks_exact(4).map(word).collect();
        let file = Arc::new(FileData::new(Arc::clone(&self.data), len, start, blocks, tail)?);
        let content = match len {
            0 => Content::from(&b""[..]),
            _ => Content::Span {
                source: Arc::clone(&file) as _,
                start: 0,
                len,
            },
        };
        self.last = (len > 0).then_some(file);
        Ok((Kind::File(content), xattr))
    }

    /// The entries of a directory.
    fn listing(&mut self, listing: &Listing) -> Result<Vec<Entry>, Error> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut at = listing.position;
        let mut left = u64::from(listing.len);
        let mut spend = |bytes: usize| {
            left = left
                .checked_sub(bytes as u64)
                .ok_or_else(|| Error::Damaged("a listing is cut off".into()))?;
            Ok::<u64, Error>(left)
        };
        while spend(0)? > 0 {
            spend(size_of::<DirectoryHeader>())?;
            let header: DirectoryHeader = self.directories.get(&mut at)?;
            let count = header.count.get();
            if count as usize >= DIRECTORY_RUN_MAX {
                return Err(Error::Damaged(format!(
                    "a directory header with {count} entries and one more"
                )));
            }
            for _ in 0..=count {
                let entry: DirectoryEntry = self.directories.get(&mut at)?;
                let len = usize::from(entry.name_size.get()) + 1;
                spend(size_of::<DirectoryEntry>() + len)?;
                if len > NAME_MAX {
                    return Err(Error::Damaged(format!("a name of {len} bytes")));
                }
                self.budget.take(NODE_COST + 2 * len as u64)?;
                let name = self.directories.read(&mut at, len)?;
                if entries.last().is_some_and(|last| last.name >= name) {
                    return Err(Error::Damaged(format!("{}: a name out of order", show(&name))));
                }
                entries.push(Entry {
                    name,
                    position: Position {
                        block: header.start_block.get().into(),
                        offset: entry.offset.get().into(),
                    },
                    basic_type: entry.inode_type.get(),
                    number: header
                        .inode_number
                        .get()
                        .wrapping_add_signed(entry.inode_delta.get().into()),
                });
            }
        }
        Ok(entries)
    }

    fn xattrs(&mut self, index: u32) -> Result<Vec<Xattr>, Error> {
        let damaged = |what: &str| Error::Damaged(format!("extended attributes {what}"));
        if index == NO_XATTR {
            return Ok(Vec::new());
        }
        let table = self.xattrs.as_mut().ok_or_else(|| damaged("without a table"))?;
        let id = *table
            .ids
            .get(index as usize)
            .ok_or_else(|| damaged("that are not in the table"))?;
        let mut at = Position::of_reference(id.xattr.get());
        let mut xattrs = Vec::new();
        for _ in 0..id.count.get() {
            let key: XattrKey = table.values.get(&mut at)?;
            let prefix = XATTR_PREFIXES.get(usize::from(key.prefix.get() & !XATTR_OUT_OF_LINE));
            let prefix = prefix.ok_or_else(|| damaged("with an unknown prefix"))?;
            let len = prefix.len() + usize::from(key.name_size.get());
            if len > XATTR_NAME_MAX {
                return Err(damaged("with a name above 255 bytes"));
            }
            let mut name = prefix.to_vec();
            name.extend(table.values.read(&mut at, key.name_size.get().into())?);
            let mut value: XattrValue = table.values.get(&mut at)?;
            let mut place = at;
            if key.prefix.get() & XATTR_OUT_OF_LINE != 0 {
                let reference: zerocopy::byteorder::little_endian::U64 = table.values.get(&mut at)?;
                place = Position::of_reference(reference.get());
                value = table.values.get(&mut place)?;
            }
            let len = value.value_size.get();
            if len as usize > XATTR_VALUE_MAX {
                return Err(damaged("with a value above 64 KiB"));
            }
            self.budget
                .take(u64::from(len) + NODE_COST + XATTR_NAME_MAX as u64)?;
            let bytes = table.values.read(&mut place, len as usize)?;
            if key.prefix.get() & XATTR_OUT_OF_LINE == 0 {
                at = place;
            }
            xattrs.push(Xattr {
                name: name.into(),
                value: bytes.into(),
            });
        }
        xattrs.sort();
        Ok(xattrs)
    }
}
