//! How files are named in keys, and what segments are made of.

use std::collections::{BTreeMap, BTreeSet};

use image::{NodeId, Tree};

use crate::Places;
use crate::key::Fields;

/// How segments are found again.
#[derive(Clone, Copy)]
pub struct Reuse<'a> {
    /// For units, by their roots, a hash of everything in them: of all names, bytes and links. Segments with other files
    /// are named after these files' bytes, which are read for that.
    pub units: &'a BTreeMap<NodeId, [u8; 32]>,
    /// Where segments may be.
    pub places: Places<'a>,
    /// Where nobody has compared units with their hashes yet: does that for those that will name segments which are not found
    /// nearby, before they do.
    pub confirm: Option<&'a Confirm<'a>>,
}

/// Compares units, by their roots, with their hashes.
pub type Confirm<'a> = dyn Fn(&BTreeSet<NodeId>) -> image::Result<()> + Sync + 'a;

/// The names of files: the hash of a file's unit and its path there, or, where there is no such hash, the hash of the
/// file's bytes.
#[derive(Debug, Default)]
pub struct Names {
    in_units: BTreeMap<NodeId, InUnit>,
    digests: BTreeMap<NodeId, [u8; 32]>,
}

#[derive(Debug)]
struct InUnit {
    unit: [u8; 32],
    path: Vec<u8>,
}

impl Names {
    /// Names what has no other name after its SHA-256.
    #[must_use]
    pub fn new(digests: BTreeMap<NodeId, [u8; 32]>) -> Names {
        Names {
            in_units: BTreeMap::new(),
            digests,
        }
    }

    /// Names the files in these units, where these have hashes, and those of no other units.
    pub fn enter(&mut self, tree: &Tree, roots: impl IntoIterator<Item = NodeId>, reuse: &Reuse) {
        self.in_units.clear();
        for root in roots {
            if let Some(hash) = reuse.units.get(&root) {
                for entry in tree.walk_from(root) {
                    // A file with several names is at the first of them.
                    self.in_units.entry(entry.id).or_insert(InUnit {
                        unit: *hash,
                        path: entry.path,
                    });
                }
            }
        }
    }

    /// Adds a file's name to a key; none when it has no name.
    #[must_use]
    pub fn add(&self, file: NodeId, fields: &mut Fields) -> Option<()> {
        if let Some(name) = self.in_units.get(&file) {
            fields.bytes(&name.unit);
            fields.bytes(&name.path);
        } else {
            fields.bytes(self.digests.get(&file)?);
            fields.bytes(b"");
        }
        Some(())
    }
}

/// What a segment is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// What images call it.
    pub label: String,
    /// The roots of the units that have blocks in it, in their order; none for files of no unit.
    pub units: Vec<NodeId>,
    /// The roots of the units that hold large files which are left out here: without them, it is another segment.
    pub originals: Vec<NodeId>,
    /// The bytes of its blocks, of which small files with equal bytes may save some.
    pub content_len: u64,
}
