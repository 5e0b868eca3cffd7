//! Images become trees.
//!
//! Nothing in an image is believed: places and lengths are compared with the image's before they are used, directories are
//! entered once, and what decompresses to something else than the index says is an error. Maps of clusters are read when a
//! file is, and not kept, because many inodes can claim the same ones.
//!
//! Read is what Linux reads of one device, also when others made it, but for what [`Error::Unsupported`] names.

mod check;
mod data;
mod directories;
mod inodes;
mod map;
mod packs;
mod records;
mod structures;
mod superblock;
mod walk;
mod xattrs;

use std::fmt;
use std::sync::Arc;

use image::{Node, ReadAt, Tree};
use uuid::Uuid;

use crate::{Error, Result};
use data::Recent;
use superblock::Geometry;

/// An erofs in something that can be read.
#[derive(Clone, Debug)]
pub struct FileSystem {
    inner: Arc<Inner>,
}

/// What all files of a file system share.
#[derive(Debug)]
struct Inner {
    bytes: Arc<dyn ReadAt>,
    size: u64,
    geometry: Geometry,
    recent: Recent,
}

/// What a file system says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The label, if there is one, with odd bytes escaped.
    pub label: Option<String>,
    /// The file system's id.
    pub uuid: Uuid,
    /// Bytes of all blocks.
    pub size: u64,
    /// Bytes of a block.
    pub block_size: u32,
    /// How many inodes it says it has.
    pub inodes: u64,
    /// The compressors that it says it uses.
    pub compressors: Vec<&'static str>,
}

/// A name in a directory.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name.
    pub name: Box<[u8]>,
    /// What it leads to; a directory is without its entries.
    pub node: Node,
}

fn damaged(place: impl fmt::Display, problem: impl Into<String>) -> Error {
    Error::Damaged {
        place: place.to_string(),
        problem: problem.into(),
    }
}

impl Inner {
    fn read(&self, what: &dyn fmt::Display, start: u64, len: usize) -> Result<Vec<u8>> {
        let end = start.checked_add(len as u64).filter(|end| *end <= self.size);
        if end.is_none() {
            return Err(damaged(what, format!("lies behind the end, {} bytes", self.size)));
        }
        let mut buffer = vec![0; len];
        let done = self.bytes.read_exact_at(&mut buffer, start);
        done.map_err(|source| Error::Read {
            what: what.to_string(),
            source,
        })?;
        Ok(buffer)
    }
}

impl FileSystem {
    /// Reads the superblock.
    ///
    /// # Errors
    /// When there is no erofs, it has features that are not read, or is larger than the source.
    pub fn open(source: Arc<dyn ReadAt>, size: u64) -> Result<FileSystem> {
        let geometry = superblock::read(&*source, size)?;
        let inner = Arc::new(Inner {
            bytes: source,
            size,
            geometry,
            recent: Recent::default(),
        });
        Ok(FileSystem { inner })
    }

    /// What the file system says about itself.
    #[must_use]
    pub fn info(&self) -> Info {
        self.inner.geometry.info()
    }

    /// All files and directories. Contents are spans of the source, or decompressed when they are read; holes of files are
    /// holes.
    ///
    /// # Errors
    /// When reading fails or the file system contradicts itself.
    pub fn tree(&self) -> Result<Tree> {
        Ok(walk::walk(&self.inner)?.tree)
    }

    /// What is at a path; of a directory, without its entries. Symbolic links are not followed. Reads what is on the way.
    ///
    /// # Errors
    /// When reading fails or what is read on the way contradicts itself.
    pub fn find(&self, path: &[u8]) -> Result<Option<Node>> {
        let found = walk::find(&self.inner, path)?;
        found.map(|inode| walk::node(&self.inner, &inode)).transpose()
    }

    /// The entries of the directory at a path, sorted by name; none when there is no directory.
    ///
    /// # Errors
    /// As [`FileSystem::find`].
    pub fn list(&self, path: &[u8]) -> Result<Option<Vec<Entry>>> {
        let Some(inode) = walk::find(&self.inner, path)?.filter(inodes::Inode::is_directory) else {
            return Ok(None);
        };
        let entries = directories::entries(&self.inner, &inode)?;
        let entry = |entry: directories::Entry| {
            let inode = inodes::read(&self.inner, entry.inode)?;
            Ok(Entry {
                name: entry.name,
                node: walk::node(&self.inner, &inode)?,
            })
        };
        entries
            .into_iter()
            .filter(|entry| !entry.is_dots())
            .map(entry)
            .collect::<Result<_>>()
            .map(Some)
    }

    /// Reads everything, decompresses what is compressed, and compares what is there twice: kinds in directories and inodes,
    /// counts of links, and who uses which block. Only the first block has a checksum.
    ///
    /// # Errors
    /// The first contradiction that is found.
    pub fn check(&self) -> Result<()> {
        check::check(&self.inner)
    }
}
