//! Where logical addresses lie.

use std::collections::BTreeMap;

use zerocopy::FromBytes;

use super::nodes::Nodes;
use super::superblock::Geometry;
use super::{Source, damaged};
use crate::format::{ChunkItem, DiskKey, Key, STRIPE, Stripe, group, kind, object};
use crate::{Error, Result};

/// Profiles that put chunks on several devices.
const PROFILES: [(u64, &str); 7] = [
    (8, "RAID 0"),
    (16, "RAID 1"),
    (64, "RAID 10"),
    (128, "RAID 5"),
    (256, "RAID 6"),
    (512, "RAID 1 with three copies"),
    (1024, "RAID 1 with four copies"),
];

/// All chunks of a file system, sorted.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunks {
    list: Vec<Chunk>,
}

/// A chunk, as far as reading needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    start: u64,
    len: u64,
    kind: u64,
    /// The place of its first copy.
    place: u64,
    /// The place of the second.
    copy: Option<u64>,
}

impl Chunks {
    /// Sorted, when none overlaps another.
    fn new(mut list: Vec<Chunk>) -> Result<Chunks> {
        list.sort_by_key(|chunk| chunk.start);
        for pair in list.windows(2) {
            if pair[0].start + pair[0].len > pair[1].start {
                let problem = format!("it and the one at {} overlap", pair[1].start);
                return Err(damaged(format!("chunk {}", pair[0].start), problem));
            }
        }
        let chunks = Chunks { list };
        let mut end = 0;
        for (place, (start, len)) in chunks.places() {
            if place < end {
                let problem = format!("byte {place} of the device belongs to another one, too");
                return Err(damaged(format!("chunk {start}"), problem));
            }
            end = place + len;
        }
        Ok(chunks)
    }

    /// Where a range of logical addresses lies.
    pub(super) fn place(&self, start: u64, len: u64) -> Option<u64> {
        self.copy(start, len, 0)
    }

    /// All chunks: where each begins, its length, and its kind.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        self.list.iter().map(|chunk| (chunk.start, chunk.len, chunk.kind))
    }

    /// The places of all copies of all chunks: for each the chunk's beginning and its length.
    pub(super) fn places(&self) -> BTreeMap<u64, (u64, u64)> {
        let places = |chunk: &Chunk| {
            let copies = [Some(chunk.place), chunk.copy];
            let chunk = (chunk.start, chunk.len);
            copies.into_iter().flatten().map(move |place| (place, chunk))
        };
        self.list.iter().flat_map(places).collect()
    }

    /// The kind of the chunk that a range of logical addresses lies in.
    pub(super) fn kind(&self, start: u64, len: u64) -> Option<u64> {
        self.place(start, len)?;
        let index = self.list.partition_point(|chunk| chunk.start <= start);
        Some(self.list.get(index.checked_sub(1)?)?.kind)
    }

    /// Where a copy of a range of logical addresses lies.
    pub(super) fn copy(&self, start: u64, len: u64, number: u8) -> Option<u64> {
        let index = self.list.partition_point(|chunk| chunk.start <= start);
        let chunk = self.list.get(index.checked_sub(1)?)?;
        let within = start - chunk.start;
        let place = if number == 0 { chunk.place } else { chunk.copy? };
        (within.checked_add(len)? <= chunk.len).then_some(place + within)
    }
}

/// The chunks that the superblock names.
pub(super) fn parse_array(mut array: &[u8]) -> Result<Vec<Chunk>> {
    let mut chunks = Vec::new();
    while !array.is_empty() {
        let short = || damaged("superblock", "its list of chunks ends within one");
        let (key, rest) = DiskKey::read_from_prefix(array).map_err(|_| short())?;
        let key = Key::new(key.objectid.get(), key.kind, key.offset.get());
        let (head, _) = ChunkItem::read_from_prefix(rest).map_err(|_| short())?;
        let len = size_of::<ChunkItem>() + usize::from(head.num_stripes.get()) * size_of::<Stripe>();
        let (item, rest) = rest.split_at_checked(len).ok_or_else(short)?;
        chunks.push(parse(key, item)?);
        array = rest;
    }
    Ok(chunks)
}

/// Reads the chunk tree.
pub(super) fn read(source: &Source, geometry: &Geometry, system: Vec<Chunk>) -> Result<Chunks> {
    let first = Chunks::new(system)?;
    let mut list = Vec::new();
    let mut nodes = Nodes::new(source, geometry, &first);
    nodes.tree(geometry.chunk_root, &mut |key, item| {
        if (key.objectid, key.kind) == (object::FIRST_CHUNK_TREE, kind::CHUNK) {
            let chunk = parse(key, item)?;
            let places = [Some(chunk.place), chunk.copy];
            let ends = places
                .into_iter()
                .flatten()
                .map(|place| place.checked_add(chunk.len));
            if ends
                .into_iter()
                .any(|end| end.is_none_or(|end| end > geometry.total))
            {
                return Err(damaged(
                    format!("chunk {}", key.offset),
                    "lies behind the end of the device",
                ));
            }
            list.push(chunk);
        }
        Ok(())
    })?;
    Chunks::new(list)
}

fn parse(key: Key, item: &[u8]) -> Result<Chunk> {
    let place = || format!("chunk {}", key.offset);
    let short = || damaged(place(), "is too short");
    let (head, stripes) = ChunkItem::read_from_prefix(item).map_err(|_| short())?;
    let profile = head.kind.get() & !(group::DATA | group::SYSTEM | group::METADATA);
    let copies = match profile {
        0 => 1,
        group::DUP => 2,
        _ => {
            let named = PROFILES.iter().find(|(bit, _)| *bit == profile);
            let name = named.map_or_else(|| format!("{profile:#x}"), |(_, name)| (*name).to_string());
            return Err(Error::Unsupported {
                feature: format!("the RAID profile {name}"),
            });
        }
    };
    let count = usize::from(head.num_stripes.get());
    if count != copies || stripes.len() != count * size_of::<Stripe>() {
        return Err(damaged(
            place(),
            format!("has {count} stripes in {} bytes", stripes.len()),
        ));
    }
    let (stripe, others) = Stripe::read_from_prefix(stripes).map_err(|_| short())?;
    let copy = Stripe::read_from_prefix(others)
        .ok()
        .map(|(stripe, _)| stripe.offset.get());
    let len = head.length.get();
    if copy.is_some_and(|copy| copy.checked_add(len).is_none()) {
        return Err(damaged(place(), "its copy lies behind every end"));
    }
    let is_aligned = |number: u64| number.is_multiple_of(4096);
    let ends = key
        .offset
        .checked_add(len)
        .zip(stripe.offset.get().checked_add(len));
    if len == 0
        || ends.is_none()
        || !is_aligned(key.offset)
        || !is_aligned(len)
        || head.stripe_len.get() != STRIPE
    {
        return Err(damaged(
            place(),
            format!("has {len} bytes at byte {}", stripe.offset),
        ));
    }
    Ok(Chunk {
        start: key.offset,
        len,
        kind: head.kind.get(),
        place: stripe.offset.get(),
        copy,
    })
}
