//! The spool as the image's file: whether it has compressed extents where the image has them, and the few that it has not.

use image::Spool;

use super::Work;
use super::data::Data;
use crate::Result;
use crate::format::RESERVED;

/// Brings compressed extents to these places in the spool. False, and nothing is done, when it cannot become the image's file.
pub(super) fn bring(data: &mut Data, places: &[u64], work: &Work) -> Result<bool> {
    if !lie_behind_each_other(data) {
        return Ok(false);
    }
    let is_elsewhere = |number: &usize| data.extents[*number].spooled != places[*number];
    let elsewhere: Vec<usize> = data.compressed.iter().copied().filter(is_elsewhere).collect();
    let mut kept = work.reuse.iter().flat_map(|reuse| reuse.places.near);
    if !elsewhere.is_empty() && kept.any(|place| place.reads_later()) {
        return Ok(false);
    }
    move_to(data, &elsewhere, places, work.spool)?;
    Ok(true)
}

/// Whether compressed extents lie behind each other: as they do unless a cache has stated something else than it had.
fn lie_behind_each_other(data: &Data) -> bool {
    let mut next = RESERVED;
    data.compressed.iter().all(|number| {
        let extent = &data.extents[*number];
        let place = next;
        next += u64::from(extent.disk_len);
        extent.spooled == place
    })
}

/// Moves extents: a few for each chunk, which are held in memory, since they can go where others have been.
fn move_to(data: &mut Data, extents: &[usize], places: &[u64], spool: &Spool) -> Result<()> {
    let mut moved = Vec::with_capacity(extents.len());
    for number in extents {
        let extent = &mut data.extents[*number];
        let len = u64::from(extent.disk_len);
        moved.push(spool.span(extent.spooled, len).to_vec()?);
        spool.release(extent.spooled..extent.spooled + len);
        extent.spooled = places[*number];
    }
    for (number, bytes) in extents.iter().zip(moved) {
        spool.write_at(&bytes, places[*number])?;
    }
    Ok(())
}
