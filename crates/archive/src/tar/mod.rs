//! Tar archives as trees: headers and contents, in the order in which they come.

mod format;
mod members;
mod place;
mod sparse;
mod stream;
mod way;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use image::{Keep, Progress, Spool, Tree};
use transport::{Coding, MAGIC_LEN, decode};

use crate::error::{Error, Result};
use members::Members;
use place::Placing;
use stream::{Stream, Vouched};

const CHUNK_LEN: usize = 256 << 10;

/// An archive that is open, compressed or not.
pub struct Packed<'a> {
    name: &'a Path,
    input: Box<dyn Read + 'a>,
    /// How many bytes it has, where that is known.
    len: u64,
}

impl<'a> Packed<'a> {
    /// The archive at a path, which may be a pipe as well.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &'a Path) -> Result<Packed<'a>> {
        let failed = |source| Error::Read {
            archive: path.into(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        Ok(Packed {
            name: path,
            len: file.metadata().map_err(failed)?.len(),
            input: Box::new(file),
        })
    }

    /// An archive that comes as a stream. Errors call it by this name.
    #[must_use]
    pub fn stream(name: &'a Path, input: impl Read + 'a) -> Packed<'a> {
        Packed {
            name,
            len: 0,
            input: Box::new(input),
        }
    }

    /// Hands on the plain bytes.
    fn unpack<T>(
        self,
        progress: &dyn Progress,
        read: impl FnOnce(&mut dyn Read, Vouched) -> Result<T>,
    ) -> Result<T> {
        let failed = |source| Error::Read {
            archive: self.name.into(),
            source,
        };
        progress.begin(&format!("unpacking {}", self.name.display()), self.len);
        let mut input = self.input;
        let mut magic = Vec::new();
        let mut start = input.by_ref().take(MAGIC_LEN as u64);
        start.read_to_end(&mut magic).map_err(failed)?;
        let coding = Coding::of_magic(&magic);
        let inner = io::Cursor::new(magic).chain(input);
        let mut whole = BufReader::with_capacity(CHUNK_LEN, Told { inner, progress });
        match coding {
            Some(coding) => {
                let mut plain = decode(coding, whole).map_err(failed)?;
                read(&mut plain, Vouched::ByItself)
            }
            None => read(&mut whole, Vouched::No),
        }
    }
}

/// Tells how far reading is.
struct Told<'a, R> {
    inner: R,
    progress: &'a dyn Progress,
}

impl<R: Read> Read for Told<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        let told = self.progress.advance(len as u64);
        told.map_err(|stop| io::Error::other(image::Error::from(stop)))?;
        Ok(len)
    }
}

/// The tree of an archive, compressed or not; what it says of owners, modes, times and so on is kept as
/// [`image::scan`] would. Contents come to lie in a spool, from its first byte on.
///
/// # Errors
/// When it cannot be read, is no archive, or holds what a tree cannot.
pub fn tar(packed: Packed, keep: Keep, spool: &Spool, progress: &dyn Progress) -> Result<Tree> {
    let name = packed.name;
    packed.unpack(progress, |input, vouched| {
        let placing = Placing::new(name, keep);
        fill(Stream::new(input, name, vouched), placing, keep, spool)
    })
}

/// A tree with one more [layer of an OCI image][layer] on it. Contents come to lie in a spool that nothing else lies in.
///
/// [layer]: https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md
///
/// # Errors
/// As [`tar()`].
pub fn layer(
    lower: Tree,
    packed: Packed,
    keep: Keep,
    spool: &Spool,
    progress: &dyn Progress,
) -> Result<Tree> {
    let name = packed.name;
    packed.unpack(progress, |input, vouched| {
        let placing = Placing::onto(lower, name, keep);
        fill(Stream::new(input, name, vouched), placing, keep, spool)
    })
}

/// The tree of an archive that is not compressed, or no longer. `archive` is what errors call it.
///
/// # Errors
/// As [`tar()`].
pub fn read_tar(input: impl Read, archive: &Path, keep: Keep, spool: &Spool) -> Result<Tree> {
    let placing = Placing::new(archive, keep);
    fill(Stream::new(input, archive, Vouched::No), placing, keep, spool)
}

fn fill<R: Read>(stream: Stream<R>, mut placing: Placing, keep: Keep, spool: &Spool) -> Result<Tree> {
    let mut members = Members::new(stream, keep, spool);
    while let Some(member) = members.next()? {
        placing.place(member)?;
    }
    Ok(placing.tree.swept())
}
