//! Disks: named regions and partition tables become one image.
//!
//! A disk is a list of [regions](Region). Each has a name, a place, a size and a content; one that is also a
//! [`Partition`] is entered in the table, the others are raw blobs that a boot ROM finds by their place alone.
//! [`plan`] gives each region its place, checks all pairs for overlaps (the table's own parts are regions like
//! any other) and makes an [`Image`](image::Image) of them, with a map for people. The bytes between regions, and
//! behind a content that is smaller than its region, stay holes.
//!
//! A [GUID Partition Table](https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html) lies on the disk
//! twice; all addresses in it are sectors (LBA) of 512 or 4096 bytes:
//!
//! ```text
//!  LBA 0   1        2                                                                      last
//!  ┌──────┬────────┬─ ─ ─ ─ ─┬─────────┬──────────────────────────────────┬─────────┬────────┐
//!  │ MBR  │ header │  header │ entries │ blobs, partitions and free space │ entries │ header │
//!  │      │        │   hole  │ 128 × 128 bytes                            │ (copy)  │ (copy) │
//!  └──────┴────────┴─ ─ ─ ─ ─┴─────────┴──────────────────────────────────┴─────────┴────────┘
//!   says "in use"   a blob     one for   ▲                                ▲
//!   to old tools    may go     each      first usable LBA                 last usable LBA
//!                   here       partition
//! ```
//!
//! The *header hole* moves the entries away from their usual place: the header stays at LBA 1, and the entries begin
//! at LBA 2 plus the hole. Boards whose boot ROM reads sector 16, such as many of Allwinner's, need that place.
//!
//! An [MBR](https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html#mbr-format) is one sector with four
//! records. When there are more than four partitions, one record is that of an *extended partition*, which holds the
//! *logical* ones as a chain: before each lies a sector, its extended boot record (EBR), that has its place and the
//! way to the next. Linux numbers the records 1 to 4, and the logical partitions from 5 on, along the chain:
//!
//! ```text
//!  LBA 0                                       4: extended, 0x0f
//!  ┌──────┬─────┬─────────┬─────────┬─────────┬─────┬───────────┬─────┬───────────┐
//!  │ MBR  │     │ 1       │ 2       │ 3       │ EBR │ 5         │ EBR │ 6         │
//!  └──────┴─────┴─────────┴─────────┴─────────┴─────┴───────────┴─────┴───────────┘
//!   code,         primary partitions           └─────────────────▲
//!   signature,                                  the way to the next record
//!   four records
//! ```
//!
//! A *hybrid* is a GPT whose MBR shows up to three of its partitions, with types of their own, to boot ROMs that know
//! no GPT. They come first, because the Raspberry Pi's looks there; behind them is the record that says that there is
//! a GPT, over what lies before them.
//!
//! Where boot ROMs look, and how early partitions may begin, is [data](Board::ALL), as are the
//! [names of partition types](TYPES), which all tables understand.
//!
//! [`read::Disk::open`] reads a table back; a GPT from either copy.

mod attributes;
mod board;
mod bytes;
mod error;
mod format;
mod guid;
mod hint;
mod ids;
mod map;
mod plan;
pub mod read;
mod types;

use image::{Content, Seed};
use uuid::Uuid;

pub use attributes::{Attributes, ChromeOs};
pub use board::{Blob, Board};
pub use bytes::{Bytes, Range};
pub use error::Error;
pub use guid::guid;
pub use ids::{DiskId, MbrType, PartUuid, TypeId};
pub use map::{Entry, Kind, MapEntry};
pub use plan::{Planned, Warning, check, plan};
pub use types::{PartitionType, TYPES, Type, type_of_guid, type_of_number};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a disk is like, apart from its regions.
#[derive(Clone, Debug)]
pub struct Options {
    /// The kind of partition table.
    pub table: Table,
    /// The unit of the disk's addresses.
    pub sector_size: SectorSize,
    /// How large the disk is.
    pub size: Size,
    /// Regions without a place begin at a multiple of this many bytes, and a fitting disk ends at one.
    pub align: u64,
    /// Every id that is not given derives from it.
    pub seed: Seed,
    /// What a BIOS runs: up to 440 bytes at the disk's start, before the records of its MBR.
    pub boot_code: Option<Content>,
    /// Whose rules to check.
    pub board: Option<&'static Board>,
}

