//! gzip ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952)): members, one behind the other.

use std::io;

use libdeflater::{CompressionLvl, Compressor};

use crate::encoder::Frame;

/// How many bytes of an image are in one member.
pub(crate) const CHUNK: usize = 1 << 20;

/// A member of its own.
pub(crate) fn member(level: u32, chunk: &[u8]) -> io::Result<Frame> {
    let level = i32::try_from(level)
        .ok()
        .and_then(|level| CompressionLvl::new(level).ok());
    let level = level.ok_or_else(|| io::Error::other("gzip: no such level"))?;
    let mut compressor = Compressor::new(level);
    let mut bytes = vec![0; compressor.gzip_compress_bound(chunk.len())];
    let len = compressor
        .gzip_compress(chunk, &mut bytes)
        .map_err(io::Error::other)?;
    bytes.truncate(len);
    Ok(Frame::new(bytes, chunk))
}
