//! Extended attributes: in the inode as far as they fit, the rest in a block, which equal inodes share.

use std::collections::BTreeMap;

use image::{Xattr, show};
use zerocopy::IntoBytes;

use crate::checksum::Checksums;
use crate::format::{
    BLOCK_LEN, EXTRA_ISIZE, INODE_CLASSIC, INODE_SIZE, XATTR_CHECKSUM, XATTR_MAGIC, XattrEntry, XattrHeader,
};
use crate::{Error, Result};

/// Bytes of an inode that attributes can have, behind their magic number.
const INODE_ROOM: usize = INODE_SIZE as usize - INODE_CLASSIC - EXTRA_ISIZE as usize - 4;
/// The most inodes that share a block.
const SHARED_MAX: u32 = 1024;
/// Behind the last entry.
const END: usize = 4;

/// What the longer names are shortened to, in the order in which they are tried. Of `system.` there is more in the
/// format, which Linux shows to nobody and keeps its own data under.
const PREFIXES: [(&[u8], u8); 5] = [
    (b"system.posix_acl_access", 2),
    (b"system.posix_acl_default", 3),
    (b"user.", 1),
    (b"trusted.", 4),
    (b"security.", 6),
];

/// The attributes of an inode.
#[derive(Clone, Debug, Default)]
pub(super) struct Xattrs {
    /// What lies behind the inode's fields; empty, or with a magic number.
    pub(super) inline: Vec<u8>,
    /// The index of its block.
    pub(super) block: Option<usize>,
}

/// A block of attributes, without its checksum, which depends on its place.
pub(super) struct Block {
    bytes: Vec<u8>,
}

impl Block {
    /// The block's bytes when it lies there.
    pub(super) fn bytes(&self, place: u64, checksums: Checksums) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let checksum = checksums.xattr_block(place, &bytes);
        bytes[XATTR_CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }
}

/// All blocks of attributes of a file system.
#[derive(Default)]
pub(super) struct Blocks {
    blocks: Vec<(Vec<u8>, u32)>,
    /// The last block with these bytes.
    by_bytes: BTreeMap<Vec<u8>, usize>,
}

/// An attribute as it is stored.
struct Stored {
    index: u8,
    name: Box<[u8]>,
    value: Vec<u8>,
}

impl Stored {
    fn len(&self) -> usize {
        size_of::<XattrEntry>() + self.name.len().next_multiple_of(4) + self.value.len().next_multiple_of(4)
    }
}

impl Blocks {
    /// Places the attributes of one inode.
    pub(super) fn add(&mut self, xattrs: &[Xattr], place: &dyn Fn() -> String) -> Result<Xattrs> {
        let mut rest = Vec::new();
        let mut inline = Vec::new();
        let mut left = INODE_ROOM - END;
        for xattr in xattrs {
            let stored = stored(xattr, place)?;
            match left.checked_sub(stored.len()) {
                Some(less) => {
                    left = less;
                    inline.push(stored);
                }
                None => rest.push((stored, xattr)),
            }
        }
        let mut placed = Xattrs::default();
        if !inline.is_empty() {
            placed.inline = XATTR_MAGIC.to_le_bytes().to_vec();
            placed.inline.extend(area(&inline, INODE_ROOM, 0));
        }
        if let Some((_, largest)) = rest.iter().max_by_key(|(stored, _)| stored.len()) {
            let len: usize = rest.iter().map(|(stored, _)| stored.len()).sum();
            let limit = BLOCK_LEN - size_of::<XattrHeader>() - END;
            if len > limit {
                let problem = format!(
                    "the attributes take {len} bytes beyond those in the inode, the limit is {limit}; this is the \
                     largest, of {} bytes",
                    largest.value.len()
                );
                return Err(bad(largest, place, problem));
            }
            let mut rest: Vec<Stored> = rest.into_iter().map(|(stored, _)| stored).collect();
            rest.sort_by(|a, b| (a.index, a.name.len(), &a.name).cmp(&(b.index, b.name.len(), &b.name)));
            placed.block = Some(self.share(block(&rest)));
        }
        Ok(placed)
    }

    fn share(&mut self, bytes: Vec<u8>) -> usize {
        if let Some(index) = self.by_bytes.get(&bytes)
            && self.blocks[*index].1 < SHARED_MAX
        {
            self.blocks[*index].1 += 1;
            return *index;
        }
        self.blocks.push((bytes.clone(), 1));
        self.by_bytes.insert(bytes, self.blocks.len() - 1);
        self.blocks.len() - 1
    }

