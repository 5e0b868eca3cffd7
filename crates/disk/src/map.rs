//! The map of a disk: what lies where, in disk order.

use std::fmt;

use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::error::Range;
use crate::{Attributes, type_name};

/// One line of a disk's map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MapEntry {
    /// What kind of thing it is.
    pub kind: Kind,
    /// The region's name; empty for what is no region.
    pub name: String,
    /// Its first byte.
    pub start: u64,
    /// One past its last byte.
    pub end: u64,
    /// How many of its bytes are given; the rest is a hole. None for free space and regions without content.
    pub content_len: Option<u64>,
    /// How it is entered in the table.
    pub partition: Option<MapPartition>,
}

/// What kind of thing lies at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The MBR that tells old tools that the disk is in use.
    ProtectiveMbr,
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
pub struct MapPartition {
    /// Its number, from 1.
    pub number: u32,
    /// What it holds.
    #[serde(serialize_with = "as_text")]
    pub type_guid: Uuid,
    /// Its own GUID.
    #[serde(serialize_with = "as_text")]
    pub guid: Uuid,
    /// Its attributes.
    #[serde(serialize_with = "as_text")]
    pub attributes: Attributes,
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
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
        }
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
            let guid = partition.type_guid;
            let known = type_name(guid).map_or_else(|| guid.to_string(), str::to_owned);
            write!(f, ", number {}, {known}", partition.number)?;
        }
        match (self.kind, self.content_len) {
            (Kind::Free, _) => write!(f, ", {} bytes", self.size()),
            (_, None) => write!(f, ", {} bytes, empty", self.size()),
            (_, Some(len)) if len == self.size() => write!(f, ", {len} bytes"),
            (_, Some(len)) => write!(f, ", {len} of {} bytes", self.size()),
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
