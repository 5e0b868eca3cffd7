//! One cluster in, whole blocks out: the compressors that erofs knows, behind one type.
//!
//! What is compressed ends with its last block; zeros are in front of it, fewer than a block. No compressor's output begins
//! with a zero byte, so readers find the beginning. Who reads records needs no whole blocks, and no zeros.

use zstd_safe::{CParameter, ResetDirective};

use crate::format::{BLOCK_LEN, algorithm};
use crate::{CLUSTER_MAX, Compression, Error, Profile, Result};

/// The longest distance of a match, as the superblock tells it for lz4.
pub(crate) const LZ4_DISTANCE: u16 = u16::MAX;
/// The logarithm of deflate's window.
pub(crate) const DEFLATE_WINDOW_LOG: u8 = 15;
/// The logarithm of zstd's window: a cluster, which is the most that Linux has room for.
pub(crate) const ZSTD_WINDOW_LOG: u8 = 20;
/// From this level on, lz4 looks for better matches.
const LZ4_HC_MIN: i32 = 3;

/// The part of a cluster that has to be saved where bytes are counted: less is not worth the time of readers.
const LEAST: usize = 32;

/// Compresses clusters, one after the other, each by itself.
pub(crate) struct Compressor {
    state: State,
    profile: Profile,
    output: Vec<u8>,
}

enum State {
    None,
    Lz4 {
        level: i32,
    },
    Deflate(Box<libdeflater::Compressor>),
    Zstd {
        context: zstd_safe::CCtx<'static>,
        level: i32,
    },
}

impl Compressor {
    /// A compressor of a level that was checked.
    pub(crate) fn new(compression: Compression, profile: Profile) -> Compressor {
        let state = match compression {
            Compression::None => State::None,
            Compression::Lz4 { level } => State::Lz4 { level },
            Compression::Deflate { level } => {
                let level = libdeflater::CompressionLvl::new(level).unwrap_or_default();
                State::Deflate(Box::new(libdeflater::Compressor::new(level)))
            }
            Compression::Zstd { level } => State::Zstd {
                context: zstd_safe::CCtx::create(),
                level,
            },
        };
        Compressor {
            state,
            profile,
            output: Vec::new(),
        }
    }

    /// Compresses a cluster into whole blocks, when that saves one; or into bytes, when that saves some.
    pub(crate) fn compress(&mut self, input: &[u8]) -> Result<Option<&[u8]>> {
        let room = match self.profile {
            Profile::Portable => (input.len().div_ceil(BLOCK_LEN).saturating_sub(1)) * BLOCK_LEN,
            Profile::Modern => input.len() - input.len().div_ceil(LEAST),
        };
        if room == 0 {
            return Ok(None);
        }
        // What takes more is of no use, so that much room is enough.
        self.output.resize(room, 0);
        let len = match &mut self.state {
            State::None => None,
            State::Lz4 { level } if *level < LZ4_HC_MIN => {
                lzzzz::lz4::compress(input, &mut self.output, lzzzz::lz4::ACC_LEVEL_DEFAULT).ok()
            }
            State::Lz4 { level } => lzzzz::lz4_hc::compress(input, &mut self.output, *level).ok(),
            State::Deflate(compressor) => compressor.deflate_compress(input, &mut self.output).ok(),
            State::Zstd { context, level } => zstd(context, *level, input, &mut self.output)?,
        };
        let Some(len) = len.filter(|len| *len > 0 && self.output[0] != 0) else {
            return Ok(None);
        };
        if self.profile == Profile::Modern {
            return Ok(Some(&self.output[..len]));
        }
        let blocks = len.next_multiple_of(BLOCK_LEN);
        self.output.copy_within(..len, blocks - len);
        self.output[..blocks - len].fill(0);
        Ok(Some(&self.output[..blocks]))
    }
}

/// Compresses with zstd; answers the length when that is at most the output's.
fn zstd(
    context: &mut zstd_safe::CCtx<'static>,
    level: i32,
    input: &[u8],
    output: &mut [u8],
) -> Result<Option<usize>> {
    // ZSTD_error_dstSize_tooSmall, as the library returns it: the code's negative.
    const TOO_SMALL: usize = 0usize.wrapping_sub(70);
    let mut compress = || {
        context.reset(ResetDirective::SessionAndParameters)?;
        context.set_parameter(CParameter::CompressionLevel(level))?;
        context.set_parameter(CParameter::WindowLog(ZSTD_WINDOW_LOG.into()))?;
        context.compress2(output, input)
    };
    match compress() {
        Ok(len) => Ok(Some(len)),
        Err(TOO_SMALL) => Ok(None),
        Err(code) => Err(Error::Compressor {
            compressor: "zstd",
            problem: zstd_safe::get_error_name(code).to_string(),
        }),
    }
}

impl Compression {
    /// Checks the level.
    pub(crate) fn check(self) -> Result<()> {
        let (compressor, level, max) = match self {
            Compression::None => return Ok(()),
            Compression::Lz4 { level } => ("lz4", level, 12),
            Compression::Deflate { level } => ("deflate", level, 12),
            Compression::Zstd { level } => ("zstd", level, 22),
        };
        if (1..=max).contains(&level) {
            return Ok(());
        }
        Err(Error::BadOption {
            option: "level",
            value: level.to_string(),
            problem: format!("{compressor} has levels from 1 to {max}"),
        })
    }

    /// Its number in maps, if there is one.
    pub(crate) fn number(self) -> Option<u8> {
        match self {
            Compression::None => None,
            Compression::Lz4 { .. } => Some(algorithm::LZ4),
            Compression::Deflate { .. } => Some(algorithm::DEFLATE),
            Compression::Zstd { .. } => Some(algorithm::ZSTD),
        }
    }

    /// What stands behind the superblock: a length, and what readers have to know.
    pub(crate) fn configuration(self) -> Vec<u8> {
        let config: &[u8] = match self {
            Compression::None => return Vec::new(),
            Compression::Lz4 { .. } => {
                let [low, high] = LZ4_DISTANCE.to_le_bytes();
                let blocks = u16::try_from(CLUSTER_MAX as usize / BLOCK_LEN).unwrap_or(u16::MAX);
                let [blocks_low, blocks_high] = blocks.to_le_bytes();
                &[low, high, blocks_low, blocks_high, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            }
            Compression::Deflate { .. } => &[DEFLATE_WINDOW_LOG, 0, 0, 0, 0, 0],
            Compression::Zstd { .. } => &[0, ZSTD_WINDOW_LOG - 10, 0, 0, 0, 0],
        };
        let len = u16::try_from(config.len()).unwrap_or(u16::MAX);
        [&len.to_le_bytes()[..], config].concat()
    }
}
