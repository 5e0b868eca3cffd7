//! The map of a disk: what lies where, in disk order.

use std::fmt;

use serde::Serialize;

use crate::{Attributes, MbrType, PartUuid, Range, TypeId, type_of_guid, type_of_number};

/// One line of a disk's map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MapEntry {
    /// What kind of thing it is.
    pub kind: Kind,
    /// The region's name, for an extended boot record that of its partition; empty for other parts of the table.
    pub name: String,
    /// Its first byte.
    pub start: u64,
    /// One past its last byte.
    pub end: u64,
    /// How many of its bytes are given; the rest is a hole. None for free space and regions without content.
    pub content_len: Option<u64>,
    /// How it is entered in the table.
    pub partition: Option<Entry>,
    /// GPT: what the table calls it when that is not its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// What kind of thing lies at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The MBR that tells old tools that the disk is in use.
    ProtectiveMbr,
    /// The MBR that shows some of a GPT's partitions to old tools and boot ROMs.
    HybridMbr,
    /// The MBR that is the table.
    Mbr,
    /// What leads to a logical partition, and to the next one.
    ExtendedBootRecord,
    /// The primary GPT header.
    Header,
    /// The primary GPT entries.
    Entries,
    /// A region outside the table.
    Raw,
    /// A region that is a partition.
    Partition,
    /// The second copy of the GPT entries.
    BackupEntries,
    /// The second copy of the GPT header.
    BackupHeader,
    /// A gap.
    Free,
}

/// A partition's entry in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number, from 1.
    pub number: u32,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: TypeId,
    /// What Linux calls it.
    pub partuuid: PartUuid,
    /// Its attributes. That of an active partition in an MBR is [`Attributes::BOOTABLE`].
    pub attributes: Attributes,
    /// Its type in the MBR of a hybrid table, when it is in there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mbr_type: Option<MbrType>,
}

impl Entry {
    /// What an MBR calls its type, when it is in one: in a table that is an MBR, or in that of a hybrid.
    #[must_use]
    pub fn type_in_mbr(&self) -> Option<MbrType> {
        match self.kind {
            TypeId::Mbr(number) => Some(number),
            TypeId::Guid(_) => self.mbr_type,
        }
    }
}

impl MapEntry {
    pub(crate) fn new(kind: Kind, name: &str, start: u64, size: u64) -> MapEntry {
        MapEntry {
            kind,
            name: name.to_owned(),
            start,
            end: start.saturating_add(size),
            content_len: None,
            partition: None,
            label: None,
        }
    }

    /// A part of the table, all of whose bytes are given.
    pub(crate) fn of_table(kind: Kind, name: &str, start: u64, size: u64) -> MapEntry {
        MapEntry {
            content_len: Some(size),
            ..MapEntry::new(kind, name, start, size)
        }
    }

    /// What a GPT calls it.
    #[must_use]
    pub fn partition_name(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.name)
    }

    /// How many bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.end - self.start
    }

    /// The bytes that its content leaves unused.
    #[must_use]
    pub fn slack(&self) -> Option<u64> {
        self.content_len.map(|len| self.size() - len)
    }

    /// From where to where.
    #[must_use]
    pub fn range(&self) -> Range {
        Range {
            start: self.start,
            end: self.end,
        }
    }

    /// Its name for people: `partition boot-a`, `GPT header`.
    #[must_use]
    pub fn label(&self) -> String {
        match self.kind {
            Kind::Raw | Kind::Partition => format!("{} {}", self.kind, self.name),
            Kind::ExtendedBootRecord => format!("{} of {}", self.kind, self.name),
            _ => self.kind.to_string(),
        }
    }
}

impl Kind {
    /// Whether it is a part of the table's copy at the disk's end.
    #[must_use]
    pub fn is_backup(self) -> bool {
        matches!(self, Kind::BackupEntries | Kind::BackupHeader)
    }

    /// Whether it is a part of the table.
    #[must_use]
    pub fn is_table(self) -> bool {
        !matches!(self, Kind::Raw | Kind::Partition | Kind::Free)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::ProtectiveMbr => "protective MBR",
            Kind::HybridMbr => "hybrid MBR",
            Kind::Mbr => "MBR",
            Kind::ExtendedBootRecord => "extended boot record",
            Kind::Header => "GPT header",
            Kind::Entries => "GPT entries",
            Kind::Raw => "raw",
            Kind::Partition => "partition",
            Kind::BackupEntries => "backup GPT entries",
            Kind::BackupHeader => "backup GPT header",
            Kind::Free => "free",
        })
    }
}

/// One line for people, without units that hide bytes.
impl fmt::Display for MapEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#012x} {:#012x} {}", self.start, self.end, self.label())?;
        if let Some(partition) = &self.partition {
            write!(f, ", {partition}")?;
        }
        match (self.kind, self.content_len) {
            (Kind::Free, _) => write!(f, ", {} bytes", self.size()),
            (_, None) => write!(f, ", {} bytes, empty", self.size()),
            (_, Some(len)) if len == self.size() => write!(f, ", {len} bytes"),
            (_, Some(len)) => write!(f, ", {len} of {} bytes", self.size()),
        }
    }
}

/// Its number, its type, and what is unusual.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = match self.kind {
            TypeId::Guid(guid) => type_of_guid(guid),
            TypeId::Mbr(number) => type_of_number(number),
        };
        write!(f, "number {}, ", self.number)?;
        match known {
            Some(known) => f.write_str(known.name)?,
            None => self.kind.fmt(f)?,
        }
        if let Some(number) = self.mbr_type {
            write!(f, ", {number} in the MBR")?;
        }
        if self.attributes.contain(Attributes::BOOTABLE) {
            f.write_str(", bootable")?;
        }
        match self.partuuid {
            PartUuid::Guid(_) => Ok(()),
            partuuid @ PartUuid::Mbr { .. } => write!(f, ", PARTUUID {partuuid}"),
        }
    }
}

/// Adds the gaps between sorted, disjoint entries.
pub(crate) fn with_gaps(entries: Vec<MapEntry>, size: u64) -> Vec<MapEntry> {
    let mut map = Vec::with_capacity(entries.len() * 2 + 1);
    let mut position = 0;
    for entry in entries {
        if entry.start > position {
            map.push(MapEntry::new(Kind::Free, "", position, entry.start - position));
        }
        position = entry.end;
        map.push(entry);
    }
    if size > position {
        map.push(MapEntry::new(Kind::Free, "", position, size - position));
    }
    map
}
