//! The journal, which must be empty.

use zerocopy::{FromBytes, IntoBytes};

use crate::Result;
use crate::format::{
    JOURNAL_BACKUP, JOURNAL_MAGIC, JOURNAL_SUPERBLOCK_V1, JOURNAL_SUPERBLOCK_V2, JournalSuperblock, compat,
};
use crate::read::claims::Claims;
use crate::read::inodes::{FileType, Inode};
use crate::read::pointers::numbers;
use crate::read::{FileSystem, blocks, damaged};

/// The fewest blocks that the kernel takes for a journal.
const BLOCKS_MIN: u32 = 1024;

pub(super) fn check(file_system: &FileSystem) -> Result<()> {
    let number = file_system.superblock.journal_inum.get();
    // A journal may be on another device.
    if file_system.geometry.compat & compat::HAS_JOURNAL == 0 || number == 0 {
        return Ok(());
    }
    let broken = |problem: String| damaged(format!("journal, inode {number}"), problem);
    let inode = file_system.inode(number)?;
    let blocks = blocks::read(file_system, &inode, &mut Claims::default())?;
    let count = inode.size() / u64::from(file_system.geometry.block_size);
    let start = blocks.locate(0);
    let (Some(start), Some(FileType::File)) = (start, inode.file_type()) else {
        return Err(broken("is no file".into()));
    };
    if !blocks.are_whole(count) {
        return Err(broken(format!("not all of its {count} blocks are there")));
    }
    let bytes = file_system.block(&"journal", start)?;
    let (head, _) = JournalSuperblock::read_from_prefix(&bytes).map_err(|_| broken("is cut off".into()))?;
    let kinds = [JOURNAL_SUPERBLOCK_V1, JOURNAL_SUPERBLOCK_V2];
    if head.magic.get() != JOURNAL_MAGIC || !kinds.contains(&head.blocktype.get()) {
        return Err(broken("has no superblock".into()));
    }
    let (block_size, len) = (head.blocksize.get(), head.maxlen.get());
    if block_size != file_system.geometry.block_size || u64::from(len) > count || len < BLOCKS_MIN {
        let problem = format!("it says that it has {len} blocks of {block_size} bytes, and it has {count}");
        return Err(broken(problem));
    }
    if head.start.get() != 0 || head.errno.get() != 0 {
        return Err(broken("there are changes in it, mount it or run e2fsck".into()));
    }
    check_backup(file_system, &inode).map_err(broken)
}

/// The superblock has a copy of the journal's inode.
fn check_backup(file_system: &FileSystem, inode: &Inode) -> Result<(), String> {
    let superblock = &file_system.superblock;
    if superblock.jnl_backup_type != JOURNAL_BACKUP {
        return Ok(());
    }
    let sizes = [inode.fields.size_high.get(), inode.fields.size_lo.get()];
    let wanted = numbers(inode.fields.block.as_bytes()).chain(sizes);
    if superblock.jnl_blocks.iter().map(|number| number.get()).eq(wanted) {
        return Ok(());
    }
    Err("the superblock's copy of its blocks is another".into())
}
