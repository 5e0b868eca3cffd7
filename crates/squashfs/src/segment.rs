//! Segments without the files that they hold.

use cache::Found;

use crate::decompress::Decompressor;
use crate::format::DATA_RAW;
use crate::{BLOCK_SIZE_MAX, Error};

/// Decompresses all blocks of a segment, of whose files and options nothing is known.
///
/// # Errors
/// What is wrong, when it has blocks that Linux does not read or that Kiln does not make.
pub fn check_segment(segment: &Found) -> Result<(), String> {
    let mut decompressor: Option<(Decompressor, usize)> = None;
    let mut stored = Vec::new();
    let mut start = segment.start;
    for word in &segment.sizes {
        let len = word & !DATA_RAW;
        if len > BLOCK_SIZE_MAX {
            return Err(format!("it has a block of {len} bytes"));
        }
        stored.resize(len as usize, 0);
        let read = segment.source.read_exact_at(&mut stored, start);
        read.map_err(|error| error.to_string())?;
        start += u64::from(len);
        if len == 0 || word & DATA_RAW != 0 {
            continue;
        }
        let (decompressor, max) = match &mut decompressor {
            Some(decompressor) => decompressor,
            none => none.insert(Decompressor::of_segment(&stored).map_err(text)?),
        };
        check(decompressor, &stored, *max).map_err(text)?;
    }
    if start != segment.start + segment.len {
        return Err(format!(
            "its blocks have other lengths than its {} bytes",
            segment.len
        ));
    }
    Ok(())
}

fn check(decompressor: &mut Decompressor, stored: &[u8], max: usize) -> Result<(), Error> {
    let bytes = decompressor.decompress(stored, max)?;
    if bytes.len() <= stored.len() {
        return Err(Error::Damaged(
            "a block that compressing has not made smaller".into(),
        ));
    }
    decompressor.look(stored, bytes.len())
}

#[expect(clippy::needless_pass_by_value, reason = "errors are mapped")]
fn text(error: Error) -> String {
    error.to_string()
}
