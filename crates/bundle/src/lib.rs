//! RAUC bundles of the format verity: planned, signed, read back and verified. Those of the format plain are read.
//!
//! ```text
//!  ┌──────────────────────── payload ─────────────────────────┐
//!  │ SquashFS: images, indices, programs, │ dm-verity tree    │ CMS SignedData        │ its size,
//!  │           manifest.raucm             │ (no superblock)   │ with the manifest     │ 8 bytes,
//!  │           4 KiB-aligned              │ top level first   │ that names the root   │ big-endian
//!  └──────────────────────────────────────┴───────────────────┴───────────────────────┘
//!                                         └ payload - verity-size
//! ```
//!
//! The signature vouches for the manifest, the manifest for the tree's root, the tree for every block: so a device can
//! check what it reads as it reads it, also over a network.
//!
//! * [`plan()`] makes a payload and a manifest out of images: [`Unsigned`]. Images that are compressed already are stored
//!   as they are, so making a bundle copies nothing but what it compresses. The tree's salt follows from what is in the
//!   bundle; with a key whose signatures need no dice, a bundle is the same bytes every time.
//! * [`Unsigned::sign`] or [`Unsigned::attach`] make it [`Signed`]. What is signed is the manifest's text, byte for byte;
//!   [`Signed::unsign`] keeps it for the next signature.
//! * [`open`] reads the end of a file, [`verify()`] checks everything: RAUC itself leaves the images' digests, the
//!   indices and the inner manifest unchecked.
//!
//! A file that is still unsigned looks like a bundle with the bare manifest in the signature's place.
//!
//! [`Plain`] is RAUC's own default: nothing but the SquashFS, and a detached signature about all of it. The manifest stands in
//! the SquashFS, so all of it is hashed before the first line of the manifest is believed.
//!
//! ```text
//!  │ SquashFS: images, programs, manifest.raucm │ CMS SignedData, detached │ its size │
//!  └──────────── what is signed ────────────────┘
//! ```
//!
//! The format is described in RAUC's reference, "Bundle Formats".

mod digest;
mod error;
pub mod manifest;
mod plain;
mod plan;
mod read;
mod states;
mod target;
mod verify;

pub use error::Error;
pub use manifest::Manifest;
pub use plain::{Plain, check_plain, verify_plain, verify_plain_signature};
pub use plan::{ExtraFile, ImageOptions, Options, Packing, Work, adaptive, at_most, plan};
pub use read::{Bundle, open};
pub use states::{Signed, Unsigned};
pub use target::Target;
pub use verify::{Checked, check, verify, verify_signature};
