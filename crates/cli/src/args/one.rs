//! What can be said to `kiln squashfs`, `kiln ext4`, `kiln fat` and `kiln script`.

use std::path::PathBuf;

use clap::ValueEnum;
use spec::Amount;

use super::blocks::Blocks;
use super::caching::Caching;
use super::files::Files;
use super::output::{Output, Sums};
use super::source::Source;
use super::values::{journal, pair};

#[derive(Debug, clap::Args)]
pub(crate) struct Squashfs {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) blocks: Blocks,
    /// More bytes than this are an error
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_size: Option<Amount>,
    #[command(flatten)]
    pub(crate) caching: Caching,
    /// Write here where the segments are, for --reuse; it looks for OUT.segments.json
    #[arg(long, value_name = "FILE")]
    pub(crate) segments: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) sums: Sums,
    /// The output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Ext4 {
    #[command(flatten)]
    pub(crate) source: Source,
    /// The file that receives the closure's registration; none when empty
    #[arg(long, value_name = "PATH", default_value = "/nix-path-registration")]
    pub(crate) registration: String,
    /// Put a finished store database into /nix/var/nix/db
    #[arg(long, requires = "closure")]
    pub(crate) database: bool,
    /// The volume's label, up to sixteen bytes
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// The volume's UUID; derived from the label and the store paths when not given
    #[arg(long)]
    pub(crate) uuid: Option<String>,
    /// Who has to read it
    #[arg(long, default_value = "portable")]
    pub(crate) profile: Profile,
    /// The size; as small as possible when not given
    #[arg(long)]
    pub(crate) size: Option<Amount>,
    /// Bytes that shall stay free; 64MiB when neither this nor a size is given
    #[arg(long, value_name = "SIZE")]
    pub(crate) free: Option<Amount>,
    /// Inodes that shall stay free; 1024 when neither this nor a size is given
    #[arg(long, value_name = "N")]
    pub(crate) free_inodes: Option<u64>,
    /// The journal's size, or none; as mke2fs has it when not given
    #[arg(long, value_name = "SIZE", value_parser = journal)]
    pub(crate) journal: Option<spec::Journal>,
    /// Up to what it can grow while it is mounted
    #[arg(long, value_name = "SIZE", default_value = "2TiB")]
    pub(crate) grow_to: Amount,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Who has to read an ext4.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Profile {
    /// Linux, GRUB, and U-Boot of today
    Portable,
    /// Old U-Boot too, and U-Boot that writes
    UbootLegacy,
    /// Nobody writes it: no journal, no room to grow
    Readonly,
}

impl Profile {
    pub(crate) fn lower(self) -> spec::Profile {
        match self {
            Profile::Portable => spec::Profile::Portable,
            Profile::UbootLegacy => spec::Profile::UbootLegacy,
            Profile::Readonly => spec::Profile::Readonly,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Fat {
    /// A folder for the root, or a tar archive (also .gz, .bz2, .xz, .zst; - for standard input); can be repeated with archives,
    /// the layers of an OCI image, the lowest first
    #[arg(long, value_name = "PATH")]
    pub(crate) tree: Vec<String>,
    /// A file or folder, as PATH=SOURCE; can be repeated
    #[arg(long, value_name = "PATH=SOURCE", value_parser = pair)]
    pub(crate) file: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) files: Files,
    /// The volume's label, up to eleven characters
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// The volume's id, such as 2178-694E; derived from the label when not given
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// FAT16 or FAT32; as the size demands when not given
    #[arg(long, value_parser = ["16", "32"])]
    pub(crate) bits: Option<String>,
    /// The size; as small as possible when not given
    #[arg(long)]
    pub(crate) size: Option<Amount>,
    /// Bytes that shall stay free
    #[arg(long, value_name = "SIZE")]
    pub(crate) free: Option<Amount>,
    /// 512 or 4096 bytes
    #[arg(long, default_value_t = 512)]
    pub(crate) sector_size: u32,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Script {
    /// The commands
    pub(crate) source: PathBuf,
    /// The architecture, as mkimage names it
    #[arg(long, default_value = "arm64")]
    pub(crate) arch: String,
    /// A value for @KEY@ in the source; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
    /// The time in the header, in seconds since 1970
    #[arg(long, default_value_t = 0)]
    pub(crate) time: u32,
    #[command(flatten)]
    pub(crate) sums: Sums,
    /// The output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}
