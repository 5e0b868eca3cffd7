//! What lies where on a disk: partitions, what is beside them, tables and gaps. Together they are the disk.

use std::ops::Range;

use disk::read::{Disk, Partition};
use inspect::{Inside, Structures};
use report::{Class, Node, NodeKind, Region, RegionKind};

use super::collect::{Collected, Part};
use super::nodes::{leaf, total};

/// Something that lies on a disk.
enum Item<'a> {
    Partition(String, &'a Partition),
    Raw(String),
    Table(String),
}

/// All parts, in the order of their places. Where two overlap, which is damage, the first has the bytes.
pub(super) fn parts(
    collected: &mut Collected,
    inside: &Inside,
    disk: &Disk,
    path: &[u8],
    depth: usize,
) -> inspect::Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut at = 0;
    for (range, item) in items(collected, inside, disk, depth)? {
        let start = range.start.max(at).min(disk.size);
        let end = range.end.min(disk.size);
        if start >= end {
            continue;
        }
        parts.extend(gap(at..start));
        at = end;
        let region = Region {
            start: Some(start),
            ..Region::default()
        };
        let content = inside.content.slice(start..end);
        parts.push(match item {
            Item::Partition(name, partition) => {
                let promised = collected.promised(depth, partition.start);
                let path = [path, b"/", name.as_bytes()].concat();
                let region = Region {
                    name,
                    kind: RegionKind::Partition,
                    promised,
                    ..region
                };
                collected.part(region, &content, &path, depth)?
            }
            Item::Raw(name) => {
                let path = [path, b"/", name.as_bytes()].concat();
                let region = Region {
                    name,
                    kind: RegionKind::Raw,
                    ..region
                };
                collected.part(region, &content, &path, depth)?
            }
            Item::Table(name) => simple(region, &name, RegionKind::Table, end - start),
        });
    }
    parts.extend(gap(at..disk.size));
    Ok(joined(parts))
}

/// What lies somewhere, sorted.
fn items<'a>(
    collected: &Collected,
    inside: &Inside,
    disk: &'a Disk,
    depth: usize,
) -> inspect::Result<Vec<(Range<u64>, Item<'a>)>> {
    let mut items = Vec::new();
    for (name, partition) in inspect::partition_names(disk) {
        items.push((partition.start..partition.end, Item::Partition(name, partition)));
    }
    let raw = collected.known.raw.iter().filter(|_| depth == 0);
    for region in raw {
        items.push((region.start..region.end, Item::Raw(region.what.to_string())));
    }
    for table in Structures::of(inside)?.all() {
        let is_partition = disk
            .partitions
            .iter()
            .any(|partition| partition.start == table.start);
        if !is_partition {
            items.push((table.start..table.end, Item::Table(table.what.to_string())));
        }
    }
    items.sort_by_key(|(range, _)| (range.start, range.end));
    Ok(items)
}

fn gap(range: Range<u64>) -> Option<Part> {
    let len = range.end.checked_sub(range.start).filter(|len| *len > 0)?;
    let region = Region {
        start: Some(range.start),
        ..Region::default()
    };
    Some(simple(region, "free, in no partition", RegionKind::Free, len))
}

/// What has nothing in it: a table, or a gap.
fn simple(region: Region, name: &str, kind: RegionKind, len: u64) -> Part {
    let (node_kind, class, free) = match kind {
        RegionKind::Free => (NodeKind::Free, Class::Free, len),
        _ => (NodeKind::Tables, Class::Tables, 0),
    };
    Part {
        region: Region {
            name: name.into(),
            kind,
            size: len,
            free,
            ..region
        },
        node: leaf(name, node_kind, class, len),
    }
}

/// Tables that lie beside each other are one part: nobody looks for the two of a GPT.
fn joined(parts: Vec<Part>) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::new();
    for part in parts {
        match joined.last_mut() {
            Some(last) if last.region.kind == RegionKind::Table && part.region.kind == RegionKind::Table => {
                last.region.size += part.region.size;
                let mut children = std::mem::take(&mut last.node.children);
                if children.is_empty() {
                    children.push(last.node.clone());
                }
                children.push(part.node);
                let image = total(&children).image;
                last.region.name = "partition table".into();
                last.node = Node {
                    children,
                    ..leaf("partition table", NodeKind::Tables, Class::Tables, image)
                };
            }
            _ => joined.push(part),
        }
    }
    joined
}
