//! Disks: named regions and partition tables become one image.
//!
//! A disk is a list of [regions](Region). Each has a name, a place, a size and a content; one that is also a
//! [`Partition`] is entered in the table, the others are raw blobs that a boot ROM finds by their place alone.
//! [`plan`] gives each region its place, checks all pairs for overlaps (the table's own parts are regions like
//! any other) and makes an [`Image`](image::Image) of them, with a map for people. The bytes between regions, and
//! behind a content that is smaller than its region, stay holes.
//!
//! The table is a [GUID Partition Table](https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html).
//! It lies on the disk twice; all addresses in it are sectors (LBA) of 512 or 4096 bytes:
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
//! Where boot ROMs look, and how early partitions may begin, is [data](Board::ALL), as are the
//! [names of partition types](TYPES).
//!
//! [`read::Disk::open`] reads a table back, from either copy.

mod attributes;
mod board;
mod error;
mod format;
mod guid;
mod map;
mod plan;
pub mod read;
mod types;

use image::{Content, Seed};
use uuid::Uuid;

pub use attributes::{Attributes, ChromeOs};
pub use board::{Blob, Board};
pub use error::{Bytes, Error, Range};
pub use guid::guid;
pub use map::{Kind, MapEntry, MapPartition};
pub use plan::{Planned, Warning, plan};
pub use types::{TYPES, Type, type_guid, type_name};

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
    /// Every GUID that is not given derives from it.
    pub seed: Seed,
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
}

/// A named part of a disk.
#[derive(Clone, Debug)]
pub struct Region {
    /// The name, also of the partition in the table.
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
    /// What it holds; see [`type_guid`].
    pub type_guid: Uuid,
    /// Its own GUID, derived from the seed (`disk/region/NAME`) when not given.
    pub guid: Option<Uuid>,
    /// What is to be known before it is used.
    pub attributes: Attributes,
    /// Its number, from 1; the lowest free one when not given.
    pub number: Option<u32>,
}

impl Partition {
    /// A partition of a type.
    #[must_use]
    pub fn new(type_guid: Uuid) -> Partition {
        Partition {
            type_guid,
            guid: None,
            attributes: Attributes::default(),
            number: None,
        }
    }
}
