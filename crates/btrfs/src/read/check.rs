//! Whether the trees that describe the others are right: who uses what, what is free, what is stored twice.
//!
//! Reading files needs none of them. Linux does as soon as it writes, and a free range that is in use costs files.

use std::collections::BTreeMap;

use zerocopy::{FromBytes, IntoBytes};

use super::data::Sums;
use super::nodes::{Nodes, Seen};
use super::superblock::Root;
use super::walk::Roots;
use super::{FileSystem, damaged};
use crate::checksum::checksum;
use crate::format::{
    BlockGroupItem, EXTENT_DATA, EXTENT_TREE_BLOCK, ExtentItem, FILE_INLINE, FileExtentHead, FileExtentTail,
    FreeSpaceInfo, Key, SECTOR, SECTOR_LEN, SUPERBLOCKS, Superblock, compat_ro, kind, object,
};
use crate::{Error, Result};

/// Everything that is in use, by its address.
type Used = BTreeMap<u64, Use>;

/// A range of addresses that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// A node of this tree, at this level.
    Node { len: u64, tree: u64, level: u8 },
    /// Data, with so many references.
    Data { len: u64, refs: u64 },
}

impl Use {
    fn len(self) -> u64 {
        match self {
            Use::Node { len, .. } | Use::Data { len, .. } => len,
        }
    }
}

/// What the extent tree and the block group tree say.
#[derive(Default)]
struct Said {
    used: Used,
    groups: BTreeMap<u64, (u64, BlockGroupItem)>,
    /// All free ranges; the length of each chunk, how many of them it has, and its flags.
    free: BTreeMap<u64, u64>,
    counts: BTreeMap<u64, (u64, u32, u32)>,
    has_bitmaps: bool,
}

/// Compares everything with everything.
pub(super) fn check(system: &FileSystem) -> Result<()> {
    system.contents()?;
    let mut nodes = Nodes::new(&system.source, &system.geometry, &system.chunks);
    let mut roots = Roots::default();
    nodes.tree(system.geometry.chunk_root, &mut |_, _| Ok(()))?;
    nodes.tree(system.geometry.root, &mut |key, item| roots.add(key, item))?;
    let (mut said, mut sums, mut used) = (Said::default(), Sums::default(), Used::new());
    for (id, (root, _)) in &roots.list {
        read_tree(*id, *root, &mut nodes, &mut said, &mut sums, &mut used)?;
    }
    check_data(system, &sums, &used)?;
    for (address, Seen { tree, level }) in nodes.finish() {
        check_copies(system, address)?;
        let len = system.geometry.node.into();
        used.insert(address, Use::Node { len, tree, level });
    }
    compare(&said.used, &used)?;
    check_groups(system, &said, &used)?;
    check_superblocks(system)
}

fn read_tree(
    id: u64,
    root: Root,
    nodes: &mut Nodes,
    said: &mut Said,
    sums: &mut Sums,
    used: &mut Used,
) -> Result<()> {
    nodes.tree(root, &mut |key, item| match id {
        object::EXTENT_TREE | object::BLOCK_GROUP_TREE => said.add_extent(key, item),
        object::FREE_SPACE_TREE => said.add_free(key, item),
        object::CSUM_TREE => sums.add(key, item),
        object::FS_TREE | object::FIRST_FREE.. if key.kind == kind::EXTENT_DATA => {
            add_reference(key, item, used)
        }
        _ => Ok(()),
    })
}

/// Counts what a file uses.
fn add_reference(key: Key, item: &[u8], used: &mut Used) -> Result<()> {
    let wrong = || {
        damaged(
            format!("inode {}", key.objectid),
            "a part of it contradicts itself",
        )
    };
    let (head, rest) = FileExtentHead::read_from_prefix(item).map_err(|_| wrong())?;
    if head.kind == FILE_INLINE {
        return Ok(());
    }
    let tail = FileExtentTail::read_from_bytes(rest).map_err(|_| wrong())?;
    let (address, len) = (tail.disk_bytenr.get(), tail.disk_num_bytes.get());
    if address == 0 {
        return Ok(());
    }
    let refs = match used.get(&address) {
        Some(Use::Data { len: before, refs }) if *before == len => refs + 1,
        None => 1,
        _ => return Err(wrong()),
    };
    used.insert(address, Use::Data { len, refs });
    Ok(())
}

impl Said {
    fn add_extent(&mut self, key: Key, item: &[u8]) -> Result<()> {
        let wrong = || damaged(format!("extent {}", key.objectid), "its item contradicts itself");
        match key.kind {
            kind::BLOCK_GROUP => {
                let item = BlockGroupItem::read_from_bytes(item).map_err(|_| wrong())?;
                self.groups.insert(key.objectid, (key.offset, item));
            }
            kind::METADATA => {
                let (head, rest) = ExtentItem::read_from_prefix(item).map_err(|_| wrong())?;
                let Some((&kind::TREE_BLOCK_REF, tree)) = rest.split_first() else {
                    // Linux leaves such references behind snapshots, also when these are gone.
                    return Err(Error::Unsupported {
                        feature: "nodes that subvolumes have shared".to_string(),
                    });
                };
                let tree = tree.try_into().map_err(|_| wrong())?;
                if (head.refs.get(), head.flags.get()) != (1, EXTENT_TREE_BLOCK) {
                    return Err(wrong());
                }
                let node = Use::Node {
                    len: 0,
                    tree: u64::from_le_bytes(tree),
                    level: u8::try_from(key.offset).map_err(|_| wrong())?,
                };
                self.used.insert(key.objectid, node);
            }
            kind::EXTENT => {
                let (head, _) = ExtentItem::read_from_prefix(item).map_err(|_| wrong())?;
                if head.flags.get() != EXTENT_DATA {
                    return Err(Error::Unsupported {
                        feature: "extents of nodes in their older form".to_string(),
                    });
                }
                let data = Use::Data {
                    len: key.offset,
                    refs: head.refs.get(),
                };
                self.used.insert(key.objectid, data);
            }
            _ => {}
        }
        Ok(())
    }

