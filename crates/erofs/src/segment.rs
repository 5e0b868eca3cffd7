//! Clusters of segments: how each is stored, and whether Linux reads it.
//!
//! The word of each cluster says what it is:
//!
//! ```text
//!  31        30 … 28      27 … 20   19 … 0
//!  always 0  never 0      blocks    bytes of the files, less one
//!            plain: 1     of what is compressed
//!
//!  31        30 29        28 27       26 … 21   20        19 … 0
//!  always 0  always 1     compressor  always 0  is there  bytes that it takes, less one
//!                         plain: 0
//! ```
//!
//! The second form is that of clusters without padding. A cluster of zeros has no blocks and no bytes: all of them are one, which
//! belongs to no segment. No segment of another format has words like these.

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
/// What words of clusters without padding begin with.
const PACKED: u32 = 3 << PACKED_SHIFT;
const PACKED_SHIFT: u32 = 29;
/// Where these have the compressor: the only ones that Kiln has, in their order.
const COMPRESSOR_SHIFT: u32 = 27;
const COMPRESSORS: [u8; 3] = [algorithm::LZ4, algorithm::DEFLATE, algorithm::ZSTD];
/// That such a cluster takes bytes.
const IS_THERE: u32 = 1 << LEN_BITS;

/// How a cluster is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_field_names,
    reason = "how many bytes are stored has no better name"
)]
pub(crate) struct Stored {
    /// How many bytes of files it holds: of small files, and the zeros behind them, whole blocks. Clusters without padding do
    /// not say it.
    pub(crate) len: Option<u32>,
    /// The number of its compressor; none when it is stored as it is.
    pub(crate) algorithm: Option<u8>,
    /// How many bytes it takes: none when it is one of zeros.
    pub(crate) stored: u32,
}

impl Stored {
    /// Its word.
    pub(crate) fn word(self) -> u32 {
        let Some(len) = self.len else {
            let place = COMPRESSORS
                .iter()
                .zip(1..)
                .find(|(number, _)| Some(**number) == self.algorithm);
            let compressor = place.map_or(0, |(_, place)| place);
            let there = if self.stored > 0 { IS_THERE } else { 0 };
            return PACKED | compressor << COMPRESSOR_SHIFT | there | self.stored.saturating_sub(1);
        };
        let (kind, blocks) = match self.algorithm {
            None => (PLAIN, 0),
            Some(number) => (COMPRESSED + u32::from(number), self.stored / 4096),
        };
        kind << KIND_SHIFT | blocks << LEN_BITS | len.saturating_sub(1)
    }

    /// Understands a word; none when there can be no such cluster.
    pub(crate) fn of_word(word: u32) -> Option<Stored> {
        let part = |shift: u32, bits: u32| word >> shift & ((1 << bits) - 1);
        if word >> PACKED_SHIFT == PACKED >> PACKED_SHIFT {
            return Stored::of_packed(word);
        }
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
            len: Some(len),
            algorithm,
            stored: if algorithm.is_none() { whole } else { blocks } * 4096,
        })
    }

    fn of_packed(word: u32) -> Option<Stored> {
        let algorithm = match word >> COMPRESSOR_SHIFT & 3 {
            0 => None,
            place => Some(*COMPRESSORS.get(place as usize - 1)?),
        };
        let len = word & (IS_THERE - 1);
        let stored = if word & IS_THERE != 0 { len + 1 } else { 0 };
        let own = Stored {
            len: None,
            algorithm,
            stored,
        };
        // Zeros are compressed, and all other bits mean nothing.
        (own.word() == word && (stored > 0 || algorithm.is_some())).then_some(own)
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
        bytes.resize(stored.stored as usize, 0);
        let read = found.source.read_exact_at(&mut bytes, start);
        read.map_err(|error| error.to_string())?;
        start += u64::from(stored.stored);
        let Some(number) = stored.algorithm.filter(|_| stored.stored > 0) else {
            continue;
        };
        if let Some(len) = stored.len {
            output.resize(len as usize, 0);
            decompressor.decompress(number, &bytes, &mut output)?;
        } else {
            output.resize(CLUSTER_MAX as usize, 0);
            decompressor.decompress_most(number, &bytes, &mut output)?;
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

    fn is_its_word(stored: Stored) {
        assert_eq!(Stored::of_word(stored.word()), Some(stored));
        assert!(stored.word() >= 1 << 28 && stored.word() < 1 << 31);
    }

    #[test]
    fn words_say_what_clusters_are() {
        for number in [algorithm::LZ4, algorithm::DEFLATE, algorithm::ZSTD] {
            for (len, blocks) in [(4097, 1), (8192, 0), (1 << 20, 255), (1 << 20, 0), (1, 0)] {
                let stored = Stored {
                    len: Some(len),
                    algorithm: Some(number),
                    stored: blocks * 4096,
                };
                is_its_word(stored);
            }
            for stored in [0, 1, 4096, 4097, (1 << 20) - 1] {
                is_its_word(Stored {
                    len: None,
                    algorithm: Some(number),
                    stored,
                });
            }
        }
        for len in [1, 4096, 4097, 1 << 20] {
            is_its_word(Stored {
                len: Some(len),
                algorithm: None,
                stored: len.next_multiple_of(4096),
            });
            is_its_word(Stored {
                len: None,
                algorithm: None,
                stored: len,
            });
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
            // Of clusters without padding: zeros that are plain, that have bytes, and bits without a meaning.
            PACKED,
            PACKED | 1 << COMPRESSOR_SHIFT | 1,
            PACKED | IS_THERE | 1 << (LEN_BITS + 1),
            0,
            1 << 24 | 4096,
            1 << 20,
            1 << 31 | 3 << 28 | 1 << 20 | 8191,
        ] {
            assert_eq!(Stored::of_word(word), None, "{word:x}");
        }
    }
}
