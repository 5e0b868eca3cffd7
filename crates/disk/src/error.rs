//! What can go wrong with disks, whose fault it is, and what to do about it.

use std::io;

use image::Fault;
use uuid::Uuid;

use crate::map::MapEntry;
use crate::{Attributes, Bytes, MbrType, PartitionType, Range, TypeId};

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
    /// Text that is neither a type's name nor its id.
    #[error("{text}: is no name of a partition type, no GUID, and no number such as 0x83")]
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
    /// A field of a `ChromeOS` partition with a value that it cannot have.
    #[error("{field}={value}: must be {wanted}")]
    BadChromeOs {
        /// `priority`, `tries` or `successful`.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it can be.
        wanted: &'static str,
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
    /// A type that the table cannot hold.
    #[error("{name}: the type {kind} is unknown to {table}")]
    NotInTable {
        /// The partition's name.
        name: String,
        /// Its type.
        kind: PartitionType,
        /// `a GPT` or `an MBR`.
        table: &'static str,
    },
    /// A number in an MBR that no region can have.
    #[error("{name}: the type {kind} {why}")]
    ReservedType {
        /// The partition's name.
        name: String,
        /// Its type.
        kind: MbrType,
        /// What the type is for.
        why: &'static str,
    },
    /// Attributes that an MBR has no place for.
    #[error("{name}: an MBR knows no attribute but legacy-boot, the partition has {attributes}")]
    NoAttributes {
        /// The partition's name.
        name: String,
        /// Its attributes.
        attributes: Attributes,
    },
    /// A GUID of a partition in an MBR.
    #[error("{name}: partitions of an MBR have no GUIDs of their own, and {guid} was given")]
    NoGuid {
        /// The partition's name.
        name: String,
        /// The GUID.
        guid: Uuid,
    },
    /// A type in the MBR of a disk whose table is not a hybrid.
    #[error("{name}: has the type {kind} for the MBR of a hybrid table, and the table is no hybrid")]
    NotHybrid {
        /// The partition's name.
        name: String,
        /// The type.
        kind: PartitionType,
    },
    /// Too few or too many partitions for a hybrid's MBR.
    #[error("{count} partitions have a type in the MBR, in a hybrid table 1 to 3 can have one")]
    HybridCount {
        /// How many.
        count: usize,
    },
    /// A partition behind the last sector that an MBR can name.
    #[error("{name}: the partition ({range}) ends with sector {}, an MBR reaches up to sector {} ({})", .range.end / .sector - 1, .max_end / .sector - 1, Bytes(*.max_end))]
    BeyondReach {
        /// The partition's name.
        name: String,
        /// Where it is.
        range: Range,
        /// The sector's bytes.
        sector: u64,
        /// One past the last byte that a partition may have.
        max_end: u64,
    },
    /// Logical partitions that are not numbered one after the other.
    #[error(
        "{name}: the partition's number is {number}, the logical partitions have the numbers 5 to {last} without a gap"
    )]
    NumberGap {
        /// The partition's name.
        name: String,
        /// Its number.
        number: u32,
        /// The number that the last logical partition would have.
        last: u32,
    },
    /// Four primary partitions, and others.
    #[error(
        "the numbers 1 to 4 are all given, and the other partitions need an extended partition with one of them"
    )]
    NoExtended,
    /// Logical partitions whose numbers are in another order than their places.
    #[error(
        "{name}: the partition's number is {number}, and it lies before {first}, which is number {first_number}"
    )]
    LogicalOrder {
        /// The partition's name.
        name: String,
        /// Its number.
        number: u32,
        /// The name of the one before it in number and behind it in place.
        first: String,
        /// The number of that one.
        first_number: u32,
    },
    /// A primary partition amid logical ones.
    #[error("{name}: the primary partition ({range}) is inside the extended partition ({extended})")]
    InsideExtended {
        /// The partition's name.
        name: String,
        /// Where it is.
        range: Range,
        /// Where the extended partition is.
        extended: Range,
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
    /// A first partition that the board does not look at.
    #[error("{name}: the partition's type in the {table} is {kind}, {board} boots from a first partition of the type {}", list(.wanted))]
    BoardType {
        /// The partition's name.
        name: String,
        /// The table that the board reads: `MBR` or `GPT`.
        table: &'static str,
        /// The partition's type there.
        kind: TypeId,
        /// The board's name.
        board: &'static str,
        /// The types that the board knows.
        wanted: Vec<String>,
    },
    /// A blob that the board finds by the type of its partition, which it has not.
    #[error("{name}: is {}, {board} finds it as a partition of the type {wanted}", .kind.map_or_else(|| "no partition".to_owned(), |kind| format!("of the type {kind}")))]
    BlobType {
        /// The region's name.
        name: String,
        /// The partition's type; none: it is no partition.
        kind: Option<TypeId>,
        /// The board's name.
        board: &'static str,
        /// The type that the board looks for.
        wanted: &'static str,
    },
    /// No partition that the board would boot.
    #[error(
        "the disk: {board} boots from a partition of the type {kind} whose priority is not 0, and that has tries left or is successful; there is none"
    )]
    NothingBoots {
        /// The board's name.
        board: &'static str,
        /// The type that the board looks for.
        kind: &'static str,
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
    /// There is neither a GPT nor an MBR.
    #[error("the disk has no partition table")]
    NotPartitioned,
    /// Neither copy of the table can be used.
    #[error("the partition table is damaged: {primary}; its backup: {backup}")]
    TableDamaged {
        /// What is wrong with the first copy.
        primary: String,
        /// What is wrong with the second copy.
        backup: String,
    },
    /// A chain of logical partitions that leads nowhere.
    #[error("the extended partition is damaged in sector {sector}: {problem}")]
    ExtendedDamaged {
        /// The sector of the record that is wrong.
        sector: u64,
        /// What is wrong with it.
        problem: String,
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
            | Error::BeyondReach { .. }
            | Error::BlobTooLarge { .. } => Fault::Limit,
            Error::Overlap { first, second, .. } if first.kind.is_backup() || second.kind.is_backup() => {
                Fault::Limit
            }
            Error::HybridCount { count } if *count > 0 => Fault::Limit,
            Error::Read { .. } => Fault::Input,
            Error::NotPartitioned
            | Error::TableDamaged { .. }
            | Error::ExtendedDamaged { .. }
            | Error::PartitionDamaged { .. } => Fault::Damaged,
            Error::Image(error) => error.fault(),
            _ => Fault::Request,
        }
    }
}

fn list(types: &[String]) -> String {
    match types.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => types.concat(),
    }
}
