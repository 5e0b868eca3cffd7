//! Compares what says the same twice, and looks for clusters that nobody has.

use zerocopy::FromBytes;

use super::directory::{Pending, continued};
use super::table::Table;
use super::{FileSystem, Place, damaged};
use crate::format::{
    Boot16, Boot32, DELETED, FsInfo, LAST_LONG, LEAD_SIGNATURE, Long, SLOT_SIZE, STRUCT_SIGNATURE, Short,
    TRAIL_SIGNATURE, UNKNOWN, attr,
};
use crate::{Error, Variant};

/// How much of a table is compared at once.
const WINDOW_LEN: u64 = 1 << 20;

impl FileSystem {
    /// Reads everything, and compares it with what is there twice: tables, boot sectors, the count of free clusters. Every
    /// cluster has to belong to one file, or to be free.
    ///
    /// # Errors
    /// The first contradiction that is found.
    pub fn check(&self) -> Result<(), Error> {
        let mut table = Table::strict(self);
        self.tree_with(&mut table)?;
        self.check_tables(&table)?;
        check_lost(&table)?;
        match self.geometry.variant {
            Variant::Fat16 => Ok(()),
            Variant::Fat32 => self.check_boot_copies(&table),
        }
    }

    /// All tables say the same, and begin with the medium.
    fn check_tables(&self, table: &Table) -> Result<(), Error> {
        let media = self.boot16()?.bpb.media;
        let [low, high] = [table.reserved(0)?, table.reserved(1)?];
        let filled = if self.geometry.variant == Variant::Fat16 {
            0xff00
        } else {
            0x0fff_ff00
        };
        if low != filled | u32::from(media) {
            let problem = format!("begins with {low:#x}, and the medium is {media:#x}");
            return Err(damaged("file allocation table", problem));
        }
        let (end, clean) = match self.geometry.variant {
            Variant::Fat16 => (0x3fff, 0xc000),
            Variant::Fat32 => (0x03ff_ffff, 0x0c00_0000),
        };
        if high & end < end & !7 || high & clean != clean {
            return Err(damaged(
                "file allocation table",
                "was not left in order: its second entry says so",
            ));
        }
        if self.is_single {
            return Ok(());
        }
        let len = self.geometry.fat_len();
        for number in (0..self.geometry.fats).filter(|number| *number != self.table) {
            let mut start = 0;
            while start < len {
                let part = WINDOW_LEN.min(len - start);
                let read = |number| {
                    let at = self.geometry.fat_start(number) + start;
                    self.source.read("file allocation table", at, part)
                };
                let (first, other) = (read(self.table)?, read(number)?);
                let differs = first.iter().zip(&other).position(|(first, other)| first != other);
                if let Some(at) = differs {
                    let problem = format!(
                        "table {number} differs from table {} at byte {}",
                        self.table,
                        start + at as u64
                    );
                    return Err(damaged("file allocation table", problem));
                }
                start += part;
            }
        }
        Ok(())
    }

    /// FAT32 has a copy of its boot sector, and a count of what is free.
    fn check_boot_copies(&self, table: &Table) -> Result<(), Error> {
        let sector = u64::from(self.geometry.sector_size);
        let read = |number: u16| {
            let start = u64::from(number) * sector;
            self.source.read("boot sector", start, sector.min(512))
        };
        let first = read(0)?;
        let Ok((boot, _)) = Boot32::read_from_prefix(&first) else {
            return Ok(());
        };
        let is_place = |number: u16| number != 0 && u32::from(number) < self.geometry.reserved_sectors;
        let copy = boot.bpb32.bk_boot_sec.get();
        if is_place(copy) && read(copy)? != first {
            return Err(damaged(
                "boot sector",
                format!("its copy in sector {copy} is another"),
            ));
        }
        let info = boot.bpb32.fs_info.get();
        if !is_place(info) {
            return Ok(());
        }
        let bytes = read(info)?;
        let Ok((counts, _)) = FsInfo::read_from_prefix(&bytes) else {
            return Ok(());
        };
        let found = [
            counts.lead_sig.get(),
            counts.struc_sig.get(),
            counts.trail_sig.get(),
        ];
        if found != [LEAD_SIGNATURE, STRUCT_SIGNATURE, TRAIL_SIGNATURE] {
            return Err(damaged("free space sector", "does not have its signatures"));
        }
        let (said, free) = (counts.free_count.get(), table.free_clusters()?);
        if said != UNKNOWN && said != free {
            let problem = format!("says that {said} clusters are free, and {free} are");
            return Err(damaged("free space sector", problem));
        }
        Ok(())
    }

    fn boot16(&self) -> Result<Boot16, Error> {
        let bytes = self.source.read("boot sector", 0, size_of::<Boot16>() as u64)?;
        Boot16::read_from_bytes(&bytes).map_err(|_| damaged("boot sector", "is too short"))
    }
}

/// No cluster is in use that no file has.
fn check_lost(table: &Table) -> Result<(), Error> {
    match table.first_lost()? {
        Some(cluster) => {
            let problem = format!("cluster {cluster} is in use, and no file has it");
            Err(damaged("file allocation table", problem))
        }
        None => Ok(()),
    }
}

/// What no system would write into a directory, and readers pass over: parts of long names that belong to nothing, entries
/// behind the end, unknown attributes, files that have bytes but no cluster.
pub(super) fn slots(bytes: &[u8], place: Place) -> Result<(), Error> {
    let stray = || damaged(place, "a part of a long name belongs to nothing");
    let mut pending: Option<Pending> = None;
    let mut slots = bytes.chunks_exact(SLOT_SIZE);
    while let Some(slot) = slots.next() {
        let (Ok(short), Ok(long)) = (Short::read_from_bytes(slot), Long::read_from_bytes(slot)) else {
            break;
        };
        let kind = short.attr & attr::LONG_NAME_MASK;
        let is_end = short.name[0] == 0;
        if !is_end && short.name[0] != DELETED && kind == attr::LONG_NAME {
            let begins = long.ord & LAST_LONG != 0;
            if begins && pending.is_some() || long.kind != 0 || long.fst_clus_lo.get() != 0 {
                return Err(stray());
            }
            pending = Some(continued(pending, &long).ok_or_else(stray)?);
            continue;
        }
        if let Some(pending) = pending.take()
            && (is_end || short.name[0] == DELETED || pending.finish(&short).is_none())
        {
            return Err(stray());
        }
        if is_end {
            if slots.any(|slot| slot.iter().any(|byte| *byte != 0)) {
                return Err(damaged(place, "there are entries behind its end"));
            }
            return Ok(());
        }
        if short.attr & !attr::LONG_NAME_MASK != 0 {
            let problem = format!("an entry has the attributes {:#04x}", short.attr);
            return Err(damaged(place, problem));
        }
    }
    match pending {
        Some(_) => Err(stray()),
        None => Ok(()),
    }
}
