//! Images become trees.
//!
//! Nothing in an image is believed: every cluster may be used once, chains must be as long as files say, directories
//! must know their parents, and memory stays in proportion to the bytes that were really read.

mod boot;
mod check;
mod directory;
mod structures;
mod table;

use std::fmt;
use std::sync::Arc;

use image::{Content, Node, NodeId, ReadAt, Tree, show};

use crate::format::{DOT, DOT_DOT, SLOT_SIZE, attr};
use crate::geometry::{DEPTH_MAX, DIRECTORY_SLOTS_MAX, Geometry};
use crate::{Error, Variant};
use directory::{Entry, Parsed};
use table::{Chain, Table};

/// A FAT file system in something that can be read.
#[derive(Clone, Debug)]
pub struct FileSystem {
    source: Source,
    geometry: Geometry,
    /// Which table counts.
    table: u32,
    /// Whether the other tables mean nothing.
    is_single: bool,
    /// The first cluster of a FAT32 root directory.
    root_cluster: u32,
    volume_id: u32,
    /// The label in the boot sector.
    boot_label: Option<String>,
}

/// What a file system says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// FAT16 or FAT32.
    pub variant: Variant,
    /// The label: of the root directory, or else of the boot sector.
    pub label: Option<String>,
    /// The serial number.
    pub volume_id: u32,
    /// Bytes of the file system; what holds it may be larger.
    pub size: u64,
    /// Bytes of a sector.
    pub sector_size: u32,
    /// Bytes of a cluster.
    pub cluster_size: u32,
    /// All clusters.
    pub clusters: u32,
    /// Free clusters, as the table says.
    pub free_clusters: u32,
    /// Bytes of the free clusters.
    pub free: u64,
}

/// The bytes, and how many there are.
#[derive(Clone, Debug)]
struct Source {
    bytes: Arc<dyn ReadAt>,
    size: u64,
}

impl Source {
    fn read(&self, what: &str, start: u64, len: u64) -> Result<Vec<u8>, Error> {
        let end = start.checked_add(len).filter(|end| *end <= self.size);
        let (Some(_), Ok(len)) = (end, usize::try_from(len)) else {
            return Err(damaged(what, format!("lies behind the end, {} bytes", self.size)));
        };
        let mut buffer = vec![0; len];
        let done = self.bytes.read_exact_at(&mut buffer, start);
        done.map_err(|source| Error::Read {
            what: what.into(),
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

/// A path, written out only in errors: many long ones would take more memory than the image that they are in.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The directory's path, without a slash at the end.
    parent: &'a [u8],
    name: &'a [u8],
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", show(self.parent), show(self.name))
    }
}

const ROOT: Place = Place {
    parent: b"",
    name: b"",
};

/// A directory that waits to be read.
struct Waiting {
    id: NodeId,
    /// The path of the directory that it is in, without a slash at the end.
    parent_path: Arc<[u8]>,
    name: Vec<u8>,
    level: usize,
    /// The first cluster; 0 for a root.
    cluster: u32,
    /// The parent's first cluster; 0 when it is the root.
    parent: u32,
}

impl Waiting {
    fn place(&self) -> Place<'_> {
        Place {
            parent: &self.parent_path,
            name: &self.name,
        }
    }

    /// The path, without a slash at the end: the root's is empty.
    fn path(&self) -> Arc<[u8]> {
        match self.level {
            0 => Arc::default(),
            _ => [&self.parent_path[..], &self.name].join(&b'/').into(),
        }
    }
}

impl FileSystem {
    /// Reads the boot sector.
    ///
    /// # Errors
    /// When there is no FAT16 or FAT32, or it is larger than the source.
    pub fn open(source: Arc<dyn ReadAt>, size: u64) -> Result<FileSystem, Error> {
        boot::open(Source { bytes: source, size })
    }

    /// What the file system says about itself. Reads a whole table and the root directory.
    ///
    /// # Errors
    /// When reading fails or the root directory is damaged.
    pub fn info(&self) -> Result<Info, Error> {
        let mut table = Table::new(self);
        let free_clusters = table.free_clusters()?;
        let label = self.root(&mut table)?.label;
        Ok(Info {
            variant: self.geometry.variant,
            label: label.or_else(|| self.boot_label.clone()),
            volume_id: self.volume_id,
            size: self.geometry.size(),
            sector_size: self.geometry.sector_size,
            cluster_size: self.geometry.cluster_size,
            clusters: self.geometry.clusters,
            free_clusters,
            free: u64::from(free_clusters) * u64::from(self.geometry.cluster_size),
        })
    }

    /// All files and directories. Contents are spans of the source. Modes are 0755 for directories, 0644 for files,
    /// 0444 for files that may only be read.
    ///
    /// # Errors
    /// When reading fails or the file system contradicts itself.
    pub fn tree(&self) -> Result<Tree, Error> {
        self.tree_with(&mut Table::new(self))
    }

    fn tree_with(&self, table: &mut Table) -> Result<Tree, Error> {
        let mut tree = Tree::default();
        let mut waiting = vec![Waiting {
            id: NodeId::ROOT,
            parent_path: Arc::default(),
            name: Vec::new(),
            level: 0,
            cluster: 0,
            parent: 0,
        }];
        while let Some(directory) = waiting.pop() {
            let (path, level) = (directory.path(), directory.level + 1);
            for entry in self.entries(&directory, table)? {
                let place = Place {
                    parent: &path,
                    name: &entry.name,
                };
                let id = self.add(&mut tree, directory.id, place, &entry, table)?;
                if entry.is_directory() {
                    check_level(level, place)?;
                    waiting.push(Waiting {
                        id,
                        parent_path: path.clone(),
                        name: entry.name,
                        level,
                        cluster: entry.cluster,
                        parent: directory.cluster,
                    });
                }
            }
        }
        Ok(tree)
    }

