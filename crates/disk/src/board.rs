//! What boot ROMs want of a disk.

use crate::MbrType;

/// A family of boards: where its boot ROM looks, and how early partitions may begin.
///
/// A region that has the name of one of the blobs goes to the blob's place, and may be a partition there. Other
/// partitions begin at `first_partition_min` or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    /// Its name in a specification.
    pub name: &'static str,
    /// Which boards and chips it stands for.
    pub description: &'static str,
    /// What the boot ROM and its successors load by place.
    pub blobs: &'static [Blob],
    /// Where the boot ROM looks for a loader, or for what leads to one. What nothing else lies at is zeros that an
    /// image promises: an older loader that stays in a gap would run in place of the new one, or after it failed.
    pub looks_at: &'static [u64],
    /// The first byte at which a partition may begin.
    pub first_partition_min: u64,
    /// The types in an MBR that the boot ROM takes for its first partition; none: it does not look at them.
    pub first_types: &'static [MbrType],
    /// The same in a GPT that no MBR stands for.
    pub first_gpt_types: &'static [&'static str],
    /// The type of the partitions that the firmware chooses from by their [`ChromeOs`](crate::ChromeOs) attributes.
    pub boots_type: Option<&'static str>,
    /// What else is to be known, as one sentence for people.
    pub notes: &'static str,
}

/// Something that is found by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The name of its region.
    pub name: &'static str,
    /// Its first byte.
    pub start: u64,
    /// Where something else begins at the latest.
    pub max_end: Option<u64>,
    /// The type of the partition that it has to be, when that is how it is found.
    pub partition_type: Option<&'static str>,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The sector that boot ROMs count in.
const SECTOR: u64 = 512;

/// How far apart copies of Rockchip's first loader are.
const IDBLOCK_STEP: u64 = 1024 * SECTOR;

const fn blob(name: &'static str, start: u64, max_end: Option<u64>) -> Blob {
    Blob {
        name,
        start,
        max_end,
        partition_type: None,
    }
}

const fn partition(name: &'static str, kind: &'static str, start: u64, max_end: Option<u64>) -> Blob {
    Blob {
        partition_type: Some(kind),
        ..blob(name, start, max_end)
    }
}

/// What most boards are like: without rules.
const PLAIN: Board = Board {
    name: "",
    description: "",
    blobs: &[],
    looks_at: &[],
    first_partition_min: 0,
    first_types: &[],
    first_gpt_types: &[],
    boots_type: None,
    notes: "",
};

