//! Outputs that can be compressed while they are written.

use std::path::PathBuf;

use clap::ValueEnum;

/// A file that can be compressed while it is written.
#[derive(Debug, clap::Args)]
pub(crate) struct Output {
    /// Compress the output while it is written
    #[arg(long, value_name = "HOW")]
    pub(crate) compress: Option<Compress>,
    /// Its level: zstd 1 to 22 (3), xz 0 to 9 (6), gzip 1 to 12 (6)
    #[arg(long, value_name = "LEVEL", requires = "compress")]
    pub(crate) compress_level: Option<u32>,
    /// The output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
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
