//! Blocks of segments: how each is stored, and whether Linux reads it.
//!
//! A segment holds the compressed blocks of a store path's files, in whole sectors and without those that stayed as they
//! were. The word of each block says what it is:
//!
//! ```text
//!  31        30 … 28       27 … 20   19 … 0
//!  always 1  compression   sectors   bytes of the file, less one
//! ```
//!
//! No segment of another format has words like these.

use cache::Found;
use zlib_rs::{Inflate, InflateFlush, Status};
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

use crate::compress::BLOCK_MAX;
use crate::format::{SECTOR, SECTOR_LEN, compression};
use crate::read::lzo;
use crate::{Error, Result};

/// The bit that all words have.
const OURS: u32 = 1 << 31;
const LEN_BITS: u32 = 20;
const SECTORS_BITS: u32 = 8;

/// The first bytes of a zstd frame.
const ZSTD_MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();
/// The first byte of a zlib stream: deflate, with the largest window.
const ZLIB_METHOD: u8 = 0x78;
/// The bit of the second byte that asks for a dictionary.
const ZLIB_DICTIONARY: u8 = 0x20;

/// How a block is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// How many bytes of the file it holds.
    pub(crate) len: u32,
    /// How it is compressed.
    pub(crate) compression: u8,
    /// How many bytes of the segment it takes: none when it is not compressed.
    pub(crate) disk_len: u32,
}

impl Stored {
    /// Its word.
    pub(crate) fn word(self) -> u32 {
        let sectors = self.disk_len / 4096;
        OURS | u32::from(self.compression) << (LEN_BITS + SECTORS_BITS)
            | sectors << LEN_BITS
            | self.len.saturating_sub(1)
    }

    /// Understands a word; none when there can be no such block.
    pub(crate) fn of_word(word: u32) -> Option<Stored> {
        let part = |shift: u32, bits: u32| word >> shift & ((1 << bits) - 1);
        let stored = Stored {
            len: part(0, LEN_BITS) + 1,
            compression: u8::try_from(part(LEN_BITS + SECTORS_BITS, 3)).ok()?,
            disk_len: part(LEN_BITS, SECTORS_BITS) * 4096,
        };
        let saves = stored.disk_len > 0 && stored.disk_len < stored.len.next_multiple_of(4096);
        let is_possible = match stored.compression {
            compression::NONE => stored.disk_len == 0,
            compression::ZLIB | compression::LZO | compression::ZSTD => {
                saves && u64::from(stored.len) <= BLOCK_MAX
            }
            _ => false,
        };
        (word & OURS != 0 && is_possible).then_some(stored)
    }
}

/// Looks at compressed blocks, one after the other.
pub(crate) struct Looker {
    zstd: DCtx<'static>,
    zlib: Inflate,
}

impl Looker {
    pub(crate) fn new() -> Result<Looker> {
        let mut zstd = DCtx::create();
        match zstd.set_parameter(DParameter::StableOutBuffer(true)) {
            Ok(_) => Ok(Looker {
                zstd,
                zlib: Inflate::new(true, 15),
            }),
            Err(code) => Err(Error::Compressor {
                compressor: "zstd",
                problem: zstd_safe::get_error_name(code).to_string(),
            }),
        }
    }

    /// Checks what a block says of itself without being decompressed.
    pub(crate) fn look(stored: Stored, bytes: &[u8]) -> Result<(), String> {
        let len = stored.len as usize;
        let end = match stored.compression {
            compression::ZSTD => zstd_blocks(bytes, len)?.last().copied(),
            compression::ZLIB => return zlib_head(bytes),
            _ => Some(lzo::len(bytes)?),
        };
        padding(bytes, end.unwrap_or(0))
    }

