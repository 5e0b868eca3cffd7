//! What the fuzz targets share.
//!
//! Readers get images, which start as small valid ones (`examples/seeds`). Images of FAT, ext4 and disks are
//! mostly zeros, so their targets get the pages that are not, see [`sparse`]. Planners get [`trees`] and options made
//! from bytes; what they plan must read back as what went in. Errors are fine everywhere; panics, endless work,
//! runaway memory and lies are not.

pub mod sparse;
pub mod trees;

use image::{Content, Kind, ReadAt, Tree};

/// Reads what can be read of all files: 1 MiB of each, 16 MiB in all. Answers the first error.
pub fn read_files(tree: &Tree) -> std::io::Result<()> {
    let mut left = 16 << 20;
    let mut result = Ok(());
    for (_, node) in tree.nodes() {
        if let Kind::File(content) = &node.kind {
            let read = head(content, left.min(1 << 20));
            left -= content.len().min(left.min(1 << 20));
            result = result.and(read.map(drop));
        }
    }
    result
}

/// The first bytes of a content.
pub fn head(content: &Content, most: u64) -> std::io::Result<Vec<u8>> {
    let len = content.len().min(most);
    let mut bytes = vec![0; usize::try_from(len).expect("a small length")];
    content.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
