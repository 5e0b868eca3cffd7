//! What can be wrong with an image, or with a path into it.

use std::io;

use image::Fault;

/// Why an image cannot be looked into.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Bytes that cannot be read.
    #[error("cannot be read: {0}")]
    Read(io::Error),
    /// Something is wrong with what is at a path.
    #[error("{path}: {error}")]
    At {
        /// The path in the image.
        path: String,
        /// What is wrong.
        error: Box<Error>,
    },
    /// There is nothing of this name.
    #[error("{path}: there is no {name:?} in {folder}")]
    Missing {
        /// The path that was asked for.
        path: String,
        /// The name that is not there.
        name: String,
        /// The last folder on the way that is there.
        folder: String,
        /// The name there that is most like it.
        nearest: Option<String>,
    },
    /// A path that goes on behind something that nothing is in.
    #[error("{path}: {what} is no folder, and no image that can be looked into")]
    NoFolder {
        /// The path that was asked for.
        path: String,
        /// What has nothing in it.
        what: String,
    },
    /// A name that several partitions have.
    #[error("{name}: partitions {numbers} have this name; say which one by its number")]
    SeveralPartitions {
        /// The name.
        name: String,
        /// Their numbers.
        numbers: String,
    },
    /// Links that lead to links without an end.
    #[error("{path}: more than {limit} links on the way")]
    TooManyLinks {
        /// The path that was asked for.
        path: String,
        /// As many are followed.
        limit: usize,
    },
    /// Images in images in images.
    #[error("{limit} images are compressed in each other; no more are opened")]
    TooDeep {
        /// As many are opened.
        limit: usize,
    },
    /// Bytes that nobody here knows.
    #[error("is nothing that can be looked into: {0}")]
    Unknown(String),
    /// What cannot be read without a key.
    #[error("is encrypted: {0}; it can be looked into once it is decrypted")]
    Encrypted(&'static str),
    /// Known, but without files in it.
    #[error("is {0}, which has no files in it")]
    NoFiles(&'static str),
    /// More than anybody compresses.
    #[error("the {coding} data have more than {limit} bytes when they are decompressed")]
    TooLarge {
        /// The coding's name.
        coding: &'static str,
        /// As many are decompressed.
        limit: u64,
    },
    /// Compressed bytes that are damaged.
    #[error("the {coding} data are damaged: {source}")]
    Decode {
        /// The coding's name.
        coding: &'static str,
        /// What the decoder says.
        source: io::Error,
    },
    /// Something is wrong with a partition table that can be read.
    #[error("{0}")]
    Table(String),
    /// A partition table.
    #[error("partition table: {0}")]
    Disk(#[from] disk::Error),
    /// A container.
    #[error(transparent)]
    Container(#[from] container::Error),
    /// A squashfs.
    #[error("squashfs: {0}")]
    Squashfs(#[from] squashfs::Error),
    /// An ext4.
    #[error("ext4: {0}")]
    Ext4(#[from] ext4::Error),
    /// A FAT.
    #[error("FAT: {0}")]
    Fat(#[from] fat::Error),
    /// An erofs.
    #[error("erofs: {0}")]
    Erofs(#[from] erofs::Error),
    /// A btrfs.
    #[error("btrfs: {0}")]
    Btrfs(#[from] btrfs::Error),
    /// A bundle.
    #[error("bundle: {0}")]
    Bundle(#[from] bundle::Error),
    /// A hash tree.
    #[error("hash tree: {0}")]
    Verity(#[from] verity::Error),
    /// The signature of a root hash.
    #[error("signature of a root hash: {0}")]
    RootSignature(#[from] signature::Error),
    /// A signature partition without a signature.
    #[error("nothing is signed in it yet: it holds zeros")]
    NotSigned,
    /// A root hash that is signed, and is that of nothing here.
    #[error("the root hash that is signed, {signed}, is that of no hash tree on the disk")]
    OtherRoot {
        /// The root hash.
        signed: String,
    },
    /// A swap area.
    #[error("swap area: {0}")]
    Swap(#[from] swap::Error),
    /// An archive.
    #[error(transparent)]
    Archive(#[from] archive::Error),
    /// A program that firmware starts.
    #[error(transparent)]
    Program(#[from] uki::Error),
    /// A boot script.
    #[error("boot script: {0}")]
    Script(#[from] uboot::Error),
    /// An environment of U-Boot.
    #[error("environment: {0}")]
    Environment(#[from] uboot::EnvironmentError),
    /// A tree or its contents.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// Somebody is trusted, and nothing is signed.
    #[error("nothing in it is signed by anybody; a bundle whose end is damaged is like that, too")]
    NotSigned,
    /// A file that is not what the manifest beside it says.
    #[error("the manifest says {said}, and the file has {found}")]
    NotAsManifest {
        /// The size or digest in the manifest.
        said: String,
        /// The file's own.
        found: String,
    },
}

impl Error {
    /// The same error, with a path in front of it. Outer paths come last and stand first.
    #[must_use]
    pub fn at(self, path: &[u8]) -> Error {
        if path.is_empty() || path == b"/" || matches!(self, Error::Image(image::Error::Cancelled)) {
            return self;
        }
        Error::At {
            path: image::show(path),
            error: Box::new(self),
        }
    }

    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        // An image says so of its own bytes.
        if let Error::Read(source) = self
            && source.kind() == io::ErrorKind::InvalidData
        {
            return Fault::Damaged;
        }
        match self {
            Error::Read(_)
            | Error::Missing { .. }
            | Error::NoFolder { .. }
            | Error::TooManyLinks { .. }
            | Error::TooDeep { .. }
            | Error::TooLarge { .. }
            | Error::Unknown(_)
            | Error::Encrypted(_)
            | Error::NoFiles(_) => Fault::Input,
            Error::SeveralPartitions { .. } => Fault::Request,
            Error::NotSigned => Fault::Untrusted,
            Error::Decode { .. }
            | Error::NotAsManifest { .. }
            | Error::Table(_)
            | Error::OtherRoot { .. } => Fault::Damaged,
            Error::At { error, .. } => error.fault(),
            Error::Disk(error) => of_reading(error.fault()),
            Error::Container(error) => of_reading(error.fault()),
            Error::Squashfs(error) => of_reading(error.fault()),
            Error::Ext4(error) => of_reading(error.fault()),
            Error::Fat(error) => of_reading(error.fault()),
            Error::Btrfs(error) => of_reading(error.fault()),
            Error::Erofs(error) => of_reading(error.fault()),
            Error::Bundle(error) => error.fault_of_reading(),
            Error::Verity(error) => of_reading(error.fault()),
            Error::RootSignature(error) => error.fault(),
            Error::Swap(error) => of_reading(error.fault()),
            Error::Archive(error) => of_reading(error.fault()),
            Error::Program(error) => of_reading(error.fault()),
            Error::Script(error) => of_reading(error.fault()),
            Error::Environment(error) => of_reading(error.fault()),
            Error::Image(error) => error.fault(),
        }
    }

    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::At { error, .. } => error.hint(),
            Error::Missing {
                nearest: Some(nearest),
                ..
            } => Some(format!("there is {nearest:?}")),
            Error::Unknown(_) => Some(format!("what can be looked into: {}", crate::format::READ)),
            Error::Archive(error) => error.hint(),
            _ => None,
        }
    }
}

/// Whose fault it is that something could not be read: nobody asked for what is in an image, and what is over a limit there
/// is none of what a writer makes.
fn of_reading(fault: Fault) -> Fault {
    match fault {
        Fault::Request | Fault::Limit => Fault::Damaged,
        other => other,
    }
}
