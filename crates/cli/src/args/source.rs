//! What file systems hold that are made without a specification, and how closures are fetched.

use std::path::PathBuf;

use clap::ValueEnum;
use spec::Rehash;

use super::files::Files;
use super::logins::Logins;
use super::values::pair;

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
    /// A folder for the root, or a tar archive (also .gz, .bz2, .xz, .zst; - for standard input); can be repeated with archives,
    /// the layers of an OCI image, the lowest first
    #[arg(long, value_name = "PATH")]
    pub(crate) tree: Vec<String>,
    /// What of the host's metadata is kept: modes, owners, times, xattrs, hard-links
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(crate) keep: Vec<Kept>,
    /// A symbolic link, as PATH=TARGET; {toplevel} stands for the closure's; can be repeated
    #[arg(long, value_name = "PATH=TARGET", value_parser = pair)]
    pub(crate) symlink: Vec<(String, String)>,
    /// A directory to make; can be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) directory: Vec<String>,
    #[command(flatten)]
    pub(crate) files: Files,
    #[command(flatten)]
    pub(crate) gathering: Gathering,
}

/// How store paths are gathered.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Gathering {
    /// Where a store path is not what it is registered as, take it as it is
    #[arg(long)]
    rehash: bool,
    #[command(flatten)]
    pub(crate) fetch: Fetch,
}

impl Gathering {
    /// What becomes of store paths that are not what they are registered as.
    pub(crate) fn rehash(&self) -> Rehash {
        if self.rehash {
            Rehash::Accept
        } else {
            Rehash::Compare
        }
    }
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
    #[command(flatten)]
    pub(crate) logins: Logins,
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

impl Layout {
    pub(crate) fn lower(self) -> spec::Layout {
        match self {
            Layout::Links => spec::Layout::Links,
            Layout::Hardlinks => spec::Layout::Hardlinks,
            Layout::Copies => spec::Layout::Copies,
            Layout::Fhs => spec::Layout::Fhs,
        }
    }
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

impl Kept {
    pub(crate) fn lower(self) -> spec::Kept {
        match self {
            Kept::Modes => spec::Kept::Modes,
            Kept::Owners => spec::Kept::Owners,
            Kept::Times => spec::Kept::Times,
            Kept::Xattrs => spec::Kept::Xattrs,
            Kept::HardLinks => spec::Kept::HardLinks,
        }
    }
}
