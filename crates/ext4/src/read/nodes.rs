//! Inodes become nodes of trees.

use image::{Device, Directory, Kind, Meta, Node};
use zerocopy::IntoBytes;

use super::blocks::{Blocks, FILE_BLOCKS_MAX};
use super::claims::Claims;
use super::inodes::{FileType, Inode};
use super::{FileSystem, blocks, damaged, pointers, xattrs};
use crate::format::{INLINE, INODE_UNREAD};
use crate::{Error, Result};

/// A node, and what is needed to go on from it.
pub(super) struct Loaded {
    /// A directory's entries are missing.
    pub(super) node: Node,
    pub(super) inode: Inode,
    pub(super) file_type: FileType,
    pub(super) blocks: Blocks,
}

/// Reads an inode that a name leads to.
pub(super) fn read(file_system: &FileSystem, number: u32, claims: &mut Claims) -> Result<Loaded> {
    let inode = file_system.inode(number)?;
    let broken = |problem: String| damaged(format!("inode {number}"), problem);
    let Some(file_type) = inode.file_type() else {
        return Err(broken(format!("its mode is {:#o}", inode.fields.mode)));
    };
    let flags = inode.fields.flags.get();
    if let Some((_, feature)) = INODE_UNREAD.iter().find(|(bit, _)| flags & bit != 0) {
        let feature = (*feature).to_string();
        return Err(Error::Unsupported { feature });
    }
    let attributes = xattrs::read(file_system, &inode, claims)?;
    let attribute_blocks = u64::from(inode.attribute_block(file_system) != 0);
    let mut found = Blocks::default();
    let kind = match file_type {
        FileType::Directory => {
            found = blocks::read(file_system, &inode, claims)?;
            check_directory(file_system, &inode, &found)?;
            Kind::Directory(Directory::default())
        }
        FileType::File => {
            found = blocks::read(file_system, &inode, claims)?;
            check_file(file_system, &inode, &found)?;
            Kind::File(found.content(file_system, inode.size())?)
        }
        FileType::Symlink => {
            if !is_fast(&inode) {
                found = blocks::read(file_system, &inode, claims)?;
            }
            Kind::Symlink(target(file_system, &inode, &found)?)
        }
        FileType::CharDevice => Kind::CharDevice(device(&inode)),
        FileType::BlockDevice => Kind::BlockDevice(device(&inode)),
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
    };
    let used = found.count() + found.index_blocks + attribute_blocks;
    let used = used * u64::from(file_system.geometry.block_size / 512);
    if inode.sectors(file_system) != Some(used) {
        return Err(broken(format!(
            "its blocks have {used} sectors, and it counts {}",
            inode.sectors(file_system).unwrap_or(u64::MAX)
        )));
    }
    let (uid, gid) = inode.owner();
    let meta = Meta {
        mode: inode.fields.mode.get() & 0o7777,
        uid,
        gid,
        mtime: inode.mtime(),
        xattrs: attributes,
    };
    Ok(Loaded {
        node: Node { meta, kind },
        inode,
        file_type,
        blocks: found,
    })
}

fn check_directory(file_system: &FileSystem, inode: &Inode, blocks: &Blocks) -> Result<()> {
    let (size, block_size) = (inode.size(), u64::from(file_system.geometry.block_size));
    let count = size / block_size;
    if count > 0 && size.is_multiple_of(block_size) && blocks.are_whole(count) {
        return Ok(());
    }
    let problem = format!(
        "the directory's size is {size}, and it has {} blocks",
        blocks.count()
    );
    Err(damaged(inode.place(), problem))
}

fn check_file(file_system: &FileSystem, inode: &Inode, blocks: &Blocks) -> Result<()> {
    let (size, block_size) = (inode.size(), u64::from(file_system.geometry.block_size));
    let end = blocks.written_end();
    if size > FILE_BLOCKS_MAX * block_size {
        return Err(damaged(inode.place(), format!("its size is {size}")));
    }
    if end > size.div_ceil(block_size) {
        let problem = format!("its size is {size}, and it has {end} blocks of {block_size} bytes");
        return Err(damaged(inode.place(), problem));
    }
    Ok(())
}

/// Whether a link's target is in the inode.
fn is_fast(inode: &Inode) -> bool {
    inode.size() < INLINE as u64
}

fn target(file_system: &FileSystem, inode: &Inode, blocks: &Blocks) -> Result<Box<[u8]>> {
    let size = inode.size();
    let place = inode.place();
    let bytes = match blocks.locate(0) {
        _ if is_fast(inode) => inode.fields.block.as_bytes().to_vec(),
        Some(block) if blocks.are_whole(1) => file_system.block(&place, block)?,
        _ => {
            return Err(damaged(
                place,
                format!("a link of {size} bytes without its block"),
            ));
        }
    };
    let found = bytes.iter().position(|byte| *byte == 0);
    let found = found.filter(|found| *found > 0 && *found as u64 == size);
    let target = found.and_then(|found| bytes.get(..found));
    match target {
        Some(target) => Ok(target.into()),
        None => Err(damaged(
            place,
            format!("the link's target does not have {size} bytes"),
        )),
    }
}

/// Small numbers are in the first pointer, others in the second.
fn device(inode: &Inode) -> Device {
    let mut pointers = pointers::numbers(inode.fields.block.as_bytes());
    let [short, long] = [pointers.next(), pointers.next()].map(Option::unwrap_or_default);
    if short != 0 {
        return Device {
            major: short >> 8 & 0xff,
            minor: short & 0xff,
        };
    }
    Device {
        major: long >> 8 & 0xfff,
        minor: (long & 0xff) | (long >> 12 & 0xf_ff00),
    }
}
