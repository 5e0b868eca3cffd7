//! Names of certificates' subjects, as OpenSSL prints them on one line.

use data_encoding::HEXUPPER;
use der::asn1::ObjectIdentifier;
use der::{Decode, Encode, Tag, Tagged};
use x509_cert::name::Name;

use crate::format::AT_COMMON_NAME;
use crate::tlv::{self, OID, Parsed, SEQUENCE, SET, UTF8_STRING};

/// The short names that OpenSSL has for parts of names.
const SHORT: [(&str, &str); 25] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.20", "telephoneNumber"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.45", "x500UniqueIdentifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// A name on one line: `O = Test, CN = Release 1`.
pub(crate) fn one_line(der: &[u8]) -> Parsed<String> {
    let name = Name::from_der(der).map_err(|error| format!("a name cannot be read: {error}"))?;
    let parts: Vec<String> = name
        .iter_rdn()
        .map(|part| {
            let values: Vec<String> = part
                .iter()
                .map(|value| {
                    let (text, quoted) = escape(value.value.tag(), value.value.value());
                    let quote = if quoted { "\"" } else { "" };
                    format!("{} = {quote}{text}{quote}", short(value.oid))
                })
                .collect();
            values.join(" + ")
        })
        .collect();
    Ok(parts.join(", "))
}

/// The common names in a name, byte for byte: RAUC compares bytes, whatever type of string they are.
pub(crate) fn common_names(der: &[u8]) -> Parsed<Vec<Vec<u8>>> {
    let name = Name::from_der(der).map_err(|error| format!("a name cannot be read: {error}"))?;
    name.iter()
        .filter(|value| value.oid == AT_COMMON_NAME)
        .map(|value| {
            text(value.value.tag(), value.value.value()).ok_or("its common name is not text")?;
            let bytes = value.value.value();
            if bytes.contains(&0) {
                return Err("its common name holds a zero byte".into());
            }
            Ok(bytes.to_vec())
        })
        .collect()
}

/// A name in the form that OpenSSL compares: text of every type as UTF-8, in small letters as far as ASCII has them,
/// without white space at its ends, and with one space for all that stands together.
pub(crate) fn canonical(der: &[u8]) -> Parsed<Vec<u8>> {
    let name = Name::from_der(der).map_err(|error| format!("a name cannot be read: {error}"))?;
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for part in name.iter_rdn() {
        let mut values: Vec<Vec<u8>> = Vec::new();
        for value in part.iter() {
            let (tag, bytes) = (value.value.tag(), value.value.value());
            let oid = tlv::write(OID, &[value.oid.as_bytes()]);
            let latin = || bytes.iter().map(|byte| char::from(*byte)).collect();
            let text: Option<String> = match tag {
                Tag::Utf8String | Tag::BmpString => {
                    Some(text(tag, bytes).ok_or("a name holds text that is none")?)
                }
                Tag::PrintableString | Tag::Ia5String | Tag::VisibleString | Tag::TeletexString => {
                    Some(latin())
                }
                // OpenSSL leaves other types as they are, digits among them.
                _ => None,
            };
            let value = match text {
                Some(text) => tlv::write(UTF8_STRING, &[folded(&text).as_bytes()]),
                None => value
                    .value
                    .to_der()
                    .map_err(|error| format!("a name cannot be read: {error}"))?,
            };
            values.push(tlv::write(SEQUENCE, &[&oid, &value]));
        }
        values.sort();
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        parts.push(tlv::write(SET, &values));
    }
    Ok(parts.concat())
}

