//! Segments get into a spool: what was made before from where it is, the rest from whoever is ready first.
//!
//! 1. [`pack`] has those compressed in parallel that are not near, while [`fetch`] asks for them far away; [`queue`] takes
//!    what is ready first.
//! 2. [`lift`] copies segments that are near.
//!
//! [`rooms`] says where each of them lies, [`filling`] puts it there, and [`parts`] takes it apart where an image does not
//! have all of it.
//!
//! What blocks are is known to a format alone: [`Blocks`].

mod fetch;
mod filling;
mod lift;
mod pack;
mod parts;
mod queue;
mod rooms;

use std::ops::Range;

use image::{Cancelled, Progress, Spool};

use crate::key::Key;
use crate::{Made, Places, Segments};
pub use parts::Part;

/// Segments start at multiples of this in a spool: the smallest blocks of file systems, so that they can share them.
pub(crate) const ALIGNMENT: u64 = 4096;

/// What a format knows of the blocks of its segments. They have numbers, and those of a segment follow each other.
pub trait Blocks: Sync {
    /// What can go wrong.
    type Error: From<image::Error> + From<Cancelled> + From<Threads> + Send;
    /// Makes blocks, one after the other.
    type Compressor;
    /// Looks at blocks, one after the other.
    type Decompressor;
    /// What is noted of a block besides its word.
    type Note: Clone + Send + Sync;

    /// For one thread.
    ///
    /// # Errors
    /// When the system has none to give.
    fn compressor(&self) -> Result<Self::Compressor, Self::Error>;

    /// For one thread.
    ///
    /// # Errors
    /// When the system has none to give.
    fn decompressor(&self) -> Result<Self::Decompressor, Self::Error>;

    /// How many bytes a block holds, and takes at most.
    fn len(&self, block: usize) -> u32;

    /// How many bytes a block with this word takes; none when it cannot have this word.
    fn stored_len(&self, block: usize, word: u32) -> Option<u32>;

    /// Reads what a block holds, and compresses it. Its bytes count as [`Progress`] when they are read.
    ///
    /// # Errors
    /// When a file cannot be read, the compressor fails, or the work shall stop.
    fn make(
        &self,
        block: usize,
        compressor: &mut Self::Compressor,
        progress: &dyn Progress,
    ) -> Result<Output<Self::Note>, Self::Error>;

    /// Looks at a block that was made before, and says what is wrong with it.
    ///
    /// # Errors
    /// When a file cannot be read.
    fn look(
        &self,
        block: usize,
        word: u32,
        stored: &[u8],
        decompressor: &mut Self::Decompressor,
        depth: Depth,
    ) -> Result<Result<Self::Note, String>, Self::Error>;
}

/// A block that was made.
pub struct Output<N> {
    /// How long it is, and how it is stored, as the format has it.
    pub word: u32,
    /// What it takes in the segment.
    pub bytes: Vec<u8>,
    /// What is noted of it.
    pub note: N,
}

/// How closely blocks are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What they say of themselves.
    Outside,
    /// They are decompressed.
    Inside,
    /// They are compared with what they shall hold.
    Compared,
}

/// What can go wrong with threads.
#[derive(Debug)]
pub enum Threads {
    /// The system has none left to give.
    None(std::io::Error),
    /// One ended unexpectedly.
    Lost,
}

/// A segment that is needed.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its name; without one it is made.
    pub key: Option<Key>,
    /// The numbers of its blocks.
    pub blocks: Range<usize>,
    /// Those that the image leaves out, in their order; caches keep them with the others.
    pub left_out: Vec<Range<usize>>,
}

/// A segment that is in the spool.
#[derive(Clone, Debug)]
pub struct Spooled<N> {
    /// The first byte in the spool of what the image has of it.
    pub start: u64,
    /// Where all of its blocks are, one part after the other.
    pub parts: Vec<Part>,
    /// The bytes of all blocks.
    pub len: u64,
    /// Each block's word.
    pub sizes: Vec<u32>,
    /// What is noted of each block.
    pub notes: Vec<N>,
    /// The [`Checksum`](crate::Checksum) of that; none without a key.
    pub digest: Option<[u8; 32]>,
}

/// A segment of a format.
type SpooledOf<B> = Spooled<<B as Blocks>::Note>;

impl<N> Spooled<N> {
    /// A segment without blocks.
    fn empty(start: u64) -> Spooled<N> {
        Spooled {
            start,
            parts: Vec::new(),
            len: 0,
            sizes: Vec::new(),
            notes: Vec::new(),
            digest: None,
        }
    }
}

/// What spooling needs. None of it changes a byte of a block.
pub struct Spooling<'a> {
    /// Where segments are put.
    pub spool: &'a Spool,
    /// The first byte that they may take there. What is behind it must be free.
    pub start: u64,
    /// How many threads compress.
    pub threads: usize,
    /// Hears about the bytes that are made, which `step` names.
    pub progress: &'a dyn Progress,
    /// What the user is told.
    pub step: &'a str,
    /// Where segments may be.
    pub places: Option<Places<'a>>,
    /// Hears the numbers of the segments that have names and are not nearby, before one is made or kept.
    pub confirm: Option<&'a Asked<'a>>,
}

/// Hears which segments, by their numbers, will be made; its error ends the work.
pub type Asked<'a> = dyn Fn(&[usize]) -> image::Result<()> + Sync + 'a;

impl Spooling<'_> {
    fn near(&self) -> &[&dyn Segments] {
        self.places.map_or(&[], |places| places.near)
    }
}

/// Keeps a segment in these places.
fn keep<N>(key: &Key, spooled: &Spooled<N>, places: &[&dyn Segments]) {
    let Some(digest) = spooled.digest else { return };
    let made = Made {
        parts: &spooled.parts,
        len: spooled.len,
        sizes: &spooled.sizes,
        digest,
    };
    for place in places {
        place.keep(key, &made);
    }
}

/// Finds or makes segments, in any order. They follow each other in the spool, each at a multiple of 4096 bytes, unless what
/// was found was not what it was said to be.
///
/// # Errors
/// When a file cannot be read, the spool cannot be written, or the work shall stop.
pub fn spool<B: Blocks>(
    blocks: &B,
    segments: &[Wanted],
    work: &Spooling,
) -> Result<Vec<Spooled<B::Note>>, B::Error> {
    pack::pack(blocks, segments, work)
}
