//! DER, as far as signatures need it: a tag, a length, and that many bytes.
//!
//! The bytes that a signature covers have to be the very bytes that were read, so what is read stays a slice of its
//! source. Nothing here calls itself, so no depth of nesting matters.

use crate::ber::{self, Head, LONG_TAG};

/// What a reader of DER answers; the error says what is wrong.
pub(crate) type Parsed<T> = Result<T, String>;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[0]`, with other values inside.
pub(crate) const CONTEXT_0: u8 = 0xa0;
/// `[1]`, with other values inside.
pub(crate) const CONTEXT_1: u8 = 0xa1;
/// `[2]`, with other values inside.
pub(crate) const CONTEXT_2: u8 = 0xa2;
/// `[0]`, with bytes inside.
pub(crate) const CONTEXT_0_BYTES: u8 = 0x80;

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tlv<'a> {
    /// Its type.
    pub(crate) tag: u8,
    /// What it holds.
    pub(crate) value: &'a [u8],
    /// All of it, with tag and length.
    pub(crate) raw: &'a [u8],
}

/// Reads values one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    /// What is being read, for messages.
    what: &'static str,
    lengths: Lengths,
}

/// How lengths may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    /// As short as can be, the only way of DER.
    Der,
    /// In every way that BER has, also by what ends the value.
    Ber,
}

impl<'a> Cursor<'a> {
    /// Reads the values that bytes hold.
    pub(crate) fn new(bytes: &'a [u8], what: &'static str) -> Cursor<'a> {
        Cursor {
            rest: bytes,
            what,
            lengths: Lengths::Der,
        }
    }

    /// Reads the values that bytes hold, with lengths as BER has them.
    pub(crate) fn ber(bytes: &'a [u8], what: &'static str) -> Cursor<'a> {
        Cursor {
            lengths: Lengths::Ber,
            ..Cursor::new(bytes, what)
        }
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next value, of any type.
    pub(crate) fn any(&mut self) -> Parsed<Tlv<'a>> {
        let wrong = |problem: &str| format!("the {} {problem}", self.what);
        let head = Head::read(self.rest).map_err(wrong)?;
        if head.tag & LONG_TAG == LONG_TAG {
            return Err(wrong("has a tag of more than one byte"));
        }
        if self.lengths == Lengths::Der && head.len.is_none() {
            return Err(wrong("has an indefinite length, which DER has not"));
        }
        if self.lengths == Lengths::Der && !head.shortest {
            return Err(wrong("has a length that is not DER's"));
        }
        let after = self.rest.get(head.size..).unwrap_or_default();
        let (len, end) = match head.len {
            Some(len) => (usize::try_from(len).ok(), 0),
            None => (ber::len_to_end(after), 2),
        };
        let split = len.and_then(|len| after.split_at_checked(len));
        let Some((value, after)) = split else {
            return Err(match head.len {
                Some(len) => wrong(&format!("has a part of {len} bytes, {} are there", after.len())),
                None => wrong("has a part without an end"),
            });
        };
        let after = after.get(end..).unwrap_or_default();
        if head.tag == INTEGER
            && !matches!(
                value,
                [_] | [0, 0x80..=0xff, ..] | [0xff, 0..=0x7f, ..] | [1..=0xfe, _, ..]
            )
        {
            // Numbers are compared by their bytes.
            return Err(wrong("has a number that is not in DER's form, the shortest"));
        }
        let raw = self.rest.get(..self.rest.len() - after.len()).unwrap_or_default();
        self.rest = after;
        Ok(Tlv {
            tag: head.tag,
            value,
            raw,
        })
    }

    /// The next value, if it has this type.
    pub(crate) fn optional(&mut self, tag: u8) -> Parsed<Option<Tlv<'a>>> {
        if self.rest.first() == Some(&tag) {
            return self.any().map(Some);
        }
        Ok(None)
    }

    /// The next value, which has this type.
    pub(crate) fn one(&mut self, tag: u8, name: &str) -> Parsed<Tlv<'a>> {
        let found = self.rest.first().copied();
        match found {
            Some(found) if found != tag => Err(format!(
                "the {} has type {found:#04x} where its {name} should be, of type {tag:#04x}",
                self.what
            )),
            None => Err(format!("the {} ends before its {name}", self.what)),
            Some(_) => self.any(),
        }
    }

    /// What is inside the next value, which has this type.
    pub(crate) fn inside(&mut self, tag: u8, name: &'static str) -> Parsed<Cursor<'a>> {
        Ok(Cursor {
            rest: self.one(tag, name)?.value,
            what: name,
            lengths: self.lengths,
        })
    }

    /// What is inside the only value, which has this type.
    pub(crate) fn only(mut self, tag: u8) -> Parsed<Cursor<'a>> {
        let inside = self.inside(tag, self.what)?;
        self.end()?;
        Ok(inside)
    }

    /// Nothing may follow.
    pub(crate) fn end(self) -> Parsed<()> {
        match self.rest.len() {
            0 => Ok(()),
            len => Err(format!("the {} has {len} bytes behind its end", self.what)),
        }
    }

    /// All values that are left. Whoever signs a set sorts it; OpenSSL does not ask for that.
    pub(crate) fn all(mut self) -> Parsed<Vec<Tlv<'a>>> {
        let mut values: Vec<Tlv<'a>> = Vec::new();
        while !self.is_empty() {
            values.push(self.any()?);
        }
        Ok(values)
    }
}

/// The only value in some bytes, which has this type.
pub(crate) fn only<'a>(bytes: &'a [u8], tag: u8, what: &'static str) -> Parsed<Cursor<'a>> {
    Cursor::new(bytes, what).only(tag)
}

/// The bytes of a bit string that has whole bytes.
pub(crate) fn bit_string<'a>(tlv: Tlv<'a>, name: &str) -> Parsed<&'a [u8]> {
    match tlv.value {
        [0, bytes @ ..] => Ok(bytes),
        _ => Err(format!("the {name} has not a whole number of bytes")),
    }
}

/// The bytes of a positive integer, without the zero in front.
pub(crate) fn positive<'a>(tlv: Tlv<'a>, name: &str) -> Parsed<&'a [u8]> {
    match tlv.value {
        [0, bytes @ ..] if matches!(bytes, [0x80..=0xff, ..]) => Ok(bytes),
        bytes @ [1..=0x7f, ..] => Ok(bytes),
        _ => Err(format!("the {name} is no positive number")),
    }
}

/// Writes a value.
pub(crate) fn write(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = vec![tag];
    if let Ok(short @ 0..=0x7f) = u8::try_from(len) {
        bytes.push(short);
    } else {
        let long = (len as u64).to_be_bytes();
        let zeros = long.iter().take_while(|byte| **byte == 0).count();
        let count = u8::try_from(long.len() - zeros).unwrap_or(0);
        bytes.push(0x80 | count);
        bytes.extend(long.iter().skip(zeros));
    }
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

/// Writes a set, in the order that DER gives it, each value once.
pub(crate) fn write_set(tag: u8, mut values: Vec<Vec<u8>>) -> Vec<u8> {
    values.sort();
    values.dedup();
    let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    write(tag, &values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Parsed<(u8, Vec<u8>)> {
        let mut cursor = Cursor::new(bytes, "test");
        let tlv = cursor.any()?;
        assert_eq!(tlv.raw, bytes);
        cursor.end()?;
        Ok((tlv.tag, tlv.value.to_vec()))
    }

    #[test]
    fn lengths_are_the_shortest() {
        for len in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let value = vec![7; len];
            let der = write(OCTET_STRING, &[&value]);
            assert_eq!(read(&der), Ok((OCTET_STRING, value)), "{len}");
        }
        for wrong in [
            &b""[..],
            b"\x04",
            b"\x04\x01",
            b"\x04\x80\0\0",
            b"\x04\x81\x01\0",
            b"\x04\x82\0\x80",
            b"\x04\x88\x80\0\0\0\0\0\0\0",
            b"\x04\x88\xff\xff\xff\xff\xff\xff\xff\xff\0",
            b"\x04\x89\x01\0\0\0\0\0\0\0\0",
            b"\x04\xff\0",
            b"\x1f\x01\0",
        ] {
            assert!(read(wrong).is_err(), "{wrong:x?}");
        }
    }

    #[test]
    fn sets_are_sorted() {
        let set = write_set(SET, vec![vec![2, 1, 5], vec![2, 1, 3], vec![2, 1, 5]]);
        assert_eq!(set, [SET, 6, 2, 1, 3, 2, 1, 5]);
    }

    #[test]
    fn lengths_of_ber_are_read_where_they_may_be() {
        for (bytes, value) in [
            (&b"\x30\x80\x04\x01x\0\0"[..], &b"\x04\x01x"[..]),
            (b"\x30\x83\0\0\x03\x04\x01x", b"\x04\x01x"),
            (b"\x30\x80\x30\x80\0\0\0\0", b"\x30\x80\0\0"),
        ] {
            let mut ber = Cursor::ber(bytes, "test");
            let read = ber.any().unwrap();
            assert_eq!((read.value, read.raw), (value, bytes));
            assert!(ber.is_empty());
            assert!(Cursor::new(bytes, "test").any().is_err(), "{bytes:x?}");
        }
        for wrong in [&b"\x30\x80\x04\x01x\0"[..], b"\x04\x80\0\0", b"\x30\x82\0"] {
            assert!(Cursor::ber(wrong, "test").any().is_err(), "{wrong:x?}");
        }
    }

    #[test]
    fn longer_numbers_are_refused() {
        for right in [
            &[0][..],
            &[5],
            &[0x80],
            &[0, 0x80],
            &[0xff],
            &[0xff, 0x7f],
            &[1, 0],
            &[0x80, 0],
        ] {
            let der = write(INTEGER, &[right]);
            assert_eq!(read(&der), Ok((INTEGER, right.to_vec())));
        }
        for wrong in [
            &[][..],
            &[0, 5],
            &[0, 0],
            &[0, 0, 0x80],
            &[0xff, 0x80],
            &[0xff, 0xff],
        ] {
            assert!(read(&write(INTEGER, &[wrong])).is_err(), "{wrong:x?}");
            assert!(read(&write(OCTET_STRING, &[wrong])).is_ok(), "{wrong:x?}");
        }
    }

    #[test]
    fn numbers_have_one_form() {
        let number = |value: &'static [u8]| {
            positive(
                Tlv {
                    tag: INTEGER,
                    value,
                    raw: &[],
                },
                "number",
            )
            .map(<[u8]>::to_vec)
        };
        assert_eq!(number(&[1, 0]), Ok(vec![1, 0]));
        assert_eq!(number(&[0, 0x80]), Ok(vec![0x80]));
        for wrong in [&[][..], &[0], &[0, 1], &[0x80], &[0, 0, 0x80]] {
            assert!(number(wrong).is_err(), "{wrong:x?}");
        }
    }
}
