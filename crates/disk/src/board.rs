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
    /// The first byte at which a partition may begin.
    pub first_partition_min: u64,
    /// The types in an MBR that the boot ROM takes for its first partition; none: it does not look at them.
    pub first_types: &'static [MbrType],
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
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The sector that boot ROMs count in.
const SECTOR: u64 = 512;

const fn blob(name: &'static str, start: u64, max_end: Option<u64>) -> Blob {
    Blob { name, start, max_end }
}

impl Board {
    /// All boards, sorted by name. The places are those of U-Boot's
    /// [documentation](https://docs.u-boot.org/en/latest/board/index.html).
    pub const ALL: &'static [Board] = &[
        Board {
            name: "allwinner",
            description: "Allwinner H3 and later, all of its 64-bit chips: SD card and eMMC",
            blobs: &[blob("u-boot-sunxi-with-spl", 256 * SECTOR, None)],
            first_partition_min: MIB,
            first_types: &[],
            notes: "the boot ROM looks at 8 KiB first, and then at 128 KiB, which is behind a GPT",
        },
        Board {
            name: "allwinner-8k",
            description: "Allwinner chips before the H3, or boards that are set up for 8 KiB",
            blobs: &[blob("u-boot-sunxi-with-spl", 16 * SECTOR, None)],
            first_partition_min: MIB,
            first_types: &[],
            notes: "8 KiB is amid the entries of a usual GPT: use a header hole, 56 entries, or an MBR",
        },
        Board {
            name: "am335x",
            description: "TI AM335x: SD card and eMMC in raw mode",
            blobs: &[
                blob("MLO", 256 * SECTOR, Some(768 * SECTOR)),
                blob("u-boot", 768 * SECTOR, None),
            ],
            first_partition_min: MIB,
            first_types: &[],
            notes: "the boot ROM reads MLO from a FAT partition too, which needs no raw blob",
        },
        Board {
            name: "chromebook",
            description: "Chromebooks that boot a signed kernel partition",
            blobs: &[],
            first_partition_min: 0,
            first_types: &[],
            notes: "a partition of type chromeos-kernel boots when its priority is not 0",
        },
        Board {
            name: "imx6",
            description: "NXP i.MX 6 and 7: SD card",
            blobs: &[
                blob("SPL", 2 * SECTOR, Some(69 * KIB)),
                blob("u-boot", 69 * KIB, None),
            ],
            first_partition_min: MIB,
            first_types: &[],
            notes: "1 KiB is amid the entries of a usual GPT: use a header hole, or an MBR",
        },
        Board {
            name: "imx8m",
            description: "NXP i.MX 8M Quad and 8M Mini: SD card",
            blobs: &[blob("flash", 66 * SECTOR, None)],
            first_partition_min: MIB,
            first_types: &[],
            notes: "flash.bin is at 33 KiB, not at 32 KiB as on later chips",
        },
        Board {
            name: "imx8mp",
            description: "NXP i.MX 8M Plus, 8M Nano, 8ULP and i.MX 9: SD card",
            blobs: &[blob("flash", 64 * SECTOR, None)],
            first_partition_min: MIB,
            first_types: &[],
            notes: "flash.bin is at 32 KiB, not at 33 KiB as on earlier chips",
        },
        Board {
            name: "raspberrypi",
            description: "Raspberry Pi: SD card and USB",
            blobs: &[],
            first_partition_min: 0,
            first_types: &[MbrType(0x0b), MbrType(0x0c), MbrType(0x06), MbrType(0x0e)],
            notes: "the first partition is FAT; a GPT alone needs a Raspberry Pi 4 or later, a hybrid table does not",
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
            first_partition_min: 16 * MIB,
            first_types: &[],
            notes: "idbloader reads u-boot.itb at 8 MiB, which may reach up to 16 MiB",
        },
        Board {
            name: "sifive-unmatched",
            description: "SiFive HiFive Unmatched: SD card",
            blobs: &[
                blob("spl", 34 * SECTOR, Some(2082 * SECTOR)),
                blob("u-boot", 2082 * SECTOR, None),
            ],
            first_partition_min: MIB,
            first_types: &[],
            notes: "spl and u-boot are partitions of the types hifive-fsbl and hifive-bbl",
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

    #[test]
    fn the_table_is_sound() {
        assert!(Board::ALL.is_sorted_by_key(|board| board.name));
        for board in Board::ALL {
            assert_eq!(Board::named(board.name), Some(board));
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