impl Board {
    /// All boards, sorted by name. The places are those of U-Boot's
    /// [documentation](https://docs.u-boot.org/en/latest/board/index.html).
    pub const ALL: &'static [Board] = &[
        Board {
            name: "allwinner",
            description: "Allwinner H3 and later, all of its 64-bit chips: SD card and eMMC",
            blobs: &[blob("u-boot-sunxi-with-spl", 256 * SECTOR, None)],
            looks_at: &[16 * SECTOR, 256 * SECTOR],
            first_partition_min: MIB,
            notes: "the boot ROM looks at 8 KiB first, and then at 128 KiB, which is behind a GPT",
            ..PLAIN
        },
        Board {
            name: "allwinner-8k",
            description: "Allwinner chips before the H3, or boards that are set up for 8 KiB",
            blobs: &[blob("u-boot-sunxi-with-spl", 16 * SECTOR, None)],
            looks_at: &[16 * SECTOR, 256 * SECTOR],
            first_partition_min: MIB,
            notes: "8 KiB is amid the entries of a usual GPT: use a header hole, 56 entries, or an MBR",
            ..PLAIN
        },
        Board {
            name: "am335x",
            description: "TI AM335x: SD card and eMMC in raw mode",
            blobs: &[
                blob("MLO", 256 * SECTOR, Some(768 * SECTOR)),
                blob("u-boot", 768 * SECTOR, None),
            ],
            looks_at: &[0, 256 * SECTOR, 512 * SECTOR, 768 * SECTOR],
            first_partition_min: MIB,
            notes: "the boot ROM reads MLO from a FAT partition too, which needs no raw blob",
            ..PLAIN
        },
        Board {
            name: "chromebook",
            description: "Chromebooks that boot a signed kernel partition",
            boots_type: Some("chromeos-kernel"),
            notes: "a partition of type chromeos-kernel boots when its priority is not 0",
            ..PLAIN
        },
        Board {
            name: "imx6",
            description: "NXP i.MX 6 and 7: SD card",
            blobs: &[
                blob("SPL", 2 * SECTOR, Some(69 * KIB)),
                blob("u-boot", 69 * KIB, None),
            ],
            looks_at: &[SECTOR, 2 * SECTOR],
            first_partition_min: MIB,
            notes: "1 KiB is amid the entries of a usual GPT: use a header hole, or an MBR",
            ..PLAIN
        },
        Board {
            name: "imx8m",
            description: "NXP i.MX 8M Quad and 8M Mini: SD card",
            blobs: &[blob("flash", 66 * SECTOR, None)],
            looks_at: &[65 * SECTOR, 66 * SECTOR],
            first_partition_min: MIB,
            notes: "flash.bin is at 33 KiB, not at 32 KiB as on later chips",
            ..PLAIN
        },
        Board {
            name: "imx8mp",
            description: "NXP i.MX 8M Plus, 8M Nano, 8ULP and i.MX 9: SD card",
            blobs: &[blob("flash", 64 * SECTOR, None)],
            looks_at: &[64 * SECTOR, 4 * MIB],
            first_partition_min: MIB,
            notes: "flash.bin is at 32 KiB, not at 33 KiB as on earlier chips",
            ..PLAIN
        },
        Board {
            name: "raspberrypi",
            description: "Raspberry Pi: SD card and USB",
            first_types: &[MbrType(0x0b), MbrType(0x0c), MbrType(0x06), MbrType(0x0e)],
            first_gpt_types: &["esp", "basic-data"],
            notes: "the first partition is FAT; a GPT alone needs a Raspberry Pi 4 or later, a hybrid table does not",
            ..PLAIN
        },
        Board {
            name: "rockchip",
            description: "Rockchip RK33xx and RK35xx: SD card and eMMC",
            blobs: &[
                blob("idbloader", 64 * SECTOR, Some(0x3f_8000)),
                blob("u-boot-env", 0x3f_8000, Some(4 * MIB)),
                blob("u-boot-rockchip", 64 * SECTOR, Some(16 * MIB)),
                blob("u-boot", 16384 * SECTOR, Some(16 * MIB)),
                blob("trust", 24576 * SECTOR, Some(16 * MIB)),
            ],
            looks_at: &[
                64 * SECTOR,
                64 * SECTOR + IDBLOCK_STEP,
                64 * SECTOR + 2 * IDBLOCK_STEP,
                64 * SECTOR + 3 * IDBLOCK_STEP,
                64 * SECTOR + 4 * IDBLOCK_STEP,
            ],
            first_partition_min: 16 * MIB,
            notes: "idbloader reads u-boot.itb at 8 MiB, which may reach up to 16 MiB",
            ..PLAIN
        },
        Board {
            name: "sifive-unmatched",
            description: "SiFive HiFive Unmatched: SD card",
            blobs: &[
                partition("spl", "hifive-fsbl", 34 * SECTOR, Some(2082 * SECTOR)),
                partition("u-boot", "hifive-bbl", 2082 * SECTOR, None),
            ],
            first_partition_min: MIB,
            notes: "spl and u-boot are partitions of the types hifive-fsbl and hifive-bbl",
            ..PLAIN
        },
    ];

    /// The board called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Board> {
        Board::ALL.iter().find(|board| board.name == name)
    }

    /// The blob called `name`.
    #[must_use]
    pub fn blob(&self, name: &str) -> Option<&'static Blob> {
        self.blobs.iter().find(|blob| blob.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PartitionType;

    #[test]
    fn the_table_is_sound() {
        assert!(Board::ALL.is_sorted_by_key(|board| board.name));
        for board in Board::ALL {
            assert_eq!(Board::named(board.name), Some(board));
            assert!(board.looks_at.is_sorted(), "{}", board.name);
            let types = board.blobs.iter().filter_map(|blob| blob.partition_type);
            for kind in types
                .chain(board.boots_type)
                .chain(board.first_gpt_types.iter().copied())
            {
                assert!(PartitionType::parse(kind).is_ok(), "{kind}");
            }
            for blob in board.blobs {
                assert!(blob.max_end.is_none_or(|end| end > blob.start), "{}", blob.name);
                let same = board.blobs.iter().filter(|other| other.name == blob.name);
                assert_eq!(same.count(), 1);
            }
        }
        assert_eq!(Board::named("Rockchip"), None);
    }

    #[test]
    fn rockchip_is_as_its_boot_rom_wants_it() {
        let board = Board::named("rockchip").unwrap();
        assert_eq!(board.blob("idbloader").unwrap().start, 32 << 10);
        assert_eq!(board.blob("u-boot").unwrap().start, 8 << 20);
        assert_eq!(board.first_partition_min, 16 << 20);
    }
}
