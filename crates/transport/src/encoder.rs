//! Cuts an image into chunks, has them compressed by threads, and puts them together in their order.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

use image::{Encode, Piece};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{Error, Method, Options, gzip, xz, zstd};

/// How many chunks more than threads are in memory, so that no thread waits for one.
const AHEAD: usize = 2;

/// Compresses an image on its way into a file: [`image::Through`] takes it.
pub struct Encoder {
    options: Options,
    chunk_size: usize,
    container: Container,
    pool: ThreadPool,
    threads: usize,
    /// The chunk that is not full: its bytes, and how many zeros follow them.
    bytes: Vec<u8>,
    zeros: usize,
    /// How many chunks there were before it.
    ended: u64,
    /// What a full chunk of zeros becomes, once there was one.
    frame_of_zeros: Option<Arc<Frame>>,
    /// The frames that were not stored, in order.
    waiting: VecDeque<Waiting>,
    /// Tells the threads that nobody waits for them any more.
    stopped: Arc<AtomicBool>,
}

/// A compressed chunk.
pub(crate) struct Frame {
    /// As it lies in the file.
    pub(crate) bytes: Vec<u8>,
    /// How many of them are there only for the alignment of others.
    pub(crate) padding: usize,
    /// How many bytes it was made of.
    pub(crate) content_len: usize,
}

enum Waiting {
    Made(Arc<Frame>),
    Making(Receiver<io::Result<Frame>>),
}

/// What is around the frames, and what it has to know of them.
enum Container {
    Zstd(zstd::SeekTable),
    Xz(xz::Index),
    Gzip,
}

impl Encoder {
    /// Nothing so far; `threads` of them will compress.
    ///
    /// # Errors
    /// When the format has no such level, or threads cannot be made.
    pub fn new(options: Options, threads: usize) -> Result<Encoder, Error> {
        options.check()?;
        let failed = |source| Error::Threads { threads, source };
        let (chunk_size, container) = match options.method {
            Method::Zstd => (
                zstd::chunk(options.level),
                Container::Zstd(zstd::SeekTable::default()),
            ),
            Method::Xz => (xz::chunk(options.level), Container::Xz(xz::Index::default())),
            Method::Gzip => (gzip::CHUNK, Container::Gzip),
        };
        Ok(Encoder {
            options,
            chunk_size,
            container,
            pool: ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .map_err(failed)?,
            threads,
            bytes: Vec::new(),
            zeros: 0,
            ended: 0,
            frame_of_zeros: None,
            waiting: VecDeque::new(),
            stopped: Arc::default(),
        })
    }

    fn put_bytes(&mut self, mut bytes: &[u8], out: &mut dyn io::Write) -> io::Result<()> {
        while !bytes.is_empty() {
            self.bytes.reserve_exact(self.chunk_size - self.bytes.len());
            self.bytes.resize(self.bytes.len() + self.zeros, 0);
            self.zeros = 0;
            let (part, rest) = bytes.split_at(bytes.len().min(self.chunk_size - self.bytes.len()));
            self.bytes.extend_from_slice(part);
            bytes = rest;
            self.end_full_chunk(out)?;
        }
        Ok(())
    }

    fn put_zeros(&mut self, mut len: u64, out: &mut dyn io::Write) -> io::Result<()> {
        while len > 0 {
            let room = self.chunk_size - self.bytes.len() - self.zeros;
            let part = usize::try_from(len).map_or(room, |len| len.min(room));
            self.zeros += part;
            len -= part as u64;
            self.end_full_chunk(out)?;
        }
        Ok(())
    }

    fn end_full_chunk(&mut self, out: &mut dyn io::Write) -> io::Result<()> {
        if self.bytes.len() + self.zeros == self.chunk_size {
            self.end_chunk(out)?;
        }
        Ok(())
    }

    fn end_chunk(&mut self, out: &mut dyn io::Write) -> io::Result<()> {
        while self.waiting.len() >= self.threads + AHEAD {
            self.store_oldest(out)?;
        }
        let mut chunk = std::mem::take(&mut self.bytes);
        let len = chunk.len() + std::mem::take(&mut self.zeros);
        let only_zeros = chunk.iter().all(|byte| *byte == 0);
        let waiting = if only_zeros && len == self.chunk_size {
            Waiting::Made(self.frame_of_zeros()?)
        } else {
            chunk.resize(len, 0);
            Waiting::Making(self.compress(chunk))
        };
        self.waiting.push_back(waiting);
        self.ended += 1;
        Ok(())
    }

    fn frame_of_zeros(&mut self) -> io::Result<Arc<Frame>> {
        if let Some(frame) = &self.frame_of_zeros {
            return Ok(Arc::clone(frame));
        }
        let frame = Arc::new(compress(self.options, &vec![0; self.chunk_size])?);
        self.frame_of_zeros = Some(Arc::clone(&frame));
        Ok(frame)
    }

    /// Has a thread compress a chunk.
    fn compress(&self, chunk: Vec<u8>) -> Receiver<io::Result<Frame>> {
        let (sender, receiver) = channel();
        let (options, stopped) = (self.options, Arc::clone(&self.stopped));
        self.pool.spawn_fifo(move || {
            if !stopped.load(Ordering::Relaxed) {
                // Nobody hears it when the encoder is gone, and nobody needs it then.
                let _ = sender.send(compress(options, &chunk));
            }
        });
        receiver
    }

    fn store_oldest(&mut self, out: &mut dyn io::Write) -> io::Result<()> {
        let frame = match self.waiting.pop_front() {
            None => return Ok(()),
            Some(Waiting::Made(frame)) => frame,
            Some(Waiting::Making(frame)) => {
                let gone = |_| io::Error::other("a thread that compresses failed");
                Arc::new(frame.recv().map_err(gone)??)
            }
        };
        match &mut self.container {
            Container::Zstd(table) => table.add(&frame)?,
            Container::Xz(index) => index.add(&frame, out)?,
            Container::Gzip => {}
        }
        out.write_all(&frame.bytes)
    }
}

impl Frame {
    pub(crate) fn new(bytes: Vec<u8>, chunk: &[u8]) -> Frame {
        Frame {
            bytes,
            padding: 0,
            content_len: chunk.len(),
        }
    }
}

impl Encode for Encoder {
    fn put(&mut self, piece: &Piece, out: &mut dyn io::Write) -> io::Result<()> {
        match piece {
            Piece::Bytes(bytes) => self.put_bytes(bytes, out),
            Piece::Zeros(len) | Piece::Hole(len) => self.put_zeros(*len, out),
        }
    }

    fn finish(&mut self, out: &mut dyn io::Write) -> io::Result<()> {
        // Even an empty image has a chunk: an empty file would be none of the format's.
        if self.bytes.len() + self.zeros > 0 || self.ended == 0 {
            self.end_chunk(out)?;
        }
        while !self.waiting.is_empty() {
            self.store_oldest(out)?;
        }
        match &self.container {
            Container::Zstd(table) => table.finish(out),
            Container::Xz(index) => index.finish(out),
            Container::Gzip => Ok(()),
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

fn compress(options: Options, chunk: &[u8]) -> io::Result<Frame> {
    let Options { method, level } = options;
    match method {
        Method::Zstd => zstd::frame(level, chunk),
        Method::Xz => xz::block(level, chunk),
        Method::Gzip => gzip::member(level, chunk),
    }
}
