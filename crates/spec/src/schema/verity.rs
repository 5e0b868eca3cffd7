//! The keys of a hash tree.

use std::path::PathBuf;

use serde::Deserialize;

use super::Signing;

/// The hash tree of a file system, for dm-verity.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Verity {
    /// The part whose blocks it has the hashes of: `fs.NAME`.
    pub data: String,
    /// What every hash begins with, in hexadecimal digits; derived when not given.
    pub salt: Option<String>,
    /// The output's name; the tree's name and `.verity` when not given.
    pub file: Option<String>,
    /// The signature of its root hash.
    pub signature: Option<VeritySignature>,
}

/// The signature of a root hash. Its keys are those of a bundle's [`Signing`], and more.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VeritySignature {
    /// The key, a file in PEM. It is read when it is used, and nowhere else.
    pub key: Option<PathBuf>,
    /// The signer's certificate.
    pub certificate: Option<PathBuf>,
    /// The certificates between it and those that devices trust.
    #[serde(default)]
    pub intermediates: Vec<PathBuf>,
    /// The certificates that devices trust; nobody is asked when not given.
    pub keyring: Option<PathBuf>,
    /// What a certificate must be good for: `any` when not given, as for Linux, `smimesign` or `codesign`.
    pub purpose: Option<String>,
    /// When certificates have to be valid, in seconds since 1970. It is not in the signature.
    pub time: Option<u64>,
    /// A signature that was made elsewhere, in DER or PEM, in place of a key.
    pub attach: Option<PathBuf>,
    /// The output's name; the tree's name and `.verity-sig` when not given.
    pub file: Option<String>,
}

impl VeritySignature {
    /// What bundles have as well.
    #[must_use]
    pub fn signing(&self) -> Signing {
        Signing {
            key: self.key.clone(),
            certificate: self.certificate.clone(),
            intermediates: self.intermediates.clone(),
            keyring: self.keyring.clone(),
            purpose: self.purpose.clone(),
            time: self.time,
        }
    }
}
