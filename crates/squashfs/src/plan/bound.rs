//! The most that an image can take, without reading or compressing anything.

use cache::cut::Cut;
use image::{Kind, Node, Tree};

use super::ALIGNMENT;
use super::stored;
use crate::format::{
    DirectoryEntry, DirectoryHeader, DirectoryIndex, ExtendedFile, FragmentEntry, InodeHeader, METADATA_SIZE,
    Superblock, XattrId, XattrKey, XattrTable, XattrValue,
};
use crate::{Error, Options};

/// A size that the image of a tree does not pass, whatever its files hold: nothing compresses, nothing is a
/// duplicate, and everything that describes the files takes its longest form.
///
/// # Errors
/// When the tree has more blocks than the format can count, or the options are outside its limits.
pub fn at_most(tree: &Tree, options: &Options) -> Result<u64, Error> {
    super::check(tree, options)?;
    let every_file_differs: Vec<u32> = (0..).take(tree.len()).collect();
    let segments = Cut::plan(tree, &every_file_differs, options.block_size, &options.stored)?;
    let data = segments.list.iter().map(|segment| {
        let jobs = &segments.jobs[segment.jobs.clone()];
        jobs.iter()
            .map(|job| u64::from(job.len()))
            .sum::<u64>()
            .next_multiple_of(ALIGNMENT)
    });
    let fragments = segments.fragment_count as usize * size_of::<FragmentEntry>();
    let tables = tree
        .nodes()
        .map(|(_, node)| described(node, options.block_size))
        .sum::<u64>()
        + fragments as u64;
    // Each table's last block is not full; each block has a header and is listed with its place.
    let blocks = tables / METADATA_SIZE as u64 + 8;
    let heads = (size_of::<Superblock>() + size_of::<XattrTable>()) as u64;
    let end =
        ALIGNMENT + data.sum::<u64>() + stored::at_most(tree, options) + tables + blocks * (2 + 8) + heads;
    Ok(end.next_multiple_of(ALIGNMENT))
}

/// What describes a node: its inode, the names in it, its place in the export table, its owners and attributes.
fn described(node: &Node, block_size: u32) -> u64 {
    let inode = size_of::<InodeHeader>() + size_of::<ExtendedFile>();
    let numbers = 8 + 2 * 4;
    let xattrs =
        node.meta.xattrs.iter().map(|xattr| {
            size_of::<XattrKey>() + size_of::<XattrValue>() + xattr.name.len() + xattr.value.len()
        });
    let sets = if node.meta.xattrs.is_empty() {
        0
    } else {
        size_of::<XattrId>()
    };
    let body = match &node.kind {
        Kind::File(content) => 4 * content.len().div_ceil(block_size.into()),
        Kind::Symlink(target) => target.len() as u64,
        Kind::Directory(directory) => {
            let head =
                size_of::<DirectoryHeader>() + size_of::<DirectoryEntry>() + size_of::<DirectoryIndex>();
            directory
                .iter()
                .map(|(name, _)| (head + 2 * name.len()) as u64)
                .sum()
        }
        Kind::CharDevice(_) | Kind::BlockDevice(_) | Kind::Fifo | Kind::Socket => 0,
    };
    (inode + numbers + sets + xattrs.sum::<usize>()) as u64 + body
}