    /// Decompresses a block, which holds exactly what it says, and is such that Linux reads it.
    pub(crate) fn decompress(&mut self, stored: Stored, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut output = vec![0; stored.len as usize];
        let end = match stored.compression {
            compression::ZSTD => zstd(&mut self.zstd, bytes, &mut output)?,
            compression::ZLIB => zlib(&mut self.zlib, bytes, &mut output)?,
            _ => lzo::decompress_all(bytes, &mut output)?,
        };
        padding(bytes, end)?;
        Ok(output)
    }
}

/// Checks that nothing follows but zeros to the end of a sector.
fn padding(bytes: &[u8], end: usize) -> Result<(), String> {
    let rest = bytes.get(end..).unwrap_or_default();
    if end > bytes.len() || rest.len() >= SECTOR_LEN || rest.iter().any(|byte| *byte != 0) {
        return Err(format!(
            "{end} bytes are compressed, and do not fill {}",
            bytes.len()
        ));
    }
    Ok(())
}

/// The ends of a zstd frame's blocks. The frame must be such as Kiln makes them: its window is what it holds, it says so,
/// and has no checksum.
fn zstd_blocks(bytes: &[u8], len: usize) -> Result<Vec<usize>, String> {
    let wrong = || "it does not begin as a zstd frame of these bytes".to_string();
    let (descriptor, rest) = bytes
        .strip_prefix(&ZSTD_MAGIC)
        .and_then(<[u8]>::split_first)
        .ok_or_else(wrong)?;
    let (size, base) = match descriptor {
        0x20 => (1, 0),
        0x60 => (2, 256),
        0xa0 => (4, 0),
        _ => return Err(wrong()),
    };
    let said = rest.get(..size).ok_or_else(wrong)?;
    if number(said) + base != len {
        return Err(wrong());
    }
    let mut end = ZSTD_MAGIC.len() + 1 + size;
    let mut ends = Vec::new();
    loop {
        let head = bytes
            .get(end..end + 3)
            .ok_or("the zstd frame is cut off".to_string())?;
        let head = number(head);
        let size = head >> 3;
        let stored = match head >> 1 & 3 {
            0 => size,
            1 => 1,
            // Libraries up to 1.5.2, as in Linux 6.1, refuse compressed blocks of the full size.
            2 if (size as u64) < BLOCK_MAX => size,
            _ => return Err("the zstd frame has a block of a kind that not every Linux reads".into()),
        };
        if size > len {
            return Err(format!("the zstd frame has a block of {size} bytes"));
        }
        end += 3 + stored;
        ends.push(end);
        if end > bytes.len() {
            return Err("the zstd frame is cut off".into());
        }
        if head & 1 != 0 {
            return Ok(ends);
        }
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// Decompresses block by block: that way the library looks at what each holds, and one that holds nothing is found, which
/// old libraries refuse. Answers where the frame ends.
fn zstd(context: &mut DCtx<'static>, bytes: &[u8], output: &mut [u8]) -> Result<usize, String> {
    let damaged = |code| format!("the zstd frame is damaged: {}", zstd_safe::get_error_name(code));
    let ends = zstd_blocks(bytes, output.len())?;
    context.reset(ResetDirective::SessionOnly).map_err(damaged)?;
    let len = output.len();
    let mut filled = OutBuffer::around(output);
    let (mut start, mut hint) = (0, 0);
    for end in ends {
        let before = filled.pos();
        let mut block = InBuffer::around(&bytes[start..end]);
        while block.pos < block.src.len() {
            hint = context
                .decompress_stream(&mut filled, &mut block)
                .map_err(damaged)?;
        }
        if filled.pos() == before {
            return Err("the zstd frame has a block that holds nothing".into());
        }
        start = end;
    }
    if hint != 0 || filled.pos() != len {
        return Err("the zstd frame holds less than belongs there".into());
    }
    Ok(start)
}

fn zlib_head(bytes: &[u8]) -> Result<(), String> {
    match bytes.first_chunk() {
        Some([ZLIB_METHOD, flags])
            if u16::from_be_bytes([ZLIB_METHOD, *flags]).is_multiple_of(31)
                && flags & ZLIB_DICTIONARY == 0 =>
        {
            Ok(())
        }
        _ => Err("it does not begin as a zlib stream".into()),
    }
}

/// Decompresses as `lib/zlib_inflate` does. Answers where the stream ends.
fn zlib(inflate: &mut Inflate, bytes: &[u8], output: &mut [u8]) -> Result<usize, String> {
    zlib_head(bytes)?;
    inflate.reset(true);
    let status = inflate.decompress(bytes, output, InflateFlush::Finish);
    let status = status.map_err(|error| format!("the zlib stream is damaged: {}", error.as_str()))?;
    if status != Status::StreamEnd || inflate.total_out() != output.len() as u64 {
        return Err("the zlib stream does not hold what belongs there".into());
    }
    usize::try_from(inflate.total_in()).map_err(|error| error.to_string())
}

/// Whether a segment is one of a btrfs.
#[must_use]
pub fn is_segment(found: &Found) -> bool {
    found.sizes.first().is_some_and(|word| word & OURS != 0)
}

/// Decompresses all blocks of a segment, of whose files and options nothing is known.
///
/// # Errors
/// What is wrong, when it has blocks that Linux does not read or that Kiln does not make.
pub fn check_segment(found: &Found) -> Result<(), String> {
    let mut looker = Looker::new().map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let mut start = found.start;
    for word in &found.sizes {
        let stored = Stored::of_word(*word).ok_or_else(|| format!("it has a block of a kind {word:x}"))?;
        bytes.resize(stored.disk_len as usize, 0);
        let read = found.source.read_exact_at(&mut bytes, start);
        read.map_err(|error| error.to_string())?;
        start += u64::from(stored.disk_len);
        if stored.compression != compression::NONE {
            looker.decompress(stored, &bytes)?;
        }
    }
    if start - found.start != found.len {
        return Err(format!(
            "its blocks have other lengths than its {} bytes",
            found.len
        ));
    }
    Ok(())
}

const _: () = assert!(SECTOR == 4096 && BLOCK_MAX / SECTOR < 1 << SECTORS_BITS);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Compression;
    use crate::compress::Compressor;

    const ALL: [Compression; 3] = [
        Compression::Zlib { level: 6 },
        Compression::Lzo,
        Compression::Zstd { level: 3 },
    ];

    /// A block's bytes, and what becomes of them.
    fn block(compression: Compression, len: usize) -> (Vec<u8>, Stored, Vec<u8>) {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24 & state >> 16 & 0x1f).to_le_bytes()[0]
        };
        let wanted: Vec<u8> = std::iter::repeat_with(&mut next).take(len).collect();
        let mut compressor = Compressor::new(compression);
        let mut bytes = compressor.compress(&wanted).unwrap().unwrap().to_vec();
        bytes.resize(bytes.len().next_multiple_of(SECTOR_LEN), 0);
        let stored = Stored {
            len: u32::try_from(len).unwrap(),
            compression: compression.number(),
            disk_len: u32::try_from(bytes.len()).unwrap(),
        };
        (wanted, stored, bytes)
    }

    #[test]
    fn words_say_what_blocks_are() {
        for compression in ALL {
            for len in [8193, 70_000, 131_072] {
                let (_, stored, _) = block(compression, len);
                assert_eq!(Stored::of_word(stored.word()), Some(stored));
            }
        }
        let plain = |len| Stored {
            len,
            compression: compression::NONE,
            disk_len: 0,
        };
        for len in [1, 4096, 1 << 20] {
            assert_eq!(Stored::of_word(plain(len).word()), Some(plain(len)));
        }
        let longer = Stored {
            disk_len: 8192,
            ..plain(8192)
        };
        for impossible in [0, !OURS, longer.word(), plain(1).word() & !OURS, u32::MAX] {
            assert_eq!(Stored::of_word(impossible), None, "{impossible:x}");
        }
    }

    #[test]
    fn what_kiln_makes_is_read() {
        let mut looker = Looker::new().unwrap();
        for compression in ALL {
            for len in [8193, 70_000, 131_072] {
                let (wanted, stored, bytes) = block(compression, len);
                Looker::look(stored, &bytes).unwrap();
                assert!(looker.decompress(stored, &bytes).unwrap() == wanted);
            }
        }
    }

    #[test]
    fn what_is_behind_a_block_or_cut_off_is_refused() {
        let mut looker = Looker::new().unwrap();
        for compression in ALL {
            let (_, stored, bytes) = block(compression, 131_072);
            let mut refused = |bytes: &[u8], stored: Stored| {
                assert!(looker.decompress(stored, bytes).is_err(), "{compression:?}");
            };
            let mut followed = bytes.clone();
            *followed.last_mut().unwrap() = 1;
            refused(&followed, stored);
            refused(&[&bytes[..], &[0; 4096]].concat(), stored);
            refused(&bytes[..bytes.len() - 4096], stored);
            let other = |len| Stored { len, ..stored };
            refused(&bytes, other(stored.len - 1));
            refused(&bytes, other(stored.len + 1));
            let mut damaged = bytes.clone();
            damaged[5] ^= 0x40;
            refused(&damaged, stored);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        /// Whatever stands there: what is accepted has the right length, and nothing panics.
        #[test]
        fn anything_is_looked_at(
            kind in 0_usize..3,
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            word in any::<u32>(),
            flips in 0_u32..3,
        ) {
            let (_, stored, mut bytes) = block(ALL[kind], 20_000);
            // Most of what matters stands at the beginning.
            let near = 32.min(bytes.len());
            for (number, (place, byte)) in changes.into_iter().enumerate() {
                let end = if number % 2 == 0 { near } else { bytes.len() };
                bytes[place.index(end)] = byte;
            }
            let word = if flips == 0 { word | OURS } else { stored.word() };
            let mut looker = Looker::new().unwrap();
            if let Some(stored) = Stored::of_word(word)
                && stored.compression != compression::NONE
            {
                let _ = Looker::look(stored, &bytes);
                if let Ok(found) = looker.decompress(stored, &bytes) {
                    prop_assert_eq!(found.len(), stored.len as usize);
                }
            }
        }
    }

    #[test]
    fn frames_that_only_libraries_read_are_refused() {
        let (wanted, stored, _) = block(Compression::Zstd { level: 3 }, 131_072);
        let mut looker = Looker::new().unwrap();
        let frame = |parameters: &[zstd_safe::CParameter]| {
            let mut context = zstd_safe::CCtx::create();
            for parameter in parameters {
                context.set_parameter(*parameter).unwrap();
            }
            let mut bytes = vec![0; 131_072];
            let len = context.compress2(&mut bytes[..], &wanted).unwrap();
            bytes.truncate(len.next_multiple_of(SECTOR_LEN));
            bytes
        };
        let decompressed = |looker: &mut Looker, bytes: &[u8]| {
            let disk_len = u32::try_from(bytes.len()).unwrap();
            looker.decompress(Stored { disk_len, ..stored }, bytes)
        };
        assert!(decompressed(&mut looker, &frame(&[])).unwrap() == wanted);
        for parameter in [
            zstd_safe::CParameter::ChecksumFlag(true),
            zstd_safe::CParameter::ContentSizeFlag(false),
            zstd_safe::CParameter::WindowLog(12),
        ] {
            let found = decompressed(&mut looker, &frame(&[parameter]));
            assert!(found.is_err(), "{parameter:?}");
        }
        // A frame of two, of which libraries read both.
        let mut twice = frame(&[]);
        let (head, tail) = wanted.split_at(65_536);
        twice.clear();
        for part in [head, tail] {
            let mut bytes = vec![0; 131_072];
            let len = zstd_safe::compress(&mut bytes[..], part, 3).unwrap();
            twice.extend_from_slice(&bytes[..len]);
        }
        twice.resize(twice.len().next_multiple_of(SECTOR_LEN), 0);
        assert!(decompressed(&mut looker, &twice).is_err());
    }
}
