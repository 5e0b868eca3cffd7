//! The blocks of directories: a list of entries when one block holds them, a hash tree otherwise.

use std::io;
use std::sync::Arc;

use image::{Content, ReadAt};
use zerocopy::IntoBytes;

use super::features::Features;
use crate::checksum::crc32c;
use crate::format::{
    BLOCK, BLOCK_LEN, DIR_TAIL_TYPE, DirEntry, DirTail, HASH_HALF_MD4, HASH_NODE_ENTRIES, HASH_ROOT_ENTRIES,
    HASH_ROOT_INFO, HashEntry, HashRootInfo, HashTail,
};
use crate::hash::{NameHash, half_md4};
use crate::{Error, Result};

/// A directory to be laid out.
pub(super) struct Directory<'a> {
    pub(super) number: u32,
    pub(super) parent: u32,
    pub(super) children: Vec<Child<'a>>,
    /// Blocks that it has even if its entries need fewer.
    pub(super) least_blocks: usize,
}

/// A name in a directory.
#[derive(Clone, Copy)]
pub(super) struct Child<'a> {
    pub(super) name: &'a [u8],
    pub(super) number: u32,
    pub(super) file_type: u8,
}

const DIRECTORY_TYPE: u8 = 2;

/// The blocks of a directory.
pub(super) enum Blocks {
    /// Entries in any order, as the kernel reads through them.
    List(Content),
    /// A hash tree.
    HashTree(Vec<u8>),
}

/// All blocks of a directory: a list when one block holds its entries.
pub(super) fn blocks(
    directory: &Directory,
    features: &Features,
    hash_seed: &[u8; 16],
    place: &dyn Fn() -> String,
) -> Result<Blocks> {
    let pages = Pages {
        seed: features.checksums.inode_seed(directory.number, 0),
    };
    let dots = [
        Child {
            name: b".",
            number: directory.number,
            file_type: DIRECTORY_TYPE,
        },
        Child {
            name: b"..",
            number: directory.parent,
            file_type: DIRECTORY_TYPE,
        },
    ];
    let all = || dots.iter().chain(&directory.children);
    if all().map(record_len).sum::<usize>() <= pages.leaf_len() {
        let mut bytes = pages.leaf(all());
        if directory.least_blocks == 1 {
            return Ok(Blocks::List(pages.sparse(&bytes)));
        }
        for _ in 1..directory.least_blocks {
            bytes.extend(pages.leaf([].iter()));
        }
        return Ok(Blocks::List(bytes.into()));
    }
    let fill = pages.leaf_len() * features.leaf_fill / 100;
    let leaves = leaves(&directory.children, fill, hash_seed);
    pages.hash_tree(&dots, &leaves, place).map(Blocks::HashTree)
}

/// Bytes of an entry when nothing follows it.
fn record_len(child: &Child) -> usize {
    (size_of::<DirEntry>() + child.name.len()).next_multiple_of(4)
}

/// A leaf of a hash tree.
struct Leaf<'a> {
    /// The least hash in it; the lowest bit says that the leaf before ends with the same hash.
    hash: u32,
    children: Vec<Child<'a>>,
}

/// The names in the order of their hashes, cut into leaves of at most `fill` bytes.
fn leaves<'a>(children: &[Child<'a>], fill: usize, hash_seed: &[u8; 16]) -> Vec<Leaf<'a>> {
    let mut hashed: Vec<(NameHash, Child)> = children
        .iter()
        .map(|child| (half_md4(child.name, hash_seed), *child))
        .collect();
    hashed.sort_by(|(a, first), (b, second)| (a, first.name).cmp(&(b, second.name)));
    let mut leaves: Vec<Leaf> = Vec::new();
    let mut left = 0;
    let mut last = None;
    for (hash, child) in hashed {
        let len = record_len(&child);
        if len > left {
            let continued = last == Some(hash.major);
            leaves.push(Leaf {
                hash: hash.major | u32::from(continued),
                children: Vec::new(),
            });
            left = fill;
        }
        left -= len;
        last = Some(hash.major);
        if let Some(leaf) = leaves.last_mut() {
            leaf.children.push(child);
        }
    }
    leaves
}

