//! Where segments lie in the spool: where they will lie in the image, so that the spool can become the image's file.
//!
//! A segment's place is known when the lengths of all segments before it are. Those that were found near have known
//! lengths, those that are fetched state theirs before they come, and those that are compressed have none before they are
//! ready. What is ready before its place is known is held in memory, or, when that is too much, lies aside: behind all places.
//!
//! ```text
//!  spool │ free │ 0 │ 1 │ 2 │ …           │ 9 │ …            │ aside: 14, 12 │
//!                 known │ being compressed│ its length is known already, its place is not
//! ```
//!
//! A length that is noted never changes, and whoever writes at a place stays within it. So no two segments overlap,
//! whatever a shared cache states; when one was not what was stated, the places are not those of the image, which then is
//! copied out of the spool.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use image::{Error, ReadAt as _, Spool};

use super::{ALIGNMENT, Spooled};

/// How many bytes are held in memory at most.
const HELD_MAX: u64 = 32 << 20;

/// Where a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// In the spool, at a place.
    Place(u64),
    /// In the spool, behind all places.
    Aside(u64),
    /// In memory, in [`Rooms`].
    Held,
}

/// The places of all segments.
pub(super) struct Rooms<'a> {
    spool: &'a Spool,
    /// The first place.
    start: u64,
    /// How long each segment is at most.
    most: Vec<u64>,
    /// The first byte behind all places.
    behind: u64,
    state: Mutex<State>,
}

struct State {
    places: Vec<Place>,
    /// The first bytes of the first segments, as far as they are known; there is at least one.
    starts: Vec<u64>,
    /// The first free byte aside.
    aside: u64,
    /// Segments that wait for their places.
    held: BTreeMap<usize, Vec<u8>>,
    /// Bytes in memory, of segments that are ready and that are not.
    held_len: u64,
    /// Where segments that are done are.
    at: Vec<Option<At>>,
    /// Which of them were not at their places at first.
    waited: Vec<bool>,
}

#[derive(Clone, Copy, Default)]
struct Place {
    len: Option<u64>,
    /// Somebody writes there, or has done so.
    taken: bool,
}

impl<'a> Rooms<'a> {
    /// Rooms from a byte on, for segments of at most so many bytes, of which some have known lengths.
    pub(super) fn new(spool: &'a Spool, start: u64, most: Vec<u64>, lens: Vec<Option<u64>>) -> Rooms<'a> {
        let end = |end: u64, most: &u64| end + most.next_multiple_of(ALIGNMENT);
        let behind = most.iter().fold(start, end);
        let count = most.len();
        let place = |(len, most): (Option<u64>, &u64)| Place {
            len: len.filter(|len| len <= most),
            taken: false,
        };
        let mut state = State {
            places: lens.into_iter().zip(&most).map(place).collect(),
            starts: vec![start],
            aside: behind,
            held: BTreeMap::new(),
            held_len: 0,
            at: vec![None; count],
            waited: vec![false; count],
        };
        state.find_starts();
        Rooms {
            spool,
            start,
            most,
            behind,
            state: Mutex::new(state),
        }
    }

    /// No code panics while it holds the lock, so its state is sound even when it is poisoned.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to put a segment somewhere, whose length may be known.
    pub(super) fn fill(&self, segment: usize, len: Option<u64>) -> Filling<'_> {
        let mut state = self.lock();
        let at = match state.claim(segment, len) {
            Some(start) => At::Place(start),
            None => At::Held,
        };
        Filling {
            rooms: self,
            segment,
            stated: len,
            len: 0,
            at,
            bytes: Vec::new(),
        }
    }

    /// A place for a segment of this length that is copied as a whole: its own, or one aside.
    pub(super) fn whole(&self, segment: usize, len: u64) -> At {
        let mut state = self.lock();
        match state.claim(segment, Some(len)) {
            Some(start) => At::Place(start),
            None => At::Aside(state.put_aside(len)),
        }
    }

