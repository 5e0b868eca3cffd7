//! The map of a disk, for people.

use std::fmt::Write as _;

use crate::manifest::DiskEntry;
use crate::ui::size;

/// What is said of regions whose sizes follow from estimates.
pub(crate) const BOUND: &str = "; no region is larger, or lies farther";

/// `bound` is what stands before its size, and what is said of the regions.
pub(crate) fn describe_disk(disk: &DiskEntry, file: Option<&str>, bound: [&str; 2], text: &mut String) {
    let [most, bound] = bound;
    let end = disk.regions.last().map_or(0, |region| region.end);
    let sectors = disk.sector_size;
    let file = file.map(|file| format!(" → {file}")).unwrap_or_default();
    let _ = writeln!(
        text,
        "disk{file}: {most}{}, {sectors}-byte sectors{bound}",
        size(end)
    );
    let _ = writeln!(
        text,
        "  {:>12} {:>12} {:>11} {:>11} {:>11}  region",
        "first sector", "sectors", "size", "content", "slack"
    );
    for region in &disk.regions {
        let optional = |bytes: Option<u64>| bytes.map(size).unwrap_or_default();
        let first = region.start.div_ceil(sectors);
        let entry = region.partition.map(|entry| format!(", {entry}"));
        let _ = writeln!(
            text,
            "  {:>12} {:>12} {:>11} {:>11} {:>11}  {}{}",
            first,
            region.end.div_ceil(sectors) - first,
            size(region.size()),
            optional(region.content_len),
            optional(region.slack()),
            region.label(),
            entry.unwrap_or_default()
        );
    }
}
