//! Extended attributes, as GNU tar, star and bsdtar write them into records of pax.

use std::collections::BTreeMap;

use crate::pax::Pax;

/// star's, GNU tar's and bsdtar's way: the value as it is. In the name, `%` and `=` are written as in addresses.
const SCHILY: &str = "SCHILY.xattr.";

/// bsdtar's way: the value in base64.
const LIBARCHIVE: &str = "LIBARCHIVE.xattr.";

/// GNU tar's record of a label that security modules read.
const SELINUX: (&str, &[u8]) = ("RHT.security.selinux", b"security.selinux");

/// All attributes by their names.
pub(crate) fn read(pax: Pax) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, String> {
    let mut found = BTreeMap::new();
    if let Some(label) = pax.get(SELINUX.0) {
        found.insert(SELINUX.1.to_vec(), label.to_vec());
    }
    for (key, value) in pax.under(LIBARCHIVE) {
        let value = base64(value).ok_or_else(|| {
            let name = image::show(key);
            format!("its attribute {LIBARCHIVE}{name} cannot be read")
        })?;
        found.insert(plain(key), value);
    }
    for (key, value) in pax.under(SCHILY) {
        found.insert(plain(key), value.to_vec());
    }
    Ok(found)
}

/// A name without the escapes of addresses.
fn plain(name: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, behind)) = rest.split_first() {
        let escaped = match (first, behind) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        rest = if let Some((high, low)) = escaped {
            plain.push(high << 4 | low);
            &behind[2..]
        } else {
            plain.push(*first);
            behind
        };
    }
    plain
}

fn digit(letter: u8) -> Option<u8> {
    let digit = char::from(letter).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// The bytes of base64, padded or not.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"=").unwrap_or(text);
    let text = text.strip_suffix(b"=").unwrap_or(text);
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for letter in group {
            let value = match letter {
                b'A'..=b'Z' => letter - b'A',
                b'a'..=b'z' => letter - b'a' + 26,
                b'0'..=b'9' => letter - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        let count = match group.len() {
            1 => return None,
            len => len - 1,
        };
        bits <<= 6 * (4 - group.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..=count]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{base64, plain};

    /// The vectors of RFC 4648.
    #[test]
    fn base64_is_read() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYg", b"foob"),
            ("Zm9vYmE", b"fooba"),
            ("Zm9vYmFy", b"foobar"),
        ] {
            assert_eq!(base64(text.as_bytes()).as_deref(), Some(bytes));
        }
        for odd in ["Z", "Zm9vY", "Zg===", "Zm 9", "Zm-_"] {
            assert_eq!(base64(odd.as_bytes()), None, "{odd}");
        }
    }

    #[test]
    fn escapes_are_undone_once() {
        assert_eq!(plain(b"a%3Db%253d%2"), b"a=b%3d%2");
        assert_eq!(plain(b"%zz%"), b"%zz%");
    }
}
