//! What can be said to `kiln segments`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use nix::StorePath;
use spec::Amount;

use super::blocks::Effort;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the segments of an image and their bytes; --json says which store paths are in each
    List(List),
    /// Make segments, which builds take with --reuse
    Make(Make),
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) stored: Stored,
    /// A store path that is wanted of a database, with all that it refers to; can be repeated
    #[arg(long, value_name = "STORE-PATH")]
    pub(crate) path: Vec<StorePath>,
    #[command(flatten)]
    pub(crate) kind: Kind,
}

/// What segments are of.
#[derive(Debug, clap::Args)]
pub(crate) struct Kind {
    /// The file system that has them
    #[arg(long, default_value = "squashfs")]
    pub(crate) format: Format,
    /// Bytes of a squashfs' block, 4KiB to 1MiB; 1MiB when not given
    #[arg(long)]
    pub(crate) block_size: Option<Amount>,
    /// Bytes of an erofs' cluster, 8KiB to 1MiB; 1MiB when not given
    #[arg(long, value_name = "SIZE")]
    pub(crate) cluster_size: Option<Amount>,
    /// An erofs of the profile modern
    #[arg(long)]
    pub(crate) modern: bool,
}

/// A file system that has segments.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// Of store paths, and of groups of small ones
    Squashfs,
    /// Of store paths
    Btrfs,
    /// Of store paths, and of groups of small ones
    Erofs,
}

/// A compressor of any of these file systems.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Compressor {
    /// zstd
    Zstd,
    /// xz, for a squashfs
    Xz,
    /// gzip, for a squashfs
    Gzip,
    /// zlib, for a btrfs
    Zlib,
    /// LZO, for a btrfs
    Lzo,
    /// LZ4, for an erofs
    Lz4,
    /// LZ4 with more care, for an erofs
    Lz4hc,
    /// deflate, for an erofs
    Deflate,
    /// none
    None,
}

impl Compressor {
    pub(crate) fn lower(self) -> spec::Compressor {
        match self {
            Compressor::Zstd => spec::Compressor::Zstd,
            Compressor::Xz => spec::Compressor::Xz,
            Compressor::Gzip => spec::Compressor::Gzip,
            Compressor::Zlib => spec::Compressor::Zlib,
            Compressor::Lzo => spec::Compressor::Lzo,
            Compressor::Lz4 => spec::Compressor::Lz4,
            Compressor::Lz4hc => spec::Compressor::Lz4hc,
            Compressor::Deflate => spec::Compressor::Deflate,
            Compressor::None => spec::Compressor::None,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Make {
    #[command(flatten)]
    pub(crate) stored: Stored,
    /// A store path whose segment is made; those of the whole closure when not given; can be repeated
    #[arg(long, value_name = "STORE-PATH")]
    pub(crate) path: Vec<StorePath>,
    /// A store path that holds large files which these have too, as the list says; can be repeated
    #[arg(long, value_name = "STORE-PATH", requires = "path")]
    pub(crate) original: Vec<StorePath>,
    #[command(flatten)]
    pub(crate) kind: Kind,
    /// The compressor
    #[arg(long, default_value = "zstd")]
    pub(crate) compression: Compressor,
    /// Its level. squashfs: zstd 1 to 22 (19), xz 0 to 9 (6), gzip 1 to 9 (9); btrfs: zstd 1 to 15 (15), zlib 1 to 9 (9);
    /// erofs: zstd 1 to 22 (19), deflate 1 to 12 (9), lz4hc 3 to 12 (9)
    #[arg(long)]
    pub(crate) level: Option<u32>,
    /// How hard it is compressed
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Option<Effort>,
    /// The folder that receives them; it has the layout of a cache
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// A closure in a store of this machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Stored {
    /// A closure: a folder of closureInfo, a registration, a references graph in JSON, a list of store paths, a store's
    /// database or the folder that it lies under
    #[arg(long, value_name = "SOURCE")]
    pub(crate) closure: String,
    /// The folder under which nix/store lies
    #[arg(long, value_name = "DIR")]
    pub(crate) store_root: Option<PathBuf>,
}
