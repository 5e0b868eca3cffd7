//! Outputs that can be compressed while they are written.

use std::path::PathBuf;

use clap::ValueEnum;
use spec::{Spec, Sum};

/// A file that can be compressed while it is written.
#[derive(Debug, clap::Args)]
pub(crate) struct Output {
    /// Compress the output while it is written
    #[arg(long, value_name = "HOW")]
    pub(crate) compress: Option<Compress>,
    /// Its level: zstd 1 to 22 (3), xz 0 to 9 (6), gzip 1 to 12 (6)
    #[arg(long, value_name = "LEVEL", requires = "compress")]
    pub(crate) compress_level: Option<u32>,
    #[command(flatten)]
    pub(crate) sums: Sums,
    /// The output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// What outputs are known by.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Sums {
    /// Say the SHA-256 of every output too, not only of what is compressed or a bundle; holes cost as much as bytes
    #[arg(long)]
    sha256: bool,
}

impl Sums {
    pub(crate) fn apply(&self, spec: &mut Spec) {
        if self.sha256 {
            spec.digests = vec![Sum::Sha256];
        }
    }
}

impl Output {
    pub(crate) fn compress(&self) -> Option<spec::Compress> {
        self.compress.map(|compress| match compress {
            Compress::Zstd => spec::Compress::Zstd,
            Compress::Xz => spec::Compress::Xz,
            Compress::Gzip => spec::Compress::Gzip,
        })
    }
}

/// How an output is compressed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Compress {
    /// zstd, in the seekable format
    Zstd,
    /// xz
    Xz,
    /// gzip
    Gzip,
}
