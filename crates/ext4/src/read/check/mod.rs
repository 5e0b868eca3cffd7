//! Compares what is in a file system with what bitmaps, counts and copies say.

mod bitmaps;
mod copies;
mod journal;
mod resize;
mod tables;

use super::walk::{self, Walk};
use super::{FileSystem, damaged};
use crate::Result;
use crate::format::{LINKS_MAX, STATE_ERRORS, STATE_VALID, ro_compat};

pub(super) fn check(file_system: &FileSystem) -> Result<()> {
    check_state(file_system)?;
    let walk = walk::walk(file_system)?;
    check_links(file_system, &walk)?;
    check_shared(&walk)?;
    bitmaps::check(file_system, &walk)?;
    tables::check(file_system, &walk)?;
    copies::check(file_system)?;
    resize::check(file_system)?;
    journal::check(file_system)
}

fn check_state(file_system: &FileSystem) -> Result<()> {
    let state = file_system.superblock.state.get();
    let problem = if state & STATE_ERRORS != 0 {
        "the kernel has noted errors, run e2fsck"
    } else if state & STATE_VALID == 0 {
        "the file system was not unmounted cleanly, run e2fsck"
    } else if file_system.superblock.last_orphan.get() != 0 {
        "there are files that were to be removed, run e2fsck"
    } else {
        return Ok(());
    };
    Err(damaged("superblock", problem))
}

/// Compares the names that inodes say they have with those that were found.
fn check_links(file_system: &FileSystem, walk: &Walk) -> Result<()> {
    let many = file_system.geometry.ro_compat & ro_compat::DIR_NLINK != 0;
    for (number, seen) in &walk.inodes {
        // Directories with more stop counting.
        let stops = seen.is_directory() && many && seen.names > LINKS_MAX;
        let wanted = if stops { 1 } else { seen.names };
        if seen.links != wanted {
            let problem = format!("it has {} names, and counts {}", seen.names, seen.links);
            return Err(damaged(format!("inode {number}"), problem));
        }
    }
    Ok(())
}

fn check_shared(walk: &Walk) -> Result<()> {
    for (block, shared) in walk.claims.shared() {
        if shared.users != shared.refcount {
            let problem = format!(
                "{} inodes have them, and they count {}",
                shared.users, shared.refcount
            );
            return Err(damaged(format!("attributes in block {block}"), problem));
        }
    }
    Ok(())
}
