//! How many bytes of a file system belong to what.

use std::collections::BTreeMap;

use image::{NodeId, Structure};

use crate::Result;
use crate::file_system::FileSystem;

/// How many bytes of a file system belong to what. All of them together are its size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The bytes of each node of [`FileSystem::tree`], by its number. Of those that share bytes, the first has them; what small
    /// files are compressed into together is divided among them.
    pub nodes: Vec<u64>,
    /// What the file system itself needs, by kinds.
    pub tables: BTreeMap<String, u64>,
    /// What nothing uses.
    pub free: u64,
    /// The bytes of the file system.
    pub size: u64,
}

/// What a btrfs hands out.
const BTRFS_SECTOR: u64 = 4096;

impl FileSystem {
    /// Finds out what takes how many bytes, of those from its first to its last.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn usage(&self, nodes: usize) -> Result<Usage> {
        let (mut structures, shared, size) = match self {
            FileSystem::Squashfs(archive) => (archive.structures()?, archive.shared()?, archive.info().used),
            FileSystem::Ext4(ext4) => (ext4.structures()?, Vec::new(), ext4.info().size),
            FileSystem::Fat(fat) => (fat.structures()?, Vec::new(), fat.info()?.size),
            FileSystem::Btrfs(btrfs) => (btrfs.structures()?, Vec::new(), btrfs.info().size),
            FileSystem::Erofs(erofs) => (erofs.structures()?, erofs.shared()?, erofs.info().size),
        };
        let unit = match self {
            FileSystem::Squashfs(_) | FileSystem::Erofs(_) => None,
            FileSystem::Ext4(ext4) => Some(ext4.info().block_size.into()),
            FileSystem::Fat(fat) => Some(fat.info()?.cluster_size.into()),
            FileSystem::Btrfs(_) => Some(BTRFS_SECTOR),
        };
        let mut usage = Usage {
            nodes: vec![0; nodes],
            size,
            ..Usage::default()
        };
        // What belongs to files comes before what it may lie in.
        structures.sort_by_key(|structure| (structure.start, structure.node.is_none(), structure.end));
        let mut shared = shared.into_iter().peekable();
        let mut at = 0;
        for structure in &structures {
            let start = structure.start.max(at).min(size);
            let end = structure.end.min(size).max(start);
            usage.gap(start - at, unit);
            at = end;
            while shared.next_if(|shared| shared.start < structure.start).is_some() {}
            let own = shared.next_if(|shared| shared.start == structure.start && !shared.owners.is_empty());
            match own {
                Some(own) => usage.divide(end - start, &own.owners),
                None => usage.put(structure, end - start),
            }
        }
        usage.gap(size - at, unit);
        Ok(usage)
    }
}

impl Usage {
    /// What nobody names: whole units are free, except in a format that is packed.
    fn gap(&mut self, len: u64, unit: Option<u64>) {
        let free = unit.map_or(0, |unit| len - len % unit.max(1));
        self.free += free;
        if len > free {
            *self.tables.entry("padding".into()).or_default() += len - free;
        }
    }

    fn put(&mut self, structure: &Structure, len: u64) {
        let node = structure.node.and_then(|id| self.nodes.get_mut(id.index()));
        match node {
            Some(bytes) => *bytes += len,
            None if structure.is_free => self.free += len,
            None if len > 0 => *self.tables.entry(kind(&structure.what)).or_default() += len,
            None => {}
        }
    }

    /// Divides bytes among files in proportion; no byte is lost.
    fn divide(&mut self, len: u64, owners: &[(NodeId, u64)]) {
        let total: u128 = owners.iter().map(|(_, bytes)| u128::from(*bytes)).sum();
        let (mut before, mut given) = (0, 0);
        for (index, (id, bytes)) in owners.iter().enumerate() {
            before += u128::from(*bytes);
            let is_last = index + 1 == owners.len();
            let end = match u64::try_from(u128::from(len) * before / total.max(1)) {
                Ok(end) if !is_last => end,
                _ => len,
            };
            if let Some(node) = self.nodes.get_mut(id.index()) {
                *node += end - given;
            }
            given = end;
        }
    }
}

/// What a structure is, without which of many it is.
fn kind(what: &str) -> String {
    let what = what.split(" of group ").next().unwrap_or(what);
    let what = what.split(", level ").next().unwrap_or(what);
    what.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == ' ')
        .into()
}
