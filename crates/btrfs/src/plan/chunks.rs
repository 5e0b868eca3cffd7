//! Chunks: which logical addresses there are, and where on the device they lie.
//!
//! Data comes first, so that where it lies depends on nothing else. Compressed extents lie behind each other from the first
//! byte on that a chunk can have, as they do in the spool, which can become the image's file therefore. Those that would
//! lie across the end of a chunk, or under a superblock, come behind them, and then what is not compressed.

use std::ops::Range;

use super::data::Data;
use crate::Metadata;
use crate::format::{NODE, RESERVED, STRIPE, SUPERBLOCKS, compression, group};

/// The longest chunks, so that a balance can move them.
const DATA_MAX: u64 = 1 << 30;
const METADATA_MAX: u64 = 256 << 20;

/// What has to have a place besides data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) copies: Metadata,
    /// Bytes for the chunk tree.
    pub(super) system: u64,
    /// Bytes for all other trees.
    pub(super) metadata: u64,
}

/// All chunks.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunks {
    /// In the order of their logical addresses.
    pub(super) list: Vec<Chunk>,
    /// The numbers of all extents in the order of their addresses.
    pub(super) order: Vec<usize>,
    /// The address of each extent.
    pub(super) addresses: Vec<u64>,
    /// The first byte in the image of each extent.
    pub(super) places: Vec<u64>,
    /// The first address of the chunk tree.
    pub(super) system: u64,
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
    /// How many bytes before the first one that is used are free.
    pub(super) lead: u64,
    /// The bytes of data in it; metadata is counted elsewhere.
    pub(super) data: u64,
}

/// A chunk of data that is being filled: bytes of the device.
#[derive(Clone, Debug)]
struct Open {
    start: u64,
    /// How far it can go.
    end: u64,
    /// Whether a superblock comes behind it.
    is_limited: bool,
    /// What is used, when anything is.
    used: Option<Range<u64>>,
}

impl Chunk {
    pub(super) fn end(&self) -> u64 {
        self.start + self.len
    }

    pub(super) fn is_data(&self) -> bool {
        self.kind & group::DATA != 0
    }
}

impl Open {
    /// The first byte that the next extent can have.
    fn next(&self) -> u64 {
        self.used.as_ref().map_or(self.start, |used| used.end)
    }
}

impl Chunks {
    /// Gives data its place, and what is to be free for more.
    pub(super) fn of_data(data: &Data, free: u64) -> Chunks {
        let mut chunks = Chunks {
            addresses: vec![0; data.extents.len()],
            places: vec![0; data.extents.len()],
            end: RESERVED,
            next: RESERVED,
            ..Chunks::default()
        };
        let mut open = chunks.open();
        let moved = chunks.put_compressed(data, &mut open);
        chunks.put_rest(data, &moved, &mut open);
        chunks.put_free(free, open);
        chunks
    }

