//! What of each chunk is used, and what is free.

use std::collections::BTreeMap;

use zerocopy::FromBytes;

use super::super::{FileSystem, damaged};
use super::Used;
use crate::Result;
use crate::format::{BlockGroupItem, FREE_SPACE_BITMAPS, FreeSpaceInfo, Key, SECTOR, compat_ro, kind};

/// What the trees say of chunks.
#[derive(Default)]
pub(super) struct Groups {
    /// The length of each, and its item.
    list: BTreeMap<u64, (u64, BlockGroupItem)>,
    /// Ranges that are free.
    free: BTreeMap<u64, u64>,
    /// The same as bits, of which each is a sector. With their lengths.
    bitmaps: BTreeMap<u64, (u64, Box<[u8]>)>,
    /// The length of each chunk, how many free ranges it has, and its flags.
    counts: BTreeMap<u64, (u64, u32, u32)>,
}

type Runs = Vec<(u64, u64)>;

impl Groups {
    pub(super) fn add(&mut self, key: Key, item: &[u8]) -> Result<()> {
        let wrong = || {
            damaged(
                format!("block group {}", key.objectid),
                "its item contradicts itself",
            )
        };
        match key.kind {
            kind::BLOCK_GROUP => {
                let item = BlockGroupItem::read_from_bytes(item).map_err(|_| wrong())?;
                self.list.insert(key.objectid, (key.offset, item));
            }
            kind::FREE_SPACE_INFO => {
                let info = FreeSpaceInfo::read_from_bytes(item).map_err(|_| wrong())?;
                let info = (key.offset, info.extent_count.get(), info.flags.get());
                self.counts.insert(key.objectid, info);
            }
            kind::FREE_SPACE_EXTENT => {
                if !item.is_empty() {
                    return Err(wrong());
                }
                self.free.insert(key.objectid, key.offset);
            }
            kind::FREE_SPACE_BITMAP => self.add_bitmap(key, item).ok_or_else(wrong)?,
            _ => {}
        }
        Ok(())
    }

    fn add_bitmap(&mut self, key: Key, item: &[u8]) -> Option<()> {
        let (start, len) = (key.objectid, key.offset);
        start.checked_add(len)?;
        let is_right = len.is_multiple_of(SECTOR) && item.len() as u64 == (len / SECTOR).div_ceil(8);
        is_right.then_some(())?;
        self.bitmaps.insert(start, (len, item.into()));
        Some(())
    }

    pub(super) fn check(&self, system: &FileSystem, used: &Used) -> Result<()> {
        let (mut sum, mut count) = (0_u64, 0);
        for (start, len, kind) in system.chunks.all() {
            let own = used.range(start..start + len);
            let bytes: u64 = own.map(|(_, used)| used.len()).sum();
            let group = self.list.get(&start);
            let wanted = group.map(|(len, item)| (*len, item.used.get(), item.flags.get()));
            if wanted != Some((len, bytes, kind)) {
                let problem = format!("{len} bytes of kind {kind}, {bytes} used; its item says {wanted:?}");
                return Err(damaged(format!("block group {start}"), problem));
            }
            sum += bytes;
            count += 1;
        }
        if self.list.len() != count || sum != system.geometry.used {
            let problem = format!(
                "{sum} bytes in {count} groups are used, and it says {}",
                system.geometry.used
            );
            return Err(damaged("superblock", problem));
        }
        if system.geometry.compat_ro & compat_ro::FREE_SPACE_TREE_VALID == 0 {
            return Ok(());
        }
        // mkfs.btrfs leaves lists of chunks that it has removed. Nobody looks at these.
        for (start, len, _) in system.chunks.all() {
            self.check_free(start, len, &free(used, start, len))?;
        }
        Ok(())
    }

    fn check_free(&self, start: u64, len: u64, free: &Runs) -> Result<()> {
        let place = || format!("block group {start}");
        let listed: Runs = self
            .free
            .range(start..start + len)
            .map(|(start, len)| (*start, *len))
            .collect();
        let Some((said_len, count, flags)) = self.counts.get(&start) else {
            return Err(damaged(place(), "nothing says what of it is free"));
        };
        let (found, other) = if flags & FREE_SPACE_BITMAPS == 0 {
            (listed, self.mapped(start, len))
        } else {
            (self.mapped(start, len), listed)
        };
        let wanted = u32::try_from(free.len()).unwrap_or(u32::MAX);
        let is_known = flags & !FREE_SPACE_BITMAPS == 0;
        if found != *free || !other.is_empty() || (*said_len, *count) != (len, wanted) || !is_known {
            let differs = free.iter().zip(&found).find(|(own, said)| own != said);
            let problem = format!(
                "{} ranges are free, and {count} are said to be, {} are listed; the first that differs: {differs:?}",
                free.len(),
                found.len()
            );
            return Err(damaged(place(), problem));
        }
        Ok(())
    }

    /// The ranges that are free by the bitmaps of a chunk.
    fn mapped(&self, start: u64, len: u64) -> Runs {
        let mut runs = Runs::new();
        for (start, (len, bits)) in self.bitmaps.range(start..start + len) {
            let is_free = |sector: &u64| {
                let byte = usize::try_from(sector / 8).ok().and_then(|byte| bits.get(byte));
                byte.is_some_and(|byte| byte >> (sector % 8) & 1 == 1)
            };
            for sector in (0..len / SECTOR).filter(is_free) {
                let at = start + sector * SECTOR;
                match runs.last_mut() {
                    Some((start, len)) if *start + *len == at => *len += SECTOR,
                    _ => runs.push((at, SECTOR)),
                }
            }
        }
        runs
    }
}

/// What is not in use.
fn free(used: &Used, start: u64, len: u64) -> Runs {
    let mut free = Vec::new();
    let mut end = start;
    for (address, used) in used.range(start..start + len) {
        if *address > end {
            free.push((end, address - end));
        }
        end = address + used.len();
    }
    if end < start + len {
        free.push((end, start + len - end));
    }
    free
}
