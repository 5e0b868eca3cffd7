//! Directories: blocks of entries, each with its names behind it, sorted by the bytes of all names, `.` and `..` among them.

use std::ops::Range;

use image::NodeId;
use zerocopy::IntoBytes;

use super::survey::{Survey, entry_kind};
use crate::format::{BLOCK_LEN, Dirent};

/// The names of a directory in their order.
fn entries<'a>(survey: &Survey<'a>, id: NodeId) -> Vec<(&'a [u8], NodeId)> {
    let mut entries: Vec<(&[u8], NodeId)> = survey.tree.children(id).collect();
    for (name, node) in [(&b"."[..], id), (b"..", survey.parents[id.index()])] {
        let at = entries.partition_point(|(other, _)| *other < name);
        entries.insert(at, (name, node));
    }
    entries
}

/// Which entries go into which block.
fn blocks(entries: &[(&[u8], NodeId)]) -> Vec<Range<usize>> {
    let mut blocks: Vec<Range<usize>> = Vec::new();
    let mut room = 0;
    for (number, (name, _)) in entries.iter().enumerate() {
        let len = size_of::<Dirent>() + name.len();
        match blocks.last_mut() {
            Some(block) if len <= room => block.end = number + 1,
            _ => {
                blocks.push(number..number + 1);
                room = BLOCK_LEN;
            }
        }
        room -= len;
    }
    blocks
}

/// How many bytes a directory's list has: whole blocks, and the last one as long as it is.
pub(super) fn len(survey: &Survey, id: NodeId) -> u64 {
    let entries = entries(survey, id);
    let blocks = blocks(&entries);
    let Some((last, whole)) = blocks.split_last() else {
        return 0;
    };
    let lens = entries[last.clone()]
        .iter()
        .map(|(name, _)| size_of::<Dirent>() + name.len());
    (whole.len() * BLOCK_LEN + lens.sum::<usize>()) as u64
}

/// A directory's list, for which `number` knows the inodes.
pub(super) fn list(survey: &Survey, id: NodeId, number: impl Fn(NodeId) -> u64) -> Vec<u8> {
    let entries = entries(survey, id);
    let mut bytes = Vec::new();
    for block in blocks(&entries) {
        // The block before ends here.
        bytes.resize(bytes.len().next_multiple_of(BLOCK_LEN), 0);
        let entries = &entries[block];
        let mut name_start = entries.len() * size_of::<Dirent>();
        for (name, node) in entries {
            let entry = Dirent {
                inode: number(*node).into(),
                name_start: u16::try_from(name_start).unwrap_or(u16::MAX).into(),
                kind: entry_kind(&survey.tree.node(*node).kind),
                reserved: 0,
            };
            bytes.extend_from_slice(entry.as_bytes());
            name_start += name.len();
        }
        for (name, _) in entries {
            bytes.extend_from_slice(name);
        }
    }
    bytes
}
