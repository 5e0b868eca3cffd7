//! Clusters of segments: how each is stored, and whether Linux reads it.
//!
//! The word of each cluster says what it is:
//!
//! ```text
//!  31        30 … 28      27 … 20   19 … 0
//!  always 0  never 0      blocks    bytes of the files, less one
//!            plain: 1     of what is compressed
//! ```
//!
//! A cluster of zeros has no blocks: all of them are one, which belongs to no segment. No segment of another format has words
//! like these.

use cache::Found;

use crate::CLUSTER_MAX;
use crate::decompress::Decompressor;
use crate::format::{BLOCK_LEN, algorithm};

const LEN_BITS: u32 = 20;
const BLOCKS_BITS: u32 = 8;
const KIND_SHIFT: u32 = LEN_BITS + BLOCKS_BITS;
/// The kind of clusters that are stored as they are.
const PLAIN: u32 = 1;
/// The kinds of the others begin here, and have their algorithm's number added.
const COMPRESSED: u32 = 2;

/// How a cluster is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// How many bytes of files it holds: of small files, and the zeros behind them, whole blocks.
    pub(crate) len: u32,
    /// The number of its compressor; none when it is stored as it is.
    pub(crate) algorithm: Option<u8>,
    /// How many blocks it takes: none when it is one of zeros.
    pub(crate) blocks: u32,
}

impl Stored {
    /// Its word.
    pub(crate) fn word(self) -> u32 {
        let (kind, blocks) = match self.algorithm {
            None => (PLAIN, 0),
            Some(number) => (COMPRESSED + u32::from(number), self.blocks),
        };
        kind << KIND_SHIFT | blocks << LEN_BITS | self.len.saturating_sub(1)
    }

    /// Understands a word; none when there can be no such cluster.
    pub(crate) fn of_word(word: u32) -> Option<Stored> {
        let part = |shift: u32, bits: u32| word >> shift & ((1 << bits) - 1);
        let (len, blocks) = (part(0, LEN_BITS) + 1, part(LEN_BITS, BLOCKS_BITS));
        let whole = len.div_ceil(4096);
        let algorithm = match word >> KIND_SHIFT {
            PLAIN if blocks == 0 => None,
            kind => Some(u8::try_from(kind.checked_sub(COMPRESSED)?).ok()?),
        };
        let is_possible = match algorithm {
            None => true,
            Some(algorithm::LZ4 | algorithm::DEFLATE | algorithm::ZSTD) => blocks < whole,
            Some(_) => false,
        };
        is_possible.then_some(Stored {
            len,
            algorithm,
            blocks: if algorithm.is_none() { whole } else { blocks },
        })
    }

    /// How many bytes it takes.
    pub(crate) fn stored_len(self) -> u32 {
        self.blocks * 4096
    }
}

/// Whether a segment is one of an erofs.
#[must_use]
pub fn is_segment(found: &Found) -> bool {
    let word = found.sizes.first();
    word.is_some_and(|word| Stored::of_word(*word).is_some())
}

/// Decompresses all clusters of a segment, of whose files and options nothing is known.
///
/// # Errors
/// What is wrong, when it has clusters that Linux does not read or that Kiln does not make.
pub fn check_segment(found: &Found) -> Result<(), String> {
    let mut decompressor = Decompressor::default();
    let (mut bytes, mut output) = (Vec::new(), Vec::new());
    let mut start = found.start;
    for word in &found.sizes {
        let stored = Stored::of_word(*word).ok_or_else(|| format!("it has a cluster of a kind {word:x}"))?;
        bytes.resize(stored.stored_len() as usize, 0);
        let read = found.source.read_exact_at(&mut bytes, start);
        read.map_err(|error| error.to_string())?;
        start += u64::from(stored.stored_len());
        if let Some(number) = stored.algorithm
            && stored.blocks > 0
        {
            output.resize(stored.len as usize, 0);
            decompressor.decompress(number, &bytes, &mut output)?;
        }
    }
    if start - found.start != found.len {
        return Err(format!(
            "its clusters have other lengths than its {} bytes",
            found.len
        ));
    }
    Ok(())
}

const _: () = assert!(CLUSTER_MAX == 1 << LEN_BITS && CLUSTER_MAX as usize / BLOCK_LEN <= 1 << BLOCKS_BITS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_clusters_are() {
        for number in [algorithm::LZ4, algorithm::DEFLATE, algorithm::ZSTD] {
            for (len, blocks) in [(4097, 1), (8192, 0), (1 << 20, 255), (1 << 20, 0), (1, 0)] {
                let stored = Stored {
                    len,
                    algorithm: Some(number),
                    blocks,
                };
                assert_eq!(Stored::of_word(stored.word()), Some(stored));
                assert!(stored.word() >= 1 << 28 && stored.word() < 1 << 31);
            }
        }
        for len in [1, 4096, 4097, 1 << 20] {
            let stored = Stored {
                len,
                algorithm: None,
                blocks: len.div_ceil(4096),
            };
            assert_eq!(Stored::of_word(stored.word()), Some(stored));
        }
    }

    #[test]
    fn words_of_nothing_are_refused() {
        let word = |kind: u32, blocks: u32, len: u32| kind << KIND_SHIFT | blocks << LEN_BITS | (len - 1);
        // Not smaller, plain with blocks, LZMA, no compressor at all, and words of the other formats.
        for word in [
            word(COMPRESSED, 2, 8192),
            word(COMPRESSED, 1, 4096),
            word(PLAIN, 1, 4096),
            word(COMPRESSED + 1, 1, 8192),
            word(7, 1, 8192),
            0,
            1 << 24 | 4096,
            1 << 20,
            1 << 31 | 3 << 28 | 1 << 20 | 8191,
        ] {
            assert_eq!(Stored::of_word(word), None, "{word:x}");
        }
    }
}
