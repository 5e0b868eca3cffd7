//! zlib streams, as `lib/zlib_inflate` reads them: what the format reserves is an error there, and no dictionary is known.

use zlib_rs::{Inflate, InflateError, InflateFlush, Status};

/// The bit of the second byte that asks for a dictionary.
const DICTIONARY: u8 = 0x20;
/// The largest window has 2 to the power of this many bytes.
const WINDOW_LOG_MAX: u8 = 15;

pub(super) fn inflate() -> Inflate {
    Inflate::new(true, WINDOW_LOG_MAX)
}

/// Checks the two bytes that a stream begins with.
pub(super) fn look(input: &[u8]) -> Result<(), String> {
    let Some([method, flags]) = input.first_chunk() else {
        return Err(format!("{} bytes are no zlib stream", input.len()));
    };
    if method & 0xf != 8
        || (method >> 4) + 8 > WINDOW_LOG_MAX
        || !u16::from_be_bytes([*method, *flags]).is_multiple_of(31)
    {
        return Err("it does not begin as a zlib stream".into());
    }
    if flags & DICTIONARY != 0 {
        return Err("the zlib stream needs a dictionary".into());
    }
    Ok(())
}

/// Decompresses exactly one stream of at most `max` bytes.
pub(super) fn decompress(inflate: &mut Inflate, input: &[u8], max: usize) -> Result<Vec<u8>, String> {
    look(input)?;
    inflate.reset(true);
    let mut output = vec![0; max];
    let problem = |error: InflateError, inflate: &Inflate| {
        let message = inflate.error_message().unwrap_or(error.as_str());
        format!("the zlib stream is damaged: {message}")
    };
    let status = inflate
        .decompress(input, &mut output, InflateFlush::Finish)
        .map_err(|error| problem(error, inflate))?;
    let [read, written] =
        [inflate.total_in(), inflate.total_out()].map(|count| usize::try_from(count).unwrap_or(0));
    if status != Status::StreamEnd {
        return Err(if written == max {
            format!("the zlib stream holds more than {max} bytes")
        } else {
            "the zlib stream does not end".into()
        });
    }
    if read != input.len() {
        return Err(format!("{} bytes follow the zlib stream", input.len() - read));
    }
    output.truncate(written);
    Ok(output)
}
