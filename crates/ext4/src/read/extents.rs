//! Extent trees.

use zerocopy::FromBytes;

use super::blocks::{Blocks, FILE_BLOCKS_MAX, Run, State, claim};
use super::claims::Claims;
use super::inodes::Inode;
use super::{FileSystem, damaged};
use crate::checksum::crc32c;
use crate::format::{EXTENT_DEPTH_MAX, EXTENT_LEN_MAX, EXTENT_MAGIC, Extent, ExtentHeader, ExtentIndex};
use crate::{Error, Result};
use zerocopy::IntoBytes;

const HEADER: usize = size_of::<ExtentHeader>();
const ENTRY: usize = size_of::<Extent>();

/// The blocks of an inode with an extent tree.
pub(super) fn read(file_system: &FileSystem, inode: &Inode, claims: &mut Claims) -> Result<Blocks> {
    let mut reader = Reader {
        file_system,
        inode,
        claims,
        blocks: Blocks::default(),
        next: 0,
    };
    let root = inode.fields.block.as_bytes();
    let header = reader.header(root, root.len())?;
    if header.depth.get() > EXTENT_DEPTH_MAX {
        let problem = format!("its extent tree has {} levels", header.depth);
        return Err(reader.damaged(problem));
    }
    if header.depth.get() > 0 && header.entries.get() == 0 {
        return Err(reader.damaged("its extent tree leads nowhere"));
    }
    reader.node(root, &header)?;
    Ok(reader.blocks)
}

struct Reader<'a> {
    file_system: &'a FileSystem,
    inode: &'a Inode,
    claims: &'a mut Claims,
    blocks: Blocks,
    /// The first block of the content that the next extent can have.
    next: u64,
}

impl Reader<'_> {
    fn damaged(&self, problem: impl Into<String>) -> Error {
        damaged(self.inode.place(), problem)
    }

    /// The head of a node of which `len` bytes are for the head and entries.
    fn header(&self, bytes: &[u8], len: usize) -> Result<ExtentHeader> {
        let header = ExtentHeader::read_from_prefix(bytes);
        let (header, _) = header.map_err(|_| self.damaged("a node of its extent tree is cut off"))?;
        let (entries, most) = (header.entries.get(), header.max.get());
        let limit = (len - HEADER) / ENTRY;
        if header.magic.get() != EXTENT_MAGIC {
            let problem = format!(
                "a node of its extent tree begins with {:#06x}, not {EXTENT_MAGIC:#06x}",
                header.magic
            );
            return Err(self.damaged(problem));
        }
        if usize::from(most) != limit || entries > most {
            let problem =
                format!("a node of its extent tree has {entries} entries of {most}, the limit is {limit}");
            return Err(self.damaged(problem));
        }
        Ok(header)
    }

    /// Goes through a node. This calls itself once for each level, of which there are at most six.
    fn node(&mut self, bytes: &[u8], header: &ExtentHeader) -> Result<()> {
        let entries = bytes.get(HEADER..).unwrap_or_default();
        let entries = entries.chunks_exact(ENTRY).take(header.entries.get().into());
        for entry in entries {
            if header.depth.get() == 0 {
                let extent =
                    Extent::read_from_bytes(entry).map_err(|_| self.damaged("an extent is cut off"))?;
                self.extent(&extent)?;
            } else {
                let index =
                    ExtentIndex::read_from_bytes(entry).map_err(|_| self.damaged("an extent is cut off"))?;
                self.child(&index, header.depth.get() - 1)?;
            }
        }
        Ok(())
    }

    fn child(&mut self, index: &ExtentIndex, depth: u16) -> Result<()> {
        let block = u64::from(index.leaf_hi.get()) << 32 | u64::from(index.leaf_lo.get());
        claim(self.file_system, self.inode, self.claims, block, 1)?;
        self.blocks.index_blocks += 1;
        let bytes = self.file_system.block(&self.inode.place(), block)?;
        let header = self.header(&bytes, bytes.len())?;
        if header.depth.get() != depth || header.entries.get() == 0 {
            let problem = format!(
                "the node of its extent tree in block {block} has level {} and {} entries, where level {depth} \
                 belongs",
                header.depth, header.entries
            );
            return Err(self.damaged(problem));
        }
        if let Some(seed) = self.inode.seed {
            let (body, tail) = bytes
                .split_at_checked(HEADER + ENTRY * usize::from(header.max.get()))
                .unwrap_or((&bytes, &[]));
            let wanted = crc32c(seed, body);
            if tail.first_chunk() != Some(&wanted.to_le_bytes()) {
                let problem = format!(
                    "the checksum of the node of its extent tree in block {block} is not {wanted:#010x}"
                );
                return Err(self.damaged(problem));
            }
        }
        // The first four bytes of both kinds of entries are the same.
        let first = bytes.get(HEADER..).and_then(|bytes| bytes.first_chunk());
        if first != Some(&index.block.get().to_le_bytes()) {
            let problem = format!(
                "the node of its extent tree in block {block} does not begin with block {} of the file",
                index.block
            );
            return Err(self.damaged(problem));
        }
        self.node(&bytes, &header)
    }

    fn extent(&mut self, extent: &Extent) -> Result<()> {
        let len = u32::from(extent.len.get());
        let (count, state) = match len.checked_sub(EXTENT_LEN_MAX) {
            None | Some(0) => (len, State::Written),
            Some(reserved) => (reserved, State::Reserved),
        };
        let run = Run {
            first: extent.block.get().into(),
            count: count.into(),
            start: u64::from(extent.start_hi.get()) << 32 | u64::from(extent.start_lo.get()),
            state,
        };
        if run.first < self.next || run.count == 0 || run.end() > FILE_BLOCKS_MAX {
            let problem = format!(
                "an extent of {count} blocks at block {} of the file, where block {} or later belongs",
                run.first, self.next
            );
            return Err(self.damaged(problem));
        }
        claim(self.file_system, self.inode, self.claims, run.start, run.count)?;
        self.next = run.end();
        self.blocks.push(run);
        Ok(())
    }
}
