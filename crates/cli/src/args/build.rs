//! What can be said to `kiln build` and `kiln plan`.

use std::path::PathBuf;

use super::blocks::Effort;
use super::caching::Caching;
use super::signing::Signing;
use super::source::Fetch;

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
    pub(crate) signing: Signing,
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
