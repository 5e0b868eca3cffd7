//! How blocks are made and looked at, and where segments lie.
//!
//! [`cache::spool()`] puts segments into the spool, in any order, and one behind the other, as in the image, where it can.

use std::ops::Range;

use cache::{Depth, Key, Output, Spooling, Wanted};
use image::{Progress, Tree};

use super::{ALIGNMENT, Work};
use crate::compress::{Block, Compressor};
use crate::decompress::{Decompressor, Limits};
use crate::format::DATA_RAW;
use crate::{Error, Options};
use cache::cut::{Cut as Segments, Job, is_zero};

/// Blocks need no notes.
pub(super) type Spooled = cache::Spooled<()>;

/// Where all blocks have come to lie.
pub(super) struct Packed {
    /// Each block's size word, as inodes and fragment entries hold it; 0 is a block of zeros.
    pub(super) sizes: Vec<u32>,
    /// Each block's first byte in the image.
    pub(super) starts: Vec<u64>,
    /// Each segment's bytes in the image.
    pub(super) segments: Vec<Range<u64>>,
    /// The same segments in the spool.
    pub(super) spooled: Vec<Spooled>,
    /// One past the data area.
    pub(super) end: u64,
}

/// Finds or makes all segments, whose keys are these, and gives them their places.
pub(super) fn pack(
    tree: &Tree,
    segments: &Segments,
    keys: &[Option<Key>],
    options: &Options,
    work: &Work,
) -> Result<Packed, Error> {
    let blocks = Blocks {
        tree,
        segments,
        options,
    };
    let wanted = segments.list.iter().zip(keys).map(|(segment, key)| Wanted {
        key: *key,
        blocks: segment.jobs.clone(),
        left_out: Vec::new(),
    });
    let confirm = work.reuse.and_then(|reuse| reuse.confirm);
    let confirm = confirm.map(|confirm| |numbers: &[usize]| confirm(&segments.roots_of(numbers)));
    let spooling = Spooling {
        spool: work.spool,
        // As in the image.
        start: ALIGNMENT,
        threads: work.threads,
        progress: work.progress,
        step: "compressing",
        places: work.reuse.map(|reuse| reuse.places),
        confirm: confirm.as_ref().map(|confirm| confirm as _),
    };
    let spooled = cache::spool(&blocks, &wanted.collect::<Vec<_>>(), &spooling)?;
    Ok(place(segments, spooled))
}

/// Puts the segments behind each other.
fn place(segments: &Segments, spooled: Vec<Spooled>) -> Packed {
    let count = segments.jobs.len();
    let mut packed = Packed {
        sizes: Vec::with_capacity(count),
        starts: Vec::with_capacity(count),
        segments: Vec::with_capacity(spooled.len()),
        spooled: Vec::new(),
        end: ALIGNMENT,
    };
    for segment in &spooled {
        let start = packed.end.next_multiple_of(ALIGNMENT);
        packed.end = start;
        for word in &segment.sizes {
            packed.starts.push(packed.end);
            packed.sizes.push(*word);
            packed.end += u64::from(word & !DATA_RAW);
        }
        packed.segments.push(start..packed.end);
    }
    packed.spooled = spooled;
    packed
}

/// All blocks of an image.
struct Blocks<'a> {
    tree: &'a Tree,
    segments: &'a Segments,
    options: &'a Options,
}

/// Compresses blocks.
struct Maker {
    compressor: Compressor,
    input: Vec<u8>,
}

/// Looks at blocks.
struct Looker {
    decompressor: Decompressor,
    wanted: Vec<u8>,
}

impl Blocks<'_> {
    fn job(&self, block: usize) -> &Job {
        &self.segments.jobs[block]
    }
}

impl cache::Blocks for Blocks<'_> {
    type Error = Error;
    type Compressor = Maker;
    type Decompressor = Looker;
    type Note = ();

    fn compressor(&self) -> Result<Maker, Error> {
        Ok(Maker {
            compressor: Compressor::new(self.options.compression, self.options.block_size)?,
            input: Vec::new(),
        })
    }

    fn decompressor(&self) -> Result<Looker, Error> {
        let limits = Limits::segment(self.options.block_size);
        Ok(Looker {
            decompressor: Decompressor::new(self.options.compression.number(), limits)?,
            wanted: Vec::new(),
        })
    }

    fn len(&self, block: usize) -> u32 {
        self.job(block).len()
    }

    fn stored_len(&self, block: usize, word: u32) -> Option<u32> {
        let (job, len) = (self.job(block), word & !DATA_RAW);
        let is_possible = match len {
            0 => word == 0 && matches!(job, Job::Block { .. }),
            len if word & DATA_RAW != 0 => len == job.len(),
            len => len < job.len(),
        };
        is_possible.then_some(len)
    }

    fn make(&self, block: usize, maker: &mut Maker, progress: &dyn Progress) -> Result<Output<()>, Error> {
        let Maker { compressor, input } = maker;
        let job = self.job(block);
        self.segments.read(self.tree, job, input)?;
        progress.advance(u64::from(job.len()))?;
        let sparse = matches!(job, Job::Block { .. }) && is_zero(input);
        let (word, bytes) = if sparse {
            (0, Vec::new())
        } else {
            match compressor.compress(input)? {
                Block::Compressed(bytes) => (word(bytes), bytes.to_vec()),
                Block::Raw(bytes) => (word(bytes) | DATA_RAW, bytes.to_vec()),
            }
        };
        let note = ();
        Ok(Output { word, bytes, note })
    }

    fn look(
        &self,
        block: usize,
        word: u32,
        stored: &[u8],
        looker: &mut Looker,
        depth: Depth,
    ) -> Result<Result<(), String>, Error> {
        let job = self.job(block);
        let is_plain = word & DATA_RAW != 0 || stored.is_empty();
        let mut bytes = Vec::new();
        if !is_plain {
            let decompressor = &mut looker.decompressor;
            match decompress(decompressor, stored, job.len() as usize, depth) {
                Ok(decompressed) => bytes = decompressed,
                Err(error) => return Ok(Err(error.to_string())),
            }
        }
        if depth != Depth::Compared {
            return Ok(Ok(()));
        }
        self.segments.read(self.tree, job, &mut looker.wanted)?;
        let is_right = match word {
            0 => is_zero(&looker.wanted),
            _ if is_plain => stored == looker.wanted,
            _ => bytes == looker.wanted,
        };
        Ok(if is_right { Ok(()) } else { Err(OTHERS.into()) })
    }
}

/// Looks at a compressed block of `len` bytes, and decompresses it unless the outside is enough.
fn decompress(
    decompressor: &mut Decompressor,
    stored: &[u8],
    len: usize,
    depth: Depth,
) -> Result<Vec<u8>, Error> {
    decompressor.look(stored, len)?;
    if depth == Depth::Outside {
        return Ok(Vec::new());
    }
    let bytes = decompressor.decompress(stored, len)?;
    if depth == Depth::Inside && bytes.len() != len {
        return Err(Error::Damaged("a block holds less than belongs there".into()));
    }
    Ok(bytes)
}

/// What is wrong with a segment that has the right shape.
const OTHERS: &str = "it holds something else than the files that belong there";

/// A block is never longer than 1 MiB.
fn word(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