impl Options {
    /// A GPT with 128 entries on a disk that fits, in sectors of 512 bytes, with regions at multiples of 1 MiB.
    #[must_use]
    pub fn new(seed: Seed) -> Options {
        Options {
            table: Table::Gpt(Gpt::default()),
            sector_size: SectorSize::B512,
            size: Size::Fit,
            align: 1 << 20,
            seed,
            boot_code: None,
            board: None,
        }
    }
}

/// A kind of partition table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Table {
    /// None: a disk of raw blobs.
    None,
    /// A GUID Partition Table.
    Gpt(Gpt),
    /// An MBR.
    Mbr(Mbr),
    /// A GUID Partition Table, some of whose partitions are in an MBR too.
    Hybrid(Gpt, Mbr),
}

/// What a GUID Partition Table is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpt {
    /// The disk's own GUID, derived from the seed (`disk`) when not given.
    pub disk_guid: Option<Uuid>,
    /// How many entries the table has room for, 1 to 1024. Usually 128; 56 leave sector 16 to a boot ROM.
    pub entries: u32,
    /// Bytes between the primary header and its entries, a multiple of the sector size. Usually 0.
    pub header_hole: u64,
}

impl Default for Gpt {
    fn default() -> Gpt {
        Gpt {
            disk_guid: None,
            entries: 128,
            header_hole: 0,
        }
    }
}

/// What an MBR is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mbr {
    /// What tells the disk from others, never 0; derived from the seed (`disk/signature`) when not given.
    pub signature: Option<u32>,
}

/// The unit of a disk's addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(into = "u64")]
pub enum SectorSize {
    /// 512 bytes: SD cards, eMMC, most disks.
    #[default]
    B512,
    /// 4096 bytes: UFS and some disks.
    B4096,
}

impl SectorSize {
    /// How many bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            SectorSize::B512 => 512,
            SectorSize::B4096 => 4096,
        }
    }

    /// The sector size with this many bytes.
    #[must_use]
    pub fn from_bytes(bytes: u64) -> Option<SectorSize> {
        [SectorSize::B512, SectorSize::B4096]
            .into_iter()
            .find(|size| size.bytes() == bytes)
    }
}

impl From<SectorSize> for u64 {
    fn from(size: SectorSize) -> u64 {
        size.bytes()
    }
}

/// How large a disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// This many bytes, a multiple of the sector size.
    Exactly(u64),
    /// As large as its regions and the table's copy need, rounded up to the alignment.
    Fit,
    /// The same, rounded up to this many bytes, a multiple of the sector size.
    FitTo(u64),
}

/// A named part of a disk.
#[derive(Clone, Debug)]
pub struct Region {
    /// The name, in a GPT also of the partition.
    pub name: String,
    /// Its first byte; none: where the board wants the blob of this name, or else behind the region before it in
    /// the list, aligned.
    pub place: Option<u64>,
    /// How many bytes; none: as many as the content, for partitions rounded up to whole sectors.
    pub size: Option<u64>,
    /// The bytes from its start on; none: a hole.
    pub content: Option<Content>,
    /// How it is entered in the table; none: a raw blob that the table does not know.
    pub partition: Option<Partition>,
}

/// How a region is entered in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// What it holds.
    pub kind: PartitionType,
    /// GPT: what the table calls it, which others may be called too; its region's name when not given.
    pub label: Option<String>,
    /// GPT: its own GUID, derived from the seed (`disk/region/NAME`) when not given.
    pub guid: Option<Uuid>,
    /// What is to be known before it is used. An MBR has only [`Attributes::BOOTABLE`].
    pub attributes: Attributes,
    /// Its number, from 1; the lowest free one when not given. In an MBR, 1 to 4 are primary partitions, and others
    /// logical ones; without numbers, all are primary, or when there are more than four, the first three.
    pub number: Option<u32>,
    /// Hybrid: what it holds in the words of the MBR, which makes it one of the up to three partitions there.
    pub mbr_type: Option<PartitionType>,
}

impl Partition {
    /// A partition of a type, with the attributes that [its type](Attributes::of_type) has.
    #[must_use]
    pub fn new(kind: PartitionType) -> Partition {
        Partition {
            kind,
            label: None,
            guid: None,
            attributes: Attributes::of_type(kind),
            number: None,
            mbr_type: None,
        }
    }
}