/// Zeros at the end of a block's entries are left out in parts of so many bytes.
const PART: usize = 64;
static ZEROS: [u8; PART] = [0; PART];

/// A block with zeros amid it.
#[derive(Debug)]
struct Sparse {
    head: Box<[u8]>,
    tail: Box<[u8]>,
}

impl ReadAt for Sparse {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        if start > BLOCK_LEN || buffer.len() > BLOCK_LEN - start {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.fill(0);
        for (place, bytes) in [(0, &self.head), (BLOCK_LEN - self.tail.len(), &self.tail)] {
            let (from, to) = (place.max(start), (place + bytes.len()).min(start + buffer.len()));
            if from < to {
                buffer[from - start..to - start].copy_from_slice(&bytes[from - place..to - place]);
            }
        }
        Ok(())
    }
}

/// Makes the blocks of one directory.
struct Pages {
    /// What checksums start from, if there are any.
    seed: Option<u32>,
}

impl Pages {
    /// Bytes of a leaf for entries.
    fn leaf_len(&self) -> usize {
        BLOCK_LEN - self.seed.map_or(0, |_| size_of::<DirTail>())
    }

    /// A leaf without the zeros that most of it is: a tree can have millions of small directories.
    fn sparse(&self, leaf: &[u8]) -> Content {
        let (entries, tail) = leaf.split_at(self.leaf_len());
        let full = entries
            .chunks(PART)
            .rposition(|part| part != &ZEROS[..part.len()]);
        let len = full.map_or(0, |last| (last + 1) * PART).min(entries.len());
        Content::Span {
            source: Arc::new(Sparse {
                head: entries[..len].into(),
                tail: tail.into(),
            }),
            start: 0,
            len: BLOCK,
        }
    }

    fn leaf<'a>(&self, children: impl Iterator<Item = &'a Child<'a>>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BLOCK_LEN);
        let mut last = 0;
        for child in children {
            last = bytes.len();
            push_entry(&mut bytes, child, record_len(child));
        }
        if bytes.is_empty() {
            bytes.extend_from_slice(DirEntry::default().as_bytes());
        }
        // The last entry reaches to the end.
        let rest = self.leaf_len() - last;
        bytes[last + 4..last + 6].copy_from_slice(&short(rest).to_le_bytes());
        bytes.resize(self.leaf_len(), 0);
        if let Some(seed) = self.seed {
            let mut tail = DirTail::default();
            tail.entry.rec_len = short(size_of::<DirTail>()).into();
            tail.entry.file_type = DIR_TAIL_TYPE;
            tail.checksum = crc32c(seed, &bytes).into();
            bytes.extend_from_slice(tail.as_bytes());
        }
        bytes
    }

    /// The root, the nodes between it and the leaves when one level is not enough, and the leaves.
    fn hash_tree(&self, dots: &[Child; 2], leaves: &[Leaf], place: &dyn Fn() -> String) -> Result<Vec<u8>> {
        let (root_max, node_max) = (self.limit(HASH_ROOT_ENTRIES), self.limit(HASH_NODE_ENTRIES));
        if leaves.len() > root_max * node_max {
            return Err(Error::DirectoryTooLarge {
                path: place(),
                blocks: leaves.len(),
                limit: root_max * node_max,
            });
        }
        let nodes = if leaves.len() > root_max {
            leaves.len().div_ceil(node_max)
        } else {
            0
        };
        let block = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let below: Vec<HashEntry> = (1 + nodes..)
            .zip(leaves)
            .map(|(index, leaf)| entry(leaf.hash, block(index)))
            .collect();
        let mut bytes = root_head(dots, nodes > 0);
        if nodes == 0 {
            self.push_index(&mut bytes, HASH_ROOT_ENTRIES, &below);
        } else {
            let groups = below.chunks(node_max);
            let above: Vec<HashEntry> = (1..)
                .zip(groups.clone())
                .map(|(index, group)| entry(group[0].hash.get(), block(index)))
                .collect();
            self.push_index(&mut bytes, HASH_ROOT_ENTRIES, &above);
            for group in groups {
                let mut node = Vec::with_capacity(BLOCK_LEN);
                let fake = DirEntry {
                    rec_len: short(BLOCK_LEN).into(),
                    ..DirEntry::default()
                };
                node.extend_from_slice(fake.as_bytes());
                self.push_index(&mut node, HASH_NODE_ENTRIES, group);
                bytes.extend(node);
            }
        }
        for leaf in leaves {
            bytes.extend(self.leaf(leaf.children.iter()));
        }
        Ok(bytes)
    }

    /// Entries that a node holds when they begin at a byte of it.
    fn limit(&self, start: usize) -> usize {
        let tail = self.seed.map_or(0, |_| size_of::<HashTail>());
        (BLOCK_LEN - start - tail) / size_of::<HashEntry>()
    }

    /// Fills up a node's block, which is the last of `bytes`, with entries from `start` on.
    fn push_index(&self, bytes: &mut Vec<u8>, start: usize, entries: &[HashEntry]) {
        let first = bytes.len() - start;
        for (index, entry) in entries.iter().enumerate() {
            let mut entry = *entry;
            if index == 0 {
                let [limit, count] = [self.limit(start), entries.len()].map(short);
                entry.hash = (u32::from(limit) | u32::from(count) << 16).into();
            }
            bytes.extend_from_slice(entry.as_bytes());
        }
        let used = bytes.len();
        bytes.resize(first + BLOCK_LEN, 0);
        if let Some(seed) = self.seed {
            let tail = HashTail::default();
            let crc = crc32c(crc32c(seed, &bytes[first..used]), tail.as_bytes());
            bytes[first + BLOCK_LEN - 4..].copy_from_slice(&crc.to_le_bytes());
        }
    }
}

