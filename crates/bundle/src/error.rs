//! What can go wrong with bundles.

use std::io;

use image::Fault;

use crate::target::Target;

/// An error of bundles.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A manifest that makes no sense.
    #[error("manifest: {0}")]
    Manifest(String),
    /// A manifest's text that makes no sense.
    #[error("manifest, line {line}: {problem}")]
    ManifestText {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// Something that the RAUC on the device would refuse.
    #[error("{what}: known since RAUC {since}, and the bundle is for RAUC {target}")]
    TooNew {
        /// What was asked for.
        what: &'static str,
        /// Since when it exists.
        since: Target,
        /// What the bundle is for.
        target: Target,
    },
    /// An image that cannot have an index.
    #[error("image {image}: {len} bytes, which is not a multiple of 4096, as adaptive updates need it")]
    Unaligned {
        /// Its slot.
        image: String,
        /// Its bytes.
        len: u64,
    },
    /// A bundle of another format.
    #[error("a bundle of the format {0}: {about}", about = about(.0))]
    Format(String),
    /// Something of RAUC that bundles have and nobody reads here.
    #[error("{0} cannot be read")]
    NotRead(String),
    /// An index of casync, whose parts are not in the bundle.
    #[error("{0}: is an index of casync, whose chunks lie outside of the bundle, so it cannot be checked")]
    CasyncIndex(String),
    /// A file that is no bundle.
    #[error("{0} bytes are too few for a bundle")]
    TooShort(u64),
    /// A file that is no bundle.
    #[error("no bundle: its last eight bytes say that there is no signature")]
    NoSignature,
    /// A size that no signature has.
    #[error("a signature of {0} bytes: the limit is {max}", max = signature::LEN_MAX)]
    SignatureTooLarge(u64),
    /// A signature that would begin before the file.
    #[error("a signature of {len} bytes in a file of {size}: nothing is left for the payload")]
    SignatureBeyondFile {
        /// What the end of the file says.
        len: u64,
        /// The file's bytes.
        size: u64,
    },
    /// A file that is no bundle.
    #[error("no bundle: what stands where the signature should be is neither one nor a manifest")]
    NoBundle,
    /// A payload that the signature of a bundle of the format plain must not be about.
    #[error("a payload of {len} bytes: in a bundle of the format plain, the limit is {max}", max = crate::plain::PAYLOAD_MAX)]
    PayloadTooLarge {
        /// Its bytes.
        len: u64,
    },
    /// A manifest without a tree.
    #[error("manifest: says nothing of the tree: verity-hash, verity-salt and verity-size are missing")]
    NoTree,
    /// A tree that leaves no room.
    #[error("verity-size={said}: the whole payload has {payload} bytes")]
    TreeSize {
        /// What the manifest says.
        said: u64,
        /// The payload's bytes.
        payload: u64,
    },
    /// A tree for another payload.
    #[error("verity-size={said}: the tree of {len} bytes has {wanted}")]
    TreeNotOfPayload {
        /// What the manifest says.
        said: u64,
        /// What it would have to say.
        wanted: u64,
        /// The SquashFS's bytes.
        len: u64,
    },
    /// A SquashFS that cannot have a tree.
    #[error("a SquashFS of {len} bytes: must be a multiple of 4096, and more than that")]
    Payload {
        /// Its bytes.
        len: u64,
    },
    /// A SquashFS that ends early.
    #[error("the SquashFS uses {used} of {size} bytes: more than padding lies behind it")]
    SquashfsSize {
        /// What it uses.
        used: u64,
        /// What the tree covers.
        size: u64,
    },
    /// Something that must not be in a bundle.
    #[error("{path}: {problem}")]
    Entry {
        /// Its path.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Files of more bytes than anybody means.
    #[error("its files have {len} bytes, the limit is {max}")]
    FilesTooLarge {
        /// Their bytes.
        len: u64,
        /// How many there may be.
        max: u64,
    },
    /// A file that the manifest names is not there.
    #[error("{0}: is not in the bundle")]
    Missing(String),
    /// A program that cannot be run.
    #[error("{0}: is not executable")]
    NotExecutable(String),
    /// The manifest in the SquashFS differs from the signed one.
    #[error("manifest.raucm: says something else than the signed manifest")]
    InnerManifest,
    /// An image of another size.
    #[error("{file}: has {found} bytes, and the manifest says {said}")]
    ImageSize {
        /// The image.
        file: String,
        /// Its bytes.
        found: u64,
        /// What the manifest says.
        said: u64,
    },
    /// An image with other bytes.
    #[error("{file}: its SHA-256 is not the manifest's")]
    ImageDigest {
        /// The image.
        file: String,
    },
    /// An index of another length.
    #[error("{file}: has {found} bytes, and the image's blocks need {wanted}")]
    IndexSize {
        /// The index.
        file: String,
        /// Its bytes.
        found: u64,
        /// 32 for each block.
        wanted: u64,
    },
    /// An index that is not the image's.
    #[error("{file}: the hash of block {block} is not that of the image's block")]
    Index {
        /// The index.
        file: String,
        /// The first block that differs.
        block: u64,
    },
    /// A signature about something else.
    #[error("the signature is about another manifest")]
    OtherManifest,
    /// The file cannot be reached.
    #[error("cannot be read at byte {start}: {source}")]
    Read {
        /// The first byte that was asked for.
        start: u64,
        /// What the system says.
        source: io::Error,
    },
    /// Keys, certificates and signatures.
    #[error(transparent)]
    Signature(#[from] signature::Error),
    /// The tree.
    #[error(transparent)]
    Verity(#[from] verity::Error),
    /// The SquashFS.
    #[error(transparent)]
    Squashfs(#[from] squashfs::Error),
    /// Contents and spools.
    #[error(transparent)]
    Image(#[from] image::Error),
}

/// What a format means for those who want to read it.
fn about(format: &str) -> &'static str {
    match format {
        "plain" => {
            "its signature is detached and about the whole payload, and this manifest stands in the payload"
        }
        "crypt" => "its payload is encrypted, and only devices with the key can read it",
        "verity" => "its signature holds the manifest, and this one is detached",
        _ => "only verity and plain can be read",
    }
}

impl Error {
    /// Whose fault the error is, when a bundle was made.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::Manifest(_) | Error::TooNew { .. } | Error::Unaligned { .. } | Error::CasyncIndex(_) => {
                Fault::Request
            }
            Error::Format(_)
            | Error::NotRead(_)
            | Error::ManifestText { .. }
            | Error::NoTree
            | Error::Entry { .. }
            | Error::NotExecutable(_)
            | Error::Read { .. }
            | Error::OtherManifest => Fault::Input,
            Error::Signature(error) => error.fault(),
            Error::Verity(error) => error.fault(),
            Error::Squashfs(error) => error.fault(),
            Error::Image(error) => error.fault(),
            _ => Fault::Damaged,
        }
    }

    /// Whose fault it is, when a bundle was read: nobody asked for anything. What its signer has signed is not damaged,
    /// whatever it says.
    #[must_use]
    pub fn fault_of_reading(&self) -> Fault {
        match self.fault() {
            Fault::Request => Fault::Input,
            other => other,
        }
    }
}
