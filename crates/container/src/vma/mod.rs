//! VMA: a virtual machine as Proxmox backs it up: its configuration and its disk.
//!
//! ```text
//!  │ header │ names, configuration │ extent │ blocks │ extent │ blocks │ …
//!    MD5                             59 clusters of 64 KiB: which of their
//!                                    4 KiB blocks follow; MD5
//! ```
//!
//! A file is read from its begin to its end, so it needs no table. What is zeros is not stored, cluster by cluster and block by
//! block; each cluster is named all the same. Digests are those of headers alone, so that nothing of the disk is read.

mod format;
mod plan;

pub(crate) use plan::plan;

/// The largest disk: an extent's header describes less than 4 MiB of it.
pub(crate) const SIZE_MAX: u64 = 16 << 40;
