//! Zeros where boot ROMs look for a loader and none lies.

use image::{Content, Layout};

use crate::{Board, MapEntry};

/// What a boot ROM reads to find out whether there is a loader.
const LOOK: u64 = 512;

/// Promises zeros at the places where the board's boot ROM looks and nothing lies. Where bytes of a gap stay what they
/// were, as they do when a disk is written by its block map, the boot ROM would find what an older image left there.
///
/// A region without content keeps its bytes: they are somebody else's. The map is sorted, and without gaps.
pub(super) fn put(layout: &mut Layout, board: &Board, map: &[MapEntry], size: u64) {
    let taken: Vec<(u64, u64)> = map
        .iter()
        .map(|entry| {
            let end = entry.content_len.map_or(entry.end, |len| entry.start + len);
            (entry.start, end)
        })
        .collect();
    for look in board.looks_at {
        let (mut position, end) = (*look, (look + LOOK).min(size));
        // Sorted and disjoint, so that what is before a part and behind the one before it is free.
        for (taken_start, taken_end) in &taken {
            if *taken_end <= position || *taken_start >= end {
                continue;
            }
            zeros(layout, position, *taken_start);
            position = *taken_end;
        }
        zeros(layout, position, end);
    }
}

fn zeros(layout: &mut Layout, start: u64, end: u64) {
    if start < end {
        layout.put(start, "zeros for the boot ROM", Content::Zeros(end - start));
    }
}
