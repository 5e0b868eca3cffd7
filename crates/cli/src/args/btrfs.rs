//! What can be said to `kiln btrfs`.

use std::path::PathBuf;

use clap::ValueEnum;
use spec::{Amount, Subvolume};

use super::caching::Caching;
use super::output::Output;
use super::source::Source;

#[derive(Debug, clap::Args)]
pub(crate) struct Btrfs {
    #[command(flatten)]
    pub(crate) source: Source,
    /// The file that receives the closure's registration; none when empty
    #[arg(long, value_name = "PATH", default_value = "/nix-path-registration")]
    pub(crate) registration: String,
    /// Put a finished store database into /nix/var/nix/db
    #[arg(long, requires = "closure")]
    pub(crate) database: bool,
    /// The volume's label, up to 255 bytes
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// The file system's UUID; derived from the label and the store paths when not given
    #[arg(long)]
    pub(crate) uuid: Option<String>,
    /// Who has to read it
    #[arg(long, default_value = "portable")]
    pub(crate) profile: Profile,
    /// How often metadata is stored
    #[arg(long, default_value = "dup")]
    pub(crate) metadata: Metadata,
    /// The compressor
    #[arg(long, default_value = "none")]
    pub(crate) compression: Compressor,
    /// Its level: zstd 1 to 15 (15), zlib 1 to 9 (9)
    #[arg(long)]
    pub(crate) level: Option<u32>,
    /// Store each file's bytes, also where files are equal
    #[arg(long)]
    pub(crate) no_deduplicate: bool,
    /// A directory that is a subvolume, as PATH or PATH=FLAGS: read-only, default, or both with a comma; can be repeated
    #[arg(long, value_name = "PATH[=FLAGS]", value_parser = subvolume)]
    pub(crate) subvolume: Vec<(String, Subvolume)>,
    /// The size; as small as possible when not given
    #[arg(long)]
    pub(crate) size: Option<Amount>,
    /// Bytes that shall stay free; 64MiB when neither this nor a size is given
    #[arg(long, value_name = "SIZE")]
    pub(crate) free: Option<Amount>,
    #[command(flatten)]
    pub(crate) caching: Caching,
    /// Write here where the segments are, for --reuse; it looks for OUT.segments.json
    #[arg(long, value_name = "FILE")]
    pub(crate) segments: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Who has to read a btrfs.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Profile {
    /// Linux since 5.15, GRUB, and U-Boot
    Portable,
    /// Linux since 6.1: large file systems mount faster
    Modern,
}

impl Profile {
    pub(crate) fn lower(self) -> spec::Profile {
        match self {
            Profile::Portable => spec::Profile::Portable,
            Profile::Modern => spec::Profile::Modern,
        }
    }
}

/// How often metadata is stored.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Metadata {
    /// Twice, so that what rots can be repaired
    Dup,
    /// Once
    Single,
}

impl Metadata {
    pub(crate) fn lower(self) -> spec::Metadata {
        match self {
            Metadata::Dup => spec::Metadata::Dup,
            Metadata::Single => spec::Metadata::Single,
        }
    }
}

/// A compressor.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Compressor {
    /// zstd
    Zstd,
    /// zlib
    Zlib,
    /// LZO
    Lzo,
    /// none
    None,
}

impl Compressor {
    pub(crate) fn lower(self) -> spec::Compressor {
        match self {
            Compressor::Zstd => spec::Compressor::Zstd,
            Compressor::Zlib => spec::Compressor::Zlib,
            Compressor::Lzo => spec::Compressor::Lzo,
            Compressor::None => spec::Compressor::None,
        }
    }
}

/// A subvolume, as PATH=FLAGS.
fn subvolume(text: &str) -> Result<(String, Subvolume), String> {
    let (path, flags) = text.split_once('=').unwrap_or((text, ""));
    let mut subvolume = Subvolume::default();
    for flag in flags.split(',').filter(|flag| !flag.is_empty()) {
        match flag {
            "read-only" => subvolume.read_only = true,
            "default" => subvolume.default = true,
            other => return Err(format!("{other:?}: must be read-only or default")),
        }
    }
    Ok((path.to_string(), subvolume))
}
