//! What can go wrong with disks, whose fault it is, and what to do about it.

use std::fmt;
use std::io;

use image::Fault;
use uuid::Uuid;

use crate::map::MapEntry;

/// An error of disks.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Text that is not a GUID.
    #[error("{text}: is not a GUID: {problem}")]
    BadGuid {
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Text that is neither a type's name nor a GUID.
    #[error("{text}: is neither the name of a partition type nor a GUID")]
    UnknownType {
        /// The text.
        text: String,
    },
    /// A name that is not that of an attribute.
    #[error("{name}: is no attribute of partitions")]
    UnknownAttribute {
        /// The name.
        name: String,
    },
    /// A field of a `ChromeOS` partition that is too large for its four bits.
    #[error("{field}: {value} is above the limit of 15")]
    ChromeOsTooLarge {
        /// `priority` or `tries`.
        field: &'static str,
        /// Its value.
        value: u8,
    },
    /// An option of the disk that makes no sense.
    #[error("{option}: {value} {problem}")]
    BadOption {
        /// The option's name.
        option: &'static str,
        /// Its value.
        value: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A name that a region cannot have.
    #[error("{name:?}: {problem}")]
    BadName {
        /// The region's name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A name that does not fit its entry.
    #[error("{name}: the partition's name is {units} UTF-16 units long, the limit is 36")]
    NameTooLong {
        /// The name.
        name: String,
        /// Its UTF-16 units.
        units: usize,
    },
    /// Two regions with the same name.
    #[error("{name}: two regions have this name")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A region of no bytes, or whose size nothing tells.
    #[error("{name}: the region has no bytes")]
    Empty {
        /// The region's name.
        name: String,
    },
    /// A content that is larger than its region.
    #[error("{name}: the content has {len} bytes, the region has {size} ({}), {} too few", Bytes(*.size), .len - .size)]
    ContentTooLarge {
        /// The region's name.
        name: String,
        /// The content's bytes.
        len: u64,
        /// The region's bytes.
        size: u64,
    },
    /// A region that ends behind the last byte that numbers can name.
    #[error("{name}: the region ends behind the largest number of bytes there is")]
    TooFar {
        /// The region's name.
        name: String,
    },
    /// A region that ends behind the disk.
    #[error("{label} ({range}) ends {} bytes behind the disk's size of {size} bytes ({})", .range.end - .size, Bytes(*.size))]
    BeyondEnd {
        /// What it is.
        label: String,
        /// Where it is.
        range: Range,
        /// The disk's size.
        size: u64,
        /// How large the disk must be.
        needed: u64,
    },
    /// Two things at one place.
    #[error("{} ({}) and {} ({}) overlap by {}", .first.label(), .first.range(), .second.label(), .second.range(), Bytes(.first.end.min(.second.end) - .second.start))]
    Overlap {
        /// What starts first.
        first: Box<MapEntry>,
        /// The other.
        second: Box<MapEntry>,
        /// What to do about it.
        hint: String,
    },
    /// A partition that does not begin or end with a sector.
    #[error(
        "{name}: the partition {what} at byte {at} ({at:#x}), which is no multiple of the sector size of {sector}"
    )]
    NotAligned {
        /// The partition's name.
        name: String,
        /// `starts` or `ends`.
        what: &'static str,
        /// The byte.
        at: u64,
        /// The sector's bytes.
        sector: u64,
    },
    /// A partition where the table allows none.
    #[error("{name}: the partition ({range}) is outside the usable part of the disk ({usable})")]
    NotUsable {
        /// The partition's name.
        name: String,
        /// Where it is.
        range: Range,
        /// Where partitions may be.
        usable: Range,
    },
    /// A partition on a disk without a table.
    #[error("{name}: is a partition, and the disk has no partition table")]
    NoTable {
        /// The partition's name.
        name: String,
    },
    /// A partition's number that is no number of an entry.
    #[error("{name}: the partition's number is {number}, the table has entries 1 to {entries}")]
    BadNumber {
        /// The partition's name.
        name: String,
        /// The number.
        number: u32,
        /// How many entries there are.
        entries: u32,
    },
    /// Two partitions with the same number.
    #[error("{first} and {second}: both are partition number {number}")]
    DuplicateNumber {
        /// The name of the first.
        first: String,
        /// The name of the second.
        second: String,
        /// The number.
        number: u32,
    },
    /// More partitions than entries.
    #[error("the disk has {partitions} partitions, its table has {entries} entries")]
    TooManyPartitions {
        /// How many partitions.
        partitions: usize,
        /// How many entries.
        entries: u32,
    },
    /// A GUID of zeros, which means "none".
    #[error("{name}: the {what} is all zeros, which means that there is none")]
    NilGuid {
        /// The partition's name, or `the disk`.
        name: String,
        /// `type`, or `GUID`.
        what: &'static str,
    },
    /// Two partitions with one GUID.
    #[error("{first} and {second}: both have the GUID {guid}")]
    DuplicateGuid {
        /// The name of the first.
        first: String,
        /// The name of the second.
        second: String,
        /// The GUID.
        guid: Uuid,
    },
    /// A partition that begins where the board has its boot loaders.
    #[error("{name}: the partition starts at {} ({start:#x}), on {board} none may start before {} ({min:#x}): {notes}", Bytes(*.start), Bytes(*.min))]
    TooEarly {
        /// The partition's name.
        name: String,
        /// Its first byte.
        start: u64,
        /// The board's name.
        board: &'static str,
        /// The first byte that a partition may have.
        min: u64,
        /// Why.
        notes: &'static str,
    },
    /// A blob where the board does not look for it.
    #[error("{name}: starts at {} ({start:#x}), {board} looks for it at {} ({wanted:#x})", Bytes(*.start), Bytes(*.wanted))]
    WrongPlace {
        /// The region's name.
        name: String,
        /// Its first byte.
        start: u64,
        /// The board's name.
        board: &'static str,
        /// Where the board looks.
        wanted: u64,
    },
    /// A blob that reaches what the board has behind it.
    #[error("{name}: ends at {} ({end:#x}), on {board} it must end at {} ({max_end:#x}) at the latest", Bytes(*.end), Bytes(*.max_end))]
    BlobTooLarge {
        /// The region's name.
        name: String,
        /// One past its last byte.
        end: u64,
        /// The board's name.
        board: &'static str,
        /// One past the last byte that it may have.
        max_end: u64,
    },
    /// The image cannot be put together.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// The disk cannot be read.
    #[error("cannot read the disk at byte {start}: {source}")]
    Read {
        /// The first byte that was wanted.
        start: u64,
        /// What the system says.
        source: io::Error,
    },
    /// There is no GUID partition table.
    #[error("the disk has no GUID partition table")]
    NotGpt,
    /// Neither copy of the table can be used.
    #[error("the partition table is damaged: {primary}; its backup: {backup}")]
    TableDamaged {
        /// What is wrong with the first copy.
        primary: String,
        /// What is wrong with the second copy.
        backup: String,
    },
    /// A partition that cannot be there.
    #[error("partition {number} is damaged: {problem}")]
    PartitionDamaged {
        /// Its number.
        number: u32,
        /// What is wrong with it.
        problem: String,
    },
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::ContentTooLarge { .. }
            | Error::TooFar { .. }
            | Error::BeyondEnd { .. }
            | Error::TooManyPartitions { .. }
            | Error::BlobTooLarge { .. } => Fault::Limit,
            Error::Overlap { first, second, .. } if first.kind.is_backup() || second.kind.is_backup() => {
                Fault::Limit
            }
            Error::Read { .. } => Fault::Input,
            Error::NotGpt | Error::TableDamaged { .. } | Error::PartitionDamaged { .. } => Fault::Damaged,
            Error::Image(error) => error.fault(),
            _ => Fault::Request,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Overlap { hint, .. } => Some(hint.clone()),
            Error::BeyondEnd { needed, .. } => Some(larger_disk(*needed)),
            Error::Empty { name } => Some(format!("give {name} a size or a content")),
            Error::ContentTooLarge { name, len, .. } => Some(format!(
                "give {name} at least {len} bytes, or make its content smaller"
            )),
            Error::NotAligned { what, at, sector, .. } => {
                let before = at - at % sector;
                let verb = what.trim_end_matches('s');
                Some(format!(
                    "let it {verb} at byte {before} or {}",
                    before.saturating_add(*sector)
                ))
            }
            Error::NotUsable { usable, .. } => Some(format!(
                "place it between bytes {} and {}",
                usable.start, usable.end
            )),
            Error::TooEarly { min, .. } => Some(format!("place it at {} or later", Bytes(*min))),
            Error::WrongPlace { wanted, .. } => Some(format!(
                "leave its place out, or say {wanted} bytes; or give the region another name"
            )),
            _ => None,
        }
    }
}

