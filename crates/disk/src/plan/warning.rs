//! What works, and is worth a look.

use std::fmt;

use serde::Serialize;

use crate::{Attributes, Bytes, Kind, MapEntry, Options, Table};

/// Something that works, and is worth a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "warning")]
pub enum Warning {
    /// A partition that no 4 KiB block begins with, which makes flash slow.
    Unaligned {
        /// The partition's name.
        name: String,
        /// Its first byte.
        start: u64,
    },
    /// A table with less than the 16 KiB of entries that UEFI firmware may insist on.
    FewEntries {
        /// How many entries.
        entries: u32,
    },
    /// More than one active partition in an MBR.
    SeveralBootable {
        /// Their names.
        names: Vec<String>,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Unaligned { name, start } => write!(
                f,
                "{name}: the partition starts at {} ({start:#x}), which is no multiple of 4 KiB",
                Bytes(*start)
            ),
            Warning::FewEntries { entries } => write!(
                f,
                "the table has {entries} entries, UEFI wants room for 128; boards that boot by place do not care"
            ),
            Warning::SeveralBootable { names } => write!(
                f,
                "{}: all are bootable, and a BIOS expects one such partition; U-Boot does not care",
                names.join(", ")
            ),
        }
    }
}

pub(super) fn warnings(options: &Options, map: &[MapEntry]) -> Vec<Warning> {
    let partitions = || map.iter().filter(|entry| entry.kind == Kind::Partition);
    let mut warnings: Vec<Warning> = partitions()
        .filter(|entry| entry.start % 4096 != 0)
        .map(|entry| Warning::Unaligned {
            name: entry.name.clone(),
            start: entry.start,
        })
        .collect();
    if let Table::Gpt(gpt) | Table::Hybrid(gpt, _) = &options.table
        && gpt.entries < 128
    {
        warnings.push(Warning::FewEntries { entries: gpt.entries });
    }
    let active = partitions().filter(|entry| {
        let in_mbr = |partition: &crate::Entry| partition.type_in_mbr().is_some();
        entry
            .partition
            .is_some_and(|partition| in_mbr(&partition) && partition.attributes.contain(Attributes::BOOTABLE))
    });
    let names: Vec<String> = active.map(|entry| entry.name.clone()).collect();
    if names.len() > 1 {
        warnings.push(Warning::SeveralBootable { names });
    }
    warnings
}