/// `.` and `..`, which hides the rest of the block from readers that know no hash trees.
fn root_head(dots: &[Child; 2], two_levels: impl Into<u8>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BLOCK_LEN);
    push_entry(&mut bytes, &dots[0], record_len(&dots[0]));
    let rest = BLOCK_LEN - bytes.len();
    push_entry(&mut bytes, &dots[1], rest);
    bytes.resize(HASH_ROOT_INFO, 0);
    let info = HashRootInfo {
        hash_version: HASH_HALF_MD4,
        info_length: 8,
        indirect_levels: two_levels.into(),
        ..HashRootInfo::default()
    };
    bytes.extend_from_slice(info.as_bytes());
    bytes
}

fn entry(hash: u32, block: u32) -> HashEntry {
    HashEntry {
        hash: hash.into(),
        block: block.into(),
    }
}

/// Adds an entry; its name may take less than its `len` says.
fn push_entry(bytes: &mut Vec<u8>, child: &Child, len: usize) {
    let entry = DirEntry {
        inode: child.number.into(),
        rec_len: short(len).into(),
        name_len: u8::try_from(child.name.len()).unwrap_or(u8::MAX),
        file_type: child.file_type,
    };
    bytes.extend_from_slice(entry.as_bytes());
    bytes.extend_from_slice(child.name);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// Lengths and counts inside a block.
fn short(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparse_block_reads_as_the_whole() {
        for seed in [Some(7), None] {
            let pages = Pages { seed };
            for count in [0, 1, 9, 250] {
                let names: Vec<String> = (0..count).map(|number| format!("n{number}")).collect();
                let children: Vec<Child> = names
                    .iter()
                    .map(|name| Child {
                        name: name.as_bytes(),
                        number: 12,
                        file_type: 1,
                    })
                    .collect();
                let whole = pages.leaf(children.iter());
                let content = pages.sparse(&whole);
                assert_eq!(content.to_vec().unwrap(), whole);
                let Content::Span { source, .. } = content else {
                    continue;
                };
                for (start, len) in [(0, 1), (3, 100), (4000, 96), (4083, 2), (4090, 6), (4096, 0)] {
                    let mut part = vec![1; len];
                    source.read_exact_at(&mut part, start as u64).unwrap();
                    assert_eq!(part, whole[start..start + len]);
                }
                assert!(source.read_exact_at(&mut [0; 2], 4095).is_err());
                assert!(source.read_exact_at(&mut [], 4097).is_err());
            }
        }
    }
}
