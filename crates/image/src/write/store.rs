//! How an image's pieces come to lie in a file: as they are, with holes, or as an encoder makes them.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;

use rustix::fs::{Advice, fadvise};
use sha2::{Digest, Sha256};

use super::Digests;
use super::listen::Listen;
use super::pieces::{Cut, Origin, Piece};
use super::share::Share;
use crate::fsverity::FsVerity;

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
    /// Which files have a SHA-256, besides the digest that all have.
    pub sha256: Sums,
    /// How many threads compute that digest; one when there is none.
    pub threads: usize,
}

/// What has a SHA-256. It is one long computation, for holes, too: half a second or more for each GiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sums {
    /// Nothing.
    #[default]
    None,
    /// The file.
    File,
    /// The file, and the image that is encoded in it.
    All,
}

/// How many bytes gather before the system is asked to write them to the disk.
const BEHIND: u64 = 8 << 20;

/// Zeros among other bytes are left out in parts of so many bytes; smaller holes would tear the file to pieces.
const HOLE: usize = 64 << 10;

/// A file that is written.
pub(super) enum Store<'a> {
    /// Zeros of all kinds are left out: the file is new, so that they read as zeros.
    Sparse(Growing<'a>, Share),
    Encoded {
        encoder: Box<dyn Encode + 'a>,
        out: Out<'a>,
    },
}

impl<'a> Store<'a> {
    /// A file that holds an image of this size as it is.
    pub(super) fn sparse(file: &'a File, size: u64, share: Share) -> io::Result<Store<'a>> {
        let begun = file.metadata()?.len() > 0;
        file.set_len(size)?;
        let growing = Growing {
            begun,
            ..Growing::new(file)
        };
        Ok(Store::Sparse(growing, share))
    }

    /// A file that holds what an encoder makes.
    pub(super) fn encoded(file: &'a File, encoder: Box<dyn Encode + 'a>, sha256: bool) -> Store<'a> {
        let out = Out {
            file: Growing::new(file),
            tree: FsVerity::default(),
            hasher: sha256.then(Sha256::new),
        };
        Store::Encoded { encoder, out }
    }

    /// Takes the next piece, whose bytes may have a place in another file.
    pub(super) fn put(&mut self, piece: &Piece, origin: Origin) -> io::Result<()> {
        match self {
            Store::Sparse(file, share) => match piece {
                Piece::Bytes(bytes) if file.has(origin) => {
                    file.pass(bytes.len() as u64);
                    Ok(())
                }
                Piece::Bytes(bytes) => {
                    let shared = share.share(bytes.len(), origin, file.file, file.position);
                    file.skip(shared as u64);
                    file.put_data(&bytes[shared..])
                }
                Piece::Zeros(len) | Piece::Hole(len) if file.started == file.position => {
                    file.pass(*len);
                    Ok(())
                }
                Piece::Zeros(len) | Piece::Hole(len) => {
                    file.skip(*len);
                    Ok(())
                }
            },
            Store::Encoded { encoder, out } => encoder.put(piece, out),
        }
    }

    /// Which pieces it asks for: it may matter which file bytes come from, since this one may have them, or share blocks with
    /// others.
    pub(super) fn cut(&self) -> Cut<'a> {
        match self {
            Store::Sparse(file, _) if file.begun => Cut::Own(file.file),
            Store::Sparse(_, Share::Yes) => Cut::Shared,
            Store::Sparse(_, Share::No) | Store::Encoded { .. } => Cut::Large,
        }
    }

    /// The size of what an encoder made, and what it is known by.
    pub(super) fn finish(self) -> io::Result<Option<(u64, Digests)>> {
        match self {
            Store::Sparse(..) => Ok(None),
            Store::Encoded { mut encoder, mut out } => {
                encoder.finish(&mut out)?;
                Ok(Some((out.file.position, Digests::new(out.tree, out.hasher))))
            }
        }
    }
}

