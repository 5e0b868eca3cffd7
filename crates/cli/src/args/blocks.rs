//! How squashfs are compressed.

use clap::ValueEnum;
use spec::Amount;

/// How a squashfs is compressed.
#[derive(Debug, clap::Args)]
pub(crate) struct Blocks {
    /// The compressor
    #[arg(long, default_value = "zstd")]
    pub(crate) compression: Compressor,
    /// Its level: zstd 1 to 22 (19), xz 0 to 9 (6), gzip 1 to 9 (9)
    #[arg(long)]
    pub(crate) level: Option<u32>,
    /// How hard it is compressed
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Option<Effort>,
    /// Bytes of a block, 4KiB to 1MiB
    #[arg(long, default_value = "1MiB")]
    pub(crate) block_size: Amount,
}

/// A compressor.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Compressor {
    /// zstd
    Zstd,
    /// xz
    Xz,
    /// gzip
    Gzip,
    /// none
    None,
}

impl Compressor {
    pub(crate) fn lower(self) -> spec::Compressor {
        match self {
            Compressor::Zstd => spec::Compressor::Zstd,
            Compressor::Xz => spec::Compressor::Xz,
            Compressor::Gzip => spec::Compressor::Gzip,
            Compressor::None => spec::Compressor::None,
        }
    }
}

/// How hard squashfs are compressed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Effort {
    /// Quickly, whatever their levels say: zstd 3, xz 1, gzip 1
    Dev,
    /// As their levels say
    Release,
}

impl Effort {
    pub(crate) fn lower(self) -> spec::Effort {
        match self {
            Effort::Dev => spec::Effort::Dev,
            Effort::Release => spec::Effort::Release,
        }
    }
}
