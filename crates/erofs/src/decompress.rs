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
    /// Fills `output` with what the blocks hold: exactly that much, and nothing else may be in them but zeros in front. The
    /// blocks may hold more than is wanted if only a part of it `is_partial`.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(crate) fn decompress(
        &mut self,
        algorithm: u8,
        blocks: &[u8],
        output: &mut [u8],
    ) -> Result<(), String> {
        let start = blocks
            .iter()
            .take(BLOCK_LEN)
            .take_while(|byte| **byte == 0)
            .count();
        if start == blocks.len().min(BLOCK_LEN) {
            return Err("a cluster begins with a block of zeros".to_string());
        }
        let input = &blocks[start..];
        let wanted = output.len();
        let len = match algorithm {
            algorithm::LZ4 => lzzzz::lz4::decompress(input, output).map_err(|error| error.to_string())?,
            algorithm::DEFLATE => self
                .deflate
                .deflate_decompress(input, output)
                .map_err(|error| error.to_string())?,
            algorithm::ZSTD => self.zstd(input, output)?,
            other => return Err(format!("compressor {other} is not known")),
        };
        if len == wanted {
            return Ok(());
        }
        Err(format!("a cluster holds {len} bytes in place of {wanted}"))
    }

    /// One frame that ends where the input does.
    fn zstd(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, String> {
        let failed = |code| zstd_safe::get_error_name(code).to_string();
        self.zstd
            .reset(zstd_safe::ResetDirective::SessionAndParameters)
            .map_err(failed)?;
        self.zstd
            .set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG.into()))
            .map_err(failed)?;
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
