//! Zeros where boot ROMs look for a loader and none lies.

use std::sync::Arc;

use image::{Content, Layout};

use crate::{Board, MapEntry, Result};

/// What a boot ROM reads to find out whether there is a loader.
const LOOK: u64 = 512;

/// What the image's map calls them.
const LABEL: &str = "zeros for the boot ROM";

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
        for (start, end) in free(&taken, *look, (look + LOOK).min(size)) {
            layout.put(start, LABEL, Content::Zeros(end - start));
        }
    }
}

/// A content that begins at a byte of the disk, with such zeros in its own gaps: those of a file system.
///
/// # Errors
/// When they do not fit, which a content that is sound does not let happen.
pub(super) fn within(content: &Content, board: Option<&Board>, start: u64) -> Result<Content> {
    let (Content::Image(image), Some(board)) = (content, board) else {
        return Ok(content.clone());
    };
    let taken: Vec<(u64, u64)> = image
        .extents()
        .iter()
        .map(|extent| (extent.start, extent.end()))
        .collect();
    let looks = board.looks_at.iter().filter_map(|look| look.checked_sub(start));
    let gaps: Vec<(u64, u64)> = looks
        .flat_map(|look| free(&taken, look, (look + LOOK).min(image.size())))
        .collect();
    if gaps.is_empty() {
        return Ok(content.clone());
    }
    let mut layout = Layout::new();
    for extent in image.extents() {
        layout.put(extent.start, extent.label.clone(), extent.content.clone());
    }
    for (start, end) in gaps {
        layout.put(start, LABEL, Content::Zeros(end - start));
    }
    Ok(Content::Image(Arc::new(layout.finish(image.size())?)))
}

/// What is free between two places. What is taken is sorted and disjoint, so that what lies before a part and behind the
/// one before it is free.
fn free(taken: &[(u64, u64)], start: u64, end: u64) -> Vec<(u64, u64)> {
    let mut position = start;
    let mut free = Vec::new();
    for (taken_start, taken_end) in taken {
        if *taken_end <= position || *taken_start >= end {
            continue;
        }
        free.push((position, *taken_start));
        position = *taken_end;
    }
    free.push((position, end));
    free.retain(|(start, end)| start < end);
    free
}
