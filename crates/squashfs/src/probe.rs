//! Whether a block is worth a slow compressor's time.
//!
//! Slow levels are slowest where there is nothing to find: for a MiB of an archive or a picture, zstd 19 takes a fifth of a
//! second and more, to answer that it saves nothing. So they are asked only when a fast level finds something, or when
//! some bytes are so much more frequent than others that asking it is not worth the time either.
//!
//! The answer depends on the block alone, like everything that decides what an image holds.

use crate::compress::zstd;
use crate::{Compression, Error};

/// From this level on, zstd takes many times longer for a block than it takes to ask.
const SLOW: i32 = 10;

/// zstd's level that is asked. Faster ones overlook more, those up to 9 find the same.
const LEVEL: i32 = 3;

/// What a slow level could save beyond this part of a block is worth its time.
const SAVED_MIN: usize = 64;

/// Tells blocks apart, one after the other.
pub(crate) struct Probe {
    context: zstd_safe::CCtx<'static>,
}

impl Probe {
    /// A probe, when the compressor is slow enough to need one.
    pub(crate) fn before(compression: Compression) -> Option<Probe> {
        let slow = match compression {
            Compression::None | Compression::Gzip { .. } => false,
            Compression::Xz { .. } => true,
            Compression::Zstd { level } => level >= SLOW,
        };
        slow.then(|| Probe {
            context: zstd_safe::CCtx::create(),
        })
    }

    /// Whether compressing a block would save next to nothing. `room` is as long as the block; what is in it is lost.
    pub(crate) fn is_hopeless(&mut self, block: &[u8], room: &mut [u8]) -> Result<bool, Error> {
        if !cache::is_even(block) {
            return Ok(false);
        }
        let len = zstd(&mut self.context, LEVEL, block, room)?;
        Ok(len.is_none_or(|len| len > block.len() - block.len() / SAVED_MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::{Block, Compressor};

    const SLOWEST: Compression = Compression::Zstd { level: 19 };

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
        probe.is_hopeless(block, &mut vec![0; block.len()]).unwrap()
    }

    #[test]
    fn noise_is_hopeless_and_little_else() {
        let noise = noise(1 << 20);
        assert!(is_hopeless(&noise));
        assert!(is_hopeless(&noise[..4096]));
        assert!(is_hopeless(b"x"));
        let mut twice = noise.clone();
        twice.copy_within(..512 << 10, 512 << 10);
        assert!(
            cache::is_even(&twice) && !is_hopeless(&twice),
            "the same noise again"
        );
        let text: Vec<u8> = noise.iter().map(|byte| byte % 64).collect();
        assert!(!is_hopeless(&text), "a quarter of each byte is known");
        assert!(!is_hopeless(&vec![0; 1 << 20]));
    }

    #[test]
    fn little_to_save_is_not_looked_for_and_more_is() {
        let mut block = noise(1 << 20);
        let repeat = |block: &mut Vec<u8>, len| block.copy_within(..len, 600 << 10);
        repeat(&mut block, 15 << 10);
        let saved = |compression, block: &[u8]| {
            let mut compressor = Compressor::new(compression, 1 << 20).unwrap();
            match compressor.compress(block).unwrap() {
                Block::Raw(_) => 0,
                Block::Compressed(bytes) => block.len() - bytes.len(),
            }
        };
        assert_eq!(saved(SLOWEST, &block), 0);
        assert!(saved(Compression::Zstd { level: 9 }, &block) > 14 << 10);
        repeat(&mut block, 18 << 10);
        assert!(saved(SLOWEST, &block) > 17 << 10);
    }

    #[test]
    fn fast_compressors_are_not_asked_for() {
        for fast in [
            Compression::None,
            Compression::Gzip { level: 9 },
            Compression::Zstd { level: 9 },
        ] {
            assert!(Probe::before(fast).is_none());
        }
        assert!(Probe::before(Compression::Xz { level: 0 }).is_some());
    }
}
