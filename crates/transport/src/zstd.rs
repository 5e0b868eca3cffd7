//! zstd ([RFC 8878](https://www.rfc-editor.org/rfc/rfc8878)) frames, and the seek table behind them.
//!
//! ```text
//!  frame │ frame │ … │ 5E 2A 4D 18, size │ entry │ entry │ … │ number of frames, descriptor, B1 EA 92 8F
//!                    └─ the table: a frame that decoders skip ─┘ footer, to be found from the file's end
//! ```

use std::io;

use zstd_safe::{CCtx, CParameter};

use crate::encoder::Frame;

/// How many bytes of an image are in one frame: twice as many as a level looks back, except for the very highest.
pub(crate) fn chunk(level: u32) -> usize {
    if level < 16 { 4 << 20 } else { 16 << 20 }
}

/// Skippable frames have sixteen magic numbers; seek tables take this one.
pub(crate) const SKIPPABLE_MAGIC_NUMBER: u32 = 0x184D_2A5E;

/// The last four bytes of a file with a seek table.
pub(crate) const SEEKABLE_MAGIC_NUMBER: u32 = 0x8F92_EAB1;

/// The seek table's descriptor: entries have checksums.
pub(crate) const CHECKSUM_FLAG: u8 = 1 << 7;

/// A frame with its content's size and checksum.
///
/// Its context is a new one: in one that was used before, hash tables differ, and what is found in them may.
pub(crate) fn frame(level: u32, chunk: &[u8]) -> io::Result<Frame> {
    let failed = |code| io::Error::other(format!("zstd: {}", zstd_safe::get_error_name(code)));
    let level = i32::try_from(level).map_err(io::Error::other)?;
    let mut context = CCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
    for parameter in [
        CParameter::CompressionLevel(level),
        CParameter::ChecksumFlag(true),
    ] {
        context.set_parameter(parameter).map_err(failed)?;
    }
    let mut bytes = Vec::with_capacity(zstd_safe::compress_bound(chunk.len()));
    context.compress2(&mut bytes, chunk).map_err(failed)?;
    Ok(Frame::new(bytes, chunk))
}

/// Where frames begin, and what is in them.
#[derive(Default)]
pub(crate) struct SeekTable {
    entries: Vec<[u8; 12]>,
}

impl SeekTable {
    pub(crate) fn add(&mut self, frame: &Frame) -> io::Result<()> {
        let len = |len: usize| u32::try_from(len).map_err(io::Error::other);
        let mut entry = [0; 12];
        let (sizes, checksum) = entry.split_at_mut(8);
        sizes[..4].copy_from_slice(&len(frame.bytes.len())?.to_le_bytes());
        sizes[4..].copy_from_slice(&len(frame.content_len)?.to_le_bytes());
        // A frame ends with the same bits of its content's XXH64 that the table wants.
        let last: &[u8; 4] = frame.bytes.last_chunk().ok_or(io::ErrorKind::InvalidData)?;
        checksum.copy_from_slice(last);
        self.entries.push(entry);
        Ok(())
    }

    pub(crate) fn finish(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let count = u32::try_from(self.entries.len()).map_err(io::Error::other)?;
        let size = u32::try_from(self.entries.len() * 12 + 9).map_err(io::Error::other)?;
        out.write_all(&SKIPPABLE_MAGIC_NUMBER.to_le_bytes())?;
        out.write_all(&size.to_le_bytes())?;
        out.write_all(self.entries.as_flattened())?;
        out.write_all(&count.to_le_bytes())?;
        out.write_all(&[CHECKSUM_FLAG])?;
        out.write_all(&SEEKABLE_MAGIC_NUMBER.to_le_bytes())
    }
}
