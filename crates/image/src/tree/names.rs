//! Names: which there can be, and how people see them.

use std::fmt::Write as _;

use crate::error::{Error, Result};

/// The longest name in a directory, in bytes.
pub const NAME_MAX: usize = 255;

/// A path or name for people: bytes that are not printable UTF-8 are escaped.
#[must_use]
pub fn show(path: &[u8]) -> String {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'\\';
    if path.iter().all(is_plain) {
        return String::from_utf8_lossy(path).into_owned();
    }
    let mut text = String::new();
    for chunk in path.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || character == '\\' {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Refuses what no file system takes as a name.
pub(super) fn check(name: &[u8]) -> Result<()> {
    let problem = match name {
        b"" => "an empty name",
        b"." | b".." => "a name that means a directory",
        _ if name.contains(&b'/') => "a name with a slash",
        _ if name.contains(&0) => "a name with a zero byte",
        _ if name.len() > NAME_MAX => {
            return Err(Error::NameTooLong {
                path: show(name),
                len: name.len(),
            });
        }
        _ => return Ok(()),
    };
    Err(Error::BadName {
        path: show(name),
        problem,
    })
}
