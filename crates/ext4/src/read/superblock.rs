//! Reads and doubts the superblock.

use zerocopy::{FromBytes, IntoBytes};

use super::{Source, damaged, features};
use crate::checksum::Checksums;
use crate::format::{
    CHECKSUM_CRC32C, FIRST_INODE, INODE_CLASSIC, SUPERBLOCK_MAGIC, SUPERBLOCK_START, Superblock,
    UNSIGNED_HASH, compat, incompat, ro_compat,
};
use crate::{Error, Result};

const PLACE: &str = "superblock";

/// The least and the largest blocks that are read.
const BLOCK_LOG_MIN: u32 = 10;
const BLOCK_LOG_MAX: u32 = 12;
const CREATOR_HURD: u32 = 1;

/// The checked facts of a superblock.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    pub(super) block_size: u32,
    pub(super) blocks: u64,
    /// The block of the first superblock: 1 when blocks have 1024 bytes, otherwise 0.
    pub(super) first_block: u32,
    pub(super) groups: u32,
    pub(super) blocks_per_group: u32,
    pub(super) inodes: u32,
    pub(super) inodes_per_group: u32,
    pub(super) inode_size: u16,
    /// The first inode that a directory can name, besides the root.
    pub(super) first_inode: u32,
    /// Bytes of a group descriptor.
    pub(super) descriptor_size: u32,
    /// Blocks that are kept for more group descriptors.
    pub(super) reserved_blocks: u32,
    pub(super) compat: u32,
    pub(super) incompat: u32,
    pub(super) ro_compat: u32,
    pub(super) checksums: Checksums,
    pub(super) backups: Backups,
    pub(super) hash_seed: [u8; 16],
    /// Whether hashes of names take bytes as signed.
    pub(super) hash_signed: bool,
}

/// Which groups have copies of the superblock and the descriptors.
#[derive(Clone, Copy, Debug)]
pub(super) enum Backups {
    /// All.
    All,
    /// The second, and powers of 3, 5 and 7.
    Sparse,
    /// Up to two; 0 is none.
    Two([u32; 2]),
}

impl Geometry {
    /// A number of which one half counts in large file systems only.
    pub(super) fn wide(&self, low: u32, high: u32) -> u64 {
        wide(self.incompat, low, high)
    }

    /// Bytes of a block, as lengths are counted.
    pub(super) fn block_len(&self) -> usize {
        self.block_size as usize
    }

    /// Whether such blocks can hold something.
    pub(super) fn holds(&self, start: u64, count: u64) -> bool {
        let end = start.checked_add(count);
        start > u64::from(self.first_block) && end.is_some_and(|end| end <= self.blocks)
    }

    /// The first block of a group.
    pub(super) fn group_start(&self, group: u32) -> u64 {
        u64::from(self.first_block) + u64::from(group) * u64::from(self.blocks_per_group)
    }

    /// One past the last block of a group.
    pub(super) fn group_end(&self, group: u32) -> u64 {
        let end = self.group_start(group) + u64::from(self.blocks_per_group);
        end.min(self.blocks)
    }

    /// Blocks of all group descriptors.
    pub(super) fn descriptor_blocks(&self) -> u64 {
        (u64::from(self.groups) * u64::from(self.descriptor_size)).div_ceil(self.block_size.into())
    }

    /// Blocks of a group's inode table.
    pub(super) fn table_blocks(&self) -> u64 {
        (u64::from(self.inodes_per_group) * u64::from(self.inode_size)).div_ceil(self.block_size.into())
    }

    /// Whether a group begins with a superblock.
    pub(super) fn has_superblock(&self, group: u32) -> bool {
        match self.backups {
            _ if group == 0 => true,
            Backups::All => true,
            Backups::Sparse => group == 1 || [3, 5, 7].into_iter().any(|base| is_power(group, base)),
            Backups::Two(groups) => groups.contains(&group),
        }
    }

    /// Whether group descriptors have flags and counts of inodes that were never used.
    pub(super) fn has_group_flags(&self) -> bool {
        self.checksums != Checksums::None
    }
}

fn is_power(number: u32, base: u32) -> bool {
    let mut left = number;
    while left > 1 && left.is_multiple_of(base) {
        left /= base;
    }
    left == 1
}

fn wide(incompat: u32, low: u32, high: u32) -> u64 {
    let high = if incompat & incompat::BIT64 == 0 { 0 } else { high };
    u64::from(high) << 32 | u64::from(low)
}

