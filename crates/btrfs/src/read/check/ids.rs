//! Subvolumes: their names as both sides have them, and their ids.

use std::collections::BTreeSet;

use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::U64;

use super::super::nodes::{Nodes, is_of_files};
use super::super::roots::Roots;
use super::super::{FileSystem, damaged};
use crate::Result;
use crate::format::{Key, kind, object};

pub(super) fn check(system: &FileSystem, nodes: &mut Nodes, roots: &Roots) -> Result<()> {
    if roots.down != roots.up {
        return Err(damaged(
            "root tree",
            "subvolumes have other names than those that they are in know",
        ));
    }
    let Some(tree) = roots.list.get(&object::UUID_TREE) else {
        return Ok(());
    };
    let mut found = BTreeSet::new();
    nodes.tree(tree.root, &mut |key, item| {
        let Ok(ids) = <[U64]>::ref_from_bytes(item) else {
            return Err(damaged("ids of subvolumes", "an item contradicts itself"));
        };
        found.extend(ids.iter().map(|id| (key, id.get())));
        Ok(())
    })?;
    // Linux looks at all subvolumes again where it has not kept the tree.
    if system.geometry.ids_generation != system.geometry.generation {
        return Ok(());
    }
    let mut wanted = BTreeSet::new();
    for (id, found) in &roots.list {
        if !is_of_files(*id) || found.item.refs.get() == 0 {
            continue;
        }
        let ids = [
            (kind::UUID_SUBVOLUME, found.item.uuid),
            (kind::UUID_RECEIVED, found.item.received_uuid),
        ];
        let ids = ids.into_iter().filter(|(_, uuid)| *uuid != [0; 16]);
        wanted.extend(ids.map(|(kind, uuid)| (key(kind, uuid), *id)));
    }
    if let Some((_, id)) = wanted.symmetric_difference(&found).next() {
        let problem = "its ids are not those in the tree of ids";
        return Err(damaged(format!("subvolume {id}"), problem));
    }
    Ok(())
}

fn key(kind: u8, uuid: [u8; 16]) -> Key {
    let number = u128::from_le_bytes(uuid);
    let half = |shift: u32| u64::try_from(number >> shift & u128::from(u64::MAX)).unwrap_or(0);
    Key::new(half(0), kind, half(64))
}