    /// Puts segments that are held to places that are known.
    fn put_held(&self) -> Result<(), Error> {
        loop {
            let mut state = self.lock();
            let known = state.starts.len();
            let ready: Vec<usize> = state.held.range(..known).map(|(number, _)| *number).collect();
            let next = ready.into_iter().find_map(|segment| {
                let len = state.held.get(&segment)?.len() as u64;
                Some((segment, state.claim(segment, Some(len))?))
            });
            let Some((segment, start)) = next else {
                return Ok(());
            };
            let bytes = state.held.remove(&segment).unwrap_or_default();
            state.held_len -= bytes.len() as u64;
            state.at[segment] = Some(At::Place(start));
            drop(state);
            self.spool.write_at(&bytes, start)?;
        }
    }

    /// A segment that was copied as a whole is complete.
    pub(super) fn is_at(&self, segment: usize, at: At) {
        self.lock().is_at(segment, at);
    }

    /// When all segments are done: puts those that are somewhere else to their places, if all others are at theirs. Answers
    /// which were not there at first.
    pub(super) fn settle<N>(self, segments: &mut [Spooled<N>]) -> Result<Vec<bool>, Error> {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut end = self.start;
        let mut places = Vec::with_capacity(segments.len());
        for segment in segments.iter() {
            places.push(end);
            end = (end + segment.len).next_multiple_of(ALIGNMENT);
        }
        let ats: Vec<At> = state.at.iter().map(|at| at.unwrap_or(At::Held)).collect();
        let is_there = |(at, place): (&At, &u64)| !at.stays() || at.start() == *place;
        let all_there = ats.iter().zip(&places).all(is_there);
        for (number, (segment, place)) in segments.iter_mut().zip(&places).enumerate() {
            let at = ats[number];
            segment.start = match at {
                At::Held if !all_there => state.put_aside(segment.len),
                At::Held | At::Aside(_) if all_there => *place,
                _ => at.start(),
            };
            if at == At::Held {
                let bytes = state.held.remove(&number).unwrap_or_default();
                self.spool.write_at(&bytes, segment.start)?;
            } else if segment.start != at.start() {
                let from = at.start()..at.start() + segment.len;
                self.spool.copy_within(from, segment.start)?;
            }
        }
        if all_there {
            self.spool.cut(self.behind)?;
        }
        Ok(state.waited)
    }
}

impl State {
    /// The place of a segment that may be of this length, for whoever asks first.
    fn claim(&mut self, segment: usize, len: Option<u64>) -> Option<u64> {
        let place = &mut self.places[segment];
        if place.taken {
            return None;
        }
        if place.len.is_none() {
            place.len = len;
        }
        let is_right = place.len == len;
        self.find_starts();
        let start = self.starts.get(segment).filter(|_| is_right)?;
        self.places[segment].taken = true;
        Some(*start)
    }

    /// Finds the places that are known.
    fn find_starts(&mut self) {
        while let Some(place) = self.places.get(self.starts.len() - 1)
            && let Some(len) = place.len
            && let Some(start) = self.starts.last()
        {
            let next = (start + len).next_multiple_of(ALIGNMENT);
            self.starts.push(next);
        }
    }

    fn is_at(&mut self, segment: usize, at: At) {
        self.at[segment] = Some(at);
        self.waited[segment] = !at.stays();
    }

    fn put_aside(&mut self, len: u64) -> u64 {
        let start = self.aside;
        self.aside += len.next_multiple_of(ALIGNMENT);
        start
    }
}

impl At {
    /// Whether it lies where it stays, if all goes well.
    pub(super) fn stays(self) -> bool {
        matches!(self, At::Place(_))
    }

    /// The first byte in the spool; none of it is there while it is held.
    pub(super) fn start(self) -> u64 {
        match self {
            At::Place(start) | At::Aside(start) => start,
            At::Held => 0,
        }
    }
}

/// A segment that grows.
pub(super) struct Filling<'a> {
    rooms: &'a Rooms<'a>,
    segment: usize,
    /// How long it was said to be.
    stated: Option<u64>,
    /// How long it is.
    len: u64,
    at: At,
    /// What is held of it.
    bytes: Vec<u8>,
}

