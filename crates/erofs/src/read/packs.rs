//! Compact indexes: packs of two or sixteen entries, and an address for each.

use super::map::Entry;
use super::{Inner, damaged};
use crate::Result;
use crate::format::{advise, cluster};

/// The least power of two that packs of sixteen begin at.
const PACK: u64 = 32;

/// An index of so many entries at this place, and its end.
pub(super) fn read(
    inner: &Inner,
    what: &str,
    start: u64,
    count: u64,
    advise: u16,
    cluster_bits: u8,
) -> Result<(Vec<Entry>, u64)> {
    if cluster_bits > 14 {
        return Err(damaged(what, "is compact, which is for short clusters"));
    }
    let mut first = ((PACK - start % PACK) / 4) & 7;
    let mut sixteen = 0;
    if first > count {
        first = 0;
    } else if advise & advise::PACKS != 0 {
        sixteen = (count - first) / 16 * 16;
    }
    let last = count - first - sixteen;
    let len = first
        .checked_add(last.next_multiple_of(2))
        .and_then(|entries| (entries.checked_mul(4)?).checked_add(sixteen * 2))
        .filter(|len| *len <= inner.size)
        .and_then(|len| usize::try_from(len).ok())
        .ok_or_else(|| damaged(what, format!("{count} entries are more than the image holds")))?;
    let bytes = inner.read(&what, start, len)?;
    let to_usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let (head, rest) = bytes.split_at(to_usize(first * 4));
    let (middle, tail) = rest.split_at(to_usize(sixteen * 2));
    let is_many = advise & advise::MANY_BLOCKS != 0;
    let mut entries = Vec::with_capacity(to_usize(count));
    for (bytes, len, bits) in [(head, 2, 16), (middle, 16, 14), (tail, 2, 16)] {
        for pack in bytes.chunks_exact(len * bits / 8 + 4) {
            unpack(pack, len, bits, is_many, &mut entries);
        }
    }
    entries.truncate(to_usize(count));
    Ok((entries, start + len as u64))
}

/// Adds the entries of a pack.
fn unpack(pack: &[u8], len: usize, bits: usize, is_many: bool, entries: &mut Vec<Entry>) {
    let (packed, base) = pack.split_at(pack.len() - 4);
    let base = base.first_chunk().map_or(0, |base| u32::from_le_bytes(*base));
    let mut block = u64::from(base);
    // How many blocks the cluster before has, as far as this pack tells.
    let mut before = u64::from(!is_many);
    for number in 0..len {
        let word = field(packed, number * bits, bits);
        let (kind, value) = (word >> 12 & 3, word & 0xfff);
        if kind == cluster::REST {
            if value & cluster::COUNT != 0 {
                before = u64::from(value & !cluster::COUNT);
            }
        } else {
            block += before;
            before = 1;
        }
        entries.push(Entry {
            kind,
            is_partial: false,
            value,
            block,
        });
    }
}

/// Bits of a little-endian number.
fn field(bytes: &[u8], start: usize, bits: usize) -> u16 {
    let mut word = [0; 4];
    let first = start / 8;
    let part = &bytes[first..bytes.len().min(first + 4)];
    word[..part.len()].copy_from_slice(part);
    let word = u32::from_le_bytes(word) >> (start % 8);
    u16::try_from(word & ((1 << bits) - 1)).unwrap_or(0)
}
