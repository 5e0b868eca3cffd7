//! Reading what others compressed: streams that may be hostile, in bounded memory.
//!
//! [`Coding`] names the ways of compressing that caches, web servers and tar files use; [`decode`] makes a reader of the
//! plain bytes. Several members, frames or streams one after the other are one, as their tools have it. Damage and
//! a cut are errors, and so is a stream that wants more memory than the tools' own strongest levels do.

use std::io::{self, BufRead, BufReader, Read};

use liblzma::stream::{CONCATENATED, Stream};
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

/// The memory that xz may take: `xz -9` needs 65 MiB.
const XZ_MEMORY_MAX: u64 = 128 << 20;

/// The largest window of zstd, as a power of two: what its tool reads unasked.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// As many bytes tell the codings apart.
pub const MAGIC_LEN: usize = 10;

/// Bytes that are read at once.
const CHUNK: usize = 128 << 10;

/// A way in which bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Not at all.
    None,
    /// zstd.
    Zstd,
    /// xz.
    Xz,
    /// bzip2.
    Bzip2,
    /// gzip.
    Gzip,
    /// Brotli.
    Brotli,
}

impl Coding {
    /// All of them.
    pub const ALL: [Coding; 6] = [
        Coding::None,
        Coding::Zstd,
        Coding::Xz,
        Coding::Bzip2,
        Coding::Gzip,
        Coding::Brotli,
    ];

    /// What narinfos call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Coding::None => "none",
            Coding::Zstd => "zstd",
            Coding::Xz => "xz",
            Coding::Bzip2 => "bzip2",
            Coding::Gzip => "gzip",
            Coding::Brotli => "br",
        }
    }

    /// The coding of a name, as narinfos and HTTP's `Content-Encoding` have it.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Coding> {
        match name {
            "" | "identity" => Some(Coding::None),
            "x-gzip" => Some(Coding::Gzip),
            _ => Coding::ALL.into_iter().find(|coding| coding.name() == name),
        }
    }

    /// The coding that the first [`MAGIC_LEN`] bytes of a stream show; brotli has no mark.
    #[must_use]
    pub fn of_magic(bytes: &[u8]) -> Option<Coding> {
        match bytes {
            [0x1f, 0x8b, 8, ..] => Some(Coding::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Coding::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Coding::Zstd),
            // Behind the level comes a block, or the end.
            [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] => {
                let marks = [&b"1AY&SY"[..], b"\x17\x72\x45\x38\x50\x90"];
                marks
                    .iter()
                    .any(|mark| rest.starts_with(mark))
                    .then_some(Coding::Bzip2)
            }
            _ => None,
        }
    }
}

/// A reader of the plain bytes of `reader`.
///
/// # Errors
/// When the decoder cannot be made. Its reads fail with `InvalidData` or another kind when the bytes are damaged, and
/// `UnexpectedEof` when they are cut off.
pub fn decode<'a, R: Read + 'a>(coding: Coding, reader: R) -> io::Result<Box<dyn Read + 'a>> {
    let reader = BufReader::with_capacity(CHUNK, reader);
    Ok(match coding {
        Coding::None => Box::new(reader),
        Coding::Zstd => Box::new(Zstd::new(reader)?),
        Coding::Xz => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY_MAX, CONCATENATED)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(reader, stream))
        }
        Coding::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(reader)),
        Coding::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        Coding::Brotli => Box::new(brotli_decompressor::Decompressor::new(reader, CHUNK)),
    })
}

/// Frames of zstd, one after the other.
struct Zstd<R> {
    reader: R,
    context: DCtx<'static>,
    /// Whether a frame has begun and not ended.
    in_frame: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(reader: R) -> io::Result<Zstd<R>> {
        let mut context = DCtx::create();
        context
            .set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))
            .map_err(failed)?;
        Ok(Zstd {
            reader,
            context,
            in_frame: false,
        })
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let input = self.reader.fill_buf()?;
            let at_end = input.is_empty();
            if at_end && !self.in_frame {
                return Ok(0);
            }
            let mut input = InBuffer::around(input);
            let mut output = OutBuffer::around(&mut *buffer);
            let left = self
                .context
                .decompress_stream(&mut output, &mut input)
                .map_err(failed)?;
            let (taken, made) = (input.pos, output.pos());
            self.reader.consume(taken);
            self.in_frame = left > 0;
            if !self.in_frame {
                self.context.reset(ResetDirective::SessionOnly).map_err(failed)?;
            }
            if made > 0 {
                return Ok(made);
            }
            if at_end && self.in_frame {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn failed(code: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, zstd_safe::get_error_name(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    fn sample() -> Vec<u8> {
        (0..400_000_u32)
            .flat_map(|number| (number / 7).wrapping_mul(number).to_le_bytes())
            .collect()
    }

    fn compressed(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let program = match coding {
            Coding::None | Coding::Brotli => return bytes.to_vec(),
            coding => coding.name(),
        };
        let mut child = Command::new(program)
            .arg("-c")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let bytes = bytes.to_vec();
        let feeder = std::thread::spawn(move || input.write_all(&bytes));
        let output = child.wait_with_output().unwrap();
        feeder.join().unwrap().unwrap();
        assert!(output.status.success());
        output.stdout
    }

    fn decoded(coding: Coding, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        decode(coding, bytes)?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn what_the_tools_compress_is_read() {
        let plain = sample();
        for coding in [
            Coding::None,
            Coding::Zstd,
            Coding::Xz,
            Coding::Bzip2,
            Coding::Gzip,
        ] {
            let bytes = compressed(coding, &plain);
            assert_eq!(Coding::of_magic(&bytes).unwrap_or(Coding::None), coding);
            assert!(decoded(coding, &bytes).unwrap() == plain, "{coding:?}");
            let empty = compressed(coding, b"");
            assert_eq!(Coding::of_magic(&empty).unwrap_or(Coding::None), coding);
            assert!(decoded(coding, &empty).unwrap().is_empty(), "{coding:?}");
            let twice = [&bytes[..], &bytes].concat();
            assert!(
                decoded(coding, &twice).unwrap() == [&plain[..], &plain].concat(),
                "{coding:?}"
            );
            if coding != Coding::None {
                for cut in [bytes.len() - 1, bytes.len() / 2, 5] {
                    assert!(decoded(coding, &bytes[..cut]).is_err(), "{coding:?} cut at {cut}");
                }
                let mut flipped = bytes.clone();
                flipped[bytes.len() / 2] ^= 0x10;
                assert!(
                    decoded(coding, &flipped).map_or(true, |found| found != plain),
                    "{coding:?}"
                );
            }
        }
    }

    /// An empty stream, and "kiln" stored, as RFC 7932 has them.
    #[test]
    fn brotli_is_read() {
        assert_eq!(decoded(Coding::Brotli, b"\x06").unwrap(), b"");
        assert_eq!(decoded(Coding::Brotli, b"\x8b\x01\x80kiln\x03").unwrap(), b"kiln");
        assert!(decoded(Coding::Brotli, b"\x8b\x01\x80kil").is_err());
    }

    #[test]
    fn windows_are_bounded() {
        // A frame header that asks for a window of 2^41 bytes.
        let header = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 31 << 3, 0, 0, 0];
        assert!(decoded(Coding::Zstd, &header).is_err());
    }

    #[test]
    fn names_are_those_of_narinfos() {
        for coding in Coding::ALL {
            assert_eq!(Coding::of_name(coding.name()), Some(coding));
        }
        assert_eq!(Coding::of_name("lzma"), None);
    }
}
