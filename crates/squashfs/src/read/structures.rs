//! What lies where.

use std::collections::BTreeMap;

use image::{NodeId, Shared, Structure};

use super::{Archive, tree};
use crate::Error;
use crate::format::{NO_TABLE, Superblock};

impl Archive {
    /// What lies where, in the order of its places. Nodes are those of [`Archive::tree`]; of those that share a block, the
    /// first is named. A fragment block that several share has no node.
    ///
    /// # Errors
    /// As [`Archive::tree`].
    pub fn structures(&self) -> Result<Vec<Structure>, Error> {
        let mut structures = self.tables()?;
        tree::read_with(self, &mut |id, data| {
            let (places, has_fragment) = data.places();
            let last = places.len();
            for (number, (start, len)) in (1..).zip(places) {
                let block = if has_fragment && number == last {
                    Structure::new(start, len, "fragment block")
                } else {
                    Structure::new(start, len, "data block")
                };
                structures.push(block.of(id));
            }
        })?;
        structures.sort_by_key(|structure| structure.start);
        // A block that several files have is named once; if they share it as a fragment, nobody owns it.
        structures.dedup_by(|next, first| {
            let same = (next.start, next.end) == (first.start, first.end);
            if same && first.what == "fragment block" && next.node != first.node {
                first.node = None;
            }
            same
        });
        Ok(structures)
    }

    /// Whose bytes the fragment blocks hold, in the order of their places. Nodes are those of [`Archive::tree`]; of those that
    /// have the same bytes, the first is named.
    ///
    /// # Errors
    /// As [`Archive::tree`].
    pub fn shared(&self) -> Result<Vec<Shared>, Error> {
        let mut blocks: BTreeMap<(u64, u64), BTreeMap<u32, (NodeId, u64)>> = BTreeMap::new();
        tree::read_with(self, &mut |id, data| {
            if let Some((place, offset, len)) = data.fragment() {
                let owners = blocks.entry(place).or_default();
                owners.entry(offset).or_insert((id, len));
            }
        })?;
        let shared = blocks.into_iter().map(|((start, _), owners)| Shared {
            start,
            owners: owners.into_values().collect(),
        });
        Ok(shared.collect())
    }

    fn tables(&self) -> Result<Vec<Structure>, Error> {
        let (superblock, source) = (&self.superblock, &self.source);
        let mut structures = vec![Structure::new(0, size_of::<Superblock>() as u64, "superblock")];
        let mut starts = vec![
            (superblock.inode_table_start.get(), "inode table"),
            (superblock.directory_table_start.get(), "directory table"),
        ];
        for (list, what) in [
            (superblock.fragment_table_start.get(), "fragment table"),
            (superblock.export_table_start.get(), "export table"),
            (superblock.id_table_start.get(), "table of owners"),
            (superblock.xattr_table_start.get(), "table of extended attributes"),
        ] {
            // A list of nothing leads nowhere.
            let is_empty = what == "fragment table" && superblock.fragment_count.get() == 0;
            if list == NO_TABLE || is_empty {
                continue;
            }
            // The list comes behind the blocks that it leads to, and begins with the place of the first.
            let first = source.read(list, 8)?.try_into().map_or(list, u64::from_le_bytes);
            starts.push((first.min(list), what));
        }
        starts.sort_unstable();
        for (index, (start, what)) in starts.iter().enumerate() {
            let end = starts.get(index + 1).map_or(source.size, |(next, _)| *next);
            structures.push(Structure::new(*start, end.saturating_sub(*start), *what));
        }
        Ok(structures)
    }
}
