//! The names of partitions.

use std::collections::BTreeMap;
use std::sync::Arc;

use disk::SectorSize;
use disk::read::{Disk, Partition, Table};
use image::{Content, NAME_MAX};

use crate::format::{Format, source};
use crate::{Error, Result};

/// As many partitions are looked at to find out how large an MBR's sectors are.
const LOOKED_AT: usize = 8;

/// Opens a disk. An MBR does not say how large its sectors are: they have 512 bytes, unless more of what is known lies where
/// its entries lead with sectors of 4096.
pub(crate) fn open(content: &Content) -> Result<Disk> {
    let is_mbr = |disk: &Disk| matches!(disk.table, Table::Mbr(_));
    let usual = Disk::open(content, content.len());
    let known_by_512 = match &usual {
        Ok(disk) if is_mbr(disk) && !disk.partitions.is_empty() => known(content, disk),
        // Entries that lead nowhere may do so with these sectors alone.
        Err(disk::Error::PartitionDamaged { .. } | disk::Error::ExtendedDamaged { .. }) => 0,
        Ok(_) | Err(_) => return Ok(usual?),
    };
    let large = Disk::open_with_sectors(content, content.len(), SectorSize::B4096);
    match large {
        Ok(large) if is_mbr(&large) && known(content, &large) > known_by_512 => Ok(large),
        _ => Ok(usual?),
    }
}

/// In how many partitions something is known, as far as one looks.
fn known(disk: &Content, table: &Disk) -> usize {
    let partitions = table.partitions.iter().take(LOOKED_AT);
    let formats = partitions.map(|partition| Format::of(&content(disk, partition)));
    formats
        .filter(|format| format.as_ref().is_ok_and(|format| *format != Format::Unknown))
        .count()
}

/// The name that each partition has in the namespace: its own, or its number where it has none, shares it with another,
/// or has one that cannot be a file's.
#[must_use]
pub fn names(disk: &Disk) -> Vec<(String, &Partition)> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for partition in &disk.partitions {
        *count.entry(&partition.name).or_default() += 1;
    }
    let name = |partition: &Partition| {
        let name = &partition.name;
        if is_usable(name) && count.get(name.as_str()) == Some(&1) {
            name.clone()
        } else {
            partition.entry.number.to_string()
        }
    };
    disk.partitions
        .iter()
        .map(|partition| (name(partition), partition))
        .collect()
}

fn is_usable(name: &str) -> bool {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    !is_number && !matches!(name, "." | "..") && !name.contains(['/', '\0']) && name.len() <= NAME_MAX
}

/// The partition of a name or number.
///
/// # Errors
/// When several have the name.
pub fn one<'a>(disk: &'a Disk, name: &[u8]) -> Result<Option<&'a Partition>> {
    let Ok(name) = std::str::from_utf8(name) else {
        return Ok(None);
    };
    let named: Vec<&Partition> = disk
        .partitions
        .iter()
        .filter(|partition| is_usable(name) && partition.name == name)
        .collect();
    match &named[..] {
        [] => Ok(name.parse().ok().and_then(|number| disk.partition(number))),
        [one] => Ok(Some(one)),
        several => {
            let numbers: Vec<String> = several
                .iter()
                .map(|partition| partition.entry.number.to_string())
                .collect();
            Err(Error::SeveralPartitions {
                name: name.into(),
                numbers: numbers.join(", "),
            })
        }
    }
}

/// The bytes of a partition of a disk with these bytes.
#[must_use]
pub fn content(disk: &Content, partition: &Partition) -> Content {
    partition.content(Arc::clone(&source(disk)))
}
