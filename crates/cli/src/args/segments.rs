//! What can be said to `kiln segments`.

use std::path::PathBuf;

use clap::Subcommand;
use nix::StorePath;
use spec::Amount;

use super::blocks::Blocks;

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
    /// Bytes of a block, 4KiB to 1MiB
    #[arg(long, default_value = "1MiB")]
    pub(crate) block_size: Amount,
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
    pub(crate) blocks: Blocks,
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
