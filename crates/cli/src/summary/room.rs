//! How full file systems are, and how near to what limits them.

use std::fmt::Write as _;

use serde::Serialize;
use spec::{Detail, Part, Plan, Spec};

use crate::ui::size;

/// A file system that is limited, or has something free.
#[derive(Debug, Serialize)]
pub(crate) struct Room {
    part: String,
    size: u64,
    /// The most that it may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    /// What limits it: `max-size`, or the region of the disk that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    limited_by: Option<String>,
    /// What is free in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    free: Option<u64>,
    /// What shall be free.
    #[serde(skip_serializing_if = "Option::is_none")]
    promised: Option<u64>,
}

impl Room {
    /// All of a plan, in the order of its parts.
    pub(crate) fn all(spec: &Spec, plan: &Plan) -> Vec<Room> {
        let disk = plan.disk.as_ref().map(|(planned, _)| planned.sector_size);
        let sector_size = disk.unwrap_or_default().bytes();
        let room = |part: &Part| Room::new(spec, part, sector_size);
        plan.parts.iter().filter_map(room).collect()
    }

    fn new(spec: &Spec, part: &Part, sector_size: u64) -> Option<Room> {
        let is_limited = matches!(
            part.detail,
            Detail::Fat { .. }
                | Detail::Ext4 { .. }
                | Detail::Btrfs { .. }
                | Detail::Squashfs { .. }
                | Detail::Erofs { .. }
                | Detail::Verity { .. }
        );
        if !is_limited {
            return None;
        }
        let (free, promised) = part.detail.room().map(|room| (room.free, room.promised)).unzip();
        let size = part.content.len();
        // What is as large as its region because that was asked for is not limited by it.
        let limit = limit(spec, &part.name, sector_size).filter(|(limit, _)| free.is_none() || *limit > size);
        let (limit, limited_by) = limit.unzip();
        (limit.is_some() || free.is_some()).then(|| Room {
            part: part.name.clone(),
            size,
            limit,
            limited_by,
            free,
            promised,
        })
    }
}

/// The lowest limit of a part, and what sets it.
fn limit(spec: &Spec, part: &str, sector_size: u64) -> Option<(u64, String)> {
    let of_fs = part.strip_prefix("fs.").and_then(|name| spec.fs.get(name));
    let max_size = of_fs.and_then(|fs| fs.max_size);
    let max_size = max_size.map(|limit| (limit.bytes(sector_size), "max-size".to_owned()));
    let regions = spec.disk.iter().flat_map(|disk| &disk.region);
    let regions = regions
        .filter(|region| region.content.as_deref() == Some(part))
        .filter_map(|region| Some((region.size?.bytes(sector_size), format!("region {}", region.name))));
    max_size.into_iter().chain(regions).min()
}

/// Lines for people: `fs.rootfs  1 GiB  812.4 MiB, 79 % of what region rootfs-a holds`.
pub(super) fn describe(all: &[Room], text: &mut String) {
    let width = all.iter().map(|room| room.part.len()).max().unwrap_or(0);
    for room in all {
        let mut said = Vec::new();
        if let Some((limit, by)) = room.limit.zip(room.limited_by.as_deref()) {
            let percent = u128::from(room.size) * 100 / u128::from(limit.max(1));
            said.push(format!("{percent} % of {} ({by})", size(limit)));
        }
        if let Some(free) = room.free {
            said.push(format!("{} free", size(free)));
        }
        if let Some(promised) = room.promised.filter(|promised| *promised > 0) {
            said.push(format!("{} promised", size(promised)));
        }
        let (part, bytes) = (&room.part, size(room.size));
        let _ = writeln!(text, "{part:width$}  {bytes:>11}  {}", said.join(", "));
    }
}
