//! The superblock: what kind of erofs it is.

use image::{ReadAt, show};
use uuid::Uuid;
use zerocopy::FromBytes;

use super::{Info, damaged};
use crate::format::{MAGIC, SUPERBLOCK, Superblock, checksum, compat, incompat};
use crate::{Error, Result};

/// The sizes of blocks that Linux has.
const BLOCK_BITS: std::ops::RangeInclusive<u8> = 9..=16;
/// The names of compressors by their bits.
const COMPRESSORS: [&str; 4] = ["lz4", "lzma", "deflate", "zstd"];
/// Inodes are in a file of their own: a feature that is named.
const METABOX: u32 = 0x100;

/// Where things are.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    pub(super) block_bits: u8,
    pub(super) blocks: u64,
    pub(super) root: u64,
    pub(super) inodes: u64,
    pub(super) epoch: i64,
    /// The first byte that inodes are numbered from.
    pub(super) meta: u64,
    /// The first byte that shared attributes are numbered from.
    pub(super) xattrs: u64,
    pub(super) packed: Option<u64>,
    pub(super) compressors: u16,
    /// Whether addresses have 48 bits.
    pub(super) is_wide: bool,
    uuid: [u8; 16],
    label: [u8; 16],
}

impl Geometry {
    pub(super) fn block(&self) -> u64 {
        1 << self.block_bits
    }

    pub(super) fn info(&self) -> Info {
        let len = self.label.iter().position(|byte| *byte == 0);
        let label = &self.label[..len.unwrap_or(self.label.len())];
        let compressors = COMPRESSORS.iter().zip(0..);
        let used = |(name, bit): (&&'static str, u16)| (self.compressors >> bit & 1 == 1).then_some(*name);
        Info {
            label: (!label.is_empty()).then(|| show(label)),
            uuid: Uuid::from_bytes(self.uuid),
            size: self.blocks << self.block_bits,
            block_size: 1 << self.block_bits,
            inodes: self.inodes,
            compressors: compressors.filter_map(used).collect(),
        }
    }
}

fn not_erofs(problem: impl Into<String>) -> Error {
    Error::NotErofs {
        problem: problem.into(),
    }
}

/// Reads it, and compares its checksum.
pub(super) fn read(source: &dyn ReadAt, size: u64) -> Result<Geometry> {
    let failed = |source| Error::Read {
        what: "superblock".to_string(),
        source,
    };
    let mut bytes = [0; size_of::<Superblock>()];
    if size < SUPERBLOCK + bytes.len() as u64 {
        return Err(not_erofs(format!("{size} bytes are too few for a superblock")));
    }
    source.read_exact_at(&mut bytes, SUPERBLOCK).map_err(failed)?;
    let superblock = Superblock::read_from_bytes(&bytes).map_err(|_| not_erofs("no superblock"))?;
    if superblock.magic.get() != MAGIC {
        return Err(not_erofs("there is no magic number at byte 1024"));
    }
    if !BLOCK_BITS.contains(&superblock.block_bits) {
        let problem = format!("blocks of 2^{} bytes", superblock.block_bits);
        return Err(damaged("superblock", problem));
    }
    if superblock.compat.get() & compat::CHECKSUM != 0 {
        let end = (1_u64 << superblock.block_bits).max(2 * SUPERBLOCK);
        if size < end {
            return Err(damaged("superblock", "the first block is not all there"));
        }
        let mut block = vec![0; usize::try_from(end - SUPERBLOCK).unwrap_or(0)];
        source.read_exact_at(&mut block, SUPERBLOCK).map_err(failed)?;
        block[4..8].fill(0);
        if checksum(&block) != superblock.checksum.get() {
            return Err(damaged("superblock", "the checksum is wrong"));
        }
    }
    geometry(&superblock, size)
}

fn geometry(superblock: &Superblock, size: u64) -> Result<Geometry> {
    known(superblock)?;
    let bits = superblock.block_bits;
    let incompat = superblock.incompat.get();
    let is_wide = incompat & incompat::WIDE != 0;
    let short: u64 = superblock.root.get().into();
    let mut blocks = u64::from(superblock.blocks.get());
    let root = match superblock.wide_root.get() {
        root if is_wide && root != 0 => {
            blocks |= short << 32;
            root
        }
        _ => short,
    };
    if blocks << bits > size {
        let problem = format!(
            "{blocks} blocks of {} bytes, but only {size} bytes are there",
            1_u32 << bits
        );
        return Err(damaged("superblock", problem));
    }
    let packed = superblock.packed.get();
    Ok(Geometry {
        block_bits: bits,
        blocks,
        root,
        inodes: superblock.inodes.get(),
        epoch: superblock.epoch.get().cast_signed(),
        meta: u64::from(superblock.meta_block.get()) << bits,
        xattrs: u64::from(superblock.xattr_block.get()) << bits,
        packed: (incompat & incompat::FRAGMENTS != 0 && packed != 0).then_some(packed),
        compressors: if incompat & incompat::CONFIGURATIONS == 0 {
            // Then only lz4 is known, and the field means something else.
            u16::from(incompat & incompat::ZERO_PADDING != 0)
        } else {
            superblock.algorithms.get()
        },
        is_wide,
        uuid: superblock.uuid,
        label: superblock.label,
    })
}

/// Finds features that are not read.
fn known(superblock: &Superblock) -> Result<()> {
    let bits = superblock.incompat.get();
    let named = [
        (incompat::DEVICES, "several devices"),
        (incompat::XATTR_PREFIXES, "long prefixes of attributes"),
        (METABOX, "a metabox"),
    ];
    let read = incompat::ZERO_PADDING
        | incompat::CONFIGURATIONS
        | incompat::CHUNKS
        | incompat::INLINE_CLUSTERS
        | incompat::FRAGMENTS
        | incompat::WIDE;
    let feature = named.iter().find(|(bit, _)| bits & bit != 0);
    let feature = match feature {
        Some((_, name)) => (*name).to_string(),
        None if bits & !read != 0 => format!("features {:#x}", bits & !read),
        None if superblock.directory_block_bits != 0 => "directory blocks of another size".to_string(),
        None if superblock.extension_slots != 0 => "a longer superblock".to_string(),
        None if superblock.extra_devices.get() != 0 => "several devices".to_string(),
        None => return Ok(()),
    };
    Err(Error::Unsupported { feature })
}
