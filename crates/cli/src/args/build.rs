//! What can be said to `kiln build` and `kiln plan`; `kiln bundle build` shares most of it.

use std::path::PathBuf;

use spec::Spec;

use super::blocks::Effort;
use super::caching::Caching;
use super::output::Sums;
use super::signing::Signing;
use super::source::{Fetch, Gathering};

#[derive(Debug, clap::Args)]
pub(crate) struct Build {
    #[command(flatten)]
    pub(crate) paths: Paths,
    /// Make only this part (fs.NAME, script.NAME, verity.NAME, verity.NAME.signature, disk, bundle or release), and no manifest, of which an older one goes; can be
    /// repeated
    #[arg(long, value_name = "PART")]
    pub(crate) only: Vec<String>,
    #[command(flatten)]
    pub(crate) making: Making,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Plan {
    /// The specification, TOML or JSON
    pub(crate) spec: PathBuf,
    #[command(flatten)]
    pub(crate) overrides: Overrides,
    /// Read files and compress into $TMPDIR, to know the sizes of file systems and not bounds of them; takes as long as a build
    #[arg(long)]
    pub(crate) exact: bool,
    #[command(flatten)]
    pub(crate) fetch: Fetch,
}

/// Where the specification is, and where its outputs go.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Paths {
    /// The specification, TOML or JSON
    pub(crate) spec: PathBuf,
    /// The folder that receives the outputs, all in one moment; it is made when its parent is there
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// How the outputs are made.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Making {
    #[command(flatten)]
    pub(crate) overrides: Overrides,
    #[command(flatten)]
    pub(crate) gathering: Gathering,
    #[command(flatten)]
    pub(crate) caching: Caching,
    #[command(flatten)]
    pub(crate) signing: Signing,
    #[command(flatten)]
    pub(crate) sums: Sums,
}

/// What is said in place of the specification's own words.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Overrides {
    /// What all ids derive from, in place of the specification's seed
    #[arg(long)]
    pub(crate) seed: Option<String>,
    /// How hard squashfs are compressed, in place of the specification's profile
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Option<Effort>,
}

impl Overrides {
    pub(crate) fn apply(&self, spec: &mut Spec) {
        if self.seed.is_some() {
            spec.seed.clone_from(&self.seed);
        }
        if let Some(profile) = self.profile {
            spec.profile = Some(profile.lower());
        }
    }
}
