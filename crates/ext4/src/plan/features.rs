//! What a profile means on disk, and which options it can be combined with.

use crate::checksum::Checksums;
use crate::format::{BLOCK, compat, incompat, ro_compat};
use crate::{Error, Journal, Options, Profile, Result, Size};

/// The checked choices of a file system.
#[derive(Clone, Copy, Debug)]
pub(super) struct Features {
    pub(super) compat: u32,
    pub(super) incompat: u32,
    pub(super) ro_compat: u32,
    pub(super) checksums: Checksums,
    /// Bytes of a group descriptor.
    pub(super) descriptor_size: u64,
    /// Blocks up to which it can grow; 0 when it cannot.
    pub(super) grow_to_blocks: u64,
    /// The least inodes per group.
    pub(super) inodes_per_group: u32,
    /// The most bytes of a file.
    pub(super) file_len_max: u64,
    /// The most that the leaves of a new hash tree are filled, in percent.
    pub(super) leaf_fill: usize,
}

/// The most room for more descriptors: as many blocks as one block can name.
const RESERVED_BLOCKS_MAX: u64 = 1024;
/// One inode for 21 KiB, where store paths have 36 KiB and more for each. `mke2fs` gives one for 16 KiB, and with them
/// half a percent of the disk to inodes that nobody uses.
const INODES_PER_GROUP: u32 = 6144;
const LABEL_MAX: usize = 16;
const JOURNAL_MIN: u64 = 4 << 20;
/// What e2fsck takes for the most.
const JOURNAL_MAX: u64 = 10_240_000 * BLOCK;

impl Features {
    pub(super) fn new(options: &Options) -> Result<Features> {
        check(options)?;
        let (wide, everywhere) = match options.profile {
            Profile::Portable | Profile::Readonly => (incompat::BIT64, true),
            Profile::UbootLegacy => (0, false),
        };
        let uuid = options.uuid.as_bytes();
        let descriptor_size = if wide == 0 { 32 } else { 64 };
        let grows = options.profile != Profile::Readonly;
        let mut features = Features {
            compat: compat::EXT_ATTR | compat::DIR_INDEX,
            incompat: incompat::FILETYPE | incompat::EXTENTS | incompat::FLEX_BG | wide,
            ro_compat: ro_compat::SPARSE_SUPER
                | ro_compat::LARGE_FILE
                | ro_compat::DIR_NLINK
                | ro_compat::EXTRA_ISIZE,
            checksums: if everywhere {
                Checksums::of_uuid(uuid)
            } else {
                Checksums::Groups { uuid: *uuid }
            },
            descriptor_size,
            grow_to_blocks: if grows { options.grow_to / BLOCK } else { 0 },
            inodes_per_group: if grows { INODES_PER_GROUP } else { 16 },
            // The block numbers of a file have 32 bits; without huge_file its sectors are counted in 32 bits too.
            file_len_max: if wide == 0 {
                (1 << 41) - BLOCK
            } else {
                (u64::from(u32::MAX) - 1) * BLOCK
            },
            leaf_fill: if grows { 80 } else { 100 },
        };
        features.ro_compat |= if everywhere {
            ro_compat::METADATA_CSUM | ro_compat::HUGE_FILE
        } else {
            ro_compat::GDT_CSUM
        };
        if grows {
            features.compat |= compat::RESIZE_INODE;
        }
        if has_journal(options) {
            features.compat |= compat::HAS_JOURNAL;
        }
        features.check_growth(options)?;
        Ok(features)
    }

    /// Group descriptors in a block.
    pub(super) fn descriptors_per_block(&self) -> u64 {
        BLOCK / self.descriptor_size
    }

    /// The most blocks that the profile can number.
    fn blocks_max(&self) -> u64 {
        if self.incompat & incompat::BIT64 == 0 {
            u32::MAX.into()
        } else {
            1 << 48
        }
    }

    fn check_growth(&self, options: &Options) -> Result<()> {
        let groups = self.grow_to_blocks.div_ceil(32768);
        let limit = RESERVED_BLOCKS_MAX * self.descriptors_per_block() * 32768;
        let limit = limit.min(self.blocks_max()) * BLOCK;
        if groups.div_ceil(self.descriptors_per_block()) > RESERVED_BLOCKS_MAX || options.grow_to > limit {
            return Err(Error::BadOption {
                option: "grow-to",
                value: options.grow_to.to_string(),
                problem: format!("this profile has room for growing to {limit} bytes"),
            });
        }
        Ok(())
    }
}

/// Whether there is a journal.
pub(super) fn has_journal(options: &Options) -> bool {
    options.profile != Profile::Readonly && options.journal != Journal::None
}

fn check(options: &Options) -> Result<()> {
    let bad = |option, value: String, problem: String| {
        Err(Error::BadOption {
            option,
            value,
            problem,
        })
    };
    if let Some(label) = &options.label
        && (label.len() > LABEL_MAX || label.contains('\0'))
    {
        let problem = format!("has {} bytes, the limit is {LABEL_MAX}", label.len());
        return bad("label", format!("{label:?}"), problem);
    }
    if let Size::Exactly(size) = options.size
        && (size == 0 || size % BLOCK != 0)
    {
        return bad("size", size.to_string(), format!("is no multiple of {BLOCK}"));
    }
    let Journal::Bytes(bytes) = options.journal else {
        return Ok(());
    };
    if options.profile == Profile::Readonly {
        let problem = "the profile readonly has no journal".to_string();
        return bad("journal", bytes.to_string(), problem);
    }
    if bytes % BLOCK != 0 || !(JOURNAL_MIN..=JOURNAL_MAX).contains(&bytes) {
        let problem = format!("must be a multiple of {BLOCK} from {JOURNAL_MIN} to {JOURNAL_MAX}");
        return bad("journal", bytes.to_string(), problem);
    }
    Ok(())
}
