//! One block in, one block out: the compressors that SquashFS knows, behind one type each way.

use liblzma::stream::{Action, Check, Filters, LzmaOptions, Status, Stream};
use zerocopy::IntoBytes;
use zstd_safe::{CParameter, ResetDirective, Strategy};

use crate::format::{GzipOptions, ZstdOptions};
use crate::probe::Probe;
use crate::{Compression, Error};

/// Compresses blocks, one after the other, each by itself.
pub(crate) struct Compressor {
    state: State,
    probe: Option<Probe>,
    output: Vec<u8>,
}

enum State {
    None,
    Gzip(Box<libdeflater::Compressor>),
    Xz {
        level: u32,
        dictionary_size: u32,
    },
    Zstd {
        context: zstd_safe::CCtx<'static>,
        level: i32,
    },
}

/// A block, as it will be stored.
pub(crate) enum Block<'a> {
    /// Smaller than it was.
    Compressed(&'a [u8]),
    /// As it was, because compressing did not make it smaller, or next to nothing.
    Raw(&'a [u8]),
}

impl Compressor {
    pub(crate) fn new(compression: Compression, block_size: u32) -> Result<Compressor, Error> {
        let state = match compression {
            Compression::None => State::None,
            Compression::Gzip { level } => {
                let level = i32::try_from(level)
                    .ok()
                    .and_then(|level| libdeflater::CompressionLvl::new(level).ok());
                let level = level.ok_or_else(|| failed("gzip", "no such level"))?;
                State::Gzip(Box::new(libdeflater::Compressor::new(level)))
            }
            Compression::Xz { level } => State::Xz {
                level,
                dictionary_size: block_size,
            },
            Compression::Zstd { level } => State::Zstd {
                context: zstd_safe::CCtx::create(),
                level,
            },
        };
        Ok(Compressor {
            state,
            probe: Probe::before(compression),
            output: Vec::new(),
        })
    }

    /// Compresses a block that is not empty.
    pub(crate) fn compress<'a>(&'a mut self, input: &'a [u8]) -> Result<Block<'a>, Error> {
        // An output of the input's size is of no use, so that much room is enough.
        self.output.resize(input.len(), 0);
        if let Some(probe) = &mut self.probe
            && probe.is_hopeless(input, &mut self.output)?
        {
            return Ok(Block::Raw(input));
        }
        let len = match &mut self.state {
            State::None => None,
            State::Gzip(compressor) => compressor.zlib_compress(input, &mut self.output).ok(),
            State::Xz {
                level,
                dictionary_size,
            } => xz(*level, *dictionary_size, input, &mut self.output)?,
            State::Zstd { context, level } => zstd(context, *level, input, &mut self.output)?,
        };
        Ok(match len {
            Some(len) if len < input.len() => Block::Compressed(&self.output[..len]),
            _ => Block::Raw(input),
        })
    }
}

/// Compresses with zstd; answers the length when that is at most the output's.
pub(crate) fn zstd(
    context: &mut zstd_safe::CCtx<'static>,
    level: i32,
    input: &[u8],
    output: &mut [u8],
) -> Result<Option<usize>, Error> {
    // ZSTD_error_dstSize_tooSmall, as the library returns it: the code's negative.
    const TOO_SMALL: usize = 0usize.wrapping_sub(70);
    let mut compress = || {
        context.reset(ResetDirective::SessionAndParameters)?;
        context.set_parameter(CParameter::CompressionLevel(level))?;
        if looks_once(level, input.len()) {
            context.set_parameter(CParameter::Strategy(Strategy::ZSTD_btultra))?;
        }
        context.compress2(output, input)
    };
    match compress() {
        Ok(len) => Ok(Some(len)),
        Err(TOO_SMALL) => Ok(None),
        Err(code) => Err(failed("zstd", zstd_safe::get_error_name(code))),
    }
}

/// Whether a block's beginning is looked at once where zstd would do so twice (its strategy `btultra2`), to know which
/// symbols are frequent in the rest. In a long block that takes an eighth of the time, and finds one or two thousandths
/// of the size. Short blocks gain more by it, and levels beyond 19 are asked for by whoever wants the last byte.
fn looks_once(level: i32, len: usize) -> bool {
    level == 19 && len > 256 << 10
}

/// An xz stream with a CRC32, the only check that the kernel's decoder knows.
fn xz(level: u32, dictionary_size: u32, input: &[u8], output: &mut [u8]) -> Result<Option<usize>, Error> {
    let error = |error: liblzma::stream::Error| failed("xz", &error.to_string());
    let mut options = LzmaOptions::new_preset(level).map_err(error)?;
    options.dict_size(dictionary_size);
    let mut stream =
        Stream::new_stream_encoder(Filters::new().lzma2(&options), Check::Crc32).map_err(error)?;
    loop {
        let read = usize::try_from(stream.total_in()).unwrap_or(usize::MAX);
        let written = usize::try_from(stream.total_out()).unwrap_or(usize::MAX);
        if written == output.len() {
            return Ok(None);
        }
        match stream
            .process(&input[read..], &mut output[written..], Action::Finish)
            .map_err(error)?
        {
            Status::StreamEnd => return Ok(usize::try_from(stream.total_out()).ok()),
            Status::Ok | Status::GetCheck | Status::MemNeeded => {}
        }
    }
}

fn failed(compressor: &'static str, problem: &str) -> Error {
    Error::Compressor {
        compressor,
        problem: problem.to_string(),
    }
}

impl Compression {
    /// Checks the level.
    pub(crate) fn check(self) -> Result<(), Error> {
        let (compressor, level, min, max) = match self {
            Compression::None => return Ok(()),
            Compression::Gzip { level } => ("gzip", i64::from(level), 1, 9),
            Compression::Xz { level } => ("xz", i64::from(level), 0, 9),
            Compression::Zstd { level } => ("zstd", i64::from(level), 1, 22),
        };
        if (min..=max).contains(&level) {
            return Ok(());
        }
        Err(Error::Level {
            compressor,
            level,
            min,
            max,
        })
    }

    /// The compressor's number in the superblock. Images without compression say gzip, which all readers know.
    pub(crate) fn number(self) -> u16 {
        match self {
            Compression::None | Compression::Gzip { .. } => 1,
            Compression::Xz { .. } => 4,
            Compression::Zstd { .. } => 6,
        }
    }

    /// What follows the superblock to tell how the image was made; nothing when that is the usual way.
    pub(crate) fn options(self) -> Option<Vec<u8>> {
        match self {
            Compression::None | Compression::Xz { .. } | Compression::Gzip { level: 9 } => None,
            Compression::Gzip { level } => {
                let level = i32::try_from(level).unwrap_or(9).into();
                let options = GzipOptions {
                    level,
                    window_size: 15.into(),
                    strategies: 0.into(),
                };
                Some(options.as_bytes().to_vec())
            }
            Compression::Zstd { level } => Some(ZstdOptions { level: level.into() }.as_bytes().to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// A MiB of words, of which some follow others more often.
    fn words() -> Vec<u8> {
        let mut state = 1u32;
        let mut text = String::new();
        while text.len() < 1 << 20 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            write!(text, "{:x} ", state >> 20 & state >> 24).unwrap();
        }
        text.truncate(1 << 20);
        text.into_bytes()
    }

    fn compressed(level: i32, block: &[u8]) -> Vec<u8> {
        let mut compressor = Compressor::new(Compression::Zstd { level }, 1 << 20).unwrap();
        match compressor.compress(block).unwrap() {
            Block::Compressed(bytes) => bytes.to_vec(),
            Block::Raw(_) => panic!("the block did not shrink"),
        }
    }

    #[test]
    fn long_blocks_are_looked_at_once_and_short_ones_as_zstd_does() {
        let block = words();
        let (once, twice) = (compressed(19, &block), compressed(20, &block));
        assert_ne!(once, twice);
        assert!(
            once.len() <= twice.len() + twice.len() / 200,
            "{} {}",
            once.len(),
            twice.len()
        );
        for (level, len) in [(19, 256 << 10), (18, 1 << 20), (3, 1 << 20), (20, 1 << 20)] {
            let mut output = vec![0; 1 << 20];
            let written = zstd_safe::compress(&mut output[..], &block[..len], level).unwrap();
            assert!(
                compressed(level, &block[..len]) == output[..written],
                "level {level}"
            );
        }
    }
}
