//! What can be said to `kiln erofs`.

use std::path::PathBuf;

use clap::ValueEnum;
use spec::Amount;

use super::blocks::Effort;
use super::caching::Caching;
use super::output::Output;
use super::source::Source;

#[derive(Debug, clap::Args)]
pub(crate) struct Erofs {
    #[command(flatten)]
    pub(crate) source: Source,
    /// A file that receives the closure's registration
    #[arg(long, value_name = "PATH", requires = "closure")]
    pub(crate) registration: Option<String>,
    /// Put a finished store database into /nix/var/nix/db
    #[arg(long, requires = "closure")]
    pub(crate) database: bool,
    /// The volume's label, up to 15 bytes
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// The file system's UUID; derived from the label and the store paths when not given
    #[arg(long)]
    pub(crate) uuid: Option<String>,
    /// The compressor
    #[arg(long, default_value = "none")]
    pub(crate) compression: Compressor,
    /// Its level: zstd 1 to 22 (19), deflate 1 to 12 (9), lz4hc 3 to 12 (9)
    #[arg(long)]
    pub(crate) level: Option<u32>,
    /// How hard it is compressed
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Option<Effort>,
    /// Bytes of a file that are compressed together, 8KiB to 1MiB; 1MiB when not given
    #[arg(long, value_name = "SIZE")]
    pub(crate) cluster_size: Option<Amount>,
    /// For Linux since 6.15 alone: clusters follow each other without padding
    #[arg(long)]
    pub(crate) modern: bool,
    /// More bytes than this are an error
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_size: Option<Amount>,
    #[command(flatten)]
    pub(crate) caching: Caching,
    /// Write here where the segments are, for --reuse; it looks for OUT.segments.json
    #[arg(long, value_name = "FILE")]
    pub(crate) segments: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// A compressor.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Compressor {
    /// LZ4: Linux since 6.1, and U-Boot
    Lz4,
    /// LZ4, compressed with more care, for the same readers
    Lz4hc,
    /// deflate: Linux since 6.6, and U-Boot
    Deflate,
    /// zstd: Linux since 6.10
    Zstd,
    /// none: Linux since 5.4, since 5.13 with files that have holes
    None,
}

impl Compressor {
    pub(crate) fn lower(self) -> spec::Compressor {
        match self {
            Compressor::Lz4 => spec::Compressor::Lz4,
            Compressor::Lz4hc => spec::Compressor::Lz4hc,
            Compressor::Deflate => spec::Compressor::Deflate,
            Compressor::Zstd => spec::Compressor::Zstd,
            Compressor::None => spec::Compressor::None,
        }
    }
}
