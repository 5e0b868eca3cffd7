//! The keys of a system that comes over a network, or in place of a running one.

use serde::Deserialize;

use super::Sources;

/// A kernel and an initrd that holds the whole store.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Netboot {
    /// The file system that is put into the initrd: `fs.NAME`.
    pub store: String,
    /// The path that it has there; `/nix-store.squashfs` when not given, as nixpkgs has it.
    pub at: Option<String>,
    /// The kernel; the toplevel's when not given.
    pub kernel: Option<String>,
    /// The initrds before it, one behind the other; the toplevel's when not given.
    pub initrd: Option<Sources>,
    /// What the kernel is told; `init={toplevel}/init` and the toplevel's parameters when not given.
    pub cmdline: Option<String>,
    /// The kernel's output; `bzImage` when not given.
    pub kernel_file: Option<String>,
    /// The initrd's output; `initrd` when not given.
    pub initrd_file: Option<String>,
}
