//! The numbers of partitions.

use std::collections::BTreeMap;

use crate::{Error, Partition, Region, Result};

/// How many records an MBR has, which are the numbers 1 to 4.
pub(super) const RECORDS: u32 = 4;

/// The last number of an MBR's partition. Linux reads more, fdisk does not.
const MBR_LAST: u32 = 60;

/// What a region is to the table.
#[derive(Clone, Copy)]
pub(super) enum Role {
    /// Nothing.
    Raw,
    /// The partition with this number.
    Entry(u32),
    /// The logical partition with this number.
    Logical(u32),
}

impl Role {
    /// The partition's number.
    pub(super) fn number(self) -> Option<u32> {
        match self {
            Role::Raw => None,
            Role::Entry(number) | Role::Logical(number) => Some(number),
        }
    }
}

/// A disk without table has no partitions.
pub(super) fn none(regions: &[Region]) -> Result<Vec<Role>> {
    match partitions(regions).next() {
        Some((name, _)) => Err(Error::NoTable {
            name: name.to_owned(),
        }),
        None => Ok(regions.iter().map(|_| Role::Raw).collect()),
    }
}

/// The numbers of a GPT with this many entries.
pub(super) fn gpt(regions: &[Region], entries: u32) -> Result<Vec<Role>> {
    let given = given(regions, entries)?;
    let free = (1..=entries).filter(|number| !given.contains_key(number));
    give(regions, free, entries, Role::Entry)
}

/// The numbers of an MBR: up to four records, or three, an extended partition, and logical partitions in it.
pub(super) fn mbr(regions: &[Region]) -> Result<Vec<Role>> {
    let given = given(regions, MBR_LAST)?;
    let logical_is_given = given.keys().any(|number| *number > RECORDS);
    if !logical_is_given && partitions(regions).count() <= RECORDS as usize {
        let free = (1..=RECORDS).filter(|number| !given.contains_key(number));
        return give(regions, free, RECORDS, Role::Entry);
    }
    let extended = last_free(|number| given.contains_key(&number)).ok_or(Error::NoExtended)?;
    let free = (1..=MBR_LAST).filter(|number| *number != extended && !given.contains_key(number));
    let roles = give(regions, free, MBR_LAST - 1, |number| match number {
        ..=RECORDS => Role::Entry(number),
        _ => Role::Logical(number),
    })?;
    without_gap(regions, &roles)?;
    Ok(roles)
}

/// The number of an extended partition: the last one that no primary partition has.
pub(super) fn last_free(taken: impl Fn(u32) -> bool) -> Option<u32> {
    (1..=RECORDS).rev().find(|number| !taken(*number))
}

fn partitions(regions: &[Region]) -> impl Iterator<Item = (&str, &Partition)> {
    regions
        .iter()
        .filter_map(|region| Some((region.name.as_str(), region.partition.as_ref()?)))
}

/// The numbers that are given, each once and in the table, and who has them.
fn given(regions: &[Region], entries: u32) -> Result<BTreeMap<u32, &str>> {
    let mut given = BTreeMap::new();
    for (name, partition) in partitions(regions) {
        let Some(number) = partition.number else { continue };
        if number == 0 || number > entries {
            return Err(Error::BadNumber {
                name: name.to_owned(),
                number,
                entries,
            });
        }
        if let Some(first) = given.insert(number, name) {
            return Err(Error::DuplicateNumber {
                first: first.to_owned(),
                second: name.to_owned(),
                number,
            });
        }
    }
    Ok(given)
}

/// Gives the free numbers, of which there are enough for up to `entries` partitions, to those without one.
fn give(
    regions: &[Region],
    mut free: impl Iterator<Item = u32>,
    entries: u32,
    role: impl Fn(u32) -> Role,
) -> Result<Vec<Role>> {
    let mut roles = Vec::with_capacity(regions.len());
    for region in regions {
        roles.push(match &region.partition {
            None => Role::Raw,
            Some(partition) => match partition.number.or_else(|| free.next()) {
                Some(number) => role(number),
                None => {
                    return Err(Error::TooManyPartitions {
                        partitions: partitions(regions).count(),
                        entries,
                    });
                }
            },
        });
    }
    Ok(roles)
}

/// Linux counts logical partitions along their chain, so a number that nobody has cannot be.
fn without_gap(regions: &[Region], roles: &[Role]) -> Result<()> {
    let mut logical: Vec<(u32, &Region)> = regions
        .iter()
        .zip(roles)
        .filter_map(|(region, role)| match role {
            Role::Logical(number) => Some((*number, region)),
            Role::Raw | Role::Entry(_) => None,
        })
        .collect();
    logical.sort_by_key(|(number, _)| *number);
    for ((number, region), expected) in logical.iter().zip(RECORDS + 1..) {
        if *number != expected {
            return Err(Error::NumberGap {
                name: region.name.clone(),
                number: *number,
                last: (RECORDS..)
                    .zip(&logical)
                    .map(|(last, _)| last + 1)
                    .last()
                    .unwrap_or(RECORDS),
            });
        }
    }
    Ok(())
}
