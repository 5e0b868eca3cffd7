//! Images become trees.
//!
//! Nothing in an image is believed: every checksum is computed again, every block may be used once, hash trees must
//! lead to each of their leaves, and memory and time stay in proportion to the blocks that are really there.
//!
//! Reading everything ([`FileSystem::tree`]) finds what is wrong with files and directories; [`FileSystem::check`]
//! finds what is wrong with the rest: bitmaps, counts, copies of the superblock, the journal.

mod blocks;
mod check;
mod claims;
mod directories;
mod extents;
mod features;
mod groups;
mod hash_trees;
mod inodes;
mod nodes;
mod pointers;
mod structures;
mod superblock;
mod system;
mod walk;
mod xattrs;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use image::{Kind, Node, ReadAt, Tree, show};
use uuid::Uuid;

use crate::format::{ROOT_INODE, Superblock};
use crate::{Error, Result};
use claims::Claims;
use groups::Group;
use nodes::Loaded;
use superblock::Geometry;

/// An ext4 file system in something that can be read. ext2 and ext3 are read too.
#[derive(Clone, Debug)]
pub struct FileSystem {
    source: Source,
    superblock: Superblock,
    geometry: Geometry,
    groups: Arc<[Group]>,
}

/// What a file system says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The label, with odd bytes escaped.
    pub label: Option<String>,
    /// The file system's id.
    pub uuid: Uuid,
    /// Bytes of the file system; what holds it may be larger.
    pub size: u64,
    /// Bytes of a block.
    pub block_size: u32,
    /// All blocks.
    pub blocks: u64,
    /// Free blocks, with those that only root can use.
    pub free_blocks: u64,
    /// Blocks that only root can use.
    pub reserved_blocks: u64,
    /// Bytes of the free blocks.
    pub free: u64,
    /// Bytes of an inode.
    pub inode_size: u16,
    /// All inodes.
    pub inodes: u32,
    /// Free inodes.
    pub free_inodes: u32,
    /// Groups of blocks.
    pub groups: u32,
    /// The names of its features, as e2fsprogs has them.
    pub features: Vec<&'static str>,
    /// The time of making, in seconds since 1970.
    pub time: u32,
}

/// A name in a directory.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name.
    pub name: Box<[u8]>,
    /// What it leads to; a directory is without its entries.
    pub node: Node,
}

/// How many bytes are read at once where few are wanted: inodes lie beside each other, and blocks of directories often do.
const WINDOW: u64 = 64 << 10;

/// The bytes, and how many there are.
#[derive(Clone, Debug)]
struct Source {
    bytes: Arc<dyn ReadAt>,
    size: u64,
    /// Those that were read last, and where they begin.
    near: Arc<Mutex<(u64, Vec<u8>)>>,
}

impl Source {
    fn new(bytes: Arc<dyn ReadAt>, size: u64) -> Source {
        Source {
            bytes,
            size,
            near: Arc::default(),
        }
    }

    /// Fills `buffer` out of what was read last, or reads more than that. What cannot be read in large pieces is for others.
    fn read_near(&self, buffer: &mut [u8], start: u64) -> Option<()> {
        let first = start - start % WINDOW;
        let at = usize::try_from(start - first).ok()?;
        let end = at.checked_add(buffer.len())?;
        if end as u64 > WINDOW {
            return None;
        }
        let mut near = self.near.lock().unwrap_or_else(PoisonError::into_inner);
        if near.0 != first || near.1.is_empty() {
            // Whatever comes of reading, what was read before is gone.
            let mut bytes = std::mem::take(&mut near.1);
            bytes.resize(usize::try_from(WINDOW.min(self.size - first)).ok()?, 0);
            self.bytes.read_exact_at(&mut bytes, first).ok()?;
            *near = (first, bytes);
        }
        buffer.copy_from_slice(near.1.get(at..end)?);
        Some(())
    }

    fn read(&self, what: &dyn fmt::Display, start: u64, len: usize) -> Result<Vec<u8>> {
        let end = start.checked_add(len as u64).filter(|end| *end <= self.size);
        if end.is_none() {
            return Err(damaged(what, format!("lies behind the end, {} bytes", self.size)));
        }
        let mut buffer = vec![0; len];
        if self.read_near(&mut buffer, start).is_some() {
            return Ok(buffer);
        }
        let done = self.bytes.read_exact_at(&mut buffer, start);
        done.map_err(|source| Error::Read {
            what: what.to_string(),
            source,
        })?;
        Ok(buffer)
    }
}

fn damaged(place: impl fmt::Display, problem: impl Into<String>) -> Error {
    Error::Damaged {
        place: place.to_string(),
        problem: problem.into(),
    }
}

