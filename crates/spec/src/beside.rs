//! What comes with the disk: regions as files of their own, and a list of the partitions.

use std::collections::BTreeMap;

use disk::{Entry, Kind, MapEntry, PartUuid, TypeId, type_of_guid};
use image::{Content, Layout};
use serde::Serialize;
use serde_json::Value;

use crate::error::Result;
use crate::id::hex;
use crate::outputs;
use crate::parts::{Beside, Planner};
use crate::schema::{Disk, Region};

/// The part that is a list of the partitions.
pub(crate) const LIST: &str = "disk.partition-list";

/// The part that a region is, in a file of its own.
pub(crate) fn region_part(name: &str) -> String {
    format!("region.{name}")
}

/// All of them; `file` is what the disk's output is called.
pub(crate) fn plan(
    disk: &Disk,
    planned: &disk::Planned,
    file: &str,
    planner: &mut Planner,
) -> Result<Vec<Beside>> {
    let mut all = Vec::new();
    for region in &disk.region {
        let place = planned.map.iter().find(|entry| entry.name == region.name);
        if let Some(place) = place
            && let Some(file) = file_of(disk, region, place)
        {
            all.push(Beside {
                part: region_part(&region.name),
                file,
                content: bytes(planned, place)?,
            });
        }
    }
    if let Some(list) = &disk.partition_list {
        let roots = root_hashes(disk, planner)?;
        let mut text = serde_json::to_vec_pretty(&list_of(disk, planned, file, &roots)).unwrap_or_default();
        text.push(b'\n');
        all.push(Beside {
            part: LIST.to_string(),
            file: list.clone(),
            content: text.into(),
        });
    }
    Ok(all)
}

/// The output of a region, which may be called after its partition's GUID.
fn file_of(disk: &Disk, region: &Region, place: &MapEntry) -> Option<String> {
    let file = outputs::region(disk, region)?;
    match place.partition.map(|entry| entry.partuuid) {
        Some(PartUuid::Guid(guid)) => Some(file.replace("{guid}", &guid.simple().to_string())),
        _ => Some(file),
    }
}

/// The root hashes that vouch for what is in regions, by the regions' names.
fn root_hashes(disk: &Disk, planner: &mut Planner) -> Result<BTreeMap<String, String>> {
    let mut roots = BTreeMap::new();
    for region in &disk.region {
        if let Some(part) = &region.content
            && let Some(root) = planner.root_hash_of(part)?
        {
            roots.insert(region.name.clone(), hex(&root));
        }
    }
    Ok(roots)
}

/// What lies in a region, from its first byte to its last.
fn bytes(planned: &disk::Planned, place: &MapEntry) -> Result<Content> {
    let mut layout = Layout::new();
    for extent in planned.image.extents() {
        if (place.start..place.end).contains(&extent.start) {
            layout.put(
                extent.start - place.start,
                extent.label.clone(),
                extent.content.clone(),
            );
        }
    }
    Ok(layout.finish(place.size())?.into())
}

/// A partition as systemd-repart says that it has made it. It says more of disks that had partitions before; what is here is
/// true of every disk that is made from nothing.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(rename = "type")]
    kind: String,
    label: &'a str,
    uuid: String,
    /// From 0.
    partno: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    node: String,
    offset: u64,
    old_size: u64,
    raw_size: u64,
    old_padding: u64,
    raw_padding: u64,
    activity: &'static str,
    /// Null where others have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    roothash: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    split_path: Option<String>,
}

/// The partitions by their numbers.
fn list_of<'a>(
    disk: &'a Disk,
    planned: &'a disk::Planned,
    file: &str,
    roots: &BTreeMap<String, String>,
) -> Vec<Listed<'a>> {
    let region = |name: &str| disk.region.iter().find(|region| region.name == name);
    let mut entries: Vec<(&MapEntry, Entry)> = planned
        .map
        .iter()
        .filter_map(|place| Some((place, place.partition?)))
        .collect();
    entries.sort_by_key(|(_, entry)| entry.number);
    let image = file.strip_suffix(ending(disk)).unwrap_or(file);
    let listed = |(place, entry): (&'a MapEntry, Entry)| {
        let region: Option<&'a Region> = region(&place.name);
        Listed {
            kind: type_name(entry.kind),
            label: place.partition_name(),
            uuid: match entry.partuuid {
                PartUuid::Guid(guid) => guid.to_string(),
                id @ PartUuid::Mbr { .. } => id.to_string(),
            },
            partno: entry.number - 1,
            file: region.and_then(|region| region.definition.as_deref()),
            node: format!("{image}{}", entry.number),
            offset: place.start,
            old_size: 0,
            raw_size: place.size(),
            old_padding: 0,
            raw_padding: padding(planned, place),
            activity: "create",
            roothash: (!roots.is_empty()).then(|| roots.get(&place.name).cloned().into()),
            split_path: region.and_then(|region| file_of(disk, region, place)),
        }
    };
    entries.into_iter().map(listed).collect()
}

/// How the disk's output ends because it is compressed.
fn ending(disk: &Disk) -> &'static str {
    disk.compress.map_or("", |compress| compress.method().ending())
}

/// As systemd has it: `linux-generic` for what others call `linux`.
fn type_name(kind: TypeId) -> String {
    let name = match kind {
        TypeId::Guid(guid) => type_of_guid(guid).map(|known| known.name),
        TypeId::Mbr(_) => None,
    };
    match name {
        Some("linux") => "linux-generic".to_string(),
        Some(name) => name.to_string(),
        None => kind.to_string(),
    }
}

/// The bytes behind a partition that a region without content keeps free.
fn padding(planned: &disk::Planned, place: &MapEntry) -> u64 {
    let behind = planned.map.iter().find(|other| other.start == place.end);
    let free = behind.filter(|other| other.kind == Kind::Raw && other.content_len.is_none());
    free.map_or(0, MapEntry::size)
}
