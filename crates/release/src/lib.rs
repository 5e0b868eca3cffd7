//! Releases for systemd-sysupdate: what a new version is called, and how a device finds it.
//!
//! ```text
//!  release ─┬─ kilnos_2_<PARTUUID>.root.raw.xz          ──► slot of the type root,            label kilnos_2
//!           ├─ kilnos_2_<PARTUUID>.root-verity.raw.xz   ──► slot of the type root-verity,     label kilnos_2
//!           ├─ kilnos_2.root-verity-sig.raw             ──► slot of the type root-verity-sig, label kilnos_2
//!           ├─ kilnos_2.efi                             ──► /EFI/Linux/kilnos_2+3-0.efi
//!           ├─ SHA256SUMS                               names and hashes of all of these
//!           └─ SHA256SUMS.gpg                           its signature
//! ```
//!
//! The device has a transfer file for each of them, which says what names look like at both ends: `@v` stands for the version
//! and `@u` for a partition's UUID, by which the initrd finds data and hash tree (both are halves of the root hash). A
//! version exists where all transfers find theirs, so files, slots and the boot loader's entry come and go together.
//! <https://www.freedesktop.org/software/systemd/man/latest/sysupdate.d.html>

pub mod boot_count;
mod error;
pub mod names;
pub mod sums;
pub mod transfers;

pub use error::{Error, Result};
pub use names::{Id, Version};