    fn add_free(&mut self, key: Key, item: &[u8]) -> Result<()> {
        match key.kind {
            kind::FREE_SPACE_INFO => {
                let info = FreeSpaceInfo::read_from_bytes(item);
                let info = info.map_err(|_| damaged("free space", "its item is too short"))?;
                let info = (key.offset, info.extent_count.get(), info.flags.get());
                self.counts.insert(key.objectid, info);
            }
            kind::FREE_SPACE_EXTENT => {
                self.free.insert(key.objectid, key.offset);
            }
            _ => self.has_bitmaps = true,
        }
        Ok(())
    }
}

/// What is said to be in use, and what is.
fn compare(said: &Used, used: &Used) -> Result<()> {
    for (address, found) in used {
        let is_same = match (said.get(address), *found) {
            (
                Some(Use::Node { tree, level, .. }),
                Use::Node {
                    tree: own, level: at, ..
                },
            ) => (*tree, *level) == (own, at),
            (Some(said), found) => *said == found,
            (None, _) => false,
        };
        if !is_same {
            let problem = format!("{found:?}, and the extent tree has {:?}", said.get(address));
            return Err(damaged(format!("extent {address}"), problem));
        }
    }
    match said.keys().find(|address| !used.contains_key(address)) {
        Some(address) => Err(damaged(format!("extent {address}"), "nobody uses it")),
        None => Ok(()),
    }
}

/// Every sector of data has a checksum that is right, unless it has none.
fn check_data(system: &FileSystem, sums: &Sums, used: &Used) -> Result<()> {
    for (address, used) in used {
        if system.chunks.place(*address, used.len()).is_none() {
            return Err(damaged(format!("extent {address}"), "lies in no chunk"));
        }
        for start in (*address..address + used.len()).step_by(SECTOR_LEN) {
            let Some(sum) = sums.of(start) else { continue };
            let place = format!("data at {start}");
            let lies = system.chunks.place(start, SECTOR);
            let lies = lies.ok_or_else(|| damaged(&place, "lies in no chunk"))?;
            if checksum(&system.source.read(&place, lies, SECTOR_LEN)?) != sum {
                return Err(damaged(place, "its checksum is wrong"));
            }
        }
    }
    Ok(())
}

/// The copies of a node are equal.
fn check_copies(system: &FileSystem, address: u64) -> Result<()> {
    let len = system.geometry.node;
    let copy = |number| {
        let place = format!("node {address}");
        let start = system.chunks.copy(address, len.into(), number);
        start
            .map(|start| system.source.read(&place, start, len as usize))
            .transpose()
    };
    match (copy(0)?, copy(1)?) {
        (Some(first), Some(second)) if first != second => {
            Err(damaged(format!("node {address}"), "its copies differ"))
        }
        _ => Ok(()),
    }
}

/// What is used of every chunk, and what is free.
fn check_groups(system: &FileSystem, said: &Said, used: &Used) -> Result<()> {
    let mut sum = 0;
    let mut count = 0;
    for (start, len, kind) in system.chunks.all() {
        let place = || format!("block group {start}");
        let group = said.groups.get(&start);
        let own = used.range(start..start + len);
        let bytes: u64 = own.clone().map(|(_, used)| used.len()).sum();
        let wanted = group.map(|(len, item)| (*len, item.used.get(), item.flags.get()));
        if wanted != Some((len, bytes, kind)) {
            let problem = format!("{len} bytes of kind {kind}, {bytes} used; its item says {wanted:?}");
            return Err(damaged(place(), problem));
        }
        sum += bytes;
        count += 1;
        if said.has_bitmaps || system.geometry.compat_ro & compat_ro::FREE_SPACE_TREE_VALID == 0 {
            continue;
        }
        let mut free = Vec::new();
        let mut end = start;
        for (address, used) in own {
            if *address > end {
                free.push((end, address - end));
            }
            end = address + used.len();
        }
        if end < start + len {
            free.push((end, start + len - end));
        }
        let found: Vec<(u64, u64)> = said
            .free
            .range(start..start + len)
            .map(|(at, len)| (*at, *len))
            .collect();
        if found != free || said.counts.get(&start) != Some(&(len, u32::try_from(free.len()).unwrap_or(0), 0))
        {
            return Err(damaged(
                place(),
                format!("{free:?} is free, and the tree has {found:?}"),
            ));
        }
    }
    if said.groups.len() != count || sum != system.geometry.used {
        let problem = format!(
            "{sum} bytes in {count} groups are used, and it says {}",
            system.geometry.used
        );
        return Err(damaged("superblock", problem));
    }
    Ok(())
}

/// The copies of the superblock are equal, but for the places that they name.
fn check_superblocks(system: &FileSystem) -> Result<()> {
    let read = |place: u64| -> Result<Superblock> {
        let bytes = system.source.read(&"superblock", place, SECTOR_LEN)?;
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
        Ok(superblock)
    };
    let first = read(SUPERBLOCKS[0])?;
    for place in SUPERBLOCKS
        .into_iter()
        .skip(1)
        .filter(|place| place + SECTOR <= system.geometry.total)
    {
        if read(place)?.as_bytes() != first.as_bytes() {
            return Err(damaged(format!("superblock at {place}"), "is not the first one"));
        }
    }
    Ok(())
}
