//! Images become trees.
//!
//! Nothing in an image is believed: the checksum of every node and of every sector is computed again, keys ascend within a
//! tree and from node to node, and memory stays in proportion to the nodes that are really there.
//!
//! Read is what has one device, `crc32c`, and data and metadata once or twice on it, also when others made it. Subvolumes
//! may share nodes, as they do after a snapshot.
//!
//! Reading everything ([`FileSystem::contents`]) finds what is wrong with files and directories; [`FileSystem::check`]
//! finds what is wrong with the rest: who uses what, what is free, what is there twice.

mod check;
mod chunks;
mod data;
mod decompress;
mod files;
mod lookup;
pub(crate) mod lzo;
mod nodes;
mod roots;
mod structures;
mod superblock;
mod walk;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use image::{Node, NodeId, ReadAt, Tree, show};
use uuid::Uuid;

use crate::{Access, Error, Result};
use chunks::Chunks;
use lookup::Lookup;
use nodes::Nodes;
use superblock::Geometry;

/// A btrfs in something that can be read.
#[derive(Clone, Debug)]
pub struct FileSystem {
    source: Source,
    geometry: Geometry,
    chunks: Arc<Chunks>,
}

/// What a file system says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The label, with odd bytes escaped.
    pub label: Option<String>,
    /// The file system's id.
    pub uuid: Uuid,
    /// Bytes of the device; what holds it may be larger.
    pub size: u64,
    /// Bytes that are used, metadata that lies there twice counted once.
    pub used: u64,
    /// Bytes of a node.
    pub node_size: u32,
    /// The generation of the last change.
    pub generation: u64,
}

/// A file system as a value.
#[derive(Clone, Debug)]
pub struct Contents {
    /// All files and directories; those of subvolumes where these have their names.
    pub tree: Tree,
    /// The roots of subvolumes, without that of the file system itself.
    pub subvolumes: BTreeMap<NodeId, Access>,
    /// The root of the subvolume that is mounted when nobody says which.
    pub default_subvolume: NodeId,
}

/// A name in a directory.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name.
    pub name: Box<[u8]>,
    /// What it leads to; a directory is without its entries.
    pub node: Node,
}

/// The bytes, and how many there are.
#[derive(Clone, Debug)]
struct Source {
    bytes: Arc<dyn ReadAt>,
    size: u64,
}

impl Source {
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
    /// Reads the superblock and the chunk tree.
    ///
    /// # Errors
    /// When there is no btrfs, it has features that are not read, is larger than the source, or its chunks contradict each
    /// other.
    pub fn open(source: Arc<dyn ReadAt>, size: u64) -> Result<FileSystem> {
        let source = Source { bytes: source, size };
        let (geometry, system) = superblock::read(&source)?;
        let chunks = Arc::new(chunks::read(&source, &geometry, system)?);
        Ok(FileSystem {
            source,
            geometry,
            chunks,
        })
    }

    /// What the file system says about itself.
    #[must_use]
    pub fn info(&self) -> Info {
        let geometry = &self.geometry;
        Info {
            label: geometry.label.clone(),
            uuid: Uuid::from_bytes(geometry.fsid),
            size: geometry.total,
            used: geometry.used,
            node_size: geometry.node,
            generation: geometry.generation,
        }
    }

    /// All files and directories, and which of these are subvolumes. Contents are spans of the source, or decompressed when
    /// they are read; holes of files are holes. The checksums of data are compared when a content is read.
    ///
    /// # Errors
    /// When reading fails or the file system contradicts itself.
    pub fn contents(&self) -> Result<Contents> {
        walk::walk(self, &mut |_| Ok(()))
    }

    /// All files and directories, from the root of the file system, whatever subvolume is mounted usually.
    ///
    /// # Errors
    /// As [`FileSystem::contents`].
    pub fn tree(&self) -> Result<Tree> {
        Ok(self.contents()?.tree)
    }

    /// What is at a path from the root of the file system; of a directory, without its entries. Symbolic links are not
    /// followed. Reads the root tree, and the nodes on the way.
    ///
    /// # Errors
    /// When reading fails or what is read on the way contradicts itself.
    pub fn find(&self, path: &[u8]) -> Result<Option<Node>> {
        Lookup::new(self)?.find(path)
    }

    /// The entries of the directory at a path, sorted by name; none when there is no directory.
    ///
    /// # Errors
    /// As [`FileSystem::find`].
    pub fn list(&self, path: &[u8]) -> Result<Option<Vec<Entry>>> {
        Lookup::new(self)?.list(path)
    }

    /// Reads everything, and compares it with what the trees say of who uses it and of what is free, and with what is there
    /// twice. Data that is compressed is decompressed.
    ///
    /// # Errors
    /// The first contradiction that is found; and when something was interrupted that makes trees look wrong, such as a
    /// balance.
    pub fn check(&self) -> Result<()> {
        check::check(self)
    }

    fn nodes(&self) -> Nodes<'_> {
        Nodes::new(&self.source, &self.geometry, &self.chunks)
    }
}
