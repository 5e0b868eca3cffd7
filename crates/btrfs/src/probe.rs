//! Whether a block is worth a slow compressor's time.
//!
//! Slow levels are slowest where there is nothing to find. So they are asked only when a fast level finds something, or when
//! some bytes are so much more frequent than others that asking it is not worth the time either.
//!
//! The answer depends on the block alone, like everything that decides what an image holds.

use crate::compress::zstd;
use crate::{Compression, Result};

/// From this level on, zstd takes many times longer for a block than it takes to ask.
const SLOW: i32 = 10;

/// zstd's level that is asked.
const LEVEL: i32 = 3;

/// Where a fast level saves this part of a block or more, a slow one may save the sector that counts.
const SAVED_MIN: usize = 64;

/// Tells blocks apart, one after the other.
pub(crate) struct Probe {
    context: zstd_safe::CCtx<'static>,
}

impl Probe {
    /// A probe, when the compressor is slow enough to need one.
    pub(crate) fn before(compression: Compression) -> Option<Probe> {
        let slow = match compression {
            Compression::None | Compression::Zlib { .. } | Compression::Lzo => false,
            Compression::Zstd { level } => level >= SLOW,
        };
        slow.then(|| Probe {
            context: zstd_safe::CCtx::create(),
        })
    }

    /// Whether compressing a block would save no sector. `room` is used; what is in it is lost.
    pub(crate) fn is_hopeless(&mut self, block: &[u8], room: &mut Vec<u8>) -> Result<bool> {
        if !cache::is_even(block) {
            return Ok(false);
        }
        room.resize(block.len() - block.len() / SAVED_MIN, 0);
        Ok(zstd(&mut self.context, LEVEL, block, room)?.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::Compressor;

    const SLOWEST: Compression = Compression::Zstd { level: 15 };

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1u64;
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        };
        (0..len).map(next).collect()
    }

    fn is_hopeless(block: &[u8]) -> bool {
        let mut probe = Probe::before(SLOWEST).unwrap();
        probe.is_hopeless(block, &mut Vec::new()).unwrap()
    }

    #[test]
    fn noise_is_hopeless_and_little_else() {
        let noise = noise(128 << 10);
        assert!(is_hopeless(&noise));
        assert!(is_hopeless(&noise[..8192]));
        let mut twice = noise.clone();
        twice.copy_within(..64 << 10, 64 << 10);
        assert!(!is_hopeless(&twice), "the same noise again");
        let text: Vec<u8> = noise.iter().map(|byte| byte % 64).collect();
        assert!(!is_hopeless(&text), "a quarter of each byte is known");
        assert!(!is_hopeless(&vec![0; 128 << 10]));
    }

    #[test]
    fn what_saves_a_sector_is_compressed() {
        // Longer and longer repetitions: those that save a sector are never taken for hopeless.
        let mut probe = Probe::before(SLOWEST).unwrap();
        let mut compressor = Compressor::new(SLOWEST);
        for len in [8192, 20_000, 128 << 10] {
            for repeated in (0..len / 2).step_by(len / 40) {
                let mut block = noise(len);
                block.copy_within(..repeated, len / 2);
                let saves = compressor.compress_anyway(&block).unwrap().is_some();
                let is_hopeless = probe.is_hopeless(&block, &mut Vec::new()).unwrap();
                assert!(!(saves && is_hopeless), "{len} {repeated}");
            }
        }
    }

    #[test]
    fn fast_compressors_are_not_asked_for() {
        for fast in [
            Compression::None,
            Compression::Zlib { level: 9 },
            Compression::Lzo,
            Compression::Zstd { level: 9 },
        ] {
            assert!(Probe::before(fast).is_none());
        }
    }
}
