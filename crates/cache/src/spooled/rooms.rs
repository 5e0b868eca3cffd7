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
use std::sync::{Mutex, MutexGuard, PoisonError};

use image::{Error, Spool};

use super::filling::Filling;
use super::parts::{Part, Run, left_out, placed};
use super::{ALIGNMENT, Spooled};

/// How many bytes are held in memory at most.
pub(super) const HELD_MAX: u64 = 32 << 20;

/// Where a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// In the spool, at a place.
    Place {
        start: u64,
        /// Where the bytes begin that the image leaves out, in the spool for them.
        left_out: u64,
    },
    /// In the spool, behind all places, in one piece.
    Aside(u64),
    /// In memory, in [`Rooms`], in one piece.
    Held,
}

/// What a segment needs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    /// How long it is at most.
    pub(super) most: u64,
    /// How much of that the image may leave out.
    pub(super) left_out: u64,
    /// How long it is in the image, as far as that is known.
    pub(super) len: Option<u64>,
}

/// The places of all segments.
pub(super) struct Rooms<'a> {
    pub(super) spool: &'a Spool,
    /// What the image leaves out.
    pub(super) left_out: Spool,
    /// The first place.
    start: u64,
    needs: Vec<Room>,
    /// The first byte behind all places.
    behind: u64,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) places: Vec<Place>,
    /// The first bytes of the first segments, as far as they are known; there is at least one.
    starts: Vec<u64>,
    /// The first free byte aside.
    aside: u64,
    /// The first free byte among what is left out.
    left_out: u64,
    /// Segments that wait for their places.
    pub(super) held: BTreeMap<usize, Vec<u8>>,
    /// Bytes in memory, of segments that are ready and that are not.
    pub(super) held_len: u64,
    /// Where segments that are done are.
    at: Vec<Option<At>>,
    /// What they consist of.
    runs: Vec<Vec<Run>>,
    /// Which of them were not at their places at first.
    waited: Vec<bool>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) len: Option<u64>,
    /// Somebody writes there, or has done so.
    pub(super) taken: bool,
}

impl<'a> Rooms<'a> {
    /// Rooms from a byte on, for these segments.
    pub(super) fn new(spool: &'a Spool, start: u64, needs: Vec<Room>) -> Result<Rooms<'a>, Error> {
        let end = |end: u64, room: &Room| end + room.most.next_multiple_of(ALIGNMENT);
        let behind = needs.iter().fold(start, end);
        let place = |room: &Room| Place {
            len: room.len.filter(|len| *len <= room.most),
            taken: false,
        };
        let mut state = State {
            places: needs.iter().map(place).collect(),
            starts: vec![start],
            aside: behind,
            left_out: 0,
            held: BTreeMap::new(),
            held_len: 0,
            at: vec![None; needs.len()],
            runs: vec![Vec::new(); needs.len()],
            waited: vec![false; needs.len()],
        };
        state.find_starts();
        let left_out = if needs.iter().any(|room| room.left_out > 0) {
            spool.another()?
        } else {
            spool.clone()
        };
        Ok(Rooms {
            spool,
            left_out,
            start,
            needs,
            behind,
            state: Mutex::new(state),
        })
    }

    /// No code panics while it holds the lock, so its state is sound even when it is poisoned.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn room(&self, segment: usize) -> Room {
        self.needs[segment]
    }