/// The same error with a path in front of its place.
fn at(error: Error, path: &[u8]) -> Error {
    match error {
        Error::Damaged { place, problem } => Error::Damaged {
            place: format!("{} ({place})", show(path)),
            problem,
        },
        Error::Read { what, source } => Error::Read {
            what: format!("{} ({what})", show(path)),
            source,
        },
        other => other,
    }
}

impl FileSystem {
    /// Reads the superblock and the group descriptors.
    ///
    /// # Errors
    /// When there is no ext4, it has features that are not read, is larger than the source, or its descriptors are
    /// damaged.
    pub fn open(source: Arc<dyn ReadAt>, size: u64) -> Result<FileSystem> {
        let source = Source::new(source, size);
        let (superblock, geometry) = superblock::read(&source)?;
        let groups = groups::read(&source, &geometry)?.into();
        Ok(FileSystem {
            source,
            superblock,
            geometry,
            groups,
        })
    }

    /// What the file system says about itself.
    #[must_use]
    pub fn info(&self) -> Info {
        let (superblock, geometry) = (&self.superblock, &self.geometry);
        let label = superblock.volume_name.split(|byte| *byte == 0).next();
        let wide = |low: u32, high: u32| geometry.wide(low, high);
        let free_blocks = wide(
            superblock.free_blocks_count_lo.get(),
            superblock.free_blocks_count_hi.get(),
        );
        let block_size = geometry.block_size;
        Info {
            label: label.filter(|label| !label.is_empty()).map(show),
            uuid: Uuid::from_bytes(superblock.uuid),
            size: geometry.blocks * u64::from(block_size),
            block_size,
            blocks: geometry.blocks,
            free_blocks,
            reserved_blocks: wide(
                superblock.r_blocks_count_lo.get(),
                superblock.r_blocks_count_hi.get(),
            ),
            free: free_blocks.saturating_mul(block_size.into()),
            inode_size: geometry.inode_size,
            inodes: geometry.inodes,
            free_inodes: superblock.free_inodes_count.get(),
            groups: geometry.groups,
            features: features::names(superblock),
            time: superblock.mkfs_time.get(),
        }
    }

    /// All files and directories, `lost+found` too. Contents are spans of the source; holes of files are holes.
    ///
    /// # Errors
    /// When reading fails or the file system contradicts itself.
    pub fn tree(&self) -> Result<Tree> {
        Ok(walk::walk(self)?.tree)
    }

    /// What is at a path from the root; of a directory, without its entries. Symbolic links are not followed. Reads
    /// the directories on the way only.
    ///
    /// # Errors
    /// When reading fails or what is read on the way contradicts itself.
    pub fn find(&self, path: &[u8]) -> Result<Option<Node>> {
        Ok(self.lookup(path)?.map(|found| found.node))
    }

    /// The entries of the directory at a path, sorted by name; none when there is no directory.
    ///
    /// # Errors
    /// As [`FileSystem::find`].
    pub fn list(&self, path: &[u8]) -> Result<Option<Vec<Entry>>> {
        let Some(found) = self.lookup(path)? else {
            return Ok(None);
        };
        let Kind::Directory(_) = found.node.kind else {
            return Ok(None);
        };
        let listing = directories::read(self, &found.inode, &found.blocks);
        let mut entries = listing.map_err(|error| at(error, path))?.entries;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let folder = path.strip_suffix(b"/").unwrap_or(path);
        let node = |entry: directories::Entry| {
            let loaded = nodes::read(self, entry.inode, &mut Claims::default());
            let loaded = loaded.map_err(|error| at(error, &[folder, &entry.name].join(&b'/')))?;
            Ok(Entry {
                name: entry.name,
                node: loaded.node,
            })
        };
        entries.into_iter().map(node).collect::<Result<_>>().map(Some)
    }

    /// Reads everything, and compares it with what bitmaps, counts and copies say.
    ///
    /// # Errors
    /// The first contradiction that is found.
    pub fn check(&self) -> Result<()> {
        check::check(self)
    }

    fn lookup(&self, path: &[u8]) -> Result<Option<Loaded>> {
        let mut number = ROOT_INODE;
        let load = |number| nodes::read(self, number, &mut Claims::default());
        let with_path = |error| at(error, path);
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            let directory = load(number).map_err(with_path)?;
            let Kind::Directory(_) = directory.node.kind else {
                return Ok(None);
            };
            let listing = directories::read(self, &directory.inode, &directory.blocks).map_err(with_path)?;
            let entry = listing.entries.into_iter().find(|entry| *entry.name == *name);
            let Some(entry) = entry else { return Ok(None) };
            number = entry.inode;
        }
        load(number).map(Some).map_err(with_path)
    }

    /// The bytes of a block.
    fn block(&self, what: &dyn fmt::Display, block: u64) -> Result<Vec<u8>> {
        let len = self.geometry.block_len();
        self.source.read(
            what,
            block.saturating_mul(u64::from(self.geometry.block_size)),
            len,
        )
    }
}
