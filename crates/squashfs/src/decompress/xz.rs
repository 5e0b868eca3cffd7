//! xz streams, as `lib/xz` reads them: of the checks none and CRC32, LZMA2 alone or behind one branch filter, and a
//! dictionary that fits into the memory that Linux has made ready. As all who make images, exactly one block is asked for.

use liblzma::stream::{Action, Status, Stream};

use super::Limits;

pub(super) const MAGIC: [u8; 6] = *b"\xfd7zXZ\0";
const FOOTER_MAGIC: [u8; 2] = *b"YZ";
/// Of a stream's header, and of its footer.
const EDGE_SIZE: usize = 12;
const LZMA2: u8 = 0x21;
/// The first of the branch filters; an image's options have a bit for each, from here on.
const FIRST_FILTER: u8 = 4;
/// The branch filters that are in Linux since 5.15 and before: x86, PowerPC, ARM, ARM-Thumb, SPARC.
const FILTERS: u32 = 0b11_1011;
/// More memory than any stream of a 1 MiB dictionary needs.
const MEMORY_MAX: u64 = 16 << 20;

/// Checks what stands around the compressed data, and answers with the dictionary's size.
pub(super) fn look(input: &[u8], limits: &Limits) -> Result<u32, String> {
    let cut_off = || "the xz stream is cut off".to_string();
    let rest = input
        .strip_prefix(&MAGIC)
        .ok_or("it does not begin as an xz stream")?;
    match rest {
        [0, 0 | 1, ..] => {}
        [0, check, ..] => {
            return Err(format!(
                "the xz stream has a check of type {check}, and not CRC32"
            ));
        }
        _ => return Err("the xz stream has unknown flags".into()),
    }
    let end = input.len().checked_sub(EDGE_SIZE).ok_or_else(cut_off)?;
    let body = input.get(EDGE_SIZE..end).ok_or_else(cut_off)?;
    let dictionary = look_at_block(body, limits)?;
    let footer = &input[end..];
    if !footer.ends_with(&FOOTER_MAGIC) {
        return Err("something follows the xz stream, or it is cut off".into());
    }
    let index_size = footer[4..8]
        .iter()
        .rev()
        .fold(0, |size, byte| size << 8 | usize::from(*byte));
    let index_size = index_size.checked_add(1).and_then(|size| size.checked_mul(4));
    let index_start = index_size
        .and_then(|size| body.len().checked_sub(size))
        .ok_or_else(cut_off)?;
    // An index begins with a zero, then it has the number of its blocks, and the size of each.
    let (block, index) = body.split_at(index_start);
    let [0, 1, sizes @ ..] = index else {
        return Err("the xz stream has not exactly one block".into());
    };
    if number(sizes).map(|size| size.next_multiple_of(4)) != Some(block.len() as u64) {
        return Err("the xz stream has a block of another size, or a stream before it".into());
    }
    Ok(dictionary)
}

/// A number of 7 bits a byte, of which all but the last one have their highest bit set.
fn number(bytes: &[u8]) -> Option<u64> {
    let len = bytes.iter().take(5).position(|byte| byte & 0x80 == 0)? + 1;
    let step = |number: u64, byte: &u8| number << 7 | u64::from(byte & 0x7f);
    Some(bytes[..len].iter().rev().fold(0, step))
}

/// Checks the header of a stream's first block, and answers with the dictionary's size.
fn look_at_block(body: &[u8], limits: &Limits) -> Result<u32, String> {
    let cut_off = "the xz block's header is cut off";
    let size = match body.first() {
        None | Some(0) => return Err("the xz stream holds nothing".into()),
        Some(size) => (usize::from(*size) + 1) * 4,
    };
    let mut header = body.get(1..size - 4).ok_or(cut_off)?.iter();
    let mut next = || header.next().copied().ok_or(cut_off);
    let flags = next()?;
    if flags & 0x3e != 0 {
        return Err("the xz block has more than two filters, or unknown flags".into());
    }
    for bit in [0x40, 0x80] {
        // The lengths of what is compressed and of what is not: numbers of 7 bits a byte.
        while flags & bit != 0 && next()? & 0x80 != 0 {}
    }
    if flags & 1 != 0 {
        let filter = next()?;
        let bit = u32::from(filter.wrapping_sub(FIRST_FILTER));
        let is_known = bit < u32::BITS && limits.filters & FILTERS & 1 << bit != 0;
        if !is_known || next()? != 0 {
            return Err(format!(
                "the xz block has the filter {filter}, which the image's options do not name"
            ));
        }
    }
    if [next()?, next()?] != [LZMA2, 1] {
        return Err("the xz block's last filter is not LZMA2".into());
    }
    let dictionary = match next()? {
        bits @ 0..40 => u64::from(2 | bits & 1) << (bits / 2 + 11),
        bits => {
            return Err(format!(
                "the xz block has a dictionary of the unknown size {bits}"
            ));
        }
    };
    match u32::try_from(dictionary) {
        Ok(size) if limits.dictionary.contains(&size) => Ok(size),
        _ => Err(format!(
            "the xz block has a dictionary of {dictionary} bytes, and may have {}",
            limits.dictionary.end()
        )),
    }
}

/// Decompresses exactly one stream of at most `max` bytes.
pub(super) fn decompress(limits: &Limits, input: &[u8], max: usize) -> Result<Vec<u8>, String> {
    look(input, limits)?;
    let damaged = |error: liblzma::stream::Error| format!("the xz stream is damaged: {error}");
    let mut stream = Stream::new_stream_decoder(MEMORY_MAX, 0).map_err(damaged)?;
    let mut output = vec![0; max];
    let status = stream
        .process(input, &mut output, Action::Finish)
        .map_err(damaged)?;
    let [read, written] =
        [stream.total_in(), stream.total_out()].map(|count| usize::try_from(count).unwrap_or(0));
    if status != Status::StreamEnd {
        return Err(format!(
            "the xz stream does not end, or holds more than {max} bytes"
        ));
    }
    if read != input.len() {
        return Err(format!("{} bytes follow the xz stream", input.len() - read));
    }
    output.truncate(written);
    Ok(output)
}
