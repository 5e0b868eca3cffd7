//! Partition records, of which the first sector and each extended boot record have four.

use zerocopy::little_endian::U32;

use crate::format::{ACTIVE, BOOT_CODE_SIZE, LegacyMbr, MBR_SIGNATURE, PartitionRecord};
use crate::{Attributes, Entry, MapEntry};

/// The last block that heads can be counted for, on a disk with the usual 255 heads and 63 sectors.
const CHS_MAX: [u8; 3] = [254, 0xff, 0xff];

/// Sectors that a record is about.
#[derive(Clone, Copy)]
pub(super) struct Sectors {
    pub(super) first: u64,
    pub(super) count: u64,
}

impl Sectors {
    /// Those of a part of the disk.
    pub(super) fn of(part: &MapEntry, sector: u64) -> Sectors {
        Sectors {
            first: part.start / sector,
            count: part.size() / sector,
        }
    }

    /// One past the last one.
    pub(super) fn end(self) -> u64 {
        self.first + self.count
    }
}

/// A record whose place counts from the sector `base`.
pub(super) fn record(os_type: u8, sectors: Sectors, base: u64) -> PartitionRecord {
    let last = sectors.end().saturating_sub(1);
    PartitionRecord {
        boot_indicator: 0,
        starting_chs: chs(sectors.first).unwrap_or(CHS_MAX),
        os_type,
        ending_chs: chs(last).unwrap_or(CHS_MAX),
        starting_lba: number(sectors.first.saturating_sub(base)),
        size_in_lba: number(sectors.count),
    }
}

/// The record of a partition that is in an MBR, or empty.
pub(super) fn partition(part: &MapEntry, entry: &Entry, sector: u64, base: u64) -> PartitionRecord {
    let Some(kind) = entry.type_in_mbr() else {
        return PartitionRecord::default();
    };
    PartitionRecord {
        boot_indicator: if entry.attributes.contain(Attributes::BOOTABLE) {
            ACTIVE
        } else {
            0
        },
        ..record(kind.0, Sectors::of(part, sector), base)
    }
}

/// A number of 32 bits, or as much as they can say.
pub(super) fn number(number: u64) -> U32 {
    U32::new(u32::try_from(number).unwrap_or(u32::MAX))
}

/// A sector with records.
pub(super) fn sector(signature: u32, partition_record: [PartitionRecord; 4]) -> LegacyMbr {
    LegacyMbr {
        boot_code: [0; BOOT_CODE_SIZE],
        unique_mbr_disk_signature: U32::new(signature),
        unknown: [0; 2],
        partition_record,
        signature: MBR_SIGNATURE,
    }
}

/// A block's head, sector and cylinder on a disk with the usual 255 heads and 63 sectors, when its cylinder is one
/// of the 1024 that can be said.
pub(super) fn chs(lba: u64) -> Option<[u8; 3]> {
    let (track, sector) = (lba / 63, lba % 63 + 1);
    let (cylinder, head) = (track / 255, track % 255);
    let byte = |number: u64| u8::try_from(number).ok();
    if cylinder >= 1024 {
        return None;
    }
    Some([
        byte(head)?,
        byte(sector | cylinder >> 8 << 6)?,
        byte(cylinder & 0xff)?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_heads_up_to_a_limit() {
        assert_eq!(chs(0), Some([0, 1, 0]));
        assert_eq!(chs(62), Some([0, 63, 0]));
        assert_eq!(chs(63), Some([1, 1, 0]));
        // As sfdisk writes it for a partition at 8 MiB.
        assert_eq!(chs(16384), Some([5, 5, 1]));
        let all = 1024 * 255 * 63;
        assert_eq!(chs(all - 1), Some([254, 0xff, 0xff]));
        assert_eq!(chs(all), None);
        assert_eq!(chs(u64::MAX), None);
    }
}
