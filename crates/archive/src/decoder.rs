//! Compressed bytes, decompressed while they are read.

use std::io::{self, BufRead, BufReader, Read};

use liblzma::stream::{CONCATENATED, Stream};
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

/// A format that holds one stream of compressed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compressed {
    /// gzip.
    Gzip,
    /// xz.
    Xz,
    /// zstd.
    Zstd,
    /// bzip2.
    Bzip2,
}

/// As many bytes tell the formats apart.
pub const MAGIC_LEN: usize = 10;

/// xz may ask for as much; its highest level asks for 65 MiB.
const XZ_MEMORY_MAX: u64 = 256 << 20;
/// zstd may look back as far without being told; `--ultra -22` asks for 27.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

impl Compressed {
    /// The format of bytes that begin like this.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Compressed> {
        match bytes {
            [0x1f, 0x8b, 8, ..] => Some(Compressed::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Compressed::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compressed::Zstd),
            [
                b'B',
                b'Z',
                b'h',
                b'1'..=b'9',
                0x31,
                0x41,
                0x59,
                0x26,
                0x53,
                0x59,
                ..,
            ] => Some(Compressed::Bzip2),
            _ => None,
        }
    }

    /// Its name, which is that of its tool.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Compressed::Gzip => "gzip",
            Compressed::Xz => "xz",
            Compressed::Zstd => "zstd",
            Compressed::Bzip2 => "bzip2",
        }
    }

    /// What is in a stream of this format.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn decode<'a>(self, packed: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Compressed::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
            Compressed::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(packed)),
            Compressed::Xz => {
                let stream = Stream::new_stream_decoder(XZ_MEMORY_MAX, CONCATENATED)?;
                Box::new(liblzma::read::XzDecoder::new_stream(packed, stream))
            }
            Compressed::Zstd => Box::new(Zstd::new(packed)?),
        })
    }
}

/// Frames of zstd, one after the other.
struct Zstd<R> {
    packed: BufReader<R>,
    context: DCtx<'static>,
    /// Whether a frame has begun and not ended.
    inside: bool,
}

impl<R: Read> Zstd<R> {
    fn new(packed: R) -> io::Result<Zstd<R>> {
        let mut context = DCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
        context
            .set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))
            .map_err(zstd_error)?;
        Ok(Zstd {
            packed: BufReader::with_capacity(128 << 10, packed),
            context,
            inside: false,
        })
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let packed = self.packed.fill_buf()?;
            let at_end = packed.is_empty();
            if at_end && !self.inside {
                return Ok(0);
            }
            let mut input = InBuffer::around(packed);
            let mut output = OutBuffer::around(&mut *buffer);
            let hint = self
                .context
                .decompress_stream(&mut output, &mut input)
                .map_err(zstd_error)?;
            let (taken, made) = (input.pos, output.pos());
            self.packed.consume(taken);
            self.inside = hint != 0;
            if made > 0 {
                return Ok(made);
            }
            if at_end && self.inside {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn zstd_error(code: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, zstd_safe::get_error_name(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn packed(bytes: &[u8]) -> Vec<(Compressed, Vec<u8>)> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(bytes).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
        xz.write_all(bytes).unwrap();
        let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bz.write_all(bytes).unwrap();
        let mut zstd = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
        zstd_safe::compress(&mut zstd, bytes, 1).unwrap();
        vec![
            (Compressed::Gzip, gzip.finish().unwrap()),
            (Compressed::Xz, xz.finish().unwrap()),
            (Compressed::Bzip2, bz.finish().unwrap()),
            (Compressed::Zstd, zstd),
        ]
    }

    #[test]
    fn streams_one_after_the_other_are_one() {
        let bytes: Vec<u8> = (0..700_000u32)
            .flat_map(|number| (number / 7).to_le_bytes())
            .collect();
        for (format, one) in packed(&bytes) {
            assert_eq!(Compressed::of(&one), Some(format));
            let two = [&one[..], &one].concat();
            let mut read = Vec::new();
            format.decode(&two[..]).unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, [&bytes[..], &bytes].concat(), "{}", format.name());
        }
    }

    #[test]
    fn what_is_cut_off_or_damaged_is_an_error() {
        for (format, whole) in packed(&vec![7; 100_000]) {
            for bytes in [&whole[..whole.len() - 5], &whole[..whole.len() / 2]] {
                let mut sink = Vec::new();
                let result = format.decode(bytes).unwrap().read_to_end(&mut sink);
                assert!(result.is_err(), "{}", format.name());
            }
            let mut damaged = whole.clone();
            let middle = damaged.len() / 2;
            damaged[middle] ^= 0x55;
            let mut sink = Vec::new();
            let result = format.decode(&damaged[..]).unwrap().read_to_end(&mut sink);
            // zstd's usual frames have no checksum.
            assert!(result.is_err() || format == Compressed::Zstd, "{}", format.name());
        }
    }
}