/// A file that is on its way to the disk while it grows, so that little is left when it has to be there.
pub(super) struct Growing<'a> {
    file: &'a File,
    position: u64,
    /// Everything before this is on its way.
    started: u64,
    /// Whether it was there before, with some of the bytes at their places.
    begun: bool,
}

impl<'a> Growing<'a> {
    fn new(file: &'a File) -> Growing<'a> {
        Growing {
            file,
            position: 0,
            started: 0,
            begun: false,
        }
    }

    /// Whether the next bytes are in this file already, at their place.
    fn has(&self, origin: Origin) -> bool {
        origin.is_some_and(|(file, start)| std::ptr::eq(file, self.file) && start == self.position)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.position)?;
        self.skip(bytes.len() as u64);
        Ok(())
    }

    /// Puts bytes, and leaves out what zeros fill whole parts of the file.
    fn put_data(&mut self, bytes: &[u8]) -> io::Result<()> {
        static ZEROS: [u8; HOLE] = [0; HOLE];
        let behind = usize::try_from(self.position % HOLE as u64).unwrap_or(0);
        let (mut start, mut end) = (0, 0);
        while end < bytes.len() {
            let next = (end + HOLE - (behind + end) % HOLE).min(bytes.len());
            if bytes[end..next] == ZEROS {
                self.put(&bytes[start..end])?;
                self.skip(HOLE as u64);
                start = next;
            }
            end = next;
        }
        self.put(&bytes[start..])
    }

    fn skip(&mut self, len: u64) {
        self.position += len;
        if self.position - self.started >= BEHIND {
            self.start();
        }
    }

    /// Leaves bytes where they are. Other outputs may be made of them, and what is on the disk would have to be read again.
    fn pass(&mut self, len: u64) {
        self.start();
        self.position += len;
        self.started = self.position;
    }

    fn start(&mut self) {
        // Linux begins to write what nobody needs any more. Where it does not, it is written later.
        if let Some(len) = NonZeroU64::new(self.position - self.started) {
            let _ = fadvise(self.file, self.started, Some(len), Advice::DontNeed);
        }
        self.started = self.position;
    }
}

/// Appends to a file, and hashes what it appends.
pub(super) struct Out<'a> {
    file: Growing<'a>,
    tree: FsVerity,
    hasher: Option<Sha256>,
}

impl io::Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.put(bytes)?;
        self.tree.update(bytes, None);
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::sync::Arc;

    use super::*;

    /// What lies in a file after these bytes were put at a place, and how many bytes the file takes on the disk.
    fn stored(bytes: &[u8], position: u64) -> (Vec<u8>, u64) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut store = Store::sparse(file.as_file(), position + bytes.len() as u64, Share::No).unwrap();
        store.put(&Piece::Hole(position), None).unwrap();
        store.put(&Piece::Bytes(Arc::new(bytes.to_vec())), None).unwrap();
        file.as_file().sync_all().unwrap();
        let taken = file.as_file().metadata().unwrap().blocks() * 512;
        (std::fs::read(file.path()).unwrap(), taken)
    }

    #[test]
    fn zeros_among_bytes_are_left_out_where_they_fill_a_part() {
        let mut bytes = vec![1; 1 << 20];
        bytes[(64 << 10) + 1..(512 << 10)].fill(0);
        bytes[(900 << 10)..].fill(0);
        for position in [0, 4096, 60 << 10, 64 << 10] {
            let (found, taken) = stored(&bytes, position);
            assert_eq!(found.len() as u64, position + (1 << 20));
            assert!(
                found[usize::try_from(position).unwrap()..] == bytes,
                "at {position}"
            );
            assert!(
                found[..usize::try_from(position).unwrap()]
                    .iter()
                    .all(|byte| *byte == 0)
            );
            assert!(taken <= (1 << 20) - 7 * HOLE as u64, "at {position}: {taken}");
        }
        assert_eq!(stored(&vec![0; 1 << 20], 0).1, 0);
    }
}
