//! BER, as far as OpenSSL writes it when it streams a signature: lengths that are told by an end, and strings in pieces.
//!
//! What a signature covers is DER in any case: certificates and signed attributes are read by [`tlv`](crate::tlv) alone.

use std::borrow::Cow;

use crate::tlv::{Cursor, OCTET_STRING, Parsed, Tlv};

/// An octet string in pieces.
const OCTET_STRING_IN_PIECES: u8 = OCTET_STRING | CONSTRUCTED;

/// The bit of a type whose value holds other values.
const CONSTRUCTED: u8 = 0x20;

/// The bits of a type that goes on in the next bytes.
pub(crate) const LONG_TAG: u8 = 0x1f;

/// How deep values may lie in each other: OpenSSL goes no deeper.
const DEPTH_MAX: usize = 30;

/// What ends a value that does not say how long it is.
const END: &[u8] = &[0, 0];

/// The type of a value, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The first byte of its type.
    pub(crate) tag: u8,
    /// The value's bytes; nothing when its end tells.
    pub(crate) len: Option<u64>,
    /// Bytes of type and length.
    pub(crate) size: usize,
    /// Whether the length could not be written shorter.
    pub(crate) shortest: bool,
}

impl Head {
    /// Reads the head that bytes begin with. The error says what is wrong with it.
    pub(crate) fn read(bytes: &[u8]) -> Result<Head, &'static str> {
        let (tag, after) = bytes.split_first().ok_or("ends too early")?;
        let more_tag = if tag & LONG_TAG == LONG_TAG {
            1 + after.iter().take_while(|byte| **byte > 0x7f).count()
        } else {
            0
        };
        let after = after.get(more_tag..).unwrap_or_default();
        let (first, after) = after.split_first().ok_or("ends too early")?;
        let head = |len, more, shortest| Head {
            tag: *tag,
            len,
            size: 2 + more_tag + more,
            shortest,
        };
        match first {
            0..=0x7f => Ok(head(Some(u64::from(*first)), 0, true)),
            0x80 if tag & CONSTRUCTED == 0 => Err("has an indefinite length without values inside"),
            0x80 => Ok(head(None, 0, true)),
            _ => {
                let count = usize::from(first & 0x7f);
                let bytes = after.get(..count).ok_or("ends within a length")?;
                let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                let digits = bytes.get(zeros..).unwrap_or_default();
                if digits.len() > size_of::<u64>() {
                    return Err("has a length beyond all bounds");
                }
                let len = digits.iter().fold(0, |len, byte| len << 8 | u64::from(*byte));
                Ok(head(Some(len), count, zeros == 0 && len > 0x7f))
            }
        }
    }
}

/// How many bytes stand before the end of a value whose length nothing else tells.
pub(crate) fn len_to_end(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0, 0_usize);
    loop {
        let rest = bytes.get(at..)?;
        if rest.starts_with(END) {
            if depth == 0 {
                return Some(at);
            }
            depth -= 1;
            at += END.len();
            continue;
        }
        let head = Head::read(rest).ok()?;
        at += head.size;
        match head.len {
            Some(len) => at = at.checked_add(usize::try_from(len).ok()?)?,
            None if depth < DEPTH_MAX => depth += 1,
            None => return None,
        }
    }
}

/// Whether bytes begin with a value that is all there, with all that it holds. One that is not was damaged; one that is, is
/// just of a form that is not read.
pub(crate) fn is_whole(bytes: &[u8]) -> bool {
    // The ends of the values that are open; nothing for those whose end tells.
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut at = 0_usize;
    loop {
        let end = open.iter().rev().find_map(|end| *end).unwrap_or(bytes.len());
        match open.last() {
            Some(Some(end)) if *end == at => drop(open.pop()),
            Some(None) if bytes.get(at..end).is_some_and(|rest| rest.starts_with(END)) => {
                at += END.len();
                open.pop();
            }
            _ => {
                let Some(Ok(head)) = bytes.get(at..end).map(Head::read) else {
                    return false;
                };
                at += head.size;
                let len = head.len.map(usize::try_from);
                let value_end = match len {
                    None => None,
                    Some(Ok(len)) if len <= end.saturating_sub(at) => Some(at + len),
                    Some(_) => return false,
                };
                match value_end {
                    Some(end) if head.tag & CONSTRUCTED == 0 => at = end,
                    _ if open.len() == DEPTH_MAX => return false,
                    end => open.push(end),
                }
            }
        }
        if open.is_empty() {
            return true;
        }
    }
}

