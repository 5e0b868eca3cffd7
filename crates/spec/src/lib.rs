//! The specification: one file that says what is to be made.
//!
//! ```text
//!  rock64.toml ── read ──► Spec ── gather ──► Gathered ── plan ──► Plan { parts, disk } ──► written by the cli
//!                          keys    closure     tree of             images of file
//!                          only    and seed    store paths         systems, scripts
//! ```
//!
//! [`read`] knows keys and units, and shows the line of what it does not know. [`gather`] reads the closure and
//! checks it against its registration. [`plan()`] makes the trees of all file systems, plans them, and puts them
//! into the regions of the disk. File systems are named once and used by reference, so a part that is used twice
//! is made once, and has the same bytes everywhere.

mod amount;
mod attributes;
mod beside;
mod bills;
mod bios;
mod boot_tree;
mod boots;
mod bundles;
mod capabilities;
mod containers;
mod detail;
mod devices;
mod discoverable;
mod disks;
mod erofs_part;
mod error;
mod estimates;
mod expand;
mod file_systems;
mod formats;
mod gather;
mod grub_menu;
mod hardware;
mod hash_trees;
mod hints;
mod host;
mod id;
mod layouts;
mod needs;
mod netboot;
mod outputs;
mod parts;
mod pieces;
mod release_plan;
mod release_values;
mod releases;
mod root_signatures;
mod schema;
mod segments;
mod slots;
mod sources;
mod subvolumes;
mod text;
mod trees;
mod ukis;

pub use amount::Amount;
pub use bills::{WrittenBill, bill, bill_of_closure};
pub use bundles::PlannedBundle;
pub use containers::{Contained, contain};
pub use error::{Error, Result};
pub use gather::{Gathered, Hashes, Rehash, gather};
pub use host::{Input, inputs};
pub use needs::asks_for;
pub use outputs::{Transport, Transports, manifest, transports, unsigned_bundle};
pub use parts::{Beside, Detail, Part, Plan, Room, Squashing, Work, check_only, plan, tree};
pub use release_plan::{PlannedRelease, ReleaseFile, ReleaseSigner, ReleaseSlot};
pub use root_signatures::RootSigner;
pub use schema::{
    Attributes, Bundle, BundleHooks, BundleImage, BundleProgram, Check, Closure, Compress, Compressor,
    Container, Device, DeviceBoot, DeviceEnvironment, DeviceKeep, DeviceMount, DevicePartition, DeviceSlot,
    DeviceSlotType, Disk, Effort, Efi, EfiSign, Extlinux, FatBits, FileSystem, Format, Grub, GrubMenu,
    GrubSerial, Journal, Kept, Layout, Limine, Metadata, Netboot, Output, PartitionsBy, Profile, Region,
    Release, ReleaseCompress, ReleaseSign, Sbom, SbomFormat, Script, SecureBoot, SecureBootKey, Signing,
    Sources, Spec, Subvolume, Sum, Table, Uki, UkiMeasure, UkiName, UkiProfile, Verity, VeritySignature,
};
pub use segments::{Segment, Segmenting};
pub use sources::Access;
pub use text::{parse, read};
pub use ukis::{EfiSigner, Measurer};
