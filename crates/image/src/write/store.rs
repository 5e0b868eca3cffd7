//! How an image's pieces come to lie in a file: as they are, with holes, or as an encoder makes them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

use super::listen::Listen;
use super::pieces::Piece;

/// Makes a file's bytes out of an image's: a compressor.
pub trait Encode {
    /// Takes the next piece, and puts what is ready into `out`.
    ///
    /// # Errors
    /// When encoding or `out` fails.
    fn put(&mut self, piece: &Piece, out: &mut dyn io::Write) -> io::Result<()>;

    /// Puts everything that is left into `out`: there are no more pieces.
    ///
    /// # Errors
    /// When encoding or `out` fails.
    fn finish(&mut self, out: &mut dyn io::Write) -> io::Result<()>;
}

/// What an image passes on its way into a file.
#[derive(Default)]
pub struct Through<'a> {
    /// Makes the file's bytes. Without it the image lies in the file as it is.
    pub encode: Option<Box<dyn Encode + 'a>>,
    /// Hears the image, not the file.
    pub listen: Option<&'a mut dyn Listen>,
}

/// A file that is written.
pub(super) enum Store<'a> {
    /// Zeros of both kinds are left out: the file is new, so that they read as zeros.
    Sparse { file: &'a File, position: u64 },
    Encoded {
        encoder: Box<dyn Encode + 'a>,
        out: Out<'a>,
    },
}

impl<'a> Store<'a> {
    /// A file that holds an image of this size as it is.
    pub(super) fn sparse(file: &'a File, size: u64) -> io::Result<Store<'a>> {
        file.set_len(size)?;
        Ok(Store::Sparse { file, position: 0 })
    }

    /// A file that holds what an encoder makes.
    pub(super) fn encoded(file: &'a File, encoder: Box<dyn Encode + 'a>) -> Store<'a> {
        let (position, hasher) = (0, Sha256::new());
        let out = Out {
            file,
            position,
            hasher,
        };
        Store::Encoded { encoder, out }
    }

    pub(super) fn put(&mut self, piece: &Piece) -> io::Result<()> {
        match self {
            Store::Sparse { file, position } => {
                if let Piece::Bytes(bytes) = piece {
                    file.write_all_at(bytes, *position)?;
                }
                *position += piece.len();
                Ok(())
            }
            Store::Encoded { encoder, out } => encoder.put(piece, out),
        }
    }

    /// The size and the SHA-256 of what an encoder made.
    pub(super) fn finish(self) -> io::Result<Option<(u64, [u8; 32])>> {
        match self {
            Store::Sparse { .. } => Ok(None),
            Store::Encoded { mut encoder, mut out } => {
                encoder.finish(&mut out)?;
                Ok(Some((out.position, out.hasher.finalize().into())))
            }
        }
    }
}

/// Appends to a file, and hashes what it appends.
pub(super) struct Out<'a> {
    file: &'a File,
    position: u64,
    hasher: Sha256,
}

impl io::Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all_at(bytes, self.position)?;
        self.hasher.update(bytes);
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
