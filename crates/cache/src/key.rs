//! Names of segments, and what vouches for their bytes.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// A hash of everything that a segment depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; 32]);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Key {
    type Err = ();

    fn from_str(text: &str) -> Result<Key, ()> {
        digest(text).map(Key).ok_or(())
    }
}

/// 64 lower-case hexadecimal digits as 32 bytes.
pub(crate) fn digest(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Makes keys out of fields. No two lists of fields can be mistaken for each other: each field has its length.
#[derive(Clone, Debug, Default)]
pub struct Fields(Sha256);

impl Fields {
    /// Adds a number.
    pub fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    /// The key of all fields.
    #[must_use]
    pub fn finish(self) -> Key {
        Key(self.0.finalize().into())
    }
}

/// Computes the digest that vouches for a segment: over its key, its blocks, and their sizes.
#[derive(Clone, Debug)]
pub struct Checksum {
    hasher: Sha256,
    len: u64,
}

impl Checksum {
    /// Begins with the segment's key, so that one segment never passes for another.
    #[must_use]
    pub fn new(key: &Key) -> Checksum {
        let mut hasher = Sha256::new();
        hasher.update(key.0);
        Checksum { hasher, len: 0 }
    }

    /// Adds the next bytes of the blocks.
    pub fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
    }

    /// The digest, when these are the blocks' words.
    #[must_use]
    pub fn finish(mut self, sizes: &[u32]) -> [u8; 32] {
        for size in sizes {
            self.hasher.update(size.to_le_bytes());
        }
        self.hasher.update(self.len.to_le_bytes());
        self.hasher.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        let mut fields = Fields::default();
        fields.bytes(b"ab");
        fields.number(7);
        let key = fields.finish();
        assert_eq!(key.to_string().parse(), Ok(key));
        for bad in [
            "",
            "0",
            &key.to_string()[1..],
            &key.to_string().to_uppercase(),
            &"é".repeat(32),
        ] {
            assert_eq!(bad.parse::<Key>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let key = |parts: &[&[u8]]| {
            let mut fields = Fields::default();
            for part in parts {
                fields.bytes(part);
            }
            fields.finish()
        };
        assert_ne!(key(&[b"ab", b"c"]), key(&[b"a", b"bc"]));
        assert_ne!(key(&[b"ab", b""]), key(&[b"ab"]));
    }
}