    /// Begins to put a segment somewhere block by block.
    pub(super) fn grow(&self, segment: usize) -> Filling<'_> {
        let mut state = self.lock();
        let at = match state.claim(segment, None) {
            Some(start) => At::Place {
                start,
                left_out: state.leave_out(self.needs[segment].left_out),
            },
            None => At::Held,
        };
        Filling::new(self, segment, None, at)
    }

    /// Begins to put a segment somewhere whose length may be known; what its blocks are is known only when all of it is there.
    pub(super) fn fill(&self, segment: usize, len: Option<u64>) -> Filling<'_> {
        let mut state = self.lock();
        let at = match self.needs[segment].left_out {
            0 => state.claim(segment, len),
            _ => None,
        };
        let at = at.map_or(At::Held, |start| At::Place { start, left_out: 0 });
        Filling::new(self, segment, len, at)
    }

    /// A place for a segment of these runs that is copied as a whole: its own, or one aside.
    pub(super) fn whole(&self, segment: usize, runs: &[Run]) -> At {
        let mut state = self.lock();
        match state.claim(segment, Some(placed(runs))) {
            Some(start) => state.place(start, runs),
            None => At::Aside(state.put_aside(placed(runs) + left_out(runs))),
        }
    }

    /// Where the bytes of a segment are that is somewhere in a spool.
    pub(super) fn parts(&self, at: At, runs: &[Run]) -> Vec<Part> {
        let At::Place { start, left_out } = at else {
            let len = runs.iter().map(|run| run.len).sum();
            let (spool, start) = (self.spool.clone(), at.start());
            return vec![Part { spool, start, len }];
        };
        let (mut here, mut there) = (start, left_out);
        let part = |run: &Run| {
            let (spool, next) = if run.left_out {
                (&self.left_out, &mut there)
            } else {
                (self.spool, &mut here)
            };
            let start = *next;
            *next += run.len;
            let (spool, len) = (spool.clone(), run.len);
            Part { spool, start, len }
        };
        runs.iter().map(part).collect()
    }

    /// Puts segments that are held to places that are known.
    pub(super) fn put_held(&self) -> Result<(), Error> {
        loop {
            let mut state = self.lock();
            let known = state.starts.len();
            let ready: Vec<usize> = state.held.range(..known).map(|(number, _)| *number).collect();
            let next = ready.into_iter().find_map(|segment| {
                let len = placed(&state.runs[segment]);
                Some((segment, state.claim(segment, Some(len))?))
            });
            let Some((segment, start)) = next else {
                return Ok(());
            };
            let bytes = state.held.remove(&segment).unwrap_or_default();
            state.held_len -= bytes.len() as u64;
            let runs = state.runs[segment].clone();
            let at = state.place(start, &runs);
            state.at[segment] = Some(at);
            drop(state);
            self.write(&bytes, at, &runs)?;
        }
    }

    fn write(&self, mut bytes: &[u8], at: At, runs: &[Run]) -> Result<(), Error> {
        for part in self.parts(at, runs) {
            let len = usize::try_from(part.len).unwrap_or(usize::MAX);
            let (own, others) = bytes.split_at(len.min(bytes.len()));
            part.spool.write_at(own, part.start)?;
            bytes = others;
        }
        Ok(())
    }

    /// Puts a segment that is aside somewhere else.
    fn carry(&self, mut from: u64, to: At, runs: &[Run]) -> Result<(), Error> {
        for part in self.parts(to, runs) {
            let end = from + part.len;
            self.spool.copy_into(from..end, &part.spool, part.start)?;
            from = end;
        }
        Ok(())
    }

    /// A segment that was copied as a whole is complete.
    pub(super) fn is_at(&self, segment: usize, at: At, runs: Vec<Run>) {
        self.lock().is_at(segment, at, runs);
    }

    /// When all segments are done: puts those that are somewhere else to their places, if all others are at theirs. Answers
    /// which were not there at first.
    pub(super) fn settle<N>(self, segments: &mut [Spooled<N>]) -> Result<Vec<bool>, Error> {
        let mut state = self.lock();
        let mut end = self.start;
        let mut places = Vec::with_capacity(segments.len());
        for runs in &state.runs {
            places.push(end);
            end = (end + placed(runs)).next_multiple_of(ALIGNMENT);
        }
        let ats: Vec<At> = state.at.iter().map(|at| at.unwrap_or(At::Held)).collect();
        let is_there = |(at, place): (&At, &u64)| !at.stays() || at.start() == *place;
        let all_there = ats.iter().zip(&places).all(is_there);
        for (number, (segment, place)) in segments.iter_mut().zip(&places).enumerate() {
            let (at, runs) = (ats[number], std::mem::take(&mut state.runs[number]));
            let to = match at {
                At::Held if !all_there => At::Aside(state.put_aside(segment.len)),
                At::Held | At::Aside(_) if all_there => state.place(*place, &runs),
                _ => at,
            };
            match at {
                At::Held => {
                    let bytes = state.held.remove(&number).unwrap_or_default();
                    self.write(&bytes, to, &runs)?;
                }
                At::Aside(from) if at != to => self.carry(from, to, &runs)?,
                At::Aside(_) | At::Place { .. } => {}
            }
            segment.start = to.start();
            segment.parts = self.parts(to, &runs);
        }
        if all_there {
            self.spool.cut(self.behind)?;
        }
        Ok(std::mem::take(&mut state.waited))
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

    /// A place that begins here, with another one for what is left out.
    fn place(&mut self, start: u64, runs: &[Run]) -> At {
        let left_out = self.leave_out(left_out(runs));
        At::Place { start, left_out }
    }

    /// Finds the places that are known.
    pub(super) fn find_starts(&mut self) {
        while let Some(place) = self.places.get(self.starts.len() - 1)
            && let Some(len) = place.len
            && let Some(start) = self.starts.last()
        {
            let next = (start + len).next_multiple_of(ALIGNMENT);
            self.starts.push(next);
        }
    }

    pub(super) fn is_at(&mut self, segment: usize, at: At, runs: Vec<Run>) {
        self.at[segment] = Some(at);
        self.runs[segment] = runs;
        self.waited[segment] = !at.stays();
    }

    pub(super) fn put_aside(&mut self, len: u64) -> u64 {
        let start = self.aside;
        self.aside += len.next_multiple_of(ALIGNMENT);
        start
    }

    fn leave_out(&mut self, len: u64) -> u64 {
        let start = self.left_out;
        self.left_out += len.next_multiple_of(ALIGNMENT);
        start
    }
}

impl At {
    /// Whether it lies where it stays, if all goes well.
    pub(super) fn stays(self) -> bool {
        matches!(self, At::Place { .. })
    }

    /// The first byte in the spool; none of it is there while it is held.
    pub(super) fn start(self) -> u64 {
        match self {
            At::Place { start, .. } | At::Aside(start) => start,
            At::Held => 0,
        }
    }
}

#[cfg(test)]
mod tests;
