//! PEM: labelled base64 between two lines, several in a file.

use pem_rfc7468::Decoder;
use zeroize::Zeroizing;

use crate::tlv::Parsed;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";

/// A block of a PEM file.
pub(crate) struct Block {
    /// `CERTIFICATE`, `PRIVATE KEY`.
    pub(crate) label: String,
    /// The bytes.
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// Whether bytes are text with blocks of PEM.
pub(crate) fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(BEGIN.len()).any(|window| window == BEGIN)
}

/// The blocks of a PEM file. What stands between them is not looked at.
pub(crate) fn read(text: &[u8]) -> Parsed<Vec<Block>> {
    let mut blocks = Vec::new();
    let (mut start, mut at) = (None, 0);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(BEGIN) {
            start = Some(at);
        }
        at += line.len();
        if line.starts_with(END)
            && let Some(start) = start.take()
        {
            blocks.push(block(text.get(start..at).unwrap_or_default())?);
        }
    }
    match start {
        None => Ok(blocks),
        Some(_) => Err("a block of PEM has no end".into()),
    }
}

fn block(text: &[u8]) -> Parsed<Block> {
    if text.windows(11).any(|window| window == b"Proc-Type: ") {
        return Err(
            "it is encrypted in the way of old OpenSSLs; `openssl pkcs8 -topk8` converts it to encrypted PKCS#8".into(),
        );
    }
    let wrong = |error| format!("a block of PEM cannot be read: {error}");
    let mut decoder = Decoder::new_detect_wrap(text).map_err(wrong)?;
    let label = decoder.type_label().to_owned();
    let mut der = Zeroizing::new(Vec::with_capacity(text.len()));
    decoder.decode_to_end(&mut der).map_err(wrong)?;
    Ok(Block { label, der })
}
