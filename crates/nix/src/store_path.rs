//! The names of store paths.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::base32;
use crate::error::{Error, Result};

/// Where all store paths lie, as seen from inside the system that uses them.
pub const STORE_DIR: &str = "/nix/store";

/// The characters of a store path's hash: 160 bits in Nix's base 32.
const HASH_LEN: usize = base32::digit_count(20);

/// The longest name: a file name of 255 bytes has room for the hash and for what Nix appends in its work.
const NAME_MAX: usize = 211;

/// The path of an object in the store: `/nix/store/<hash>-<name>`. Ordered by its text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath(Arc<str>);

impl StorePath {
    /// The whole path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What comes after `/nix/store/`.
    #[must_use]
    pub fn base_name(&self) -> &str {
        &self.0[STORE_DIR.len() + 1..]
    }

    /// The 32 characters that make the path unique.
    #[must_use]
    pub fn hash_part(&self) -> &str {
        &self.base_name()[..HASH_LEN]
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.base_name()[HASH_LEN + 1..]
    }
}

impl FromStr for StorePath {
    type Err = Error;

    fn from_str(text: &str) -> Result<StorePath> {
        match problem(text) {
            None => Ok(StorePath(text.into())),
            Some(problem) => Err(Error::BadStorePath {
                path: if text.is_empty() {
                    "''".into()
                } else {
                    image::show(text.as_bytes())
                },
                problem,
            }),
        }
    }
}

/// Why a text is no store path.
fn problem(text: &str) -> Option<&'static str> {
    let base = text
        .strip_prefix(STORE_DIR)
        .and_then(|rest| rest.strip_prefix('/'));
    let Some(base) = base else {
        return Some("it does not lie directly in /nix/store");
    };
    // Splitting bytes: the text may hold characters of several.
    let Some((hash, rest)) = base.as_bytes().split_at_checked(HASH_LEN) else {
        return Some("its hash has fewer than 32 characters");
    };
    if !hash.iter().copied().all(base32::is_digit) {
        return Some("its hash has a character that is no digit of Nix's base 32");
    }
    let Some((b'-', name)) = rest.split_first() else {
        return Some("there is no '-' after the 32 characters of its hash");
    };
    let dots = name == b"." || name == b".." || name.starts_with(b".-") || name.starts_with(b"..-");
    match name {
        [] => Some("its name is empty"),
        _ if name.contains(&b'/') => Some("it lies inside a store path"),
        _ if !name.iter().copied().all(is_name_character) => {
            Some("its name has a character other than letters, digits and +-._?=")
        }
        _ if name.len() > NAME_MAX => Some("its name is longer than 211 characters"),
        _ if dots => Some("its name starts like '.' or '..'"),
        _ => None,
    }
}

fn is_name_character(character: u8) -> bool {
    character.is_ascii_alphanumeric() || b"+-._?=".contains(&character)
}

impl fmt::Display for StorePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for StorePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASH: &str = "0023a8ppvzkvviq2887k7cpw39wzjibi";

    #[test]
    fn a_path_knows_its_parts() {
        let path: StorePath = format!("/nix/store/{HASH}-a-b.c").parse().unwrap();
        assert_eq!(path.hash_part(), HASH);
        assert_eq!(path.name(), "a-b.c");
        assert_eq!(path.base_name(), format!("{HASH}-a-b.c"));
        assert_eq!(path.to_string(), format!("/nix/store/{HASH}-a-b.c"));
    }

    #[test]
    fn odd_paths_are_refused() {
        let long = "x".repeat(NAME_MAX);
        assert!(format!("/nix/store/{HASH}-{long}").parse::<StorePath>().is_ok());
        for (path, problem) in [
            ("''", "directly in /nix/store"),
            ("/nix/store", "directly in /nix/store"),
            (
                "/gnu/store/0023a8ppvzkvviq2887k7cpw39wzjibi-x",
                "directly in /nix/store",
            ),
            ("/nix/store//0023a8ppvzkvviq2887k7cpw39wzjibi-x", "base 32"),
            ("/nix/store/.links", "fewer than 32"),
            ("/nix/store/e023a8ppvzkvviq2887k7cpw39wzjibi-x", "base 32"),
            ("/nix/store/éééééééééééééééééééééééééééééééé-x", "base 32"),
            (&format!("/nix/store/{HASH}"), "no '-'"),
            (&format!("/nix/store/{HASH}x-y"), "no '-'"),
            (&format!("/nix/store/{HASH}-"), "empty"),
            (&format!("/nix/store/{HASH}-x/bin"), "inside"),
            (&format!("/nix/store/{HASH}-x/"), "inside"),
            (&format!("/nix/store/{HASH}-x y"), "character other"),
            (&format!("/nix/store/{HASH}-ä"), "character other"),
            (&format!("/nix/store/{HASH}-x{long}"), "longer than 211"),
            (&format!("/nix/store/{HASH}-."), "starts like"),
            (&format!("/nix/store/{HASH}-..-x"), "starts like"),
        ] {
            let message = path.parse::<StorePath>().unwrap_err().to_string();
            assert!(
                message.starts_with(path) && message.contains(problem),
                "{message}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "(/nix/store/)?[0-9a-zé]{30,33}[-/]?.{0,9}") {
            if let Ok(path) = text.parse::<StorePath>() {
                prop_assert_eq!(format!("/nix/store/{}-{}", path.hash_part(), path.name()), text);
            }
        }
    }
}
