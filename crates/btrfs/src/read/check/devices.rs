//! The device tree: which chunk lies where.

use std::collections::BTreeMap;

use zerocopy::{FromBytes, IntoBytes};

use super::super::nodes::Nodes;
use super::super::roots::Roots;
use super::super::{FileSystem, damaged};
use crate::Result;
use crate::format::{DevExtent, DevItem, Key, kind, object};

/// What trees say of the device.
#[derive(Default)]
pub(super) struct Devices {
    /// The places of chunks: where each begins, and its length.
    extents: BTreeMap<u64, (u64, u64)>,
    items: Vec<(Key, DevItem)>,
}

impl Devices {
    pub(super) fn read(system: &FileSystem, nodes: &mut Nodes, roots: &Roots) -> Result<Devices> {
        let mut devices = Devices::default();
        let wrong = |what: &str| damaged(what, "its item is too short");
        nodes.tree(roots.find(object::DEV_TREE)?.root, &mut |key, item| {
            if key.kind == kind::DEV_EXTENT {
                let item = DevExtent::read_from_bytes(item).map_err(|_| wrong("extent of the device"))?;
                if key.objectid != object::DEVICE {
                    return Err(damaged(format!("device {}", key.objectid), "is not there"));
                }
                let chunk = (item.chunk_offset.get(), item.length.get());
                devices.extents.insert(key.offset, chunk);
            }
            Ok(())
        })?;
        nodes.tree(system.geometry.chunk_root, &mut |key, item| {
            if key.kind == kind::DEV {
                let item = DevItem::read_from_bytes(item).map_err(|_| wrong("device"))?;
                devices.items.push((key, item));
            }
            Ok(())
        })?;
        Ok(devices)
    }

    pub(super) fn check(&self, system: &FileSystem) -> Result<()> {
        let places = system.chunks.places();
        if places != self.extents {
            let differs = places.iter().zip(&self.extents).find(|(own, said)| own != said);
            let problem =
                format!("its tree does not have the chunks' places; the first that differs: {differs:?}");
            return Err(damaged("device", problem));
        }
        let device = &system.geometry.device;
        let [(_, item)] = &self.items[..] else {
            return Err(damaged("device", format!("has {} items", self.items.len())));
        };
        if item.as_bytes() != device.as_bytes() {
            return Err(damaged("device", "its item is not that of the superblock"));
        }
        let used: u64 = places.values().map(|(_, len)| len).sum();
        let (said, total) = (device.bytes_used.get(), device.total_bytes.get());
        if (said, total) != (used, system.geometry.total) {
            let problem = format!("chunks take {used} bytes of it, and it says {said} of {total}");
            return Err(damaged("device", problem));
        }
        Ok(())
    }
}
