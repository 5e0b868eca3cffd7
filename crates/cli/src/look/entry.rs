//! Something that is listed, for people and for machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use disk::read::Partition;
use image::{Kind, Meta, Node, show};
use inspect::{Item, Part};
use serde::Serialize;

use crate::ui::hex;

/// What a listing says of something, for machines.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    /// Where it is; bytes that are not printable text, and backslashes, are escaped.
    path: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(flatten)]
    meta: Option<MetaEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    major: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minor: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<PartEntry>,
}

/// What a file has beside its content.
#[derive(Debug, Serialize)]
struct MetaEntry {
    /// In octal digits.
    mode: String,
    uid: u32,
    gid: u32,
    /// Seconds since 1970.
    mtime: i64,
    /// Values in hexadecimal digits.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    xattrs: BTreeMap<String, String>,
}

/// What something is as an image.
#[derive(Debug, Serialize)]
pub(crate) struct PartEntry {
    format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<PartitionEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<String>,
    /// What its root directory has.
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<MetaEntry>,
}

/// A partition's entry in its table.
#[derive(Debug, Serialize)]
pub(crate) struct PartitionEntry {
    number: u32,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    uuid: String,
    start: u64,
    size: u64,
}

impl PartitionEntry {
    pub(crate) fn new(partition: &Partition) -> PartitionEntry {
        PartitionEntry {
            number: partition.entry.number,
            name: partition.name.clone(),
            kind: partition.entry.kind.to_string(),
            uuid: partition.entry.partuuid.to_string(),
            start: partition.start,
            size: partition.size(),
        }
    }
}

impl MetaEntry {
    fn new(meta: &Meta) -> MetaEntry {
        let xattrs = meta.xattrs.iter();
        MetaEntry {
            mode: format!("{:04o}", meta.mode),
            uid: meta.uid,
            gid: meta.gid,
            mtime: meta.mtime,
            xattrs: xattrs
                .map(|xattr| (show(&xattr.name), hex(&xattr.value)))
                .collect(),
        }
    }
}

impl PartEntry {
    fn new(part: &Part) -> PartEntry {
        PartEntry {
            format: part.format.name(),
            partition: part.partition.map(PartitionEntry::new),
            slot: part.slot.map(ToString::to_string),
            part: part.output.map(show),
            root: part.root.map(MetaEntry::new),
        }
    }
}

impl Entry {
    pub(crate) fn new(item: &Item) -> Entry {
        let kind = item.node.map(|node| &node.kind);
        let device = match kind {
            Some(Kind::CharDevice(device) | Kind::BlockDevice(device)) => Some(*device),
            _ => None,
        };
        Entry {
            path: show(item.path),
            kind: kind.map_or("image", name_of_kind),
            size: size(item),
            meta: item.node.map(|node| MetaEntry::new(&node.meta)),
            links: item.node.map(|_| item.links),
            target: match kind {
                Some(Kind::Symlink(target)) => Some(show(target)),
                _ => None,
            },
            major: device.map(|device| device.major),
            minor: device.map(|device| device.minor),
            image: item.part.as_ref().map(PartEntry::new),
        }
    }
}

fn name_of_kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Directory(_) => "directory",
        Kind::File(_) => "file",
        Kind::Symlink(_) => "symlink",
        Kind::CharDevice(_) => "char-device",
        Kind::BlockDevice(_) => "block-device",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
    }
}

/// The bytes of what has some.
fn size(item: &Item) -> Option<u64> {
    match (item.node, &item.part) {
        (
            Some(Node {
                kind: Kind::File(content),
                ..
            }),
            _,
        ) => Some(content.len()),
        (_, Some(part)) => Some(part.size),
        _ => None,
    }
}

/// The path, or the last name of it.
pub(crate) fn name(item: &Item, whole: bool) -> String {
    if whole {
        return show(item.path);
    }
    let name = item.path.rsplit(|byte| *byte == b'/').next();
    show(name.filter(|name| !name.is_empty()).unwrap_or(item.path))
}

/// A line as `ls -l` has it.
pub(crate) fn long(item: &Item, whole: bool, text: &mut String) {
    let mode = item.node.map_or_else(|| "image     ".to_string(), mode);
    let (uid, gid, mtime) = match item.node {
        Some(node) => (
            node.meta.uid.to_string(),
            node.meta.gid.to_string(),
            date(node.meta.mtime),
        ),
        None => Default::default(),
    };
    let size = match item.node.map(|node| &node.kind) {
        Some(Kind::CharDevice(device) | Kind::BlockDevice(device)) => {
            format!("{}, {}", device.major, device.minor)
        }
        _ => size(item).map_or_else(String::new, |size| size.to_string()),
    };
    let links = item.node.map_or_else(String::new, |_| item.links.to_string());
    let _ = write!(
        text,
        "{mode} {links:>3} {uid:>5} {gid:>5} {size:>12} {mtime:19} {}",
        name(item, whole)
    );
    if let Some(Node {
        kind: Kind::Symlink(target),
        ..
    }) = item.node
    {
        let _ = write!(text, " -> {}", show(target));
    }
    if let Some(part) = &item.part {
        let _ = write!(text, "  ({}{})", part.format.name(), about(part));
    }
    text.push('\n');
    for xattr in item.node.iter().flat_map(|node| &node.meta.xattrs) {
        let _ = writeln!(text, "{:11}{}={}", "", show(&xattr.name), show(&xattr.value));
    }
}

/// What else is known of an image.
fn about(part: &Part) -> String {
    if let Some(partition) = part.partition {
        return format!(
            ", partition {} at byte {}",
            partition.entry.number, partition.start
        );
    }
    if let Some(slot) = part.slot {
        return format!(", for slot {slot}");
    }
    part.output
        .map_or_else(String::new, |part| format!(", {}", show(part)))
}

/// Ten letters.
fn mode(node: &Node) -> String {
    let kind = match node.kind {
        Kind::Directory(_) => 'd',
        Kind::File(_) => '-',
        Kind::Symlink(_) => 'l',
        Kind::CharDevice(_) => 'c',
        Kind::BlockDevice(_) => 'b',
        Kind::Fifo => 'p',
        Kind::Socket => 's',
    };
    let mode = node.meta.mode;
    let mut text = String::from(kind);
    for (shift, special, letters) in [
        (6, 0o4000, ['s', 'S']),
        (3, 0o2000, ['s', 'S']),
        (0, 0o1000, ['t', 'T']),
    ] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (mode & special != 0, bits & 1 != 0) {
            (false, false) => '-',
            (false, true) => 'x',
            (true, true) => letters[0],
            (true, false) => letters[1],
        });
    }
    text
}

/// A time in UTC, as `2025-11-29 08:00:00`: the calendar of [days since 1970][civil].
///
/// [civil]: https://howardhinnant.github.io/date_algorithms.html#civil_from_days
fn date(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86400), seconds.rem_euclid(86400));
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_date() {
        for (seconds, wanted) in [
            (0, "1970-01-01 00:00:00"),
            (-1, "1969-12-31 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_764_403_200, "2025-11-29 08:00:00"),
            (4_107_542_399, "2100-02-28 23:59:59"),
        ] {
            assert_eq!(date(seconds), wanted);
        }
    }

    #[test]
    fn modes_are_those_of_ls() {
        for (bits, wanted) in [
            (0o755, "drwxr-xr-x"),
            (0o1777, "drwxrwxrwt"),
            (0o6644, "drwSr-Sr--"),
            (0o4711, "drws--x--x"),
        ] {
            assert_eq!(mode(&Node::directory().mode(bits)), wanted);
        }
    }
}
