//! Tar archives as trees: headers and contents, in the order in which they come.

mod entries;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use image::{Content, Keep, Meta, Node, Progress, Spool, Tree, show};
use tar::{EntryType, Header};
use transport::{Coding, MAGIC_LEN, decode};

use crate::error::{Error, Result};
use crate::pax::Pax;

const BLOCK: usize = 512;

/// As much is taken for the name of one entry, or for all that pax says of it.
const EXTENDED_MAX: u64 = 1 << 20;

const CHUNK_LEN: usize = 256 << 10;

/// The tree of an archive, compressed or not; what it says of owners, modes, times and so on is kept as
/// [`image::scan`] would. Contents come to lie in a spool, from its first byte on.
///
/// # Errors
/// When it cannot be read, is no archive, or holds what a tree cannot.
pub fn tar(path: &Path, keep: Keep, spool: &Spool, progress: &dyn Progress) -> Result<Tree> {
    let failed = |source| Error::Read {
        archive: path.into(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    progress.begin(
        &format!("unpacking {}", path.display()),
        file.metadata().map_err(failed)?.len(),
    );
    let mut magic = Vec::new();
    let mut start = file.by_ref().take(MAGIC_LEN as u64);
    start.read_to_end(&mut magic).map_err(failed)?;
    let whole = io::Cursor::new(magic.clone()).chain(file);
    let whole = BufReader::with_capacity(
        CHUNK_LEN,
        Told {
            inner: whole,
            progress,
        },
    );
    match Coding::of_magic(&magic) {
        Some(coding) => read_tar(decode(coding, whole).map_err(failed)?, path, keep, spool),
        None => read_tar(whole, path, keep, spool),
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

/// The tree of an archive that is not compressed, or no longer. `archive` is what errors call it.
///
/// # Errors
/// As [`tar()`].
pub fn read_tar(input: impl Read, archive: &Path, keep: Keep, spool: &Spool) -> Result<Tree> {
    let mut unpacking = Unpacking {
        input,
        archive,
        keep,
        spool,
        position: 0,
        spooled: 0,
        tree: Tree::new(Node {
            meta: unsaid(keep),
            ..Node::directory()
        }),
        chunk: vec![0; CHUNK_LEN],
    };
    unpacking.run()?;
    Ok(unpacking.tree)
}

/// The meta of a folder that the archive says nothing of.
fn unsaid(keep: Keep) -> Meta {
    Meta::root(if keep.modes { 0o755 } else { 0o555 })
}

struct Unpacking<'a, R> {
    input: R,
    archive: &'a Path,
    keep: Keep,
    spool: &'a Spool,
    position: u64,
    spooled: u64,
    tree: Tree,
    chunk: Vec<u8>,
}

/// What comes before a header and belongs to it.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: Pax,
}

/// An entry, as far as it is not its content.
struct Entry {
    path: Vec<u8>,
    header: Header,
    extended: Extended,
    len: u64,
}

impl<R: Read> Unpacking<'_, R> {
    fn run(&mut self) -> Result<()> {
        let mut global = Pax::default();
        let mut extended: Option<Extended> = None;
        while let Some(header) = self.header()? {
            let kind = header.entry_type();
            let len = header
                .entry_size()
                .map_err(|_| self.damaged("a size that is no number"))?;
            let known = || Extended {
                pax: global.clone(),
                ..Extended::default()
            };
            match kind {
                EntryType::XGlobalHeader => {
                    let bytes = self.extension(len)?;
                    global.add(&bytes).map_err(|problem| self.damaged(problem))?;
                }
                EntryType::XHeader => {
                    let bytes = self.extension(len)?;
                    let pax = &mut extended.get_or_insert_with(known).pax;
                    pax.add(&bytes).map_err(|problem| self.damaged(problem))?;
                }
                EntryType::GNULongName => {
                    let name = until_zero(self.extension(len)?);
                    extended.get_or_insert_with(known).name = Some(name);
                }
                EntryType::GNULongLink => {
                    let link = until_zero(self.extension(len)?);
                    extended.get_or_insert_with(known).link = Some(link);
                }
                _ => {
                    let extended = extended.take().unwrap_or_else(known);
                    self.entry(header, extended, len)?;
                }
            }
        }
        match extended {
            Some(_) => Err(self.damaged("an extended header with nothing behind it")),
            None => Ok(()),
        }
    }

    /// The next header; nothing at the end.
    fn header(&mut self) -> Result<Option<Header>> {
        let mut header = Header::new_old();
        let start = self.position;
        if !self.fill(header.as_mut_bytes())? {
            return Err(self.damaged(if start == 0 {
                "an empty file, which is no tar archive,"
            } else {
                "the archive ends without its two blocks of zeros"
            }));
        }
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            self.drain()?;
            return Ok(None);
        }
        let sum = header.as_bytes().iter().map(|byte| u32::from(*byte)).sum::<u32>();
        let stated: u32 = header.as_bytes()[148..156]
            .iter()
            .map(|byte| u32::from(*byte))
            .sum();
        if header.cksum().ok() != Some(sum - stated + 8 * u32::from(b' ')) {
            return Err(Error::Damaged {
                archive: self.archive.into(),
                position: start,
                problem: if start == 0 {
                    "no header of a tar archive"
                } else {
                    "a header with a wrong checksum"
                },
            });
        }
        Ok(Some(header))
    }

    /// Reads what is behind the end, so that what a compressor says of the whole is checked.
    fn drain(&mut self) -> Result<()> {
        while self
            .input
            .read(&mut self.chunk)
            .map_err(|source| self.unread(source))?
            > 0
        {}
        Ok(())
    }

    /// Fills a buffer; not when nothing is left at all.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<bool> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.input.read(&mut buffer[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(self.damaged("the archive ends in the middle")),
                Ok(len) => {
                    filled += len;
                    self.position += len as u64;
                }
                Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(self.unread(source)),
            }
        }
        Ok(true)
    }

    /// What a header brings for the next one.
    fn extension(&mut self, len: u64) -> Result<Vec<u8>> {
        let len = match usize::try_from(len) {
            Ok(size) if len <= EXTENDED_MAX => size,
            _ => return Err(self.damaged("an extended header of more than 1 MiB")),
        };
        let mut bytes = vec![0; len.next_multiple_of(BLOCK)];
        if len > 0 && !self.fill(&mut bytes)? {
            return Err(self.damaged("the archive ends in the middle"));
        }
        bytes.truncate(len);
        Ok(bytes)
    }

    fn entry(&mut self, header: Header, extended: Extended, len: u64) -> Result<()> {
        let path = extended.pax.get("path").map(<[u8]>::to_vec);
        let path = path
            .or_else(|| extended.name.clone())
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let shown = show(&path);
        let problem = |problem: String| self.odd(&shown, problem);
        let said = extended.pax.number("size").map_err(problem)?;
        if extended.pax.has_any("GNU.sparse.") {
            return Err(problem("is sparse; pack it without --sparse".into()));
        }
        let entry = Entry {
            len: said.unwrap_or(len),
            path,
            header,
            extended,
        };
        self.place(&entry, &shown)
    }

    /// Moves a content into the spool.
    fn content(&mut self, len: u64) -> Result<Content> {
        let start = self.spooled;
        let mut left = len;
        let block = BLOCK as u64;
        let padding = (block - len % block) % block;
        let mut chunk = std::mem::take(&mut self.chunk);
        while left > 0 {
            let part = usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
            if !self.fill(&mut chunk[..part])? {
                return Err(self.damaged("the archive ends in the middle"));
            }
            self.spool.write_at(&chunk[..part], self.spooled)?;
            self.spooled += part as u64;
            left -= part as u64;
        }
        let padding = usize::try_from(padding).unwrap_or(0);
        if padding > 0 && !self.fill(&mut chunk[..padding])? {
            return Err(self.damaged("the archive ends in the middle"));
        }
        self.chunk = chunk;
        Ok(self.spool.span(start, len))
    }

    fn unread(&self, source: io::Error) -> Error {
        match source.downcast::<image::Error>() {
            Ok(error) => error.into(),
            Err(source) => Error::Read {
                archive: self.archive.into(),
                source,
            },
        }
    }

    fn damaged(&self, problem: &'static str) -> Error {
        Error::Damaged {
            archive: self.archive.into(),
            position: self.position,
            problem,
        }
    }

    fn odd(&self, entry: &str, problem: String) -> Error {
        Error::Entry {
            archive: self.archive.into(),
            entry: entry.to_string(),
            problem,
        }
    }
}

fn until_zero(mut bytes: Vec<u8>) -> Vec<u8> {
    let len = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.truncate(len);
    bytes
}
