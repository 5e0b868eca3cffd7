//! One block in, one block out: the compressors that btrfs knows, behind one type.

use zstd_safe::{CParameter, ResetDirective};

use crate::format::{SECTOR, compression};
use crate::probe::Probe;
use crate::{Compression, Error, Result, lzo};

/// The most bytes of a file that are compressed together.
pub(crate) const BLOCK_MAX: u64 = 128 << 10;
/// zstd's window, as a power of two: as long as a block, which is what the kernel has room for.
const WINDOW_LOG: u32 = 17;

/// Compresses blocks, one after the other, each by itself.
pub(crate) struct Compressor {
    state: State,
    probe: Option<Probe>,
    output: Vec<u8>,
}

enum State {
    None,
    Zlib(Box<libdeflater::Compressor>),
    Lzo(Box<lzo::Compressor>),
    Zstd {
        context: zstd_safe::CCtx<'static>,
        level: i32,
    },
}

impl Compressor {
    /// A compressor of a level that was checked.
    pub(crate) fn new(compression: Compression) -> Compressor {
        let state = match compression {
            Compression::None => State::None,
            Compression::Zlib { level } => {
                let level = i32::try_from(level)
                    .ok()
                    .and_then(|level| libdeflater::CompressionLvl::new(level).ok());
                State::Zlib(Box::new(libdeflater::Compressor::new(level.unwrap_or_default())))
            }
            Compression::Lzo => State::Lzo(Box::default()),
            Compression::Zstd { level } => State::Zstd {
                context: zstd_safe::CCtx::create(),
                level,
            },
        };
        Compressor {
            state,
            probe: Probe::before(compression),
            output: Vec::new(),
        }
    }

    /// Compresses a block that is not empty, when that saves a sector.
    pub(crate) fn compress(&mut self, input: &[u8]) -> Result<Option<&[u8]>> {
        if let Some(probe) = &mut self.probe
            && input.len() as u64 > SECTOR
            && probe.is_hopeless(input, &mut self.output)?
        {
            return Ok(None);
        }
        self.compress_anyway(input)
    }

    /// The same for whatever there is no hope for.
    pub(crate) fn compress_anyway(&mut self, input: &[u8]) -> Result<Option<&[u8]>> {
        let sectors = (input.len() as u64).div_ceil(SECTOR);
        let room = usize::try_from((sectors - 1) * SECTOR).unwrap_or(0);
        // What takes as many sectors as before is of no use, so that much room is enough.
        self.output.resize(room, 0);
        if room == 0 {
            return Ok(None);
        }
        let len = match &mut self.state {
            State::None => None,
            State::Zlib(compressor) => compressor.zlib_compress(input, &mut self.output).ok(),
            State::Lzo(compressor) => compressor.compress(input, &mut self.output),
            State::Zstd { context, level } => zstd(context, *level, input, &mut self.output)?,
        };
        Ok(len.map(|len| &self.output[..len]))
    }
}

/// Compresses with zstd; answers the length when that is at most the output's.
pub(crate) fn zstd(
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
        context.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
        context.compress2(output, input)
    };
    match compress() {
        Ok(len) => Ok(Some(len)),
        Err(TOO_SMALL) => Ok(None),
        Err(code) => Err(failed("zstd", zstd_safe::get_error_name(code))),
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
    pub(crate) fn check(self) -> Result<()> {
        let (compressor, level, max) = match self {
            Compression::None | Compression::Lzo => return Ok(()),
            Compression::Zlib { level } => ("zlib", i64::from(level), 9),
            Compression::Zstd { level } => ("zstd", i64::from(level), 15),
        };
        if (1..=max).contains(&level) {
            return Ok(());
        }
        Err(Error::BadOption {
            option: compressor,
            value: format!("level {level}"),
            problem: format!("must be from 1 to {max}"),
        })
    }

    /// The compressor's number in the extents of files.
    pub(crate) fn number(self) -> u8 {
        match self {
            Compression::None => compression::NONE,
            Compression::Zlib { .. } => compression::ZLIB,
            Compression::Lzo => compression::LZO,
            Compression::Zstd { .. } => compression::ZSTD,
        }
    }
}
