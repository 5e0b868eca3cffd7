//! Whole blocks in, one cluster out: what Linux takes, and nothing else.

use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use crate::compress::ZSTD_WINDOW_LOG;
use crate::format::{BLOCK_LEN, algorithm};

/// Decompresses clusters, one after the other.
pub(crate) struct Decompressor {
    deflate: libdeflater::Decompressor,
    zstd: DCtx<'static>,
}

impl Default for Decompressor {
    fn default() -> Self {
        Decompressor {
            deflate: libdeflater::Decompressor::new(),
            zstd: DCtx::create(),
        }
    }
}

impl Decompressor {
    /// Fills `output` with what the blocks hold: exactly that much, and nothing else may be in them but zeros in front.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(crate) fn decompress(
        &mut self,
        algorithm: u8,
        blocks: &[u8],
        output: &mut [u8],
    ) -> Result<(), String> {
        let wanted = output.len();
        let len = self.decompress_most(algorithm, blocks, output)?;
        if len == wanted {
            return Ok(());
        }
        Err(format!("a cluster holds {len} bytes in place of {wanted}"))
    }

    /// Puts what the blocks hold into `output`, and answers how much that is: all that is in them but for zeros in front.
    ///
    /// # Errors
    /// What is wrong, for people; also when it is more than the output takes.
    pub(crate) fn decompress_most(
        &mut self,
        algorithm: u8,
        blocks: &[u8],
        output: &mut [u8],
    ) -> Result<usize, String> {
        let input = without_zeros(blocks)?;
        match algorithm {
            algorithm::LZ4 => lzzzz::lz4::decompress(input, output).map_err(|error| error.to_string()),
            algorithm::DEFLATE => self
                .deflate
                .deflate_decompress(input, output)
                .map_err(|error| error.to_string()),
            algorithm::ZSTD => self.zstd(input, output),
            algorithm::LZMA => lzma(input, output, Size::Whole),
            other => Err(format!("compressor {other} is not known")),
        }
    }

    /// Fills `output` with the first bytes of what the blocks hold.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(crate) fn decompress_part(
        &mut self,
        algorithm: u8,
        blocks: &[u8],
        output: &mut [u8],
    ) -> Result<(), String> {
        let input = without_zeros(blocks)?;
        let wanted = output.len();
        let len = match algorithm {
            algorithm::LZ4 => {
                lzzzz::lz4::decompress_partial(input, output, wanted).map_err(|error| error.to_string())?
            }
            algorithm::ZSTD => self.zstd_part(input, output)?,
            algorithm::LZMA => lzma(input, output, Size::Part)?,
            _ => return Err("parts of deflate clusters are not read".to_string()),
        };
        if len == wanted {
            return Ok(());
        }
        Err(format!("a cluster holds {len} bytes in place of {wanted}"))
    }

    /// Forgets the frame before, and takes none with a longer window than Linux has room for.
    fn begin(&mut self) -> Result<(), String> {
        let limit = DParameter::WindowLogMax(ZSTD_WINDOW_LOG.into());
        self.zstd
            .reset(zstd_safe::ResetDirective::SessionAndParameters)
            .and_then(|_| self.zstd.set_parameter(limit))
            .map(drop)
            .map_err(failed)
    }

    fn zstd_part(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, String> {
        self.begin()?;
        let mut from = InBuffer::around(input);
        let mut to = OutBuffer::around(output);
        loop {
            let before = (from.pos(), to.pos());
            let hint = self.zstd.decompress_stream(&mut to, &mut from).map_err(failed)?;
            if hint == 0 || to.pos() == to.capacity() || before == (from.pos(), to.pos()) {
                return Ok(to.pos());
            }
        }
    }

    /// One frame that ends where the input does.
    fn zstd(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, String> {
        self.begin()?;
        let mut from = InBuffer::around(input);
        let mut to = OutBuffer::around(output);
        let mut hint = 1;
        loop {
            let before = (from.pos(), to.pos());
            if hint != 0 {
                hint = self.zstd.decompress_stream(&mut to, &mut from).map_err(failed)?;
            }
            if hint == 0 || before == (from.pos(), to.pos()) {
                break;
            }
        }
        if hint != 0 {
            return Err("a frame does not end with its cluster, or holds too much".to_string());
        }
        if from.pos() != input.len() {
            return Err("something lies behind a frame".to_string());
        }
        Ok(to.pos())
    }
}

fn failed(code: zstd_safe::ErrorCode) -> String {
    zstd_safe::get_error_name(code).to_string()
}

/// What is behind the zeros in front, of which there is less than a block.
fn without_zeros(blocks: &[u8]) -> Result<&[u8], String> {
    let start = blocks
        .iter()
        .take(BLOCK_LEN)
        .take_while(|byte| **byte == 0)
        .count();
    if start == blocks.len().min(BLOCK_LEN) {
        return Err("a cluster begins with a block of zeros".to_string());
    }
    Ok(&blocks[start..])
}

/// How much of a cluster is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Whole,
    Part,
}

/// The least dictionary of LZMA. A cluster refers to nothing but itself, so no more than its length is needed.
const DICTIONARY_LEAST: usize = 4096;
/// Bytes that a decoder of LZMA may take: its tables, and a cluster's dictionary.
const LZMA_MEMORY: u64 = 64 << 20;

/// `MicroLZMA`: LZMA without its header, whose first byte, always zero, has the properties in its place, inverted. With a
/// header in front it is the older format of LZMA, which every decoder reads.
fn lzma(input: &[u8], output: &mut [u8], size: Size) -> Result<usize, String> {
    let failed = |error: liblzma::stream::Error| error.to_string();
    let (properties, rest) = input.split_first().ok_or("a cluster is empty")?;
    let dictionary = u32::try_from(output.len().max(DICTIONARY_LEAST)).map_err(|error| error.to_string())?;
    let len = match size {
        Size::Whole => output.len() as u64,
        Size::Part => u64::MAX,
    };
    let mut bytes = vec![!properties];
    bytes.extend(dictionary.to_le_bytes());
    bytes.extend(len.to_le_bytes());
    bytes.push(0);
    bytes.extend(rest);
    let mut stream = liblzma::stream::Stream::new_lzma_decoder(LZMA_MEMORY).map_err(failed)?;
    let place = |total: u64| usize::try_from(total).unwrap_or(usize::MAX);
    let (mut read, mut made) = (0, 0);
    loop {
        let left = bytes.get(read..).unwrap_or_default();
        let action = liblzma::stream::Action::Run;
        stream
            .process(left, &mut output[made..], action)
            .map_err(failed)?;
        let before = (read, made);
        (read, made) = (place(stream.total_in()), place(stream.total_out()));
        let is_done = match size {
            Size::Whole => read == bytes.len(),
            Size::Part => made == output.len(),
        };
        if is_done || before == (read, made) {
            break;
        }
    }
    if size == Size::Whole && read != bytes.len() {
        let left = bytes.len().saturating_sub(read);
        return Err(format!(
            "a cluster of LZMA ends {left} bytes before its blocks do"
        ));
    }
    Ok(made)
}