/// The superblock, and what follows from it.
pub(super) fn read(source: &Source) -> Result<(Superblock, Geometry)> {
    let not_ext4 = |problem: String| Error::NotExt4 { problem };
    let len = size_of::<Superblock>();
    if source.size < SUPERBLOCK_START + len as u64 {
        return Err(not_ext4(format!("{} bytes are too few", source.size)));
    }
    let bytes = source.read(&PLACE, SUPERBLOCK_START, len)?;
    let superblock =
        Superblock::read_from_bytes(&bytes).map_err(|_| not_ext4("no superblock".to_string()))?;
    if superblock.magic.get() != SUPERBLOCK_MAGIC {
        return Err(not_ext4(format!(
            "the superblock's magic number is {:#06x}, not {SUPERBLOCK_MAGIC:#06x}",
            superblock.magic
        )));
    }
    if superblock.rev_level.get() > 1 {
        let feature = format!("revision {} of the format", superblock.rev_level);
        return Err(Error::Unsupported { feature });
    }
    if superblock.creator_os.get() == CREATOR_HURD {
        let feature = "inodes of the Hurd".to_string();
        return Err(Error::Unsupported { feature });
    }
    let geometry = geometry(&superblock)?;
    if geometry.checksums.are_everywhere() {
        check_checksum(&superblock, geometry.checksums).map_err(|problem| damaged(PLACE, problem))?;
    }
    let size = geometry.blocks.checked_mul(geometry.block_size.into());
    if size.is_none_or(|size| size > source.size) {
        let problem = format!(
            "the file system has {} blocks of {} bytes, its source {} bytes",
            geometry.blocks, geometry.block_size, source.size
        );
        return Err(damaged(PLACE, problem));
    }
    Ok((superblock, geometry))
}

/// Compares a superblock's checksum.
pub(super) fn check_checksum(superblock: &Superblock, checksums: Checksums) -> Result<(), String> {
    let bytes = superblock.as_bytes();
    let (bytes, _) = bytes.split_at(bytes.len() - size_of_val(&superblock.checksum));
    let (found, wanted) = (superblock.checksum.get(), checksums.superblock(bytes));
    if found == wanted {
        return Ok(());
    }
    Err(format!("its checksum is {found:#010x}, not {wanted:#010x}"))
}

fn geometry(superblock: &Superblock) -> Result<Geometry> {
    let is_dynamic = superblock.rev_level.get() == 1;
    let feature = |bits: u32| if is_dynamic { bits } else { 0 };
    let incompat = feature(superblock.feature_incompat.get());
    let ro_compat = feature(superblock.feature_ro_compat.get());
    features::check(incompat, ro_compat)?;
    let compat = feature(superblock.feature_compat.get());
    let block_log = superblock.log_block_size.get().saturating_add(BLOCK_LOG_MIN);
    if block_log > BLOCK_LOG_MAX {
        let feature = format!("blocks of 2^{block_log} bytes");
        return Err(Error::Unsupported { feature });
    }
    let mut geometry = Geometry {
        block_size: 1 << block_log,
        blocks: wide(
            incompat,
            superblock.blocks_count_lo.get(),
            superblock.blocks_count_hi.get(),
        ),
        first_block: superblock.first_data_block.get(),
        groups: 0,
        blocks_per_group: superblock.blocks_per_group.get(),
        inodes: superblock.inodes_count.get(),
        inodes_per_group: superblock.inodes_per_group.get(),
        inode_size: if is_dynamic {
            superblock.inode_size.get()
        } else {
            128
        },
        first_inode: if is_dynamic {
            superblock.first_ino.get()
        } else {
            FIRST_INODE
        },
        descriptor_size: match incompat & incompat::BIT64 {
            0 => 32,
            _ => superblock.desc_size.get().into(),
        },
        reserved_blocks: superblock.reserved_gdt_blocks.get().into(),
        compat,
        incompat,
        ro_compat,
        checksums: checksums(superblock, incompat, ro_compat)?,
        backups: match (
            compat & compat::SPARSE_SUPER2,
            ro_compat & ro_compat::SPARSE_SUPER,
        ) {
            (0, 0) => Backups::All,
            (0, _) => Backups::Sparse,
            _ => Backups::Two(superblock.backup_bgs.map(zerocopy::little_endian::U32::get)),
        },
        hash_seed: superblock.hash_seed,
        hash_signed: superblock.flags.get() & UNSIGNED_HASH == 0,
    };
    check_sizes(superblock, &geometry).map_err(|problem| damaged(PLACE, problem))?;
    geometry.groups = groups(&geometry).map_err(|problem| damaged(PLACE, problem))?;
    Ok(geometry)
}

