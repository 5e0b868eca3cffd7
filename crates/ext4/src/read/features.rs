//! The names of features, and which of them are read.

use crate::format::{Superblock, compat, incompat, ro_compat};
use crate::{Error, Result};

type Names = [(u32, &'static str)];

const COMPAT: &Names = &[
    (0x1, "dir_prealloc"),
    (0x2, "imagic_inodes"),
    (compat::HAS_JOURNAL, "has_journal"),
    (compat::EXT_ATTR, "ext_attr"),
    (compat::RESIZE_INODE, "resize_inode"),
    (compat::DIR_INDEX, "dir_index"),
    (0x40, "lazy_bg"),
    (0x100, "snapshot_bitmap"),
    (compat::SPARSE_SUPER2, "sparse_super2"),
    (0x400, "fast_commit"),
    (0x800, "stable_inodes"),
    (compat::ORPHAN_FILE, "orphan_file"),
];

const INCOMPAT: &Names = &[
    (0x1, "compression"),
    (incompat::FILETYPE, "filetype"),
    (incompat::RECOVER, "needs_recovery"),
    (0x8, "journal_dev"),
    (0x10, "meta_bg"),
    (incompat::EXTENTS, "extent"),
    (incompat::BIT64, "64bit"),
    (0x100, "mmp"),
    (incompat::FLEX_BG, "flex_bg"),
    (0x400, "ea_inode"),
    (0x1000, "dirdata"),
    (incompat::CSUM_SEED, "metadata_csum_seed"),
    (0x4000, "large_dir"),
    (0x8000, "inline_data"),
    (0x1_0000, "encrypt"),
    (0x2_0000, "casefold"),
];

const RO_COMPAT: &Names = &[
    (ro_compat::SPARSE_SUPER, "sparse_super"),
    (ro_compat::LARGE_FILE, "large_file"),
    (ro_compat::HUGE_FILE, "huge_file"),
    (ro_compat::GDT_CSUM, "uninit_bg"),
    (ro_compat::DIR_NLINK, "dir_nlink"),
    (ro_compat::EXTRA_ISIZE, "extra_isize"),
    (0x80, "snapshot"),
    (ro_compat::QUOTA, "quota"),
    (0x200, "bigalloc"),
    (ro_compat::METADATA_CSUM, "metadata_csum"),
    (0x800, "replica"),
    (ro_compat::READONLY, "read-only"),
    (ro_compat::PROJECT, "project"),
    (0x4000, "shared_blocks"),
    (0x8000, "verity"),
    (0x1_0000, "orphan_present"),
];

const READ_INCOMPAT: u32 =
    incompat::FILETYPE | incompat::EXTENTS | incompat::BIT64 | incompat::FLEX_BG | incompat::CSUM_SEED;

const READ_RO_COMPAT: u32 = ro_compat::SPARSE_SUPER
    | ro_compat::LARGE_FILE
    | ro_compat::HUGE_FILE
    | ro_compat::GDT_CSUM
    | ro_compat::DIR_NLINK
    | ro_compat::EXTRA_ISIZE
    | ro_compat::METADATA_CSUM
    | ro_compat::QUOTA
    | ro_compat::READONLY
    | ro_compat::PROJECT;

/// The names of all features that are on and have one.
pub(super) fn names(superblock: &Superblock) -> Vec<&'static str> {
    let sets = [
        (superblock.feature_compat.get(), COMPAT),
        (superblock.feature_incompat.get(), INCOMPAT),
        (superblock.feature_ro_compat.get(), RO_COMPAT),
    ];
    let names = |(bits, names): (u32, &'static Names)| {
        names
            .iter()
            .filter(move |(bit, _)| bits & bit != 0)
            .map(|(_, name)| *name)
    };
    sets.into_iter().flat_map(names).collect()
}

/// Refuses what this reader does not know. Compatible features can be ignored, as their name says.
pub(super) fn check(incompat: u32, ro_compat: u32) -> Result<()> {
    if incompat & incompat::RECOVER != 0 {
        let feature =
            "needs_recovery: changes that wait in the journal, until it is mounted or e2fsck is run";
        return Err(Error::Unsupported {
            feature: feature.into(),
        });
    }
    for (bits, read, names) in [
        (incompat, READ_INCOMPAT, INCOMPAT),
        (ro_compat, READ_RO_COMPAT, RO_COMPAT),
    ] {
        let unknown = bits & !read;
        if unknown == 0 {
            continue;
        }
        let feature = names.iter().find(|(bit, _)| unknown & bit != 0);
        return Err(Error::Unsupported {
            feature: match feature {
                Some((_, name)) => (*name).into(),
                None => format!("features of the bits {unknown:#x}"),
            },
        });
    }
    Ok(())
}
