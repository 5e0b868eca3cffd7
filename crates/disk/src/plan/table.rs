//! What planning asks of a table, kind by kind.

use image::{Layout, Seed};

use super::numbers::{self, Role};
use super::places::Room;
use super::{extended, gpt, mbr};
use crate::{DiskId, Entry, Kind, MapEntry, Options, Region, Result, Table};

impl Table {
    /// The bytes that the table takes at the disk's start, and those at its end.
    pub(super) fn sizes(&self, sector: u64) -> Result<(u64, u64)> {
        match self {
            Table::None => Ok((0, 0)),
            Table::Gpt(gpt) | Table::Hybrid(gpt, _) => gpt::sizes(gpt, sector),
            Table::Mbr(_) => Ok((sector, 0)),
        }
    }

    /// What each region is to the table.
    pub(super) fn roles(&self, regions: &[Region]) -> Result<Vec<Role>> {
        match self {
            Table::None => numbers::none(regions),
            Table::Gpt(gpt) | Table::Hybrid(gpt, _) => numbers::gpt(regions, gpt.entries),
            Table::Mbr(_) => numbers::mbr(regions),
        }
    }

    /// The disk's own id.
    pub(super) fn id(&self, seed: &Seed) -> Option<DiskId> {
        match self {
            Table::None => None,
            Table::Gpt(gpt) | Table::Hybrid(gpt, _) => Some(DiskId::Guid(gpt::disk_guid(gpt, seed))),
            Table::Mbr(mbr) => Some(DiskId::Signature(mbr::signature(mbr, seed))),
        }
    }

    /// What is entered for each region.
    pub(super) fn entries(
        &self,
        seed: &Seed,
        regions: &[Region],
        roles: &[Role],
    ) -> Result<Vec<Option<Entry>>> {
        match self {
            Table::None => Ok(regions.iter().map(|_| None).collect()),
            Table::Gpt(gpt) => {
                mbr::no_hybrid(regions)?;
                gpt::entries(gpt, seed, regions, roles)
            }
            Table::Mbr(mbr) => {
                mbr::no_hybrid(regions)?;
                mbr::entries(mbr, seed, regions, roles)
            }
            Table::Hybrid(gpt, mbr) => {
                let mut entries = gpt::entries(gpt, seed, regions, roles)?;
                mbr::enter(mbr, regions, &mut entries)?;
                Ok(entries)
            }
        }
    }

    /// The parts of the table itself, when the places of the regions are known.
    pub(super) fn parts(&self, room: &Room, regions: &[MapEntry], size: u64) -> Vec<MapEntry> {
        let (mbr, mut parts) = match self {
            Table::None => return Vec::new(),
            Table::Gpt(_) => (Kind::ProtectiveMbr, gpt::parts(room, size)),
            Table::Hybrid(..) => (Kind::HybridMbr, gpt::parts(room, size)),
            Table::Mbr(_) => (Kind::Mbr, extended::parts(room, regions)),
        };
        parts.push(MapEntry::of_table(mbr, "", 0, room.sector));
        parts
    }

    /// Puts the table's parts where the map has them.
    pub(super) fn put(
        &self,
        layout: &mut Layout,
        options: &Options,
        room: &Room,
        map: &[MapEntry],
        size: u64,
    ) {
        let (seed, sectors) = (&options.seed, size / room.sector);
        let sector_0 = match self {
            Table::None => return,
            Table::Gpt(gpt) => {
                gpt::put(layout, gpt, seed, room, map, size);
                mbr::protective(sectors)
            }
            Table::Hybrid(gpt, mbr) => {
                gpt::put(layout, gpt, seed, room, map, size);
                mbr::hybrid(mbr::signature(mbr, seed), room.sector, map)
            }
            Table::Mbr(mbr) => {
                extended::put(layout, room.sector, map);
                mbr::primary(mbr::signature(mbr, seed), room.sector, map)
            }
        };
        mbr::put(layout, options.boot_code.as_ref(), room.sector, map, &sector_0);
    }
}
