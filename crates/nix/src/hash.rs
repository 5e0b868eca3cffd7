//! SHA-256 digests in Nix's spellings.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};

use crate::base32;
use crate::error::{Error, Result};

/// The SHA-256 digest of a NAR.
///
/// Reads every spelling that a registration may hold: base 16, Nix's base 32 or base 64, bare or after
/// `sha256:`, and `sha256-` with base 64. Shown as `sha256:` and Nix's base 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

const BASE16_LEN: usize = 64;
const BASE32_LEN: usize = base32::digit_count(32);
const BASE64_LEN: usize = 44;

impl FromStr for Hash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Hash> {
        let failed = |problem| Error::BadHash {
            text: text.into(),
            problem,
        };
        let (digits, sri) = match (text.strip_prefix("sha256:"), text.strip_prefix("sha256-")) {
            (Some(digits), _) => (digits, false),
            (None, Some(digits)) => (digits, true),
            (None, None) if has_algorithm(text) => return Err(failed("the algorithm must be sha256")),
            (None, None) => (text, false),
        };
        let bytes = match digits.len() {
            BASE64_LEN => sized(BASE64.decode(digits.as_bytes()).ok()),
            _ if sri => return Err(failed("44 characters of base 64 must follow 'sha256-'")),
            BASE16_LEN => sized(HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()),
            BASE32_LEN => base32::decode(digits.as_bytes()),
            _ => {
                return Err(failed(
                    "a SHA-256 has 64 digits in base 16, 52 in base 32 or 44 in base 64",
                ));
            }
        };
        bytes
            .map(Hash)
            .ok_or_else(|| failed("a digit is not one of its base"))
    }
}

impl Hash {
    /// The digits in base 16, with nothing before them.
    pub(crate) fn to_base16(self) -> String {
        HEXLOWER.encode(&self.0)
    }
}

/// Whether a text starts like the name of an algorithm.
fn has_algorithm(text: &str) -> bool {
    text.split_once([':', '-'])
        .is_some_and(|(word, _)| word.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn sized(bytes: Option<Vec<u8>>) -> Option<[u8; 32]> {
    bytes?.try_into().ok()
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", base32::encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXUPPER;
    use proptest::prelude::*;

    /// The digest of no bytes, as `nix-hash` and `nix hash to-sri` show it.
    const SPELLINGS: [&str; 8] = [
        "sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73",
        "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
        "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    ];

    #[test]
    fn all_spellings_are_one_hash() {
        for spelling in SPELLINGS {
            let hash: Hash = spelling.parse().unwrap();
            assert_eq!(hash.to_string(), SPELLINGS[0], "{spelling}");
        }
    }

    #[test]
    fn other_texts_are_no_hashes() {
        for spelling in SPELLINGS {
            assert!(spelling[..spelling.len() - 1].parse::<Hash>().is_err());
            assert!(format!("{spelling}0").parse::<Hash>().is_err());
            assert!(
                format!("{}!", &spelling[..spelling.len() - 1])
                    .parse::<Hash>()
                    .is_err()
            );
        }
        let sha1 = "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709".parse::<Hash>();
        assert!(
            sha1.unwrap_err()
                .to_string()
                .ends_with("the algorithm must be sha256")
        );
        let sri_base16 = format!("sha256-{}", SPELLINGS[2]);
        assert!(sri_base16.parse::<Hash>().is_err());
        assert!("".parse::<Hash>().is_err());
    }

    proptest! {
        #[test]
        fn bytes_survive(bytes: [u8; 32]) {
            for text in [
                Hash(bytes).to_string(),
                HEXLOWER.encode(&bytes),
                format!("sha256:{}", HEXUPPER.encode(&bytes)),
                format!("sha256-{}", BASE64.encode(&bytes)),
            ] {
                prop_assert_eq!(text.parse::<Hash>().unwrap(), Hash(bytes));
            }
        }

        #[test]
        fn any_text_is_answered(text in "(sha256[:-])?[0-9a-z=+/é]{0,66}") {
            let _ = text.parse::<Hash>();
        }
    }
}