    /// The blocks, with the number of inodes that share each.
    pub(super) fn finish(self) -> Vec<Block> {
        let block = |(mut bytes, count): (Vec<u8>, u32)| {
            bytes[4..8].copy_from_slice(&count.to_le_bytes());
            Block { bytes }
        };
        self.blocks.into_iter().map(block).collect()
    }
}

/// A block of attributes that one inode has.
fn block(sorted: &[Stored]) -> Vec<u8> {
    let header_len = size_of::<XattrHeader>();
    let hash = sorted
        .iter()
        .fold(0_u32, |hash, stored| hash.rotate_left(16) ^ entry_hash(stored));
    let header = XattrHeader {
        magic: XATTR_MAGIC.into(),
        blocks: 1.into(),
        hash: hash.into(),
        ..XattrHeader::default()
    };
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(area(sorted, BLOCK_LEN - header_len, header_len));
    bytes
}

/// Entries from the front and values from the back; places of values count from `base` bytes before.
fn area(sorted: &[Stored], len: usize, base: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len);
    let mut values = vec![0; len];
    let mut end = len;
    for stored in sorted {
        end -= stored.value.len().next_multiple_of(4);
        values[end..end + stored.value.len()].copy_from_slice(&stored.value);
        let entry = XattrEntry {
            name_len: u8::try_from(stored.name.len()).unwrap_or(u8::MAX),
            name_index: stored.index,
            value_offs: u16::try_from(base + end).unwrap_or(u16::MAX).into(),
            value_inum: 0.into(),
            value_size: u32::try_from(stored.value.len()).unwrap_or(u32::MAX).into(),
            hash: entry_hash(stored).into(),
        };
        bytes.extend_from_slice(entry.as_bytes());
        bytes.extend_from_slice(&stored.name);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    values[..bytes.len()].copy_from_slice(&bytes);
    values
}

fn entry_hash(stored: &Stored) -> u32 {
    let hash = stored
        .name
        .iter()
        .fold(0_u32, |hash, byte| hash.rotate_left(5) ^ u32::from(*byte));
    stored.value.chunks(4).fold(hash, |hash, chunk| {
        let word = chunk
            .iter()
            .rev()
            .fold(0, |word, byte| (word << 8) | u32::from(*byte));
        hash.rotate_left(16) ^ word
    })
}

fn stored(xattr: &Xattr, place: &dyn Fn() -> String) -> Result<Stored> {
    let prefix = PREFIXES.iter().find(|(prefix, index)| match index {
        2 | 3 => *xattr.name == **prefix,
        _ => xattr.name.starts_with(prefix) && xattr.name.len() > prefix.len(),
    });
    let Some((prefix, index)) = prefix else {
        let problem =
            "the name must begin with user., trusted. or security., or be that of an access list".to_string();
        return Err(bad(xattr, place, problem));
    };
    let name = &xattr.name[prefix.len()..];
    // Linux's limit for the whole name, below the format's.
    if xattr.name.len() > 255 {
        let problem = format!("the name has {} bytes, the limit is 255", xattr.name.len());
        return Err(bad(xattr, place, problem));
    }
    let value = match index {
        2 | 3 => access_list(&xattr.value)
            .ok_or_else(|| bad(xattr, place, "the value is no access control list".to_string()))?,
        _ => xattr.value.to_vec(),
    };
    Ok(Stored {
        index: *index,
        name: name.into(),
        value,
    })
}

/// An access control list as ext4 stores it: version 1, and numbers of users and groups only where they mean something.
fn access_list(value: &[u8]) -> Option<Vec<u8>> {
    let entries = value.strip_prefix(&2_u32.to_le_bytes())?;
    let mut bytes = 1_u32.to_le_bytes().to_vec();
    for entry in entries.chunks(8) {
        let tag = entry.first_chunk::<2>().map(|tag| u16::from_le_bytes(*tag))?;
        let entry: &[u8; 8] = entry.try_into().ok()?;
        match tag {
            0x02 | 0x08 => bytes.extend_from_slice(entry),
            0x01 | 0x04 | 0x10 | 0x20 => bytes.extend_from_slice(&entry[..4]),
            _ => return None,
        }
    }
    Some(bytes)
}

/// What is wrong with an attribute.
pub(super) fn bad(xattr: &Xattr, place: &dyn Fn() -> String, problem: String) -> Error {
    Error::BadXattr {
        path: place(),
        name: show(&xattr.name),
        problem,
    }
}
