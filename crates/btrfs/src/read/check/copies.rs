//! What is there twice is there twice in the same way.

use zerocopy::{FromBytes, IntoBytes};

use super::super::{FileSystem, damaged};
use super::{Use, Used};
use crate::Result;
use crate::checksum::checksum;
use crate::format::{SECTOR, SECTOR_LEN, SUPERBLOCKS, Superblock};

/// The copies of nodes are equal.
pub(super) fn check_nodes(system: &FileSystem, used: &Used) -> Result<()> {
    let is_node = |used: &Use| matches!(used, Use::Node { .. });
    for (address, _) in used.iter().filter(|(_, used)| is_node(used)) {
        let len = system.geometry.node;
        let place = || format!("node {address}");
        let copy = |number| {
            let start = system.chunks.copy(*address, len.into(), number);
            start
                .map(|start| system.source.read(&place(), start, len as usize))
                .transpose()
        };
        if let (Some(first), Some(second)) = (copy(0)?, copy(1)?)
            && first != second
        {
            return Err(damaged(place(), "its copies differ"));
        }
    }
    Ok(())
}

/// A sector has its checksum, wherever it lies.
pub(super) fn check_sector(system: &FileSystem, address: u64, sum: u32) -> Result<()> {
    for number in 0..2 {
        let Some(place) = system.chunks.copy(address, SECTOR, number) else {
            continue;
        };
        let what = format_args!("data at {address}");
        if checksum(&system.source.read(&what, place, SECTOR_LEN)?) != sum {
            return Err(damaged(
                what,
                format!("the checksum of its copy at byte {place} is wrong"),
            ));
        }
    }
    Ok(())
}

/// The copies of the superblock are equal, but for the places that they name.
pub(super) fn check_superblocks(system: &FileSystem) -> Result<()> {
    let read = |place: u64| -> Result<Vec<u8>> {
        let mut bytes = system.source.read(&"superblock", place, SECTOR_LEN)?;
        let wrong = || {
            damaged(
                format!("superblock at {place}"),
                "its checksum or its place is wrong",
            )
        };
        let (mut superblock, _) = Superblock::read_from_prefix(&bytes).map_err(|_| wrong())?;
        if superblock.csum[..4] != checksum(&bytes[32..]).to_le_bytes() || superblock.bytenr.get() != place {
            return Err(wrong());
        }
        superblock.csum = [0; 32];
        superblock.bytenr = 0.into();
        bytes[..size_of::<Superblock>()].copy_from_slice(superblock.as_bytes());
        Ok(bytes)
    };
    let first = read(SUPERBLOCKS[0])?;
    let others = SUPERBLOCKS.into_iter().skip(1);
    for place in others.filter(|place| place + SECTOR <= system.geometry.total) {
        if read(place)? != first {
            return Err(damaged(format!("superblock at {place}"), "is not the first one"));
        }
    }
    Ok(())
}