pub(crate) fn larger_disk(needed: u64) -> String {
    format!("make the disk at least {needed} bytes large, or let it fit")
}

/// A range of bytes for people: exact in hexadecimal, and rounded in the largest unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:#x} to {:#x}, {} to {}",
            self.start,
            self.end,
            rounded(self.start),
            rounded(self.end)
        )
    }
}

/// With one digit behind the point when it is not exact.
fn rounded(bytes: u64) -> String {
    let unit = UNITS.into_iter().find(|(shift, _)| bytes >> shift > 0);
    match unit {
        Some((shift, name)) if bytes.trailing_zeros() < 10 => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        _ => Bytes(bytes).to_string(),
    }
}

/// Units by the power of two, the largest first.
const UNITS: [(u32, &str); 3] = [(30, "GiB"), (20, "MiB"), (10, "KiB")];

/// A number of bytes for people: `16 MiB`, `33 KiB`, `17 bytes`; never rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS
            .into_iter()
            .find(|(shift, _)| self.0 != 0 && self.0.trailing_zeros() >= *shift);
        match unit {
            Some((shift, name)) => write!(f, "{} {name}", self.0 >> shift),
            None if self.0 == 1 => f.write_str("1 byte"),
            None => write!(f, "{} bytes", self.0),
        }
    }
}
