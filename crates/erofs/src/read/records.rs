//! The map of a file as a list of records, which wide file systems may have in place of an index.
//!
//! Records of 16 and 32 bytes say which bytes of the file they hold; shorter ones hold as many each as the header says, and those
//! of 4 bytes follow each other in the image, too.

use std::ops::Range;

use zerocopy::FromBytes;

use super::inodes::Inode;
use super::map::{Extent, Map, Place, check_place};
use super::{Inner, damaged};
use crate::Result;
use crate::format::{MapHeader, Record, advise, record};

/// Records this long begin with the first byte of the file that they hold.
const LONG: usize = 16;

/// Reads the records behind a header, which begins at this byte.
pub(super) fn read(inner: &Inner, inode: &Inode, what: &str, header: MapHeader, place: u64) -> Result<Map> {
    let advise = header.advise.get();
    let len = 4_usize << ((advise & advise::RECORD_BITS) >> 1);
    let mut start = (place + size_of::<MapHeader>() as u64).next_multiple_of(len as u64);
    let step = 1_u64 << (u32::from(inner.geometry.block_bits) + u32::from(header.bits & 0xf));
    let count = if len < LONG {
        inode.size.div_ceil(step)
    } else {
        let upper = u64::from(u16::from_le_bytes([header.algorithm, header.bits]));
        u64::from(header.fragment.get()) | upper << 32
    };
    // The place of the first record's data.
    let mut next = 0;
    if len == 4 {
        let bytes = inner.read(&what, start, size_of::<u64>())?;
        next = bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        start += size_of::<u64>() as u64;
    }
    let bytes = count
        .checked_mul(len as u64)
        .filter(|len| *len <= inner.size && *len > 0)
        .and_then(|len| usize::try_from(len).ok())
        .ok_or_else(|| {
            damaged(
                what,
                format!("{count} records are none, or more than the image holds"),
            )
        })?;
    let bytes = inner.read(&what, start, bytes)?;
    let mut found = Vec::new();
    for (number, bytes) in (0_u64..).zip(bytes.chunks_exact(len)) {
        let mut whole = [0; size_of::<Record>()];
        whole[..len].copy_from_slice(bytes);
        let mut own = Record::read_from_bytes(&whole).map_err(|_| damaged(what, "is too short"))?;
        // The last one of a file with a fragment says where that is, in these four bytes alone.
        let is_fragment = number + 1 == count && advise & advise::FRAGMENT != 0;
        if len == 4 && !is_fragment {
            own.place = [next, next >> 32].map(|half| lower(half).into());
            next = next.saturating_add(u64::from(own.len.get() & record::LEN));
        }
        let first = if len < LONG {
            number * step
        } else {
            both(own.start)
        };
        found.push((first, own));
    }
    extents(inner, inode, what, advise, &found)
}

fn lower(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0)
}

fn both([low, high]: [zerocopy::byteorder::little_endian::U32; 2]) -> u64 {
    u64::from(low.get()) | u64::from(high.get()) << 32
}

fn extents(inner: &Inner, inode: &Inode, what: &str, advise: u16, records: &[(u64, Record)]) -> Result<Map> {
    let mut extents = Vec::with_capacity(records.len());
    for (number, (start, own)) in records.iter().enumerate() {
        let next = records.get(number + 1);
        let end = next.map_or(inode.size, |(start, _)| *start);
        let is_out_of_order = (number == 0 && *start != 0) || *start >= end || end > inode.size;
        if is_out_of_order {
            return Err(damaged(what, format!("record {number} begins elsewhere")));
        }
        let is_fragment = next.is_none() && advise & advise::FRAGMENT != 0;
        let extent = Extent {
            start: *start,
            len: end - start,
            place: if is_fragment {
                Place::Fragment {
                    start: u64::from(own.len.get()) | both(own.place) << 32,
                }
            } else {
                let place = place(own, advise, *start..end, inner.geometry.block());
                place.map_err(|problem| damaged(what, problem))?
            },
        };
        inside(inner, what, &extent)?;
        check_place(inner, inode, what, &extent)?;
        extents.push(extent);
    }
    Ok(Map { extents })
}

fn place(own: &Record, advise: u16, bytes: Range<u64>, block: u64) -> Result<Place, String> {
    let word = own.len.get();
    let (stored, start) = (u64::from(word & record::LEN), both(own.place));
    let len = bytes.end - bytes.start;
    Ok(match word >> record::KIND_SHIFT {
        _ if stored == 0 => Place::Hole,
        0 if stored < len => return Err(format!("{len} bytes in {stored}")),
        0 => {
            // What begins with a block may begin there where it does in the file.
            let is_interlaced = advise & advise::INTERLACED != 0 && start.is_multiple_of(block);
            let turn = if is_interlaced { bytes.start % block } else { 0 };
            if turn != 0 && len > block {
                return Err(format!("{len} bytes in one block"));
            }
            Place::Plain {
                start,
                len: stored,
                turn,
            }
        }
        kind => Place::Cluster {
            algorithm: u8::try_from(kind - 1).unwrap_or(u8::MAX),
            start,
            len: stored,
            is_partial: word & record::PARTIAL != 0,
        },
    })
}

/// Refuses data behind the end.
fn inside(inner: &Inner, what: &str, extent: &Extent) -> Result<()> {
    let Some((start, len)) = extent.place.stored() else {
        return Ok(());
    };
    let end = inner.geometry.blocks << inner.geometry.block_bits;
    if start.checked_add(len).is_some_and(|own| own <= end) {
        return Ok(());
    }
    Err(damaged(
        what,
        format!("{len} bytes at {start} are behind the end"),
    ))
}
