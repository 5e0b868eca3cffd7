//! The keys of `[closure]`.

use std::path::PathBuf;

use serde::Deserialize;

use super::Sources;

/// Where store paths come from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Closure {
    /// A folder of nixpkgs' `closureInfo`, a registration, a references graph in JSON, a
    /// list of store paths, a store's database or the folder that it
    /// lies under, a stream of `nix-store --export`, or the addresses of binary caches.
    pub from: Sources,
    /// The store paths that are wanted, with all that they refer to; the toplevel when not given. Only sources that may
    /// have more than those need it: databases and caches.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Who may sign what comes from binary caches; the public cache of NixOS when not given.
    #[serde(default)]
    pub trusted_keys: Vec<String>,
    /// Whether binary caches are believed without signatures.
    #[serde(default)]
    pub allow_unsigned: bool,
    /// The netrc file that has the passwords of binary caches. A specification has none itself: others read it, too.
    pub netrc_file: Option<PathBuf>,
    /// The folder under which `nix/store` lies; the host's `/` when not given.
    pub store_root: Option<PathBuf>,
    /// The system's store path; the only one that no other refers to when not given.
    pub toplevel: Option<String>,
    /// How store paths of a local store are compared with their registration; full when not given.
    pub check: Option<Check>,
}

/// How store paths are compared with their registration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// All of their bytes are.
    #[default]
    Full,
    /// Names, kinds and lengths are, as far as the size of a NAR tells, which counts in steps of eight bytes. Hashes that name
    /// something are still compared.
    Sizes,
}
