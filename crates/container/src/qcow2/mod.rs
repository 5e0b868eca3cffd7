//! qcow2: clusters of 64 KiB, found through two levels of tables, and counted.
//!
//! ```text
//!  │ header │ L1 │ L2 │ L2 │ clusters of the disk, or their compressed bytes │ refcount table │ refcount blocks │
//!            8 bytes a GiB/2  64 KiB each: 512 MiB of the disk                                  2 bytes a cluster
//! ```
//!
//! An L2 table is there when one of its clusters is. What is behind the disk's bytes counts all clusters of the file, so that its
//! place follows from the length of the data: those begin where they will lie before the first cluster was compressed.

mod compressed;
pub(crate) mod format;
mod plan;

pub(crate) use compressed::compressed;
pub(crate) use plan::plain;

/// The largest disk: L1 tables of 32 MiB are the largest that QEMU reads.
pub(crate) const SIZE_MAX: u64 = (32 << 20) / 8 * format::ENTRIES * format::CLUSTER;
