//! Files become bundles: nothing is believed, and only what the end of the file says is read.

use std::sync::Arc;

use image::{Content, ReadAt};
use signature::Form;

use crate::{Error, Plain, Signed, Unsigned};

/// Bytes at the end that say how long the signature before them is.
const TRAILER: usize = 8;

/// A bundle that was read.
#[derive(Clone, Debug)]
pub enum Bundle {
    /// Its end is a signature.
    Signed(Signed),
    /// Its end is a bare manifest.
    Unsigned(Box<Unsigned>),
    /// Its end is a signature about all before it: the format plain, RAUC's own default.
    Plain(Plain),
}

/// Opens a bundle of `size` bytes. What is in it is not checked.
///
/// # Errors
/// When it cannot be read, its end is none of a bundle, or it is a bundle of the format `crypt`, whose end is enveloped.
pub fn open(bytes: Arc<dyn ReadAt>, size: u64) -> Result<Bundle, Error> {
    let Some(trailer_start) = size.checked_sub(TRAILER as u64) else {
        return Err(Error::TooShort(size));
    };
    let mut trailer = [0; TRAILER];
    let read = |buffer: &mut [u8], start| {
        bytes
            .read_exact_at(buffer, start)
            .map_err(|source| Error::Read { start, source })
    };
    read(&mut trailer, trailer_start)?;
    let len = u64::from_be_bytes(trailer);
    if len == 0 {
        return Err(Error::NoSignature);
    }
    if len > signature::LEN_MAX {
        return Err(Error::SignatureTooLarge(len));
    }
    let Some(payload_len) = trailer_start.checked_sub(len).filter(|len| *len > 0) else {
        return Err(Error::SignatureBeyondFile { len, size });
    };
    let mut end = vec![0; usize::try_from(len).map_err(|_| Error::SignatureTooLarge(len))?];
    read(&mut end, payload_len)?;
    let payload = Content::Span {
        source: bytes,
        start: 0,
        len: payload_len,
    };
    match end.first() {
        // A SEQUENCE.
        Some(0x30) => match signature::form(&end) {
            Some(Form::Detached) => Plain::new(payload, end).map(Bundle::Plain),
            Some(Form::Enveloped) => Err(Error::Format("crypt".into())),
            Some(Form::Signed) | None => Ok(Bundle::Signed(Signed::new(payload, end))),
        },
        Some(b'[') => Unsigned::new(payload, end).map(|unsigned| Bundle::Unsigned(Box::new(unsigned))),
        _ => Err(Error::NoBundle),
    }
}
