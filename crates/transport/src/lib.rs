//! How images travel: compressed, and with block maps.
//!
//! ```text
//!              ┌ chunk 0 ┬ chunk 1 ┬ chunk 2 ┬ … ┬ last chunk ┐
//!  image       │ bytes   │ zeros   │ bytes   │   │ bytes      │   cut at multiples of the chunk's size
//!              └────┬────┴────┬────┴────┬────┴───┴─────┬──────┘
//!                   ▼         ▼         ▼              ▼          compressed alone, on any number of threads
//!  file    head │ frame │   frame  │  frame  │  …  │ frame │ index
//! ```
//!
//! [`Encoder`] is what the writer of images passes an image through: no second copy comes to lie on the disk. An
//! image is cut into chunks, and each is compressed by itself, so that the number of threads changes no byte and
//! a reader can begin anywhere. Chunks of zeros are compressed once and repeated. Memory holds a window of
//! chunks, whatever the image's size.
//!
//! | method | chunk | frame | index |
//! |---|---|---|---|
//! | zstd | 4 MiB; from level 16 on 16 MiB | a frame with its size and checksum | the [seek table] of the seekable format |
//! | xz | three dictionaries, as `xz -T0` has them | a block of one stream, with both sizes in its header | the [stream's index] |
//! | gzip | 1 MiB | a member without name and time | none |
//!
//! Outside tools read all three like files that were compressed in one piece, and xz with several threads.
//!
//! [`in_place`] reads the first two where they lie, chunk by chunk: an image in them is looked into without a copy.
//!
//! [`decode`] goes the other way, for what others compressed: archives out of caches, and tar files.
//!
//! [`Bmap`] hears an image while it is written, and makes a block map of it: which blocks a flasher has to write. [`BlockMap`] is one
//! that was read.
//!
//! [seek table]: https://github.com/facebook/zstd/blob/dev/contrib/seekable_format/zstd_seekable_compression_format.md
//! [stream's index]: https://tukaani.org/xz/xz-file-format.txt

mod block_map;
mod bmap;
mod decode;
mod encoder;
mod gzip;
mod in_place;
mod xz;
mod zstd;

use image::Fault;

pub use block_map::{BLOCK_MAP_MAX, BlockMap, BlockMapError, Mapped};
pub use bmap::Bmap;
pub use decode::{Coding, MAGIC_LEN, decode};
pub use encoder::Encoder;
pub use in_place::in_place;

/// A file format that holds a compressed image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// zstd, in the seekable format.
    Zstd,
    /// xz, one stream of many blocks.
    Xz,
    /// gzip, many members.
    Gzip,
}

/// How an image is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The format.
    pub method: Method,
    /// How hard it is tried, within [`Method::levels`].
    pub level: u32,
}

/// Why an image cannot be compressed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A level that the format does not have.
    #[error("{} has levels {} to {}, not {level}", method.name(), method.levels().start(), method.levels().end())]
    Level {
        /// The format.
        method: Method,
        /// What was asked for.
        level: u32,
    },
    /// The threads that compress cannot be made.
    #[error("cannot start {threads} threads: {source}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system says.
        source: rayon::ThreadPoolBuildError,
    },
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::Level { .. } => Fault::Request,
            Error::Threads { .. } => Fault::Output,
        }
    }
}

impl Method {
    /// Its name, which is that of its tool.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Method::Zstd => "zstd",
            Method::Xz => "xz",
            Method::Gzip => "gzip",
        }
    }

    /// The ending of its files' names, with the dot.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Method::Zstd => ".zst",
            Method::Xz => ".xz",
            Method::Gzip => ".gz",
        }
    }

    /// The levels that there are.
    #[must_use]
    pub fn levels(self) -> std::ops::RangeInclusive<u32> {
        match self {
            Method::Zstd => 1..=22,
            Method::Xz => 0..=9,
            Method::Gzip => 1..=12,
        }
    }

    /// The level of its tool when none is asked for.
    #[must_use]
    pub fn default_level(self) -> u32 {
        match self {
            Method::Zstd => 3,
            Method::Xz | Method::Gzip => 6,
        }
    }
}

impl Options {
    /// A format and a level, or the format's usual one.
    ///
    /// # Errors
    /// When the format has no such level.
    pub fn new(method: Method, level: Option<u32>) -> Result<Options, Error> {
        let level = level.unwrap_or(method.default_level());
        let options = Options { method, level };
        options.check()?;
        Ok(options)
    }

    fn check(self) -> Result<(), Error> {
        let Options { method, level } = self;
        if method.levels().contains(&level) {
            return Ok(());
        }
        Err(Error::Level { method, level })
    }
}
