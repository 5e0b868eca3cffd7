//! The superblock: what must be right before anything else is looked at.

use image::show;
use zerocopy::FromBytes;

use super::chunks::Chunk;
use super::{Source, chunks, damaged};
use crate::checksum::checksum;
use crate::format::{DevItem, MAGIC, SECTOR, SECTOR_LEN, SUPERBLOCKS, SYS_CHUNK_ARRAY, Superblock};
use crate::{Error, Result};

/// What of the superblock is needed again and again.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    pub(super) label: Option<String>,
    pub(super) fsid: [u8; 16],
    /// The id in the nodes.
    pub(super) metadata_uuid: [u8; 16],
    pub(super) total: u64,
    pub(super) used: u64,
    pub(super) node: u32,
    pub(super) generation: u64,
    /// What a writer must know.
    pub(super) compat_ro: u64,
    pub(super) root: Root,
    pub(super) chunk_root: Root,
    pub(super) device: DevItem,
    /// The generation when the tree of ids was right.
    pub(super) ids_generation: u64,
}

/// Where a tree begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) tree: u64,
    pub(super) address: u64,
    pub(super) level: u8,
    pub(super) generation: u64,
}

/// Bits of what a reader must know, and those of them that this one does not.
const KNOWN: u64 = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x40 | 0x100 | 0x200 | METADATA_UUID;
const METADATA_UUID: u64 = 0x400;
const UNREAD: [(u64, &str); 7] = [
    (0x80, "RAID 5 or 6"),
    (0x800, "RAID 1 with three or four copies"),
    (0x1000, "zones"),
    (0x2000, "the second version of the extent tree"),
    (0x4000, "a tree of RAID stripes"),
    (0x10000, "simple quotas"),
    (0x20000, "a tree of remapped addresses"),
];
/// Checksums by their numbers.
const CHECKSUMS: [&str; 4] = ["crc32c", "xxhash64", "sha256", "blake2b"];
/// Trees are at most this deep.
pub(super) const LEVEL_MAX: u8 = 7;

/// The superblock, and the chunks that it knows.
pub(super) fn read(source: &Source) -> Result<(Geometry, Vec<Chunk>)> {
    let what = "superblock";
    let not = |problem: &str| Error::NotBtrfs {
        problem: problem.to_string(),
    };
    if source.size < SUPERBLOCKS[0] + SECTOR {
        return Err(not("it is too short for a superblock"));
    }
    let bytes = source.read(&what, SUPERBLOCKS[0], SECTOR_LEN)?;
    let Ok((superblock, rest)) = Superblock::read_from_prefix(&bytes) else {
        return Err(not("it is too short for a superblock"));
    };
    if superblock.magic != MAGIC {
        return Err(not("there is no magic number"));
    }
    check_features(&superblock)?;
    if superblock.csum[..4] != checksum(&bytes[32..]).to_le_bytes() {
        return Err(damaged(what, "its checksum is wrong"));
    }
    let (sector, node) = (superblock.sectorsize.get(), superblock.nodesize.get());
    if u64::from(sector) != SECTOR {
        return Err(unsupported(format!("sectors of {sector} bytes")));
    }
    if !node.is_power_of_two() || !(4096..=65536).contains(&node) {
        return Err(damaged(what, format!("nodes of {node} bytes")));
    }
    if superblock.bytenr.get() != SUPERBLOCKS[0] {
        return Err(damaged(
            what,
            format!("it says that it lies at byte {}", superblock.bytenr),
        ));
    }
    let total = superblock.total_bytes.get();
    if total > source.size {
        let problem = format!("the file system has {total} bytes, and there are {}", source.size);
        return Err(damaged(what, problem));
    }
    let root = |tree, address, level, generation| Root {
        tree,
        address,
        level,
        generation,
    };
    let incompat = superblock.incompat_flags.get();
    let label = superblock.label.split(|byte| *byte == 0).next();
    let generation = superblock.generation.get();
    let geometry = Geometry {
        label: label.filter(|label| !label.is_empty()).map(show),
        fsid: superblock.fsid,
        metadata_uuid: if incompat & METADATA_UUID == 0 {
            superblock.fsid
        } else {
            superblock.metadata_uuid
        },
        total,
        used: superblock.bytes_used.get(),
        node,
        generation,
        compat_ro: superblock.compat_ro_flags.get(),
        root: root(1, superblock.root.get(), superblock.root_level, generation),
        chunk_root: root(
            3,
            superblock.chunk_root.get(),
            superblock.chunk_root_level,
            superblock.chunk_root_generation.get(),
        ),
        device: superblock.dev_item,
        ids_generation: superblock.uuid_tree_generation.get(),
    };
    let len = superblock.sys_chunk_array_size.get() as usize;
    let array = rest.get(..len).filter(|_| len <= SYS_CHUNK_ARRAY);
    let array = array.ok_or_else(|| damaged(what, format!("{len} bytes of chunks")))?;
    Ok((geometry, chunks::parse_array(array)?))
}

fn unsupported(feature: String) -> Error {
    Error::Unsupported { feature }
}

/// Finds what this reader does not know.
fn check_features(superblock: &Superblock) -> Result<()> {
    let kind = superblock.csum_type.get();
    if kind != 0 {
        let name = CHECKSUMS.get(usize::from(kind)).copied();
        let name = name.map_or_else(|| format!("of type {kind}"), |name| format!("of {name}"));
        return Err(unsupported(format!("checksums {name}")));
    }
    let incompat = superblock.incompat_flags.get();
    if let Some((_, name)) = UNREAD.iter().find(|(bit, _)| incompat & bit != 0) {
        return Err(unsupported((*name).to_string()));
    }
    if incompat & !KNOWN != 0 {
        return Err(unsupported(format!("features {:#x}", incompat & !KNOWN)));
    }
    if superblock.num_devices.get() != 1 {
        return Err(unsupported(format!("{} devices", superblock.num_devices)));
    }
    if superblock.log_root.get() != 0 {
        return Err(unsupported("a log that nobody has replayed".to_string()));
    }
    Ok(())
}
