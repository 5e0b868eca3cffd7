//! The names of partitions.

use std::collections::BTreeMap;
use std::sync::Arc;

use disk::read::{Disk, Partition};
use image::{Content, NAME_MAX};

use crate::format::source;
use crate::{Error, Result};

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
