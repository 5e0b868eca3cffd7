//! One extent out: what Linux reads, in at most the bytes that the file says.

use super::lzo;
use crate::format::compression;

/// The largest window of zstd that Linux has room for.
const WINDOW_LOG_MAX: u32 = 17;

/// Decompresses an extent of `len` bytes. What it lacks at its end is zeros.
pub(super) fn decompress(kind: u8, input: &[u8], len: usize) -> Result<Vec<u8>, String> {
    let mut output = vec![0; len];
    match kind {
        compression::ZLIB => {
            let mut inflate = libdeflater::Decompressor::new();
            let done = inflate.zlib_decompress(input, &mut output);
            done.map_err(|error| format!("the zlib stream is damaged: {error:?}"))?;
        }
        compression::LZO => drop(lzo::decompress(input, &mut output)?),
        compression::ZSTD => zstd(input, &mut output)?,
        _ => return Err(format!("compression {kind}")),
    }
    Ok(output)
}

fn zstd(input: &[u8], output: &mut [u8]) -> Result<(), String> {
    let problem = |code| format!("the zstd frame is damaged: {}", zstd_safe::get_error_name(code));
    let mut context = zstd_safe::DCtx::create();
    let limit = zstd_safe::DParameter::WindowLogMax(WINDOW_LOG_MAX);
    context.set_parameter(limit).map_err(problem)?;
    let mut input = zstd_safe::InBuffer::around(input);
    let mut output = zstd_safe::OutBuffer::around(output);
    loop {
        let before = (input.pos(), output.pos());
        let left = context
            .decompress_stream(&mut output, &mut input)
            .map_err(problem)?;
        if left == 0 {
            return Ok(());
        }
        if before == (input.pos(), output.pos()) {
            return Err("the zstd frame does not end where it should".to_string());
        }
    }
}
