//! The names of places in an image: what someone wants to know who looks for the cause of a different byte.

use std::fmt;
use std::ops::Range;

use disk::read::Disk;
use image::{Content, Structure, show};

use crate::bundles::Bundle;
use crate::file_system::FileSystem;
use crate::inside::{Inside, What};
use crate::{Format, Result};

/// What lies where in something that is open.
#[derive(Debug, Default)]
pub struct Structures {
    /// Sorted by their places.
    list: Vec<Structure>,
    /// The path of each node.
    paths: Vec<Option<Box<[u8]>>>,
    /// What was planned has labels, too.
    planned: Option<Content>,
}

/// The name of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What lies there: `inode table of group 3`, `cluster`.
    pub what: String,
    /// The file or directory that it belongs to.
    pub path: Option<Vec<u8>>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) if self.what == "directory" => write!(f, "directory {}", show(path)),
            Some(path) => write!(f, "{} of {}", self.what, show(path)),
            None => f.write_str(&self.what),
        }
    }
}

impl Structures {
    /// Finds out what lies where; of something compressed, in what is inside.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn of(inside: &Inside) -> Result<Structures> {
        let plain = inside.plain();
        let mut list = match &plain.what {
            What::Disk(disk) => of_disk(disk),
            What::FileSystem(FileSystem::Ext4(ext4)) => ext4.structures()?,
            What::FileSystem(FileSystem::Fat(fat)) => fat.structures()?,
            What::FileSystem(FileSystem::Squashfs(archive)) => archive.structures()?,
            What::FileSystem(FileSystem::Btrfs(btrfs)) => btrfs.structures()?,
            What::FileSystem(FileSystem::Erofs(erofs)) => erofs.structures()?,
            What::Bundle(bundle) => of_bundle(bundle, plain.content.len())?,
            What::Opaque(Format::Swap) => vec![Structure::new(0, swap::PAGE_SIZE, "header")],
            What::Opaque(Format::HashTree) => {
                let start = verity::SUPERBLOCK_SIZE;
                let rest = plain.content.len().saturating_sub(start);
                vec![
                    Structure::new(0, start, "superblock"),
                    Structure::new(start, rest, "hashes"),
                ]
            }
            What::Tree(..) | What::Compressed(..) | What::Outputs(_) | What::Opaque(_) => Vec::new(),
        };
        list.sort_by_key(|structure| structure.start);
        let mut paths = Vec::new();
        if let Some(tree) = plain.files()? {
            paths.resize(tree.len(), None);
            for entry in tree.walk() {
                if let Some(path) = paths.get_mut(entry.id.index()).filter(|path| path.is_none()) {
                    *path = Some(entry.path.into());
                }
            }
        }
        let planned = match &plain.content {
            Content::Image(_) => Some(plain.content.clone()),
            _ => None,
        };
        Ok(Structures { list, paths, planned })
    }

    /// With more that is known from elsewhere.
    #[must_use]
    pub fn with(mut self, known: Vec<Structure>) -> Structures {
        self.list.extend(known);
        self.list.sort_by_key(|structure| structure.start);
        self
    }

    /// All that is known, in the order of its places.
    #[must_use]
    pub fn all(&self) -> &[Structure] {
        &self.list
    }

    /// Where one ends or begins.
    pub fn cuts(&self) -> impl Iterator<Item = u64> {
        self.list
            .iter()
            .flat_map(|structure| [structure.start, structure.end])
    }

    /// What is at a place; nothing where it belongs to nothing that is known.
    #[must_use]
    pub fn at(&self, start: u64) -> Option<Place> {
        self.within(start..start.saturating_add(1))
            .or_else(|| self.planned.as_ref().and_then(|content| label(content, start)))
    }

    /// The first of what lies in a range.
    #[must_use]
    pub fn within(&self, range: Range<u64>) -> Option<Place> {
        let behind = self
            .list
            .partition_point(|structure| structure.start <= range.start);
        let here = behind.checked_sub(1).and_then(|index| self.list.get(index));
        let here = here.filter(|structure| structure.end > range.start);
        let next = self
            .list
            .get(behind)
            .filter(|structure| structure.start < range.end);
        here.or(next).map(|structure| Place {
            what: structure.what.clone().into_owned(),
            path: structure
                .node
                .and_then(|node| self.paths.get(node.index())?.as_deref().map(<[u8]>::to_vec)),
        })
    }
}

/// The innermost label of a planned image.
fn label(content: &Content, start: u64) -> Option<Place> {
    let Content::Image(image) = content else {
        return None;
    };
    let extents = image.extents();
    let behind = extents.partition_point(|extent| extent.start <= start);
    let extent = extents.get(behind.checked_sub(1)?)?;
    let within = start - extent.start;
    if within >= extent.content.len() {
        return None;
    }
    label(&extent.content, within).or_else(|| {
        Some(Place {
            what: extent.label.to_string(),
            path: None,
        })
    })
}

fn of_disk(disk: &Disk) -> Vec<Structure> {
    let sector = disk.sector_size.bytes();
    let mut structures = vec![Structure::new(0, sector, "MBR")];
    if let Some(gpt) = disk.gpt() {
        let entries = gpt.entries.end - gpt.entries.start;
        let last = disk.size / sector * sector - sector;
        structures.push(Structure::new(sector, sector, "header of the GPT"));
        structures.push(Structure::new(gpt.entries.start, entries, "entries of the GPT"));
        structures.push(Structure::new(
            last.saturating_sub(entries),
            entries,
            "entries of the GPT, copy",
        ));
        structures.push(Structure::new(last, sector, "header of the GPT, copy"));
    }
    for partition in &disk.partitions {
        let what = match &*partition.name {
            "" => format!("partition {}", partition.entry.number),
            name => format!("partition {}, {name}", partition.entry.number),
        };
        structures.push(Structure::new(partition.start, partition.size(), what));
    }
    structures
}

fn of_bundle(bundle: &Bundle, size: u64) -> Result<Vec<Structure>> {
    let (payload, end) = match &bundle.bundle {
        bundle::Bundle::Signed(signed) => (signed.payload().len(), "signature"),
        bundle::Bundle::Unsigned(unsigned) => (unsigned.payload().len(), "manifest that nobody has signed"),
        bundle::Bundle::Plain(plain) => (plain.payload().len(), "signature"),
    };
    let mut structures = bundle.archive.structures().map_err(bundle::Error::from)?;
    let tree = bundle.manifest.verity.map_or(0, |verity| verity.size);
    let last = size.saturating_sub(8);
    structures.push(Structure::new(payload.saturating_sub(tree), tree, "hash tree"));
    structures.push(Structure::new(payload, last.saturating_sub(payload), end));
    structures.push(Structure::new(last, 8, "size of the signature"));
    structures.retain(|structure| structure.end > structure.start);
    Ok(structures)
}
