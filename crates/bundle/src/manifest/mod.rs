//! The manifest: what a bundle is for, and what it holds.
//!
//! Its text is that of `GLib`'s key files, in the order in which RAUC writes it. See RAUC's reference, "Manifest".

mod read;
mod rules;
mod write;

use std::collections::BTreeMap;

use crate::Error;
use crate::target::Target;
pub(crate) use rules::check_filename;

/// The manifest's name in a bundle's SquashFS.
pub const FILE: &str = "manifest.raucm";

/// A manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// What the bundle is for; the device says the same of itself.
    pub compatible: String,
    /// The version of what it brings.
    pub version: Option<String>,
    /// About it, for people.
    pub description: Option<String>,
    /// The build that made it.
    pub build: Option<String>,
    /// The oldest RAUC that may install it.
    pub min_rauc_version: Option<String>,
    /// The tree over the SquashFS; only the copy that is signed has it.
    pub verity: Option<Verity>,
    /// A program that installs in RAUC's place.
    pub handler: Option<Handler>,
    /// A program that is asked on the way.
    pub hooks: Option<Hooks>,
    /// What goes into which slots, in order.
    pub images: Vec<Image>,
    /// More about the bundle, for other programs: labels, each with keys and values.
    pub meta: BTreeMap<String, BTreeMap<String, String>>,
}

/// The dm-verity tree over a bundle's SquashFS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verity {
    /// The root hash.
    pub hash: [u8; 32],
    /// The salt.
    pub salt: [u8; 32],
    /// Bytes of the tree.
    pub size: u64,
}

/// A program in the bundle that installs in RAUC's place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handler {
    /// Its file.
    pub filename: String,
    /// Its arguments.
    pub args: Option<String>,
}

/// A program in the bundle that is asked on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Its file.
    pub filename: String,
    /// For which parts of the whole it is called: `install-check`.
    pub hooks: Vec<String>,
}

/// What goes into the slots of one class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// The slots' class, or class and variant with a dot between.
    pub slot: String,
    /// SHA-256 of the file; zeros where there is none.
    pub sha256: [u8; 32],
    /// Bytes of the file; 0 where there is none.
    pub size: u64,
    /// The file. With the hook `install` or the type `emptyfs`, none is needed.
    pub filename: Option<String>,
    /// What it is, when its name does not say so.
    pub kind: Option<String>,
    /// For which steps the bundle's program is called: `pre-install`, `install`, `post-install`.
    pub hooks: Vec<String>,
    /// Ways to find parts of it on the device already: `block-hash-index`.
    pub adaptive: Vec<String>,
}

/// Finds parts of an image on the device by the hashes of its blocks.
pub const BLOCK_HASH_INDEX: &str = "block-hash-index";

impl Image {
    /// The name of the file of its blocks' hashes, if it comes with them.
    #[must_use]
    pub fn index_file(&self) -> Option<String> {
        let adaptive = self.adaptive.iter().any(|method| method == BLOCK_HASH_INDEX);
        let filename = self.filename.as_ref().filter(|_| adaptive)?;
        Some(format!("{filename}.{BLOCK_HASH_INDEX}"))
    }

    /// Whether the bundle's program installs it in RAUC's place.
    #[must_use]
    pub fn is_installed_by_hook(&self) -> bool {
        self.hooks.iter().any(|hook| hook == "install")
    }

    /// What RAUC takes it for, by its type or the ending of its file's name; nothing where that says nothing.
    #[must_use]
    pub fn known_kind(&self) -> Option<&str> {
        match &self.kind {
            Some(kind) => Some(kind),
            None => rules::kind_of(self.filename.as_deref()?),
        }
    }
}

impl Manifest {
    /// Reads a manifest, and refuses what RAUC would refuse or read differently. Whether a device can install what it
    /// says is another question: see [`Manifest::check_installable`].
    ///
    /// # Errors
    /// When the text is none, or says what cannot be.
    pub fn read(text: &[u8]) -> Result<Manifest, Error> {
        let manifest = read::read(text, read::Format::Verity)?;
        rules::check_said(&manifest)?;
        Ok(manifest)
    }

    /// As [`Manifest::read`], for the manifest of a bundle of the format plain, which has no tree.
    ///
    /// # Errors
    /// As [`Manifest::read`].
    pub fn read_plain(text: &[u8]) -> Result<Manifest, Error> {
        let manifest = read::read(text, read::Format::Plain)?;
        rules::check_said(&manifest)?;
        Ok(manifest)
    }

    /// The text, as RAUC orders it.
    #[must_use]
    pub fn write(&self) -> String {
        write::write(self)
    }

    /// Checks that it makes sense, and that a RAUC of this version takes it.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(&self, target: Target) -> Result<(), Error> {
        rules::check_said(self)?;
        rules::check_installable(self)?;
        rules::check_target(self, target)
    }

    /// Checks that some device can install it: RAUC shows more than it installs.
    ///
    /// # Errors
    /// When none can, or nobody can tell.
    pub fn check_installable(&self) -> Result<(), Error> {
        rules::check_installable(self)
    }

    /// The copy inside of the SquashFS, which cannot know the tree over it.
    #[must_use]
    pub fn inner(&self) -> Manifest {
        Manifest {
            verity: None,
            ..self.clone()
        }
    }
}
