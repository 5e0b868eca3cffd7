//! How blocks are made and looked at.

use cache::{Depth, Output};
use image::{Content, Progress};

use super::segments::{Job, Segments, content};
use super::survey::Survey;
use crate::checksum::checksum;
use crate::compress::Compressor;
use crate::format::{SECTOR_LEN, compression};
use crate::segment::{Looker, Stored};
use crate::{Compression, Error, Result};

/// The checksums of a block's sectors, as they lie on the device.
pub(super) type Sums = Box<[u32]>;
/// A segment in the spool.
pub(super) type Spooled = cache::Spooled<Sums>;

/// All blocks of a file system.
pub(super) struct Blocks<'a> {
    pub(super) survey: &'a Survey<'a>,
    pub(super) segments: &'a Segments,
    pub(super) compression: Compression,
}

/// Compresses blocks.
pub(super) struct Maker {
    compressor: Compressor,
    bytes: Vec<u8>,
}

/// Looks at blocks.
pub(super) struct Checker {
    looker: Looker,
    bytes: Vec<u8>,
}

impl Blocks<'_> {
    fn job(&self, block: usize) -> &Job {
        &self.segments.jobs[block]
    }

    fn content(&self, job: &Job) -> &Content {
        content(self.survey, job.node)
    }
}

impl cache::Blocks for Blocks<'_> {
    type Error = Error;
    type Compressor = Maker;
    type Decompressor = Checker;
    type Note = Sums;

    fn compressor(&self) -> Result<Maker> {
        Ok(Maker {
            compressor: Compressor::new(self.compression),
            bytes: Vec::new(),
        })
    }

    fn decompressor(&self) -> Result<Checker> {
        Ok(Checker {
            looker: Looker::new()?,
            bytes: Vec::new(),
        })
    }

    fn len(&self, block: usize) -> u32 {
        self.job(block).len
    }

    fn stored_len(&self, block: usize, word: u32) -> Option<u32> {
        let stored = Stored::of_word(word)?;
        let is_known = [compression::NONE, self.compression.number()].contains(&stored.compression);
        (is_known && stored.len == self.job(block).len).then_some(stored.disk_len)
    }

    fn make(&self, block: usize, maker: &mut Maker, progress: &dyn Progress) -> Result<Output<Sums>> {
        let Maker { compressor, bytes } = maker;
        let job = self.job(block);
        read(self.content(job), job, bytes)?;
        progress.advance(job.len.into())?;
        let compressed = compressor
            .compress(&bytes[..job.len as usize])?
            .map(|compressed| {
                let mut bytes = compressed.to_vec();
                bytes.resize(bytes.len().next_multiple_of(SECTOR_LEN), 0);
                bytes
            });
        let note = sums(compressed.as_ref().unwrap_or(bytes));
        let bytes = compressed.unwrap_or_default();
        let stored = Stored {
            len: job.len,
            compression: if bytes.is_empty() {
                compression::NONE
            } else {
                self.compression.number()
            },
            disk_len: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        };
        Ok(Output {
            word: stored.word(),
            bytes,
            note,
        })
    }

    fn look(
        &self,
        block: usize,
        word: u32,
        stored: &[u8],
        checker: &mut Checker,
        depth: Depth,
    ) -> Result<Result<Sums, String>> {
        let job = self.job(block);
        let Some(kind) = Stored::of_word(word) else {
            return Ok(Err("it has a block of an unknown kind".into()));
        };
        if kind.compression == compression::NONE {
            // It lies where the file is, and nobody else can say anything about it.
            read(self.content(job), job, &mut checker.bytes)?;
            return Ok(Ok(sums(&checker.bytes)));
        }
        let looked = match depth {
            Depth::Outside => Looker::look(kind, stored).map(|()| Vec::new()),
            Depth::Inside | Depth::Compared => checker.looker.decompress(kind, stored),
        };
        let bytes = match looked {
            Ok(bytes) => bytes,
            Err(problem) => return Ok(Err(problem)),
        };
        if depth == Depth::Compared {
            read(self.content(job), job, &mut checker.bytes)?;
            if bytes != checker.bytes[..job.len as usize] {
                let problem = "it holds something else than the files that belong there";
                return Ok(Err(problem.into()));
            }
        }
        Ok(Ok(sums(stored)))
    }
}

/// Reads a block, with zeros up to a whole sector: what is behind the end of a file counts as that.
fn read(content: &Content, job: &Job, bytes: &mut Vec<u8>) -> Result<()> {
    let len = job.len as usize;
    bytes.clear();
    bytes.resize(len.next_multiple_of(SECTOR_LEN), 0);
    let mut reader = content.reader()?;
    reader.skip(job.start);
    reader.fill(&mut bytes[..len])?;
    Ok(reader.finish()?)
}

fn sums(bytes: &[u8]) -> Sums {
    bytes.chunks(SECTOR_LEN).map(checksum).collect()
}
