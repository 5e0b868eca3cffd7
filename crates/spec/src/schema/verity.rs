//! The keys of a hash tree.

use serde::Deserialize;

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
}
