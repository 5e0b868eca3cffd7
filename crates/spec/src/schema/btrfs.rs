//! The keys of a btrfs that no other format has.

use serde::Deserialize;

/// How often the metadata of a btrfs is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metadata {
    /// Twice, so that what rots can be repaired.
    Dup,
    /// Once.
    Single,
}

/// A directory that is a subvolume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Subvolume {
    /// Whether nobody may write to it.
    #[serde(default)]
    pub read_only: bool,
    /// Whether it is mounted when nobody says which.
    #[serde(default)]
    pub default: bool,
}
