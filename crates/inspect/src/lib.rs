//! Every image is a folder: what it is, what is in it, and whether that is sound.
//!
//! ```text
//!  /                      a disk: its partitions, by name and by number
//!  ├─ boot-a/             FAT
//!  │  ├─ Image
//!  │  └─ boot.scr/script  a boot script, once a path goes through it
//!  └─ rootfs-a/           squashfs
//!     └─ init
//!
//!  /                      a bundle: its files, and its images by their slots, too
//!  ├─ manifest.raucm
//!  └─ rootfs/             squashfs
//!     └─ init
//! ```
//!
//! [`open`] says what bytes are ([`Format`]), and makes something of them that can be looked into: an [`Inside`]. One
//! namespace goes through all: a path leads through partitions, through a bundle's images, through what is compressed,
//! into file systems, and, where it goes on behind a file, into that file. Symbolic links are followed within the file
//! system that they are in, never out of it.
//!
//! * [`Inside::find`] leads to a [`Found`]: something that is an image as a whole, or a node of a file system's tree.
//! * [`Found::list`] names what is there, all below it if asked.
//! * [`Found::tree`] makes a tree of it, which can be written as a folder.
//! * [`Inside::check`] runs all strict checks and says what it has looked at, and what nothing vouches for.
//!
//! * [`Structures`] name places, and [`Usage`] counts their bytes; [`compare`] has what two images differ in.
//!
//! Nothing is copied on the way but what has to be decompressed as a whole: that lies in a nameless file. What is planned
//! can be opened like what is written: an `Image` is a content.

mod bundles;
mod check;
pub mod compare;
mod compressed;
mod disks;
mod environments;
mod error;
mod file_system;
mod find;
mod format;
mod hash_trees;
mod inside;
mod list;
mod programs;
mod root_signatures;
mod structures;
mod usage;

use std::path::Path;

use image::Progress;

pub use bundles::Bundle;
pub use check::{Check, Manifest, Outcome, check_manifest};
pub use compressed::innermost as plain;
pub use disks::{content as partition_content, names as partition_names, one as partition};
pub use error::Error;
pub use file_system::{FileSystem, Reach};
pub use find::{Found, Last, Spot};
pub use format::{Format, begins_with, head};
pub use inside::{Inside, Output, What, open};
pub use list::{Item, Part};
pub use programs::signed_by;
pub use root_signatures::read as read_root_signature;
pub use structures::{Place, Structures};
pub use usage::Usage;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What looking needs besides the bytes. None of it changes what is seen.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// Where decompressed bytes lie, in nameless files.
    pub folder: &'a Path,
    /// How many threads check.
    pub threads: usize,
    /// Hears about long work, and can stop it.
    pub progress: &'a dyn Progress,
}
