//! Those who hear an image's bytes while they are written, each on a thread of its own.

use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};

use sha2::{Digest, Sha256};

use super::pieces::Piece;
use crate::extents::Image;
use crate::fsverity::FsVerity;

/// How many pieces a listener may be behind.
const WAITING: usize = 4;

/// Zeros to be hashed; few, so that they stay in the processor's innermost cache.
static ZEROS: [u8; 16 << 10] = [0; 16 << 10];

/// Hears the bytes of an image in order, while they are written, on a thread of its own.
pub trait Listen: Send {
    /// Hears the next piece.
    fn hear(&mut self, piece: &Piece);
}

impl Listen for Sha256 {
    fn hear(&mut self, piece: &Piece) {
        match piece {
            Piece::Bytes(bytes) => self.update(&**bytes),
            Piece::Zeros(len) | Piece::Hole(len) => {
                let mut left = *len;
                while left > 0 {
                    let part = usize::try_from(left).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
                    self.update(&ZEROS[..part]);
                    left -= part as u64;
                }
            }
        }
    }
}

/// The digest of an image, on several threads when it is worth them.
pub(super) struct Tree {
    tree: FsVerity,
    pool: Option<rayon::ThreadPool>,
}

/// An image of fewer bytes is hashed before threads have begun.
const SMALL: u64 = 4 << 20;

impl Tree {
    pub(super) fn new(image: &Image, threads: usize) -> io::Result<Tree> {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = (threads > 1 && image.mapped_len() > SMALL).then(|| builder.build());
        Ok(Tree {
            tree: FsVerity::default(),
            pool: pool.transpose().map_err(io::Error::other)?,
        })
    }

    pub(super) fn finish(self) -> FsVerity {
        self.tree
    }
}

impl Listen for Tree {
    fn hear(&mut self, piece: &Piece) {
        match piece {
            Piece::Bytes(bytes) => self.tree.update(bytes, self.pool.as_ref()),
            Piece::Zeros(len) | Piece::Hole(len) => self.tree.zeros(*len),
        }
    }
}

/// Tells listeners on their threads.
pub(super) struct Relay {
    senders: Vec<SyncSender<Piece>>,
}

impl Relay {
    pub(super) fn tell(&self, piece: &Piece) {
        for sender in &self.senders {
            // A listener goes away only when its thread fails, which joining it reports.
            let _ = sender.send(piece.clone());
        }
    }
}

/// Does work that tells listeners what it does. They have heard everything when this ends.
///
/// # Errors
/// When a thread cannot be made or fails.
pub(super) fn relay<T>(listeners: Vec<&mut dyn Listen>, work: impl FnOnce(&Relay) -> T) -> io::Result<T> {
    std::thread::scope(|scope| {
        let (mut senders, mut threads) = (Vec::new(), Vec::new());
        for listener in listeners {
            let (sender, receiver) = sync_channel(WAITING);
            let listen = move || receiver.iter().for_each(|piece| listener.hear(&piece));
            threads.push(std::thread::Builder::new().spawn_scoped(scope, listen)?);
            senders.push(sender);
        }
        let relay = Relay { senders };
        let done = work(&relay);
        drop(relay);
        for thread in threads {
            if thread.join().is_err() {
                return Err(io::Error::other("a thread that computes checksums failed"));
            }
        }
        Ok(done)
    })
}
