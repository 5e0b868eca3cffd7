//! What can be said to `kiln tree`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::build::Overrides;
use super::signing::Signing;
use super::source::Gathering;

#[derive(Debug, clap::Args)]
pub(crate) struct Tree {
    /// The specification, TOML or JSON
    pub(crate) spec: PathBuf,
    /// The file system, as fs.NAME; the only one when not given
    #[arg(long, value_name = "PART")]
    pub(crate) part: Option<String>,
    /// The folder that is made; it may be there if it is empty
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Whom files belong to; as the specification says when root runs it
    #[arg(long, value_name = "WHO")]
    pub(crate) owners: Option<Owners>,
    #[command(flatten)]
    pub(crate) overrides: Overrides,
    #[command(flatten)]
    pub(crate) gathering: Gathering,
    #[command(flatten)]
    pub(crate) signing: Signing,
}

/// Whom files belong to.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Owners {
    /// To whom the specification says; only root can do that
    Keep,
    /// To whoever runs kiln
    Mine,
}
