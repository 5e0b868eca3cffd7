//! Packets and what they consist of.

use crate::tlv::Parsed;

/// A packet with its tag and length, in the newer form.
pub(super) fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut packet = vec![0xc0 | tag];
    match len {
        0..192 => packet.push(len.to_be_bytes()[3]),
        192..8384 => {
            let [_, _, high, low] = (len - 192 + 0xc000).to_be_bytes();
            packet.extend([high, low]);
        }
        _ => {
            packet.push(0xff);
            packet.extend(len.to_be_bytes());
        }
    }
    packet.extend_from_slice(body);
    packet
}

/// A subpacket of fewer than 191 bytes.
pub(super) fn subpacket(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u8::try_from(body.len() + 1).unwrap_or(u8::MAX);
    [&[len, kind], body].concat()
}

/// A number of any length: its bits, and its bytes without leading zeros.
pub(super) fn mpi(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = number.get(zeros..).unwrap_or_default();
    let bits = u16::try_from(crate::algorithm::bits(number)).unwrap_or(u16::MAX);
    [&bits.to_be_bytes()[..], number].concat()
}

/// Reads bytes one field after the other.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn bytes(&mut self, len: usize) -> Parsed<&'a [u8]> {
        let (bytes, rest) = self
            .0
            .split_at_checked(len)
            .ok_or_else(|| format!("it ends {} bytes too early", len.saturating_sub(self.0.len())))?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A number of up to four bytes.
    pub(super) fn number(&mut self, width: usize) -> Parsed<u32> {
        let bytes = self.bytes(width)?;
        Ok(bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// A number of any length, whose bits are said rightly.
    pub(super) fn mpi(&mut self) -> Parsed<&'a [u8]> {
        let bits = self.number(2)? as usize;
        let number = self.bytes(bits.div_ceil(8))?;
        if number.first() == Some(&0) || crate::algorithm::bits(number) != bits {
            return Err("a number in it has other bits than it says".into());
        }
        Ok(number)
    }

    /// The next packet: its tag and body.
    pub(super) fn packet(&mut self) -> Parsed<(u8, &'a [u8])> {
        let head = self.number(1)?;
        if head & 0x80 == 0 {
            return Err("it is no OpenPGP packet".into());
        }
        let (tag, len) = if head & 0x40 == 0 {
            let width = match head & 3 {
                3 => return Err("a packet in it has no length".into()),
                power => 1 << power,
            };
            (head >> 2 & 0xf, self.number(width)?)
        } else {
            (head & 0x3f, self.new_len("packet")?)
        };
        let tag = u8::try_from(tag).map_err(|_| "a tag is too large")?;
        Ok((tag, self.bytes(len as usize)?))
    }

    /// The next subpacket: its type and body.
    pub(super) fn subpacket(&mut self) -> Parsed<(u8, &'a [u8])> {
        let len = match self.number(1)? {
            len @ 0..192 => len,
            first @ 192..255 => ((first - 192) << 8) + self.number(1)? + 192,
            _ => self.number(4)?,
        };
        let mut body = Fields(self.bytes(len as usize)?);
        let kind = body.number(1)?;
        // The highest bit says that whoever does not know the type has to refuse it.
        let kind = u8::try_from(kind & 0x7f).map_err(|_| "a type is too large")?;
        Ok((kind, body.0))
    }

    fn new_len(&mut self, what: &str) -> Parsed<u32> {
        match self.number(1)? {
            len @ 0..192 => Ok(len),
            first @ 192..224 => Ok(((first - 192) << 8) + self.number(1)? + 192),
            255 => self.number(4),
            _ => Err(format!("a {what} in it comes in pieces")),
        }
    }
}
