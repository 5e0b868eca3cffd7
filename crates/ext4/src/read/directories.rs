//! Reads the blocks of directories.

use image::show;
use zerocopy::FromBytes;

use super::blocks::Blocks;
use super::inodes::Inode;
use super::{FileSystem, damaged, hash_trees};
use crate::Result;
use crate::checksum::crc32c;
use crate::format::{DIR_TAIL_TYPE, DirEntry, DirTail, INODE_INDEX, compat, incompat};

const HEAD: usize = size_of::<DirEntry>();
const TAIL: usize = size_of::<DirTail>();
/// The length that a [`DirTail`] says it has.
const DIR_TAIL_LEN: u16 = 12;
/// Bytes of the least entry: one with a name of up to four bytes.
const LEAST: usize = HEAD + 4;

/// What a directory holds.
#[derive(Debug)]
pub(super) struct Listing {
    /// The inode that the entry `..` names.
    pub(super) parent: u32,
    /// All other entries, without `.`.
    pub(super) entries: Vec<Entry>,
}

/// A name in a directory.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Box<[u8]>,
    pub(super) inode: u32,
    /// The number of its type; none when the file system's entries have none.
    pub(super) file_type: Option<u8>,
}

/// The entries of a directory.
pub(super) fn read(file_system: &FileSystem, inode: &Inode, blocks: &Blocks) -> Result<Listing> {
    let directory = Directory {
        file_system,
        inode,
        blocks,
    };
    if inode.fields.flags.get() & INODE_INDEX != 0 {
        if file_system.geometry.compat & compat::DIR_INDEX == 0 {
            let problem = "has a hash tree, and the file system has none";
            return Err(damaged(inode.place(), problem));
        }
        return hash_trees::read(&directory);
    }
    let first = directory.leaf(0)?;
    let mut listing = directory.dots(first)?;
    for number in 1..blocks.count() {
        listing.entries.extend(directory.leaf(number)?);
    }
    for entry in &listing.entries {
        directory.check(entry)?;
    }
    Ok(listing)
}

/// A directory that is read.
pub(super) struct Directory<'a> {
    pub(super) file_system: &'a FileSystem,
    pub(super) inode: &'a Inode,
    pub(super) blocks: &'a Blocks,
}

impl Directory<'_> {
    /// The name of a block in errors.
    pub(super) fn place(&self, number: u64) -> String {
        format!("{}, block {number} of the directory", self.inode.place())
    }

    /// The bytes of a block.
    pub(super) fn bytes(&self, number: u64) -> Result<Vec<u8>> {
        let place = self.place(number);
        let block = self.blocks.locate(number);
        let block = block.ok_or_else(|| damaged(&place, "does not exist"))?;
        self.file_system.block(&place, block)
    }

    /// The entries of a block that has nothing else.
    pub(super) fn leaf(&self, number: u64) -> Result<Vec<Entry>> {
        let bytes = self.bytes(number)?;
        let mut entries = &bytes[..];
        if let Some(seed) = self.inode.seed {
            let (before, tail) = bytes
                .split_at_checked(bytes.len().saturating_sub(TAIL))
                .unwrap_or((&bytes, &[]));
            let broken = |problem: String| damaged(self.place(number), problem);
            let tail = DirTail::read_from_bytes(tail).map_err(|_| broken("is cut off".into()))?;
            let DirEntry {
                inode,
                rec_len,
                name_len,
                file_type,
            } = tail.entry;
            if (inode.get(), rec_len.get(), name_len, file_type) != (0, DIR_TAIL_LEN, 0, DIR_TAIL_TYPE) {
                return Err(broken("has no checksum".into()));
            }
            let (found, wanted) = (tail.checksum.get(), crc32c(seed, before));
            if found != wanted {
                return Err(broken(format!(
                    "its checksum is {found:#010x}, not {wanted:#010x}"
                )));
            }
            entries = before;
        }
        self.entries(number, entries)
    }

    /// The entries that fill these bytes of a block.
    pub(super) fn entries(&self, number: u64, mut bytes: &[u8]) -> Result<Vec<Entry>> {
        let has_types = self.file_system.geometry.incompat & incompat::FILETYPE != 0;
        let mut entries = Vec::new();
        while !bytes.is_empty() {
            let broken = |problem: String| damaged(self.place(number), problem);
            let (head, rest) =
                DirEntry::read_from_prefix(bytes).map_err(|_| broken("an entry is cut off".into()))?;
            let rec_len = usize::from(head.rec_len.get());
            // Without types, the name's length has both bytes.
            let (name_len, file_type) = if has_types {
                (usize::from(head.name_len), Some(head.file_type))
            } else {
                let len = u16::from_le_bytes([head.name_len, head.file_type]);
                (usize::from(len), None)
            };
            if !rec_len.is_multiple_of(4)
                || rec_len < LEAST
                || rec_len < HEAD + name_len
                || rec_len > bytes.len()
            {
                return Err(broken(format!(
                    "an entry of {rec_len} bytes with a name of {name_len}, where {} are left",
                    bytes.len()
                )));
            }
            if head.inode.get() != 0 {
                let name = rest.get(..name_len).unwrap_or_default();
                entries.push(Entry {
                    name: name.into(),
                    inode: head.inode.get(),
                    file_type,
                });
            }
            bytes = bytes.get(rec_len..).unwrap_or_default();
        }
        Ok(entries)
    }

    /// Takes the entries `.` and `..` from the front of those of the first block.
    pub(super) fn dots(&self, entries: Vec<Entry>) -> Result<Listing> {
        let broken = |problem: String| damaged(self.place(0), problem);
        let mut entries = entries.into_iter();
        let mut dot = |name: &[u8]| {
            let entry = entries.next().filter(|entry| *entry.name == *name);
            let entry = entry.ok_or_else(|| broken(format!("its entry {} is missing", show(name))))?;
            match entry.file_type {
                None | Some(2) => Ok(entry.inode),
                Some(other) => Err(broken(format!("its entry {} has the type {other}", show(name)))),
            }
        };
        let (own, parent) = (dot(b".")?, dot(b"..")?);
        if own != self.inode.number {
            return Err(broken(format!("its entry . is inode {own}")));
        }
        Ok(Listing {
            parent,
            entries: entries.collect(),
        })
    }

    /// Refuses what cannot be a name, and what a name cannot lead to.
    pub(super) fn check(&self, entry: &Entry) -> Result<()> {
        let (name, geometry) = (&*entry.name, &self.file_system.geometry);
        let shown = || show(name);
        if matches!(name, b"" | b"." | b"..") || name.iter().any(|byte| matches!(byte, 0 | b'/')) {
            let problem = format!("{:?} is no name", shown());
            return Err(damaged(self.inode.place(), problem));
        }
        if !(geometry.first_inode..=geometry.inodes).contains(&entry.inode) {
            let problem = format!("{} is inode {}, which no name can lead to", shown(), entry.inode);
            return Err(damaged(self.inode.place(), problem));
        }
        Ok(())
    }
}
