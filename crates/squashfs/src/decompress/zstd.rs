//! zstd frames, as `lib/zstd` reads them: exactly one, with a window that fits into the memory that Linux has made ready.
//!
//! The library decompresses into one long output, and then it does not matter how far a match reaches back. Linux has a
//! ring of little more than the window, so where the window is smaller than the content, [`sequences`] looks at every
//! match. Frames are given to the library in two parts: it takes a shorter way when it sees a whole frame, and does not
//! ask then how much a block holds.

use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

use super::sequences;
use crate::Error;

pub(super) const MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();
/// The smallest window that the library makes room for.
const WINDOW_MIN: u64 = 1 << 10;
/// The most bytes that a block holds.
const BLOCK_MAX: usize = 128 << 10;
/// Linux hands out what was decompressed in pages, which have at least this many bytes.
const PAGE: usize = 4096;

/// A context that decompresses straight into the output.
pub(super) fn context() -> Result<DCtx<'static>, Error> {
    let mut context = DCtx::create();
    match context.set_parameter(DParameter::StableOutBuffer(true)) {
        Ok(_) => Ok(context),
        Err(code) => Err(Error::Compressor {
            compressor: "zstd",
            problem: zstd_safe::get_error_name(code).to_string(),
        }),
    }
}

/// What a frame says of itself.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    /// How far matches may reach back.
    pub(super) window: u64,
    /// How much it holds, if it says so.
    content_len: Option<u64>,
    /// Something follows the last byte that is decompressed: a checksum, or a block that holds nothing.
    goes_on: bool,
    /// The blocks.
    pub(super) blocks: Vec<Block<'a>>,
}

/// A block of a frame.
#[derive(Debug)]
pub(super) enum Block<'a> {
    /// This many bytes, stored or repeated.
    Plain(usize),
    /// Literals and sequences.
    Compressed(&'a [u8]),
}

impl Block<'_> {
    fn is_empty(&self) -> bool {
        match self {
            Block::Plain(len) => *len == 0,
            Block::Compressed(bytes) => sequences::hold_nothing(bytes),
        }
    }
}

impl Frame<'_> {
    /// Checks that the frame can hold this many bytes.
    pub(super) fn holds(&self, len: usize) -> Result<(), String> {
        if let Some(said) = self.content_len.filter(|said| *said != len as u64) {
            return Err(format!(
                "the zstd frame says that it holds {said} bytes, and not {len}"
            ));
        }
        // With its last page full, Linux reads on only when the rest happens to lie in the same page as the frame's blocks.
        if self.goes_on && len.is_multiple_of(PAGE) {
            return Err("the zstd frame goes on behind its last full page".into());
        }
        Ok(())
    }
}

/// Reads a number of up to eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Splits off the first bytes.
fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], String> {
    let split = rest.split_at_checked(len);
    let (taken, left) = split.ok_or("the zstd frame is cut off")?;
    *rest = left;
    Ok(taken)
}

/// Checks the frame's header and goes from block to block until its end, which must be that of the input.
pub(super) fn look(input: &[u8], window_max: u64) -> Result<Frame<'_>, String> {
    let mut rest = input
        .strip_prefix(&MAGIC)
        .ok_or("it does not begin as a zstd frame")?;
    let descriptor = take(&mut rest, 1)?[0];
    if descriptor & 0x18 != 0 {
        return Err("the zstd frame has unknown flags".into());
    }
    if descriptor & 0x03 != 0 {
        return Err("the zstd frame needs a dictionary".into());
    }
    let is_single = descriptor & 0x20 != 0;
    let mut window = 0;
    if !is_single {
        let byte = take(&mut rest, 1)?[0];
        let base = 1_u64 << (10 + (byte >> 3));
        window = base + base / 8 * u64::from(byte & 7);
    }
    let content_len = match (descriptor >> 6, is_single) {
        (0, false) => None,
        (0, true) => Some(number(take(&mut rest, 1)?)),
        (1, _) => Some(number(take(&mut rest, 2)?) + 256),
        (log, _) => Some(number(take(&mut rest, 1 << log)?)),
    };
    if is_single {
        window = content_len.unwrap_or(0);
    }
    if window > window_max {
        return Err(format!(
            "the zstd frame has a window of {window} bytes, and may have {window_max}"
        ));
    }
    let block_max = usize::try_from(window).unwrap_or(BLOCK_MAX).min(BLOCK_MAX);
    let blocks = blocks(&mut rest, block_max)?;
    let has_checksum = descriptor & 0x04 != 0;
    if has_checksum {
        take(&mut rest, 4)?;
    }
    if !rest.is_empty() {
        return Err(format!("{} bytes follow the zstd frame", rest.len()));
    }
    let goes_on = has_checksum || blocks.last().is_some_and(Block::is_empty);
    Ok(Frame {
        window: window.max(WINDOW_MIN),
        content_len,
        goes_on,
        blocks,
    })
}

/// Goes from block to block until the last one.
fn blocks<'a>(rest: &mut &'a [u8], block_max: usize) -> Result<Vec<Block<'a>>, String> {
    let mut blocks = Vec::new();
    loop {
        let header = number(take(rest, 3)?);
        let size = usize::try_from(header >> 3).unwrap_or(usize::MAX);
        let block = match header >> 1 & 3 {
            0 => Block::Plain(take(rest, size)?.len()),
            1 => take(rest, 1).map(|_| Block::Plain(size))?,
            2 => Block::Compressed(take(rest, size)?),
            _ => return Err("the zstd frame has a block of an unknown type".into()),
        };
        // Libraries up to 1.5.2, as in Linux 6.1, refuse compressed blocks of the full size, and such without anything.
        match &block {
            Block::Compressed(_) if size >= BLOCK_MAX || block.is_empty() => {
                return Err("the zstd frame has a block of a kind that not every Linux reads".into());
            }
            _ if size > block_max => {
                return Err(format!(
                    "the zstd frame has a block of {size} bytes, and may have {block_max}"
                ));
            }
            _ => blocks.push(block),
        }
        if header & 1 != 0 {
            return Ok(blocks);
        }
    }
}

/// Decompresses exactly one frame of at most `max` bytes.
pub(super) fn decompress(
    context: &mut DCtx<'static>,
    window_max: u64,
    input: &[u8],
    max: usize,
) -> Result<Vec<u8>, String> {
    let frame = look(input, window_max)?;
    let len = match frame.content_len.map(usize::try_from) {
        Some(Ok(len)) if len <= max => len,
        Some(_) => return Err(format!("the zstd frame holds more than {max} bytes")),
        None => max,
    };
    let damaged = |code| format!("the zstd frame is damaged: {}", zstd_safe::get_error_name(code));
    context.reset(ResetDirective::SessionOnly).map_err(damaged)?;
    let mut output = vec![0; len];
    let mut filled = OutBuffer::around(&mut output[..]);
    let mut hint = usize::MAX;
    for part in [&input[..input.len() - 1], &input[input.len() - 1..]] {
        let mut part = InBuffer::around(part);
        while part.pos < part.src.len() {
            hint = context
                .decompress_stream(&mut filled, &mut part)
                .map_err(damaged)?;
        }
    }
    if hint != 0 {
        return Err("the zstd frame does not end".into());
    }
    let len = filled.pos();
    output.truncate(len);
    frame.holds(len)?;
    if frame.window < len as u64 {
        sequences::check(&frame)?;
    }
    Ok(output)
}
