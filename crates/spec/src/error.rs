//! What can go wrong between a specification and its parts.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use image::{Fault, show};
use squashfs::UnitUsage;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a specification, or of a part that it describes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The specification cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The text makes no sense.
    #[error("{}:{line}:{column}: {message}\n{snippet}", path.display())]
    Text {
        /// The specification's path.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The character in the line, from 1.
        column: usize,
        /// What is wrong.
        message: String,
        /// The line, with a mark under the place.
        snippet: String,
        /// What was meant.
        hint: Option<String>,
    },
    /// A version of the keys that is not known.
    #[error("{}: schema = {schema}: this kiln knows schema 1", path.display())]
    Schema {
        /// The specification's path.
        path: PathBuf,
        /// What it says.
        schema: u32,
    },
    /// A brace without its other one.
    #[error(
        "{place}: {text:?}: a brace without its other one; write {{{{ and }}}} for braces that are meant"
    )]
    Brace {
        /// Where it is said.
        place: String,
        /// The value.
        text: String,
    },
    /// A key, reference or name that does not exist.
    #[error("{place}: there is no {what}")]
    Unknown {
        /// Where it is said.
        place: String,
        /// What it refers to.
        what: String,
        /// What was meant.
        hint: Option<String>,
    },
    /// A key with a value that cannot be.
    #[error("{place}: {problem}")]
    BadValue {
        /// Where it is said.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of the closure, or of a tree, that is not what it should be.
    #[error("{place}: {problem}")]
    NotA {
        /// Where it is asked for.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A part that is needed to make itself.
    #[error("{}: is needed to make itself: {}", way.first().map_or("", String::as_str), way.join(" → "))]
    Circle {
        /// The part, the part that it needs, and so on back to it.
        way: Vec<String>,
    },
    /// Two outputs with one name.
    #[error("{file}: {first} and {second} both make a file of this name")]
    FileTwice {
        /// The name.
        file: String,
        /// What makes one.
        first: String,
        /// What makes the other.
        second: String,
    },
    /// A store path or file that a value refers to is not there.
    #[error("{place}: {path}: is not in the closure")]
    NotInClosure {
        /// Where it is said.
        place: String,
        /// What was looked for.
        path: String,
    },
    /// A file system that is larger than it may be.
    #[error("{part}: has {size} bytes, {} more than the {limit} of {limit_place}{}", size.saturating_sub(*limit), largest_units(largest))]
    TooLarge {
        /// The file system.
        part: String,
        /// Its bytes.
        size: u64,
        /// How many there may be.
        limit: u64,
        /// What sets the limit.
        limit_place: String,
        /// The largest store paths in it.
        largest: Vec<UnitUsage>,
    },
    /// The closure.
    #[error(transparent)]
    Nix(#[from] nix::Error),
    /// An archive cannot become a tree.
    #[error("{part}: {source}")]
    Archive {
        /// The file system's part.
        part: String,
        /// What is wrong.
        source: archive::Error,
    },
    /// The closure cannot become a root.
    #[error("{part}: {source}")]
    Layout {
        /// The file system's part.
        part: String,
        /// What is wrong.
        source: layout::Error,
    },
    /// Trees and files.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// Trees and files of a part.
    #[error("{part}: {source}")]
    Tree {
        /// The part.
        part: String,
        /// What is wrong.
        source: image::Error,
    },
    /// A squashfs.
    #[error("{part}: {source}")]
    Squashfs {
        /// The part.
        part: String,
        /// What is wrong.
        source: squashfs::Error,
    },
    /// A FAT.
    #[error("{part}: {source}")]
    Fat {
        /// The part.
        part: String,
        /// What is wrong.
        source: fat::Error,
    },
    /// An ext4.
    #[error("{part}: {source}")]
    Ext4 {
        /// The part.
        part: String,
        /// What is wrong.
        source: ext4::Error,
    },
    /// A btrfs.
    #[error("{part}: {source}")]
    Btrfs {
        /// The part.
        part: String,
        /// What is wrong.
        source: btrfs::Error,
    },
    /// An erofs.
    #[error("{part}: {source}")]
    Erofs {
        /// The part.
        part: String,
        /// What is wrong.
        source: erofs::Error,
    },
    /// A swap area.
    #[error("{part}: {source}")]
    Swap {
        /// The part.
        part: String,
        /// What is wrong.
        source: swap::Error,
    },
    /// A boot script.
    #[error("{part}: {source}")]
    Script {
        /// The part.
        part: String,
        /// What is wrong.
        source: uboot::Error,
    },
    /// A boot menu.
    #[error("{part}: {source}")]
    Extlinux {
        /// The part.
        part: String,
        /// What is wrong.
        source: uboot::extlinux::Error,
    },
    /// GRUB, on a disk or in a file system.
    #[error("{part}: {source}")]
    Grub {
        /// The part, or `disk.grub`.
        part: String,
        /// What is wrong.
        source: grub::Error,
    },
    /// Limine.
    #[error("disk.limine: {source}")]
    Limine {
        /// What is wrong.
        source: limine::Error,
    },
    /// The bundle.
    #[error("bundle: {source}")]
    Bundle {
        /// What is wrong.
        source: bundle::Error,
    },
    /// A hash tree.
    #[error("{part}: {source}")]
    Verity {
        /// The part.
        part: String,
        /// What is wrong.
        source: verity::Error,
    },
    /// The signature of a root hash.
    #[error("{part}: {source}")]
    RootSignature {
        /// The part.
        part: String,
        /// What is to be signed.
        root: String,
        /// What is wrong.
        source: Box<signature::Error>,
    },
    /// Things that do not belong together.
    #[error("{place}: {problem}")]
    Misfit {
        /// Where it is said.
        place: String,
        /// What does not fit to what.
        problem: String,
        /// The way out.
        hint: String,
    },
    /// A unified kernel image, or another program that firmware starts.
    #[error("{part}: {source}")]
    Uki {
        /// The part.
        part: String,
        /// What is wrong.
        source: uki::Error,
    },
    /// An initrd with a store in it.
    #[error("netboot: {source}")]
    Netboot {
        /// What is wrong.
        source: cpio::Error,
    },
    /// The device.
    #[error("device: {source}")]
    Device {
        /// What is wrong.
        source: Box<device::Error>,
    },
    /// The disk in a container.
    #[error("{place}: {source}")]
    Container {
        /// Which one.
        place: String,
        /// What is wrong.
        source: container::Error,
    },
    /// The disk.
    #[error("disk: {0}")]
    Disk(#[from] disk::Error),
}

/// A list of the largest store paths, for people.
fn largest_units(units: &[UnitUsage]) -> String {
    if units.is_empty() {
        return String::new();
    }
    let mut text = String::from("; the largest store paths, with their bytes in it:");
    for unit in units {
        let _ = write!(text, "\n{:>14}  {}", unit.stored_len, show(&unit.name));
    }
    text
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::Unreadable { .. } | Error::NotInClosure { .. } | Error::NotA { .. } => Fault::Input,
            Error::Text { .. }
            | Error::Schema { .. }
            | Error::Brace { .. }
            | Error::Unknown { .. }
            | Error::BadValue { .. }
            | Error::Circle { .. }
            | Error::Misfit { .. }
            | Error::FileTwice { .. }
            // A host has no such names, so the specification must have said them.
            | Error::Tree {
                source: image::Error::NameTooLong { .. } | image::Error::BadName { .. },
                ..
            } => Fault::Request,
            Error::TooLarge { .. } => Fault::Limit,
            Error::Nix(error) => error.fault(),
            Error::Image(error) | Error::Tree { source: error, .. } => error.fault(),
            Error::Archive { source, .. } => source.fault(),
            Error::Layout { source, .. } => source.fault(),
            Error::Squashfs { source, .. } => source.fault(),
            Error::Fat { source, .. } => source.fault(),
            Error::Ext4 { source, .. } => source.fault(),
            Error::Btrfs { source, .. } => source.fault(),
            Error::Erofs { source, .. } => source.fault(),
            Error::Swap { source, .. } => source.fault(),
            Error::Script { source, .. } => source.fault(),
            Error::Extlinux { source, .. } => source.fault(),
            Error::Grub { source, .. } => source.fault(),
            Error::Limine { source } => source.fault(),
            Error::Bundle { source } => source.fault(),
            Error::Device { source } => source.fault(),
            Error::Verity { source, .. } => source.fault(),
            Error::RootSignature { source, .. } => source.fault(),
            Error::Uki { source, .. } => source.fault(),
            Error::Netboot { source } => source.fault(),
            Error::Container { source, .. } => source.fault(),
            Error::Disk(error) => error.fault(),
        }
    }
}