/// The next value, which is an octet string, in one piece or in several.
pub(crate) fn octets<'a>(cursor: &mut Cursor<'a>, name: &'static str) -> Parsed<Cow<'a, [u8]>> {
    let Some(Tlv { value, .. }) = cursor.optional(OCTET_STRING_IN_PIECES)? else {
        return Ok(Cow::Borrowed(cursor.one(OCTET_STRING, name)?.value));
    };
    let mut pieces = Cursor::ber(value, name);
    let mut bytes = Vec::new();
    while !pieces.is_empty() {
        bytes.extend_from_slice(pieces.one(OCTET_STRING, "piece")?.value);
    }
    Ok(Cow::Owned(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_found() {
        assert_eq!(len_to_end(b"\0\0"), Some(0));
        assert_eq!(len_to_end(b"\x04\x02\0\0\0\0rest"), Some(4));
        assert_eq!(len_to_end(b"\x30\x80\x04\x01x\0\0\0\0"), Some(7));
        for bad in [
            &b""[..],
            b"\0",
            b"\x04\x02\0\0",
            b"\x30\x80\0\0",
            b"\x04\x80\0\0\0\0",
        ] {
            assert_eq!(len_to_end(bad), None, "{bad:x?}");
        }
        let deep = |depth: usize| [b"\x30\x80".repeat(depth), b"\0\0".repeat(depth + 1)].concat();
        assert_eq!(len_to_end(&deep(DEPTH_MAX)), Some(4 * DEPTH_MAX));
        assert_eq!(len_to_end(&deep(DEPTH_MAX + 1)), None);
    }

    #[test]
    fn what_is_all_there_is_whole() {
        for whole in [
            &b"\x04\x01x"[..],
            b"\x04\x01x and more",
            b"\x30\0",
            b"\x30\x80\0\0",
            b"\x30\x06\x30\x80\x30\0\0\0",
            b"\x30\x81\x03\x04\x81\0",
            b"\x1f\x81\x01\x01x",
            b"\x30\x80\x30\x02\x04\0\x24\x80\x04\x01x\0\0\0\0",
        ] {
            assert!(is_whole(whole), "{whole:x?}");
        }
        for cut in [
            &b""[..],
            b"\x04",
            b"\x04\x02x",
            b"\x30\x03\x04\x02x",
            b"\x30\x80",
            b"\x30\x80\0",
            b"\x30\x80\x30\x80\0\0",
            b"\x30\x03\x30\x80\0\0\0",
            b"\x1f\x81",
            b"\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert!(!is_whole(cut), "{cut:x?}");
        }
        assert!(!is_whole(&b"\x30\x80".repeat(32 << 10)));
    }

    #[test]
    fn strings_come_in_pieces() {
        let read = |bytes: &[u8]| octets(&mut Cursor::ber(bytes, "test"), "bytes").map(Cow::into_owned);
        assert_eq!(read(b"\x04\x02xy").unwrap(), b"xy");
        assert_eq!(read(b"\x24\x80\x04\x01x\x04\x81\x01y\0\0").unwrap(), b"xy");
        assert_eq!(read(b"\x24\x03\x04\x01x").unwrap(), b"x");
        assert_eq!(read(b"\x24\x80\0\0").unwrap(), b"");
        for bad in [
            &b"\x24\x80\x02\x01\x01\0\0"[..],
            b"\x24\x80\x24\x80\0\0\0\0",
            b"\x24\x80\x04\x01x",
            b"\x05\0",
        ] {
            assert!(read(bad).is_err(), "{bad:x?}");
        }
    }
}