    fn entries(&self, directory: &Waiting, table: &mut Table) -> Result<Vec<Entry>, Error> {
        match directory.level {
            0 => Ok(self.root(table)?.entries),
            _ => self.directory(directory, table),
        }
    }

    fn root(&self, table: &mut Table) -> Result<Parsed, Error> {
        let bytes = match self.geometry.variant {
            Variant::Fat16 => {
                let (start, len) = (self.geometry.root_start(), self.geometry.root_len());
                self.source.read("root directory", start, len)?
            }
            Variant::Fat32 => self.directory_bytes(self.root_cluster, ROOT, table)?,
        };
        if table.is_strict() {
            check::slots(&bytes, ROOT)?;
        }
        directory::parse(&bytes, ROOT)
    }

    /// The entries of a directory other than the root, without those for itself and its parent.
    fn directory(&self, directory: &Waiting, table: &mut Table) -> Result<Vec<Entry>, Error> {
        let place = directory.place();
        let bytes = self.directory_bytes(directory.cluster, place, table)?;
        let (dots, names) = bytes.split_at_checked(2 * SLOT_SIZE).unwrap_or((&bytes, &[]));
        let dots = directory::dots(dots);
        let [own, parent] = dots.ok_or_else(|| damaged(place, "the directory has no end"))?;
        for (found, name, shown) in [(&own, DOT, "."), (&parent, DOT_DOT, "..")] {
            if found.name != name || found.attr & attr::DIRECTORY == 0 {
                let problem = format!("the directory does not begin with . and ..: {shown} is missing");
                return Err(damaged(place, problem));
            }
        }
        if directory::first_cluster(&own) != directory.cluster {
            return Err(damaged(place, "its entry . is another directory"));
        }
        let found = directory::first_cluster(&parent);
        // Some writers give the root's number where the specification demands 0.
        let is_root =
            directory.parent == 0 && self.geometry.variant == Variant::Fat32 && found == self.root_cluster;
        if found != directory.parent && !is_root {
            return Err(damaged(place, "its entry .. is not the directory that it is in"));
        }
        if table.is_strict() {
            check::slots(names, place)?;
        }
        Ok(directory::parse(names, place)?.entries)
    }

    /// The bytes of a directory that lies in clusters.
    fn directory_bytes(&self, first: u32, place: Place, table: &mut Table) -> Result<Vec<u8>, Error> {
        let cluster_size = u64::from(self.geometry.cluster_size);
        let limit = (DIRECTORY_SLOTS_MAX * SLOT_SIZE as u64).div_ceil(cluster_size);
        let chain = table.chain(first, limit, place)?;
        let len = chain.clusters() * cluster_size;
        let bytes = self.content(chain, len).to_vec();
        bytes.map_err(|error| match error {
            image::Error::ReadSource { source, .. } => Error::Read {
                what: place.to_string(),
                source,
            },
            error => error.into(),
        })
    }

    fn add(
        &self,
        tree: &mut Tree,
        parent: NodeId,
        place: Place,
        entry: &Entry,
        table: &mut Table,
    ) -> Result<NodeId, Error> {
        let mut node = if entry.is_directory() {
            Node::directory()
        } else {
            let content = self.file(entry, place, table)?;
            Node::file(content).mode(if entry.is_read_only() { 0o444 } else { 0o644 })
        };
        node.meta.mtime = entry.mtime;
        tree.add(parent, &entry.name, node).map_err(|error| match error {
            image::Error::NameTooLong { .. } => error.into(),
            image::Error::Exists { .. } => damaged(place, "is in its directory twice"),
            error => damaged(place, error.to_string()),
        })
    }

    fn file(&self, entry: &Entry, place: Place, table: &mut Table) -> Result<Content, Error> {
        if entry.len == 0 {
            return match entry.cluster {
                0 => Ok(Content::Zeros(0)),
                _ => Err(damaged(place, "has clusters, but no bytes")),
            };
        }
        let len = u64::from(entry.len);
        let clusters = len.div_ceil(self.geometry.cluster_size.into());
        let chain = table.chain(entry.cluster, clusters, place)?;
        let found = chain.clusters();
        if found != clusters {
            let problem = format!("{len} bytes need {clusters} clusters, and it has {found}");
            return Err(damaged(place, problem));
        }
        Ok(self.content(chain, len))
    }

    /// The first `len` bytes of a chain.
    fn content(&self, chain: Chain, len: u64) -> Content {
        match chain.single_run() {
            Some(first) => Content::Span {
                source: self.source.bytes.clone(),
                start: self.geometry.cluster_start(first),
                len,
            },
            None => Content::Span {
                source: Arc::new(table::Fragments::new(self, chain)),
                start: 0,
                len,
            },
        }
    }
}

fn check_level(level: usize, place: Place) -> Result<(), Error> {
    if level <= DEPTH_MAX {
        return Ok(());
    }
    Err(Error::TooDeep {
        path: place.to_string(),
        depth: level,
        limit: DEPTH_MAX,
    })
}
