//! Whom to believe what a binary cache says of a path.

use std::str::FromStr;

use data_encoding::BASE64;
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::error::{Error, Result};
use crate::narinfo::Narinfo;

/// A key that may sign store paths: `name:base64`, as `nix key convert-secret-to-public` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: [u8; 32],
}

/// The key of the public cache of NixOS, which Nix trusts when nobody says otherwise.
pub const NIXOS_KEY: &str = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";

impl FromStr for PublicKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<PublicKey> {
        let failed = |problem| Error::BadKey {
            text: text.to_string(),
            problem,
        };
        let (name, digits) = text
            .split_once(':')
            .ok_or_else(|| failed("there is no ':' in it"))?;
        if name.is_empty() {
            return Err(failed("there is no name before the ':'"));
        }
        let bytes = BASE64.decode(digits.trim().as_bytes());
        let bytes = bytes.map_err(|_| failed("what follows the ':' is not base 64"))?;
        if bytes.len() == 64 {
            return Err(failed("it is a secret key: give the public one"));
        }
        let key = bytes
            .try_into()
            .map_err(|_| failed("a public key has 32 bytes"))?;
        Ok(PublicKey {
            name: name.to_string(),
            key,
        })
    }
}

/// The keys that are believed.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The keys.
    pub keys: Vec<PublicKey>,
    /// Whether paths that nobody signed are taken too; their NARs are compared with what the cache says all the same.
    pub unsigned: bool,
}

impl Trust {
    /// Whether a narinfo is to be believed: one of the keys has signed it, or its path follows from its content.
    ///
    /// # Errors
    /// When it is not, with the reason.
    pub(crate) fn check(&self, narinfo: &Narinfo, cache: &str) -> Result<()> {
        if self.unsigned || narinfo.follows_from_content() || self.signed(narinfo) {
            return Ok(());
        }
        let mut problem = match narinfo.signatures.as_slice() {
            [] => "nobody has signed it".to_string(),
            signatures => {
                let names: Vec<&str> = signatures.iter().map(|text| key_name(text)).collect();
                let known = names
                    .iter()
                    .any(|name| self.keys.iter().any(|key| key.name == *name));
                let shown = names.join(", ");
                if known {
                    format!("its signature by {shown} does not fit")
                } else {
                    format!("it is signed by {shown}")
                }
            }
        };
        let trusted: Vec<&str> = self.keys.iter().map(|key| key.name.as_str()).collect();
        problem = match trusted.as_slice() {
            [] => format!("{problem}, and no key is trusted"),
            _ => format!("{problem}; trusted is {}", trusted.join(", ")),
        };
        Err(Error::Untrusted {
            path: narinfo.info.path.clone(),
            cache: cache.to_string(),
            problem,
        })
    }

    fn signed(&self, narinfo: &Narinfo) -> bool {
        let text = narinfo.fingerprint();
        narinfo.signatures.iter().any(|signature| {
            let (name, digits) = (
                key_name(signature),
                signature.split_once(':').map(|(_, digits)| digits),
            );
            let bytes = digits.and_then(|digits| BASE64.decode(digits.as_bytes()).ok());
            let fits = |bytes: &[u8], key: &PublicKey| {
                UnparsedPublicKey::new(&ED25519, key.key)
                    .verify(text.as_bytes(), bytes)
                    .is_ok()
            };
            bytes.is_some_and(|bytes| {
                let named = self.keys.iter().filter(|key| key.name == name);
                named.into_iter().any(|key| fits(&bytes, key))
            })
        })
    }
}

fn key_name(signature: &str) -> &str {
    signature.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    fn signed(pair: &Ed25519KeyPair, name: &str) -> Narinfo {
        let text = "StorePath: /nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-a\nURL: nar/x\nCompression: none\n\
            NarHash: sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73\nNarSize: 456\n";
        let mut narinfo = Narinfo::parse("x", text.as_bytes()).unwrap();
        let bytes = pair.sign(narinfo.fingerprint().as_bytes());
        narinfo.signatures = vec![format!("{name}:{}", BASE64.encode(bytes.as_ref()))];
        narinfo
    }

    #[test]
    fn one_good_signature_is_enough() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let key = |name| -> PublicKey {
            let digits = BASE64.encode(pair.public_key().as_ref());
            format!("{name}:{digits}").parse().unwrap()
        };
        let trust = |keys: Vec<PublicKey>| Trust {
            keys,
            unsigned: false,
        };
        let narinfo = signed(&pair, "k");
        let answer = |trust: &Trust, narinfo: &Narinfo| match trust.check(narinfo, "cache") {
            Ok(()) => "ok".to_string(),
            Err(error) => error.to_string(),
        };
        let both = trust(vec![NIXOS_KEY.parse().unwrap(), key("k")]);
        assert_eq!(answer(&both, &narinfo), "ok");
        assert!(answer(&trust(vec![key("other")]), &narinfo).contains("it is signed by k; trusted is other"));
        assert!(answer(&trust(vec![]), &narinfo).ends_with("it is signed by k, and no key is trusted"));
        let mut other = narinfo.clone();
        other.info.nar_size = Some(457);
        assert!(answer(&both, &other).contains("does not fit"));
        other = narinfo.clone();
        other.signatures.clear();
        assert!(answer(&both, &other).contains("nobody has signed it"));
        let all = Trust {
            unsigned: true,
            ..trust(vec![])
        };
        assert_eq!(answer(&all, &other), "ok");
        other.signatures = vec![
            "k".into(),
            "k:".into(),
            "k:AA==".into(),
            narinfo.signatures[0].clone(),
        ];
        assert_eq!(answer(&both, &other), "ok");
    }

    #[test]
    fn odd_keys_are_refused() {
        for (text, problem) in [
            ("x", "no ':'"),
            (":AA==", "no name"),
            ("x:!", "not base 64"),
            ("x:AA==", "32 bytes"),
            (&format!("x:{}", BASE64.encode(&[0; 64])), "secret key"),
        ] {
            let error = text.parse::<PublicKey>().unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
