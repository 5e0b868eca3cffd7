//! What can be said on the command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use spec::Amount;

use crate::{bundle, segments};

/// Turns Nix closures and plain trees into flashable disk images: no root, no VM, the same bytes on any host
#[derive(Debug, Parser)]
#[command(name = "kiln", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// How many threads work; all cores when not given. Never changes a byte
    #[arg(long, short, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,

    /// Print results and errors as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

const EXIT_CODES: &str = "Exit codes:
    0  done
    2  the command line or the specification makes no sense
    3  an input is missing, unreadable, or not what it claims to be
    4  something does not fit where it shall go
    5  the output cannot be written
    6  an image that was read is damaged
    7  a signature is not trusted
  130  stopped by the user";

impl Args {
    /// How many threads work.
    pub(crate) fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.jobs.map_or_else(cores, usize::from)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make everything that a specification describes
    Build(Build),
    /// Show what a build would make, and write nothing
    Plan(Plan),
    /// Make a squashfs of a closure or a folder, without a specification
    Squashfs(Squashfs),
    /// Make an ext4 of a closure or a folder, without a specification
    Ext4(Ext4),
    /// Make a FAT of a folder or files, without a specification
    Fat(Fat),
    /// Make a boot script for U-Boot, without a specification
    Script(Script),
    /// Build, sign, verify and look into update bundles
    Bundle(bundle::args::Bundle),
    /// Look into the cache of compressed segments, and keep it small and sound
    Cache {
        #[command(subcommand)]
        command: CacheCommand,
    },
    /// List the compressed segments that images of a closure have, and make them in advance
    Segments {
        #[command(subcommand)]
        command: segments::Command,
    },
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Build {
    /// The specification, TOML or JSON
    pub(crate) spec: PathBuf,
    /// The folder that receives the outputs
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Make only this part (fs.NAME, script.NAME, disk or bundle), and no manifest; can be repeated
    #[arg(long, value_name = "PART")]
    pub(crate) only: Vec<String>,
    /// What all ids derive from, in place of the specification's seed
    #[arg(long)]
    pub(crate) seed: Option<String>,
    /// How hard squashfs are compressed, in place of the specification's profile
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Option<Effort>,
    /// Where a store path is not what it is registered as, take it as it is
    #[arg(long)]
    pub(crate) rehash: bool,
    #[command(flatten)]
    pub(crate) fetch: Fetch,
    #[command(flatten)]
    pub(crate) caching: Caching,
    #[command(flatten)]
    pub(crate) signing: bundle::args::Signing,
}

/// Where compressed segments may be found, and are kept. It never changes a byte.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Caching {
    #[command(flatten)]
    pub(crate) folder: CacheFolder,
    /// Use no cache folder
    #[arg(long, conflicts_with = "cache")]
    pub(crate) no_cache: bool,
    /// How large the cache may stay
    #[arg(long, value_name = "SIZE", default_value = "20GiB")]
    pub(crate) cache_size: Amount,
    /// An image, a squashfs or a bundle of an earlier build, with its manifest beside it, or a folder of segments: what did
    /// not change is taken from there; can be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) reuse: Vec<PathBuf>,
    /// A shared cache (file://, http://, https://, s3://) that is asked for what is missing, while that is being
    /// compressed; what comes from it is compared with the files; can be repeated
    #[arg(long, value_name = "URL")]
    pub(crate) cache_from: Vec<String>,
    /// A shared cache that gets what it does not have, as far as that takes no longer than the build
    #[arg(long, value_name = "URL")]
    pub(crate) cache_to: Option<String>,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CacheFolder {
    /// The folder that keeps compressed segments between builds; ~/.cache/kiln, or where XDG says, when not given,
    /// and none in Nix's sandbox
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Show what it takes
    Info(CacheFolder),
    /// Remove what was not used for longest, and what killed builds left behind
    Prune {
        #[command(flatten)]
        folder: CacheFolder,
        /// How many bytes may stay
        #[arg(long, value_name = "SIZE", default_value = "20GiB")]
        cache_size: Amount,
    },
    /// Send everything to a shared cache that does not have it yet
    Push {
        #[command(flatten)]
        folder: CacheFolder,
        /// The shared cache: file://, http://, https:// (with the method PUT) or s3://
        #[arg(long, value_name = "URL")]
        to: String,
    },
    /// Read everything, and remove what is damaged
    Verify(CacheFolder),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Plan {
    /// The specification, TOML or JSON
    pub(crate) spec: PathBuf,
    /// What all ids derive from, in place of the specification's seed
    #[arg(long)]
    pub(crate) seed: Option<String>,
    /// How hard squashfs are compressed, in place of the specification's profile
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Option<Effort>,
    /// Compress into $TMPDIR, to know the sizes of compressed file systems; takes as long as a build
    #[arg(long)]
    pub(crate) exact: bool,
    #[command(flatten)]
    pub(crate) fetch: Fetch,
}

/// What a file system holds that is made without a specification.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Source {
    /// A closure for /nix/store: a folder of closureInfo, a registration, a list of store paths, a store's database or
    /// the folder that it lies under, a stream of `nix-store --export`, or a binary cache (file://, http://, https://,
    /// s3://); caches can be repeated
    #[arg(long, value_name = "SOURCE", required_unless_present = "tree")]
    pub(crate) closure: Vec<String>,
    /// A store path that is wanted of a database or a cache, with all that it refers to; can be repeated
    #[arg(long, value_name = "STORE-PATH", requires = "closure")]
    pub(crate) path: Vec<String>,
    /// Who may sign what comes from a cache, as NAME:BASE64; the public cache of NixOS when not given; can be repeated
    #[arg(long, value_name = "KEY", requires = "closure")]
    pub(crate) trusted_key: Vec<String>,
    /// Believe caches without signatures
    #[arg(long, requires = "closure")]
    pub(crate) allow_unsigned: bool,
    /// The folder under which nix/store lies
    #[arg(long, value_name = "DIR", requires = "closure")]
    pub(crate) store_root: Option<PathBuf>,
    /// Make a root that looks like any other of the closure
    #[arg(long, requires = "closure")]
    pub(crate) layout: Option<Layout>,
    /// The environment (buildEnv) that becomes the root; the closure's toplevel when not given
    #[arg(long, value_name = "PATH", requires = "layout")]
    pub(crate) env: Option<String>,
    /// With --layout fhs: programs, libraries and data lie in /usr
    #[arg(long, requires = "layout")]
    pub(crate) merge_usr: bool,
    /// A folder for the root, or a tar archive (also .gz, .xz, .zst)
    #[arg(long, value_name = "PATH")]
    pub(crate) tree: Option<PathBuf>,
    /// What of the host's metadata is kept: modes, owners, times, xattrs, hard-links
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(crate) keep: Vec<Kept>,
    /// A symbolic link, as PATH=TARGET; {toplevel} stands for the closure's; can be repeated
    #[arg(long, value_name = "PATH=TARGET", value_parser = pair)]
    pub(crate) symlink: Vec<(String, String)>,
    /// A directory to make; can be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) directory: Vec<String>,
    /// Where a store path is not what it is registered as, take it as it is
    #[arg(long)]
    pub(crate) rehash: bool,
    #[command(flatten)]
    pub(crate) fetch: Fetch,
}

/// How binary caches are spoken to.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Fetch {
    /// Keep what is fetched from caches here: a build that was stopped goes on where it was, and the next one fetches
    /// only what is new
    #[arg(long, value_name = "DIR")]
    pub(crate) download_dir: Option<PathBuf>,
    /// How many seconds a connection may be silent; 30 when not given
    #[arg(long = "fetch-timeout", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub(crate) timeout: Option<u64>,
    /// How often a request that fails is tried; 5 times when not given
    #[arg(long = "fetch-tries", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) tries: Option<u32>,
}

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

#[derive(Debug, clap::Args)]
pub(crate) struct Fat {
    /// A folder for the root, or a tar archive (also .gz, .xz, .zst)
    #[arg(long, value_name = "PATH")]
    pub(crate) tree: Option<PathBuf>,
    /// A file or folder, as PATH=SOURCE; can be repeated
    #[arg(long, value_name = "PATH=SOURCE", value_parser = pair)]
    pub(crate) file: Vec<(String, String)>,
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
    /// The output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
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

/// How a closure becomes a root.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Layout {
    /// The environment's links, beside the store
    Links,
    /// Hard links to the store's files in their place
    Hardlinks,
    /// Copies of the store's files in their place
    Copies,
    /// The whole closure joined, without a store
    Fhs,
}

/// Metadata of the host.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kept {
    /// Permission bits
    Modes,
    /// User and group numbers
    Owners,
    /// Times of last change
    Times,
    /// Extended attributes
    Xattrs,
    /// Several names of one file
    HardLinks,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?}: there is no = in it"))?;
    Ok((key.to_string(), value.to_string()))
}

fn journal(text: &str) -> Result<spec::Journal, String> {
    spec::Journal::try_from(text.to_string())
}
