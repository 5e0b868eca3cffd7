//! Whether the trees that describe the others are right: who uses what, what is free, what is stored twice.
//!
//! Reading files needs none of them. Linux does as soon as it writes, and a free range that is in use costs files.

mod copies;
mod devices;
mod extents;
mod groups;
mod ids;
mod references;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::data::{Sums, Trust};
use super::files::compressed;
use super::roots::Roots;
use super::walk::Seen;
use super::{FileSystem, damaged, walk};
use crate::Result;
use crate::format::{SECTOR, compression, group, object};
use devices::Devices;
use extents::Extents;
use groups::Groups;
use references::References;

/// Everything that is in use, by its address.
type Used = BTreeMap<u64, Use>;

/// A range of addresses that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// A node at this level.
    Node { len: u64, level: u8 },
    /// Data of files.
    Data { len: u64 },
}

impl Use {
    fn len(self) -> u64 {
        match self {
            Use::Node { len, .. } | Use::Data { len } => len,
        }
    }
}

/// Compares everything with everything.
pub(super) fn check(system: &FileSystem) -> Result<()> {
    let mut nodes = system.nodes();
    let mut roots = Roots::default();
    nodes.tree(system.geometry.root, &mut |key, item| roots.add(key, item))?;
    roots.check_at_rest()?;
    let (mut extents, mut groups) = (Extents::new(system.geometry.node), Groups::default());
    let mut sums = Sums::default();
    for tree in [object::EXTENT_TREE, object::BLOCK_GROUP_TREE] {
        let Some(found) = roots.list.get(&tree) else {
            continue;
        };
        nodes.tree(found.root, &mut |key, item| {
            extents.add(key, item)?;
            groups.add(key, item)
        })?;
    }
    if let Some(found) = roots.list.get(&object::FREE_SPACE_TREE) {
        nodes.tree(found.root, &mut |key, item| groups.add(key, item))?;
    }
    nodes.tree(roots.find(object::CSUM_TREE)?.root, &mut |key, item| {
        sums.add(key, item)
    })?;
    check_files(system, &sums)?;
    let (references, used) = references::collect(system, &roots, &extents)?;
    copies::check_nodes(system, &used)?;
    check_overlaps(system, &used)?;
    compare(&extents, &references, &used)?;
    check_data(system, &sums, &used)?;
    groups.check(system, &used)?;
    Devices::read(system, &mut nodes, &roots)?.check(system)?;
    ids::check(system, &mut nodes, &roots)?;
    copies::check_superblocks(system)
}

/// All files can be reached, have their checksums, and what is compressed can be decompressed.
fn check_files(system: &FileSystem, sums: &Sums) -> Result<()> {
    let mut done = BTreeSet::new();
    let mut look = |seen: Seen| {
        let Seen::Inode(number, inode, data) = seen else {
            return Ok(());
        };
        for (head, tail) in inode.extents() {
            let wrong = |problem: String| damaged(format!("inode {number}"), problem);
            let (address, disk_len) = (tail.disk_bytenr.get(), tail.disk_num_bytes.get());
            let (start, len) = if head.compression == compression::NONE {
                (address.saturating_add(tail.offset.get()), tail.num_bytes.get())
            } else {
                (address, disk_len)
            };
            if inode.trust() == Trust::Sums && !sums.cover(start, len) {
                return Err(wrong(format!("its data at {start} has no checksums")));
            }
            if head.compression != compression::NONE && done.insert((address, head.ram_bytes.get())) {
                let extent = compressed(Arc::clone(data), inode.trust(), head, tail);
                extent.map_err(wrong)?.bytes()?;
            }
        }
        Ok(())
    };
    walk::walk(system, &mut look).map(drop)
}

/// What is in use lies in chunks, and nothing twice.
fn check_overlaps(system: &FileSystem, used: &Used) -> Result<()> {
    let mut before = 0;
    for (address, used) in used {
        let Some(kind) = system.chunks.kind(*address, used.len()) else {
            return Err(damaged(format!("extent {address}"), "lies in no chunk"));
        };
        let wanted = match used {
            Use::Node { .. } => group::SYSTEM | group::METADATA,
            Use::Data { .. } => group::DATA,
        };
        if kind & wanted == 0 {
            let problem = format!("{used:?} in a chunk of kind {kind}");
            return Err(damaged(format!("extent {address}"), problem));
        }
        if *address < before {
            return Err(damaged(format!("extent {address}"), "overlaps the one before it"));
        }
        before = address + used.len();
    }
    Ok(())
}

/// What is said to be in use, and what is.
fn compare(said: &Extents, references: &References, used: &Used) -> Result<()> {
    for (address, found) in used {
        if said.list.get(address).map(|extent| extent.used) != Some(*found) {
            let problem = format!("{found:?}, and the extent tree has {:?}", said.list.get(address));
            return Err(damaged(format!("extent {address}"), problem));
        }
    }
    if let Some(address) = said.list.keys().find(|address| !used.contains_key(address)) {
        return Err(damaged(format!("extent {address}"), "nobody uses it"));
    }
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    for ((address, reference), count) in &said.references {
        let found = references.get(&(*address, *reference)).copied().unwrap_or(0);
        if found != *count {
            let problem =
                format!("{reference:?} is said to refer to it {count} times, and does {found} times");
            return Err(damaged(format!("extent {address}"), problem));
        }
        let all = counts.entry(*address).or_default();
        *all = all.saturating_add(*count);
    }
    let missing = references.keys().find(|key| !said.references.contains_key(key));
    if let Some((address, reference)) = missing {
        return Err(damaged(
            format!("extent {address}"),
            format!("{reference:?} refers to it, and the extent tree has not that"),
        ));
    }
    for (address, extent) in &said.list {
        if counts.get(address) != Some(&extent.refs) {
            let problem = format!(
                "{} references are counted, and there are {:?}",
                extent.refs,
                counts.get(address)
            );
            return Err(damaged(format!("extent {address}"), problem));
        }
    }
    Ok(())
}

/// Every checksum is one of data, and right for all its copies.
fn check_data(system: &FileSystem, sums: &Sums, used: &Used) -> Result<()> {
    for (start, sum) in sums.all() {
        let place = || format!("data at {start}");
        let within = used.range(..=start).next_back();
        let is_data = within.is_some_and(
            |(address, used)| matches!(used, Use::Data { len } if start - address + SECTOR <= *len),
        );
        if !is_data {
            return Err(damaged(place(), "has a checksum, and is none"));
        }
        copies::check_sector(system, start, sum)?;
    }
    Ok(())
}
