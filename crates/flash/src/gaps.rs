//! What a block map leaves out, and boot ROMs and loaders may look into all the same.
//!
//! A block map's gaps read as zeros in the image. On a device they keep what an older image left there, and a loader between the
//! partition table and the first partition, or where a boot ROM looks for its copies, would run in place of the new one or after it
//! failed. So these gaps are written, too.

use std::io;

use disk::Board;
use disk::read::Disk;
use image::ReadAt;
use transport::BlockMap;

use crate::BLOCK;

/// No loader is looked for behind it, wherever the first partition begins.
const LOADERS_END: u64 = 64 << 20;

/// What a boot ROM reads to find out whether there is a loader.
const LOOK: u64 = 512;

/// Where the first partition of an image begins, as far as its first bytes say. They are enough for the tables of most images: the
/// rest of the image reads as zeros here.
#[must_use]
pub fn first_partition(head: &[u8], image_size: u64) -> Option<u64> {
    let disk = Disk::open(&Head(head.to_vec()), image_size).ok()?;
    let starts = disk.partitions.iter().map(|partition| partition.start);
    starts.filter(|start| *start > 0).min()
}

/// What is written although a block map leaves it out: the first block, everything before the first partition, and where the boot ROM
/// of any known board looks, all in whole blocks.
#[must_use]
pub fn gaps(map: &BlockMap, first_partition: Option<u64>) -> Vec<(u64, u64)> {
    let before = first_partition.map(|start| (0, start.min(LOADERS_END)));
    let looks = Board::ALL.iter().flat_map(|board| board.looks_at);
    let looks = looks.map(|look| (look / BLOCK * BLOCK, (look + LOOK).next_multiple_of(BLOCK)));
    let wanted = before.into_iter().chain(looks).chain([(0, BLOCK)]);
    let mut wanted: Vec<(u64, u64)> = wanted.collect();
    wanted.sort_unstable();
    let mut gaps = Vec::new();
    let mut position = 0;
    for (start, end) in wanted {
        let start = start.max(position);
        let end = end.min(map.image_size);
        if start < end {
            free(map, start, end, &mut gaps);
            position = end;
        }
    }
    gaps
}

/// Adds what is not mapped between two places.
fn free(map: &BlockMap, start: u64, end: u64, gaps: &mut Vec<(u64, u64)>) {
    let mut position = start;
    let first = map.ranges.partition_point(|range| range.end <= start);
    for range in &map.ranges[first..] {
        if range.start >= end {
            break;
        }
        if range.start > position {
            gaps.push((position, range.start));
        }
        position = range.end;
    }
    if position < end {
        gaps.push((position, end));
    }
}

/// The first bytes of an image; zeros stand for the rest.
#[derive(Debug)]
struct Head(Vec<u8>);

impl ReadAt for Head {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        buffer.fill(0);
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let known = self.0.get(start..).unwrap_or_default();
        let len = known.len().min(buffer.len());
        buffer[..len].copy_from_slice(&known[..len]);
        Ok(())
    }

    fn name(&self) -> String {
        "the image's first bytes".into()
    }
}

#[cfg(test)]
mod tests {
    use transport::Mapped;

    use super::*;

    fn map(ranges: &[(u64, u64)]) -> BlockMap {
        let range = |(start, end): &(u64, u64)| Mapped {
            start: *start,
            end: *end,
            sha256: None,
        };
        BlockMap {
            image_size: 8 << 20,
            block_size: BLOCK,
            ranges: ranges.iter().map(range).collect(),
            unknown_sum: None,
        }
    }

    #[test]
    fn all_before_the_first_partition_is_written() {
        let found = gaps(
            &map(&[(0, 20480), (32768, 65536), (1 << 20, 2 << 20)]),
            Some(1 << 20),
        );
        assert_eq!(found[..2], [(20480, 32768), (65536, 1 << 20)]);
        // Where the ROM of an i.MX 8M Plus looks for its second copy.
        assert!(found.contains(&(4 << 20, (4 << 20) + BLOCK)));
        assert!(found.is_sorted() && found.windows(2).all(|pair| pair[0].1 <= pair[1].0));
    }

    #[test]
    fn without_a_table_only_looked_at_places_are_written() {
        let found = gaps(&map(&[(0, BLOCK)]), None);
        // AM335x: 128 KiB, 256 KiB, 384 KiB.
        for look in [128 << 10, 256 << 10, 384 << 10] {
            assert!(found.contains(&(look, look + BLOCK)), "{look}");
        }
        let all: u64 = found.iter().map(|(start, end)| end - start).sum();
        assert!(all < 1 << 20);
    }
}