    /// Gives everything else its place.
    pub(super) fn with_nodes(mut self, wanted: &Wanted) -> Chunks {
        let (copies, flag) = match wanted.copies {
            Metadata::Dup => (2, group::DUP),
            Metadata::Single => (1, 0),
        };
        self.system = self.next;
        self.put_all(wanted.system, u64::MAX, group::SYSTEM | flag, copies);
        self.metadata = self.next;
        self.put_all(wanted.metadata, METADATA_MAX, group::METADATA | flag, copies);
        self
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
            lead: 0,
            data: 0,
        });
        self.end += copies * len;
        self.next += len;
    }

    /// Begins a chunk of data.
    fn open(&mut self) -> Open {
        let room = self.room(1);
        Open {
            start: self.end,
            end: self.end + room.min(DATA_MAX),
            is_limited: room < DATA_MAX,
            used: None,
        }
    }

    /// Ends a chunk of data, which gets this length.
    fn close(&mut self, open: &Open, len: u64) {
        self.put(len, group::DATA, 1);
        if let (Some(chunk), Some(used)) = (self.list.last_mut(), &open.used) {
            chunk.lead = used.start - open.start;
            chunk.data = used.end - used.start;
        }
    }

    /// Puts an extent at a place in the chunk that is open.
    fn put_extent(&mut self, number: usize, place: u64, len: u64, open: &mut Open) {
        let used = open.used.get_or_insert(place..place);
        used.end = place + len;
        self.places[number] = place;
        self.addresses[number] = self.next + (place - open.start);
        self.order.push(number);
    }

    /// Puts compressed extents behind each other. Answers which of them cannot lie where they would.
    fn put_compressed(&mut self, data: &Data, open: &mut Open) -> Vec<usize> {
        let mut moved = Vec::new();
        let mut place = RESERVED;
        for number in &data.compressed {
            let len = u64::from(data.extents[*number].disk_len);
            while place >= open.end {
                self.close(open, open.end - open.start);
                *open = self.open();
            }
            if place < open.start || place + len > open.end {
                moved.push(*number);
            } else {
                self.put_extent(*number, place, len, open);
            }
            place += len;
        }
        moved
    }

    /// Puts these extents, and all that are not compressed, where there is room.
    fn put_rest(&mut self, data: &Data, moved: &[usize], open: &mut Open) {
        let is_plain = |number: &usize| data.extents[*number].compression == compression::NONE;
        let plain = (0..data.extents.len()).filter(is_plain);
        for number in moved.iter().copied().chain(plain) {
            let len = u64::from(data.extents[number].disk_len);
            if open.next() + len > open.end {
                // Before a superblock, what is left over is of no use for anything else.
                let end = if open.is_limited {
                    open.end
                } else {
                    open.next().next_multiple_of(STRIPE)
                };
                self.close(open, end - open.start);
                *open = self.open();
            }
            self.put_extent(number, open.next(), len, open);
        }
    }

    /// Ends the last chunk, and puts so many free bytes into it, and behind it.
    fn put_free(&mut self, free: u64, mut open: Open) {
        let mut free = free.next_multiple_of(STRIPE);
        while open.used.is_some() || free > 0 {
            let used = open.next() - open.start;
            let room = open.end - open.start;
            let len = used.next_multiple_of(STRIPE).saturating_add(free).min(room);
            free = free.saturating_sub(len - used).next_multiple_of(STRIPE);
            self.close(&open, len);
            if free == 0 {
                break;
            }
            open = self.open();
        }
    }

    /// Where the nodes of a kind lie: which of them are in one chunk, and the first byte of each copy.
    pub(super) fn pieces(&self, kind: u64, nodes: u64) -> Vec<(Range<u64>, &[u64])> {
        let mut pieces = Vec::new();
        let mut first = 0;
        for chunk in self.list.iter().filter(|chunk| chunk.kind & kind != 0) {
            let end = (first + chunk.len / NODE).min(nodes);
            pieces.push((first..end, &chunk.stripes[..]));
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
                };
                let chunks = Chunks::of_data(&data, free).with_nodes(&wanted);
                for chunk in &chunks.list {
                    assert_eq!((chunk.start % STRIPE, chunk.len % STRIPE), (0, 0), "{chunk:?}");
                }
                let room = chunks.list.iter().filter(|chunk| chunk.is_data());
                let room: u64 = room.map(|chunk| chunk.len - chunk.data).sum();
                assert!(room >= free, "{room} of {free}");
            }
        }
    }

    /// Compressed extents lie where the spool has them, but for the few that a chunk's end or a superblock cuts; and whatever
    /// lies where, nothing is lost, twice, or outside of a chunk.
    #[test]
    fn compressed_extents_stay_where_they_are() {
        // Up to beyond each of the superblocks' places, and some chunks.
        for (count, len) in [(0, 1), (5, 31), (1200, 31), (40_000, 31), (300_000, 255)] {
            let lens = (0..count).map(|number: u32| (1 + number.wrapping_mul(2_654_435_761) % len) * 4096);
            let data = Data::compressed_to(lens.map(|len| len + count / 300_000 * (900 << 10)), 40);
            let chunks = Chunks::of_data(&data, 1 << 20);
            let mut next = RESERVED;
            let mut moved = 0;
            for number in &data.compressed {
                moved += usize::from(chunks.places[*number] != next);
                next += u64::from(data.extents[*number].disk_len);
            }
            assert!(moved <= 2 * 17 + chunks.list.len(), "{moved} of {count}");
            assert_eq!(moved > 0, next > SUPERBLOCKS[1]);
            let mut order = chunks.order.clone();
            assert!(order.is_sorted_by_key(|number| chunks.addresses[*number]));
            let mut order_of_places = order.iter().map(|number| chunks.places[*number]);
            assert!(order_of_places.by_ref().is_sorted());
            let mut extents = order.iter().copied().peekable();
            for chunk in &chunks.list {
                let place = chunk.stripes[0];
                let covers = |at: &u64| place < at + STRIPE && *at < place + chunk.len;
                assert!(!SUPERBLOCKS.iter().any(covers), "{chunk:?}");
                assert!(
                    chunk.lead + chunk.data <= chunk.len && chunk.len <= DATA_MAX,
                    "{chunk:?}"
                );
                let mut used = chunk.lead;
                while let Some(number) = extents.next_if(|number| chunks.addresses[*number] < chunk.end()) {
                    assert_eq!(chunks.addresses[number], chunk.start + used);
                    assert_eq!(chunks.places[number], place + used);
                    used += u64::from(data.extents[number].disk_len);
                }
                assert_eq!(used, chunk.lead + chunk.data);
            }
            assert_eq!(extents.next(), None);
            order.sort_unstable();
            assert!(order.into_iter().eq(0..data.extents.len()));
        }
    }
}
