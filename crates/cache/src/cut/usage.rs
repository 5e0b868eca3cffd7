//! What takes the space.

use image::Tree;

use super::{Cut, Job};

/// What a unit takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitUsage {
    /// The unit's name.
    pub name: Box<[u8]>,
    /// The bytes of its files, hard links counted once.
    pub content_len: u64,
    /// The bytes of its blocks in the image. Of a shared fragment block, each unit has its part.
    pub stored_len: u64,
}

impl Cut {
    /// What the units take, whose blocks take so many bytes.
    pub fn usage(&self, tree: &Tree, stored: impl Iterator<Item = u64>) -> Vec<UnitUsage> {
        let mut usage: Vec<UnitUsage> = Vec::with_capacity(self.units.len());
        for unit in &self.units {
            let name = tree
                .unit(unit.root)
                .map(|unit| unit.name.clone())
                .unwrap_or_default();
            usage.push(UnitUsage {
                name,
                content_len: unit.content_len,
                stored_len: 0,
            });
        }
        for (job, stored) in self.jobs.iter().zip(stored) {
            match job {
                Job::Block { unit, .. } => {
                    if let Some(usage) = unit.and_then(|unit| usage.get_mut(unit as usize)) {
                        usage.stored_len += stored;
                    }
                }
                Job::Fragment { pieces, len } => {
                    for piece in &self.pieces[pieces.clone()] {
                        if let Some(usage) = piece.unit.and_then(|unit| usage.get_mut(unit as usize)) {
                            usage.stored_len += stored * u64::from(piece.len) / u64::from(*len);
                        }
                    }
                }
            }
        }
        usage
    }
}
