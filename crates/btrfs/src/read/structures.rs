//! What lies where, as far as chunks tell.

use image::Structure;

use super::FileSystem;
use crate::format::{SECTOR, SUPERBLOCKS, group};

impl FileSystem {
    /// What lies where, in the order of its places: superblocks and chunks, whose kinds are named, not what is in them.
    #[must_use]
    pub fn structures(&self) -> Vec<Structure> {
        let copies = (1_usize..).zip(SUPERBLOCKS);
        let there = copies.filter(|(_, start)| start + SECTOR <= self.geometry.total);
        let mut structures: Vec<Structure> = there
            .map(|(number, start)| Structure::new(start, SECTOR, format!("superblock {number}")))
            .collect();
        for (start, len, kind) in self.chunks.all() {
            let what = match kind {
                kind if kind & group::DATA != 0 => "chunk of data",
                kind if kind & group::SYSTEM != 0 => "chunk of the chunk tree",
                _ => "chunk of trees",
            };
            for copy in 0..2 {
                if let Some(place) = self.chunks.copy(start, len, copy) {
                    structures.push(Structure::new(place, len, what));
                }
            }
        }
        structures.sort_by_key(|structure| structure.start);
        structures
    }
}
