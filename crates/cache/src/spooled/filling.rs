//! A segment that grows, in memory or in a spool.

use std::io;

use image::{Error, ReadAt as _};

use super::parts::{Run, placed};
use super::rooms::{At, HELD_MAX, Rooms};

/// A segment that grows.
pub(super) struct Filling<'a> {
    rooms: &'a Rooms<'a>,
    segment: usize,
    /// How long it was said to be.
    stated: Option<u64>,
    at: At,
    /// How long it is.
    len: u64,
    /// How much of that the image leaves out, where that lies elsewhere.
    left_out: u64,
    /// What is held of it.
    bytes: Vec<u8>,
}

impl<'a> Filling<'a> {
    pub(super) fn new(rooms: &'a Rooms<'a>, segment: usize, stated: Option<u64>, at: At) -> Filling<'a> {
        Filling {
            rooms,
            segment,
            stated,
            at,
            len: 0,
            left_out: 0,
            bytes: Vec::new(),
        }
    }

    /// Appends bytes, which the image may leave out. False, and nothing is done, when the segment becomes longer than it
    /// can be.
    pub(super) fn put(&mut self, bytes: &[u8], leave_out: bool) -> Result<bool, Error> {
        let most = self.stated.unwrap_or(self.rooms.room(self.segment).most);
        let len = bytes.len() as u64;
        if self.len + len > most {
            return Ok(false);
        }
        if self.at == At::Held && self.hold(bytes, most)? {
            self.len += len;
            return Ok(true);
        }
        match self.at {
            At::Place { left_out, .. } if leave_out => {
                self.rooms.left_out.write_at(bytes, left_out + self.left_out)?;
                self.left_out += len;
            }
            at => {
                let position = at.start() + self.len - self.left_out;
                self.rooms.spool.write_at(bytes, position)?;
            }
        }
        self.len += len;
        Ok(true)
    }

    /// Appends bytes in memory. False when that would be too much: then what was there lies aside.
    fn hold(&mut self, bytes: &[u8], most: u64) -> Result<bool, Error> {
        let len = bytes.len() as u64;
        let mut state = self.rooms.lock();
        if state.held_len + len <= HELD_MAX {
            state.held_len += len;
            drop(state);
            self.bytes.extend_from_slice(bytes);
            return Ok(true);
        }
        self.at = At::Aside(state.put_aside(most));
        state.held_len -= self.bytes.len() as u64;
        drop(state);
        let held = std::mem::take(&mut self.bytes);
        self.rooms.spool.write_at(&held, self.at.start())?;
        Ok(false)
    }

    pub(super) fn at(&self) -> At {
        self.at
    }

    /// Reads what was put, when nothing of it was left out.
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

    /// It is complete, consists of these runs, and this one is the one that is wanted.
    pub(super) fn finish(mut self, runs: Vec<Run>) -> Result<(), Error> {
        let mut state = self.rooms.lock();
        let place = &mut state.places[self.segment];
        // Whoever writes at a place is the only one who says how long it is.
        if !place.taken || self.at.stays() {
            place.len.get_or_insert(placed(&runs));
        }
        state.is_at(self.segment, self.at, runs);
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