fn checksums(superblock: &Superblock, incompat: u32, ro_compat: u32) -> Result<Checksums> {
    let has = |bit: u32| ro_compat & bit != 0;
    let has_seed = incompat & incompat::CSUM_SEED != 0;
    match (has(ro_compat::METADATA_CSUM), has(ro_compat::GDT_CSUM)) {
        (true, true) => Err(damaged(PLACE, "it has both metadata_csum and uninit_bg")),
        (true, false) => match superblock.checksum_type {
            CHECKSUM_CRC32C if has_seed => Ok(Checksums::All {
                seed: superblock.checksum_seed.get(),
            }),
            CHECKSUM_CRC32C => Ok(Checksums::of_uuid(&superblock.uuid)),
            other => Err(Error::Unsupported {
                feature: format!("checksums of type {other}"),
            }),
        },
        _ if has_seed => Err(damaged(PLACE, "it has metadata_csum_seed without metadata_csum")),
        (false, true) => Ok(Checksums::Groups {
            uuid: superblock.uuid,
        }),
        (false, false) => Ok(Checksums::None),
    }
}

fn check_sizes(superblock: &Superblock, geometry: &Geometry) -> Result<(), String> {
    let block_size = geometry.block_size;
    let bits = block_size * 8;
    let per_group = [geometry.blocks_per_group, geometry.inodes_per_group];
    if per_group
        .iter()
        .any(|count| *count == 0 || !count.is_multiple_of(8) || *count > bits)
    {
        return Err(format!(
            "groups of {} blocks and {} inodes, where blocks have {block_size} bytes",
            geometry.blocks_per_group, geometry.inodes_per_group
        ));
    }
    let clusters = (
        superblock.log_cluster_size.get(),
        superblock.clusters_per_group.get(),
    );
    if clusters != (superblock.log_block_size.get(), geometry.blocks_per_group) {
        return Err(format!(
            "clusters of 2^{} bytes, {} in a group",
            clusters.0.saturating_add(BLOCK_LOG_MIN),
            clusters.1
        ));
    }
    if geometry.first_block != u32::from(block_size == 1024) {
        let first = geometry.first_block;
        return Err(format!("the first block is {first}, of {block_size} bytes"));
    }
    let inode_size = geometry.inode_size;
    if !inode_size.is_power_of_two()
        || usize::from(inode_size) < INODE_CLASSIC
        || u32::from(inode_size) > block_size
    {
        return Err(format!("inodes of {inode_size} bytes"));
    }
    if geometry.incompat & incompat::BIT64 != 0 && geometry.descriptor_size != 64 {
        return Err(format!("group descriptors of {} bytes", geometry.descriptor_size));
    }
    if geometry.first_inode < FIRST_INODE || geometry.first_inode > geometry.inodes {
        return Err(format!("the first inode is {}", geometry.first_inode));
    }
    let reserved = geometry.reserved_blocks;
    if reserved > block_size / 4 || (reserved > 0 && geometry.compat & compat::RESIZE_INODE == 0) {
        return Err(format!("{reserved} blocks are kept for group descriptors"));
    }
    Ok(())
}

fn groups(geometry: &Geometry) -> Result<u32, String> {
    let blocks = geometry.blocks;
    let in_groups = blocks.checked_sub(geometry.first_block.into());
    let groups = in_groups.map_or(0, |blocks| blocks.div_ceil(geometry.blocks_per_group.into()));
    let groups = u32::try_from(groups).unwrap_or(0);
    let inodes = u64::from(groups) * u64::from(geometry.inodes_per_group);
    if groups == 0 || inodes != u64::from(geometry.inodes) {
        return Err(format!(
            "{blocks} blocks in groups of {}, {} inodes in groups of {}",
            geometry.blocks_per_group, geometry.inodes, geometry.inodes_per_group
        ));
    }
    let descriptors = Geometry {
        groups,
        ..geometry.clone()
    }
    .descriptor_blocks();
    let needed = 1 + descriptors + u64::from(geometry.reserved_blocks);
    if needed > geometry.blocks_per_group.into() || needed > blocks - u64::from(geometry.first_block) {
        return Err(format!(
            "the superblock and its descriptors need {needed} blocks of a group"
        ));
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers() {
        let powers: Vec<u32> = (0..130)
            .filter(|number| [3, 5, 7].into_iter().any(|base| is_power(*number, base)))
            .collect();
        assert_eq!(powers, [1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }
}