/// Small letters, and no more white space than needed.
fn folded(text: &str) -> String {
    // Vertical tabs are white space for C, and are none for Rust's ASCII.
    let space = |character: char| character.is_ascii_whitespace() || character == '\x0b';
    let words = text.split(space).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

fn short(oid: ObjectIdentifier) -> String {
    let oid = oid.to_string();
    let known = SHORT.iter().find(|(number, _)| *number == oid);
    known.map_or(oid, |(_, name)| (*name).to_owned())
}

/// The text of a string of ASN.1.
fn text(tag: Tag, bytes: &[u8]) -> Option<String> {
    match tag {
        Tag::Utf8String => String::from_utf8(bytes.to_vec()).ok(),
        Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => bytes
            .is_ascii()
            .then(|| bytes.iter().map(|byte| char::from(*byte)).collect()),
        // In practice these bytes are Latin-1.
        Tag::TeletexString => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Tag::BmpString => {
            let characters = bytes.chunks(2).map(|pair| match pair {
                [high, low] => char::from_u32(u16::from_be_bytes([*high, *low]).into()),
                _ => None,
            });
            characters.collect()
        }
        _ => None,
    }
}

/// Makes a value fit for one line, and says whether it wants quotation marks.
fn escape(tag: Tag, bytes: &[u8]) -> (String, bool) {
    let Some(text) = text(tag, bytes) else {
        return (format!("#{}", HEXUPPER.encode(bytes)), false);
    };
    let (mut line, mut quoted) = (String::new(), false);
    let last = text.chars().count().saturating_sub(1);
    for (index, character) in text.chars().enumerate() {
        match character {
            '"' | '\\' => {
                line.push('\\');
                line.push(character);
            }
            ',' | '+' | '<' | '>' | ';' => {
                quoted = true;
                line.push(character);
            }
            ' ' | '#' if index == 0 => {
                quoted = true;
                line.push(character);
            }
            ' ' if index == last => {
                quoted = true;
                line.push(character);
            }
            ' '..='~' => line.push(character),
            _ => {
                let mut utf8 = [0; 4];
                for byte in character.encode_utf8(&mut utf8).as_bytes() {
                    line.push('\\');
                    line.push_str(&HEXUPPER.encode(&[*byte]));
                }
            }
        }
    }
    (line, quoted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlv::{OID, SEQUENCE, SET, write};

    /// A name of one part.
    fn name(tag: u8, value: &[u8]) -> Vec<u8> {
        let oid = write(OID, &[AT_COMMON_NAME.as_bytes()]);
        let value = write(SEQUENCE, &[&oid, &write(tag, &[value])]);
        write(SEQUENCE, &[&write(SET, &[&value])])
    }

    #[test]
    fn common_names_are_bytes_of_text() {
        for (tag, value) in [(0x0c, "Bj\u{f6}rk".as_bytes()), (0x14, b"Bj\xf6rk")] {
            let name = name(tag, value);
            assert_eq!(common_names(&name), Ok(vec![value.to_vec()]));
            assert_eq!(one_line(&name).unwrap(), "CN = Bj\\C3\\B6rk");
        }
        for (tag, value) in [
            (0x0c, &b"Alice\0.example"[..]),
            (0x13, b"Alice\0"),
            (0x0c, b"\xff"),
            (0x1e, b"\0A"),
            (0x1e, b"\0A\0"),
            (0x1e, b"\xd8\0"),
            (0x04, b"Alice"),
        ] {
            assert!(common_names(&name(tag, value)).is_err(), "{value:x?}");
        }
        assert_eq!(common_names(&write(SEQUENCE, &[])), Ok(vec![]));
        assert!(common_names(b"").is_err());
    }

    #[test]
    fn types_of_strings_and_letters_do_not_matter() {
        let plain = canonical(&name(0x0c, b"root \xc3\xb6 1")).unwrap();
        for (tag, value) in [
            (0x0c, &b"ROOT \xc3\xb6  1"[..]),
            (0x0c, b" \t\x0broot\n\xc3\xb6 1\r "),
            (0x14, b"Root \xf6 1"),
            (0x1e, b"\0R\0o\0o\0t\0 \0\xf6\0 \x001"),
        ] {
            assert_eq!(canonical(&name(tag, value)).unwrap(), plain, "{value:x?}");
        }
        for (tag, value) in [
            (0x0c, &b"root \xc3\x96 1"[..]),
            (0x0c, b"root\xc3\xb6 1"),
            (0x04, b"root \xc3\xb6 1"),
        ] {
            assert_ne!(canonical(&name(tag, value)).unwrap(), plain, "{value:x?}");
        }
        assert_eq!(
            canonical(&name(0x13, b"\xf6")).unwrap(),
            canonical(&name(0x0c, b"\xc3\xb6")).unwrap()
        );
        // Digits are a type of their own for OpenSSL.
        assert_ne!(canonical(&name(0x12, b"1")), canonical(&name(0x13, b"1")));
        assert!(canonical(&name(0x0c, b"\xff")).is_err());
    }
}