impl Filling<'_> {
    /// Appends bytes. False, and nothing is done, when the segment becomes longer than it can be.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<bool, Error> {
        let most = self.stated.unwrap_or(self.rooms.most[self.segment]);
        let len = bytes.len() as u64;
        if self.len + len > most {
            return Ok(false);
        }
        if self.at == At::Held {
            let mut state = self.rooms.lock();
            if state.held_len + len <= HELD_MAX {
                state.held_len += len;
                drop(state);
                self.bytes.extend_from_slice(bytes);
                self.len += len;
                return Ok(true);
            }
            self.at = At::Aside(state.put_aside(most));
            state.held_len -= self.bytes.len() as u64;
            drop(state);
            self.rooms
                .spool
                .write_at(&std::mem::take(&mut self.bytes), self.at.start())?;
        }
        self.rooms.spool.write_at(bytes, self.at.start() + self.len)?;
        self.len += len;
        Ok(true)
    }

    pub(super) fn at(&self) -> At {
        self.at
    }

    /// Reads what was put.
    pub(super) fn read(&self, buffer: &mut [u8], position: u64) -> Result<(), Error> {
        let read = match self.at {
            At::Held => {
                let start = usize::try_from(position).unwrap_or(usize::MAX);
                let bytes = self
                    .bytes
                    .get(start..)
                    .and_then(|bytes| bytes.get(..buffer.len()));
                let ends = || io::ErrorKind::UnexpectedEof.into();
                bytes.map(|bytes| buffer.copy_from_slice(bytes)).ok_or_else(ends)
            }
            at => self
                .rooms
                .spool
                .span(at.start(), self.len)
                .read_exact_at(buffer, position),
        };
        read.map_err(|source| Error::ReadSource {
            what: "spool".into(),
            source,
        })
    }

    /// It is complete, and this one is the one that is wanted.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        let mut state = self.rooms.lock();
        state.is_at(self.segment, self.at);
        let place = &mut state.places[self.segment];
        // Whoever writes at a place is the only one who says how long it is.
        if !place.taken || matches!(self.at, At::Place(_)) {
            place.len.get_or_insert(self.len);
        }
        if self.at == At::Held {
            let bytes = std::mem::take(&mut self.bytes);
            state.held.insert(self.segment, bytes);
        }
        state.find_starts();
        drop(state);
        self.rooms.put_held()
    }
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            self.rooms.lock().held_len -= self.bytes.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// How a segment comes.
    #[derive(Clone, Copy, Debug)]
    enum Way {
        /// Its length is known before all others' are, and may be wrong.
        Whole { seen: u64 },
        /// It states a length, which may be wrong, and then it comes; or it never does.
        Stated { len: u64, comes: bool },
        /// It comes.
        Grown,
    }

    fn ways() -> impl Strategy<Value = Vec<(u64, Way)>> {
        let len = || prop_oneof![0..3_u64, 4000..9000_u64];
        let way = prop_oneof![
            len().prop_map(|seen| Way::Whole { seen }),
            (len(), any::<bool>()).prop_map(|(len, comes)| Way::Stated { len, comes }),
            Just(Way::Grown),
        ];
        let right = |(len, way, right): (u64, Way, bool)| match (way, right) {
            (Way::Whole { .. }, true) => (len, Way::Whole { seen: len }),
            (Way::Stated { comes, .. }, true) => (len, Way::Stated { len, comes }),
            _ => (len, way),
        };
        prop::collection::vec((len(), way, prop::bool::weighted(0.8)).prop_map(right), 1..12)
    }

    /// Puts a segment by hand.
    fn put(rooms: &Rooms, number: usize, stated: Option<u64>, bytes: &[u8]) -> Option<Spooled<()>> {
        let mut filling = rooms.fill(number, stated);
        for part in bytes.chunks(1000) {
            if !filling.put(part).unwrap() {
                return None;
            }
        }
        let mut read = vec![0; bytes.len()];
        filling.read(&mut read, 0).unwrap();
        assert!(read == bytes);
        let spooled = spooled(filling.at(), bytes.len() as u64);
        filling.finish().unwrap();
        Some(spooled)
    }

    fn spooled(at: At, len: u64) -> Spooled<()> {
        let start = at.start();
        let (sizes, notes, digest) = (Vec::new(), Vec::new(), None);
        Spooled {
            start,
            len,
            sizes,
            notes,
            digest,
        }
    }

    proptest! {
        /// In whichever order they come, and whatever was stated of them, all are there at last; and at their places when
        /// what was stated is true.
        #[test]
        fn all_segments_are_there(ways in ways(), order in prop::collection::vec(any::<u32>(), 12)) {
            let dir = tempfile::tempdir().unwrap();
            let spool = Spool::create(dir.path()).unwrap();
            let seen = |(_, way): &(u64, Way)| match way {
                Way::Whole { seen } => Some(*seen),
                _ => None,
            };
            let most = vec![9000; ways.len()];
            let rooms = Rooms::new(&spool, ALIGNMENT, most, ways.iter().map(seen).collect());
            let bytes = |number: usize| vec![u8::try_from(number).unwrap() + 1; usize::try_from(ways[number].0).unwrap()];
            let mut numbers: Vec<usize> = (0..ways.len()).collect();
            numbers.sort_by_key(|number| (seen(&ways[*number]).is_some(), order[*number]));
            let mut segments: Vec<Option<Spooled<()>>> = vec![None; ways.len()];
            for number in numbers {
                let bytes = bytes(number);
                let len = bytes.len() as u64;
                segments[number] = match ways[number].1 {
                    Way::Whole { seen } if seen != len => {
                        // Something else was copied there, which is rejected.
                        let at = rooms.whole(number, seen);
                        spool.write_at(&vec![0xee; usize::try_from(seen).unwrap()], at.start()).unwrap();
                        None
                    }
                    Way::Whole { .. } => {
                        let at = rooms.whole(number, len);
                        spool.write_at(&bytes, at.start()).unwrap();
                        rooms.is_at(number, at);
                        Some(spooled(at, len))
                    }
                    Way::Stated { len: stated, comes: true } => put(&rooms, number, Some(stated), &bytes),
                    Way::Stated { len: stated, .. } => {
                        rooms.fill(number, Some(stated)).put(b"x").unwrap();
                        None
                    }
                    Way::Grown => put(&rooms, number, None, &bytes),
                };
            }
            for (number, segment) in segments.iter_mut().enumerate() {
                segment.get_or_insert_with(|| put(&rooms, number, None, &bytes(number)).unwrap());
            }
            let mut segments: Vec<Spooled<()>> = segments.into_iter().flatten().collect();
            rooms.settle(&mut segments).unwrap();
            let mut end = ALIGNMENT;
            let is_true = ways.iter().all(|(len, way)| match way {
                Way::Whole { seen } => seen == len,
                Way::Stated { len: stated, comes } => *comes && stated == len,
                Way::Grown => true,
            });
            for (number, segment) in segments.iter().enumerate() {
                let mut found = vec![0; usize::try_from(segment.len).unwrap()];
                spool.span(segment.start, segment.len).read_exact_at(&mut found, 0).unwrap();
                prop_assert!(found == bytes(number), "{} of {:?}", number, ways);
                prop_assert!(!is_true || segment.start == end);
                end = (end + segment.len).next_multiple_of(ALIGNMENT);
            }
        }
    }

    /// More than is held in memory lies aside until its place is known.
    #[test]
    fn memory_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::create(dir.path()).unwrap();
        let len = HELD_MAX / 4;
        let rooms = Rooms::new(&spool, ALIGNMENT, vec![len; 7], vec![None; 7]);
        let bytes = |number: usize| vec![u8::try_from(number).unwrap() + 1; usize::try_from(len).unwrap()];
        let mut segments: Vec<Spooled<()>> = (1..7)
            .map(|number| put(&rooms, number, None, &bytes(number)).unwrap())
            .collect();
        let aside = |at: &&Option<At>| matches!(at, Some(At::Aside(_)));
        assert_eq!(rooms.lock().at.iter().filter(aside).count(), 2);
        assert!(rooms.lock().held_len <= HELD_MAX);
        segments.insert(0, put(&rooms, 0, None, b"short").unwrap());
        assert_eq!(rooms.lock().held_len, 0);
        rooms.settle(&mut segments).unwrap();
        for (number, segment) in segments.iter().enumerate().skip(1) {
            let start = 2 * ALIGNMENT + (number as u64 - 1) * len;
            assert_eq!(segment.start, start);
            let mut found = bytes(0);
            spool.span(start, len).read_exact_at(&mut found, 0).unwrap();
            assert!(found == bytes(number));
        }
        // Nothing is left behind the places.
        assert!(spool.span(8 * len, 1).read_exact_at(&mut [0], 0).is_err());
    }
}
