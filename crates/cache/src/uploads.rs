//! Segments on their way to others.

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use image::{Content, ReadAt as _};
use remote::{Options, Remote};

use crate::folder::object;
use crate::key::Key;
use crate::{Error, Found, Made, Part, Segments, entry};

/// How many segments are sent at once.
const THREADS: usize = 4;

/// Sends segments to an address while the build goes on. What could not be sent when the build is over stays unsent:
/// nobody waits for a slow connection.
#[derive(Debug)]
pub struct Uploads(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    remote: Remote,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Segment>,
    /// Segments that are being sent.
    under_way: usize,
    sent: u64,
    bytes: u64,
    problem: Option<String>,
    closed: bool,
}

#[derive(Debug)]
struct Segment {
    key: Key,
    /// One part after the other.
    blocks: Vec<Content>,
    tail: Vec<u8>,
}

/// What has become of segments that were to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// How many were sent; those that were there already do not count.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many were not sent in time.
    pub unsent: u64,
    /// Why sending was given up.
    pub problem: Option<String>,
}

impl Uploads {
    /// Gets ready to send; nothing is sent yet.
    ///
    /// # Errors
    /// When the address makes no sense, or the system has no thread left.
    pub fn open(address: &str, options: &Options) -> Result<Uploads, Error> {
        let queue = Arc::new(Queue {
            remote: Remote::open(address, options)?,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        for _ in 0..THREADS {
            let queue = Arc::clone(&queue);
            let spawned = std::thread::Builder::new().spawn(move || queue.send_all());
            spawned.map_err(Error::NoThread)?;
        }
        Ok(Uploads(queue))
    }

    /// Where segments are sent to, without what is secret of it.
    #[must_use]
    pub fn address(&self) -> String {
        self.0.remote.address().to_string()
    }

    /// Waits for what is under way, but not longer than this.
    #[must_use]
    pub fn close(self, patience: Duration) -> Sent {
        let state = self.0.lock();
        let busy = |state: &mut State| state.under_way + state.waiting.len() > 0;
        let waited = self.0.changed.wait_timeout_while(state, patience, busy);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        self.0.changed.notify_all();
        let unsent = state.waiting.len() + state.under_way;
        Sent {
            segments: state.sent,
            bytes: state.bytes,
            unsent: unsent as u64,
            problem: state.problem.take(),
        }
    }
}

impl Segments for Uploads {
    fn find(&self, _: &Key) -> Option<Found> {
        None
    }

    fn reject(&self, _: &Key, _: &str) {}

    fn reads_later(&self) -> bool {
        true
    }

    fn keep(&self, key: &Key, made: &Made) {
        let segment = Segment {
            key: *key,
            blocks: made.parts.iter().map(Part::content).collect(),
            tail: entry::tail(key, made.len, made.sizes, &made.digest),
        };
        self.0.lock().waiting.push_back(segment);
        self.0.changed.notify_all();
    }
}

impl Queue {
    /// No code panics while it holds the lock, so its state is sound even when it is poisoned.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker: sends until nothing more can come.
    fn send_all(&self) {
        while let Some(segment) = self.take() {
            let sent = self.send(&segment);
            let mut state = self.lock();
            state.under_way -= 1;
            match sent {
                Ok(0) => {}
                Ok(bytes) => {
                    state.sent += 1;
                    state.bytes += bytes;
                }
                Err(problem) => {
                    state.problem.get_or_insert(problem);
                }
            }
            self.changed.notify_all();
        }
    }

    /// The next segment, when there is one; none when there is nothing left to do. After a failure nothing is sent.
    fn take(&self) -> Option<Segment> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if state.problem.is_some() {
                state.waiting.clear();
                self.changed.notify_all();
            }
            if let Some(segment) = state.waiting.pop_front() {
                state.under_way += 1;
                return Some(segment);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The bytes that were sent; none when the segment was there already.
    fn send(&self, segment: &Segment) -> Result<u64, String> {
        let object = object(&segment.key);
        if self.remote.has(&object).map_err(|error| error.to_string())? {
            return Ok(0);
        }
        let blocks: u64 = segment.blocks.iter().map(Content::len).sum();
        let len = blocks + segment.tail.len() as u64;
        let open = || {
            let blocks = Bytes {
                contents: segment.blocks.clone().into(),
                position: 0,
            };
            Ok(Box::new(blocks.chain(Cursor::new(segment.tail.clone()))) as Box<dyn Read>)
        };
        let put = self.remote.put(&object, len, &open);
        put.map(|()| len).map_err(|error| error.to_string())
    }
}

/// Reads contents, one after the other.
struct Bytes {
    contents: VecDeque<Content>,
    position: u64,
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(content) = self.contents.front() {
            let left = content.len() - self.position;
            if left > 0 {
                let len = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
                content.read_exact_at(&mut buffer[..len], self.position)?;
                self.position += len as u64;
                return Ok(len);
            }
            self.contents.pop_front();
            self.position = 0;
        }
        Ok(0)
    }
}
