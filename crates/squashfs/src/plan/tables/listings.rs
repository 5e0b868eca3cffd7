//! Listings of directories.

use image::{Kind, Node, NodeId};
use zerocopy::IntoBytes;

use super::{Writer, narrow};
use crate::Error;
use crate::format::{
    DIRECTORY_EXTRA, DIRECTORY_RUN_MAX, DirectoryEntry, DirectoryHeader, DirectoryIndex, METADATA_SIZE,
    inode_type,
};
use crate::plan::metadata::Position;

/// The kernel counts a listing's bytes in a signed number of 32 bits, with three more for `.` and `..`.
const LISTING_MAX: u64 = i32::MAX as u64 - DIRECTORY_EXTRA as u64;

/// Where a directory's listing lies.
#[derive(Clone, Default)]
pub(super) struct Listing {
    pub(super) position: Position,
    pub(super) len: u32,
    pub(super) index: Vec<u8>,
    pub(super) index_count: u16,
    pub(super) subdirectories: u32,
}

/// Some entries of a listing under one header.
struct Run {
    count: usize,
    bytes: Vec<u8>,
    subdirectories: u32,
}

impl Writer<'_> {
    /// Writes a directory's listing. The inodes of all entries have been written.
    ///
    /// About every 8 KiB, the index notes which name begins where, so that a reader can start there.
    pub(super) fn listing(&mut self, id: NodeId) -> Result<(), Error> {
        let Kind::Directory(directory) = &self.tree.node(id).kind else {
            return Ok(());
        };
        let mut listing = Listing {
            position: self.directories.position(),
            ..Listing::default()
        };
        let entries: Vec<(&[u8], NodeId)> = directory.iter().collect();
        let (mut rest, mut room) = (entries.as_slice(), METADATA_SIZE);
        while let Some((name, _)) = rest.first() {
            let run = self.run(rest, room)?;
            if run.count == 0 {
                if listing.index_count < u16::MAX {
                    let index = DirectoryIndex {
                        index: listing.len.into(),
                        start_block: narrow("bytes of directories", self.directories.position().block_start)?
                            .into(),
                        name_size: u32::from(name_size(name)).into(),
                    };
                    listing.index.extend_from_slice(index.as_bytes());
                    listing.index.extend_from_slice(name);
                    listing.index_count += 1;
                }
                room = METADATA_SIZE;
                continue;
            }
            self.directories.write(&run.bytes)?;
            let len = u64::from(listing.len) + run.bytes.len() as u64;
            if len > LISTING_MAX {
                return Err(Error::TooMany {
                    what: "bytes of a directory".into(),
                    count: len,
                    limit: LISTING_MAX,
                });
            }
            listing.len = narrow("bytes of a directory", len)?;
            listing.subdirectories += run.subdirectories;
            room = room.saturating_sub(run.bytes.len());
            rest = &rest[run.count..];
        }
        self.listings[id.index()] = listing;
        Ok(())
    }

    /// As many entries as one header can have, and as fit into `room` bytes: inodes in one metadata block, with
    /// numbers near the first one's.
    fn run(&self, entries: &[(&[u8], NodeId)], room: usize) -> Result<Run, Error> {
        let mut run = Run {
            count: 0,
            bytes: Vec::new(),
            subdirectories: 0,
        };
        let Some((_, first)) = entries.first() else {
            return Ok(run);
        };
        let start = self.positions[first.index()].block_start;
        let number = self.order.number(*first);
        let mut len = size_of::<DirectoryHeader>();
        let mut body = Vec::new();
        for (name, id) in entries.iter().take(DIRECTORY_RUN_MAX) {
            let position = self.positions[id.index()];
            let delta = i64::from(self.order.number(*id)) - i64::from(number);
            len += size_of::<DirectoryEntry>() + name.len();
            let (true, true, Ok(delta)) = (position.block_start == start, len <= room, i16::try_from(delta))
            else {
                break;
            };
            let node = self.tree.node(*id);
            let entry = DirectoryEntry {
                offset: position.offset.into(),
                inode_delta: delta.into(),
                inode_type: entry_type(node).into(),
                name_size: name_size(name).into(),
            };
            body.extend_from_slice(entry.as_bytes());
            body.extend_from_slice(name);
            run.count += 1;
            run.subdirectories += u32::from(matches!(node.kind, Kind::Directory(_)));
        }
        if run.count > 0 {
            let header = DirectoryHeader {
                count: u32::try_from(run.count - 1).unwrap_or(u32::MAX).into(),
                start_block: narrow("bytes of inodes", start)?.into(),
                inode_number: number.into(),
            };
            run.bytes.extend_from_slice(header.as_bytes());
            run.bytes.extend_from_slice(&body);
        }
        Ok(run)
    }
}

fn entry_type(node: &Node) -> u16 {
    match node.kind {
        Kind::Directory(_) => inode_type::DIRECTORY,
        Kind::File(_) => inode_type::FILE,
        Kind::Symlink(_) => inode_type::SYMLINK,
        Kind::BlockDevice(_) => inode_type::BLOCK_DEVICE,
        Kind::CharDevice(_) => inode_type::CHAR_DEVICE,
        Kind::Fifo => inode_type::FIFO,
        Kind::Socket => inode_type::SOCKET,
    }
}

/// A name's bytes less one, as the format has them. No tree has empty names, or ones above 255 bytes.
fn name_size(name: &[u8]) -> u16 {
    u16::try_from(name.len().saturating_sub(1)).unwrap_or(u16::MAX)
}
