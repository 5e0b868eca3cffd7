//! Chunks: which logical addresses there are, and where on the device they lie.

use super::data::{Data, Extent};
use crate::Metadata;
use crate::format::{NODE, RESERVED, STRIPE, SUPERBLOCKS, group};

/// The longest chunks, so that a balance can move them.
const DATA_MAX: u64 = 1 << 30;
const METADATA_MAX: u64 = 256 << 20;

/// What has to have a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) copies: Metadata,
    /// Bytes for the chunk tree.
    pub(super) system: u64,
    /// Bytes for all other trees.
    pub(super) metadata: u64,
    /// Free bytes for data.
    pub(super) free: u64,
}

/// All chunks.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunks {
    /// In the order of their logical addresses.
    pub(super) list: Vec<Chunk>,
    /// Where each extent lies.
    pub(super) addresses: Vec<u64>,
    /// The first address of metadata. That of several chunks lies behind each other.
    pub(super) metadata: u64,
    /// One past the last byte of the device that belongs to a chunk.
    pub(super) end: u64,
    /// The next logical address.
    next: u64,
}

/// A range of logical addresses. It is used from its beginning on.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) start: u64,
    pub(super) len: u64,
    pub(super) kind: u64,
    /// Where each copy begins on the device.
    pub(super) stripes: Vec<u64>,
    /// The bytes of data in it; metadata is counted elsewhere.
    pub(super) data: u64,
}

impl Chunk {
    pub(super) fn end(&self) -> u64 {
        self.start + self.len
    }

    pub(super) fn is_data(&self) -> bool {
        self.kind & group::DATA != 0
    }
}

impl Chunks {
    /// Gives everything its place.
    pub(super) fn lay_out(data: &Data, wanted: &Wanted) -> Chunks {
        let mut chunks = Chunks {
            end: RESERVED,
            next: RESERVED,
            ..Chunks::default()
        };
        let (copies, flag) = match wanted.copies {
            Metadata::Dup => (2, group::DUP),
            Metadata::Single => (1, 0),
        };
        chunks.put_all(wanted.system, u64::MAX, group::SYSTEM | flag, copies);
        chunks.metadata = chunks.next;
        chunks.put_all(wanted.metadata, METADATA_MAX, group::METADATA | flag, copies);
        chunks.put_data(data, wanted.free);
        chunks
    }

    fn put_all(&mut self, len: u64, max: u64, kind: u64, copies: u64) {
        let mut left = len.next_multiple_of(STRIPE);
        while left > 0 {
            let len = self.room(copies).min(left).min(max);
            self.put(len, kind, copies);
            left -= len;
        }
    }

    /// How long a chunk can be before it would cover the place of a superblock. Where there is none, it goes behind that.
    fn room(&mut self, copies: u64) -> u64 {
        for place in SUPERBLOCKS {
            let room = place.saturating_sub(self.end) / copies / STRIPE * STRIPE;
            if room > 0 {
                return room;
            }
            if self.end < place + STRIPE {
                self.end = place + STRIPE;
            }
        }
        u64::MAX
    }

    fn put(&mut self, len: u64, kind: u64, copies: u64) {
        let stripes = (0..copies).map(|copy| self.end + copy * len).collect();
        self.list.push(Chunk {
            start: self.next,
            len,
            kind,
            stripes,
            data: 0,
        });
        self.end += copies * len;
        self.next += len;
    }

    /// The chunks of data: extents behind each other, and what is to be free.
    fn put_data(&mut self, data: &Data, free: u64) {
        self.addresses.reserve(data.extents.len());
        let mut extents = data.extents.iter().peekable();
        let mut free = free.next_multiple_of(STRIPE);
        while extents.peek().is_some() || free > 0 {
            let room = self.room(1).min(DATA_MAX);
            let mut used = 0;
            let fits = |used: u64, extent: &Extent| used + u64::from(extent.disk_len) <= room;
            while let Some(extent) = extents.next_if(|extent| fits(used, extent)) {
                self.addresses.push(self.next + used);
                used += u64::from(extent.disk_len);
            }
            let mut len = used.next_multiple_of(STRIPE);
            if extents.peek().is_some() {
                // The next extent is too long for what is left before a superblock.
                if room < DATA_MAX {
                    len = room;
                }
            } else {
                len = len.saturating_add(free).min(room);
            }
            free = free.saturating_sub(len - used).next_multiple_of(STRIPE);
            self.put(len, group::DATA, 1);
            if let Some(chunk) = self.list.last_mut() {
                chunk.data = used;
            }
        }
    }

    /// Where a range of metadata lies on the device, each copy of it in pieces: the first byte of the piece, and the
    /// range of nodes that it has.
    pub(super) fn pieces(&self, kind: u64, nodes: u64) -> Vec<(u64, std::ops::Range<u64>)> {
        let mut pieces = Vec::new();
        let mut first = 0;
        for chunk in self.list.iter().filter(|chunk| chunk.kind & kind != 0) {
            let end = (first + chunk.len / NODE).min(nodes);
            pieces.extend(chunk.stripes.iter().map(|stripe| (*stripe, first..end)));
            first = end;
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Linux adds begins where the last chunk ends, and its nodes shall not lie across the pages of any machine.
    #[test]
    fn chunks_begin_and_end_between_stripes() {
        let mut data = Data::of_extents(200);
        for extent in &mut data.extents {
            extent.disk_len = 700 << 10 | 4096;
        }
        for free in [0, 4096, 64 << 20] {
            for metadata in (1..200).map(|nodes| nodes * 5 * NODE) {
                let wanted = Wanted {
                    copies: Metadata::Dup,
                    system: NODE,
                    metadata,
                    free,
                };
                let chunks = Chunks::lay_out(&data, &wanted);
                for chunk in &chunks.list {
                    assert_eq!((chunk.start % STRIPE, chunk.len % STRIPE), (0, 0), "{chunk:?}");
                }
                let room = chunks.list.iter().filter(|chunk| chunk.is_data());
                let room: u64 = room.map(|chunk| chunk.len - chunk.data).sum();
                assert!(room >= free, "{room} of {free}");
            }
        }
    }
}
