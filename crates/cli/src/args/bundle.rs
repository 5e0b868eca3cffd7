//! What can be said to `kiln bundle`.

use std::path::PathBuf;

use clap::Subcommand;

use super::build::{self, Making, Paths};
use super::signing::{Signature, Trust};

#[derive(Debug, clap::Args)]
pub(crate) struct Bundle {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the bundle that a specification describes, and nothing else
    Build(Build),
    /// Sign an unsigned bundle
    Sign(Sign),
    /// Take a signature that was made elsewhere
    Attach(Attach),
    /// Sign a bundle anew, with another key or at another time; what is signed stays the same
    Resign(Resign),
    /// Check everything: signature, certificates, tree, images, indices
    Verify(Verify),
    /// Show what is in a bundle, and who signed it
    Info(Info),
    /// Check everything, and unpack the images
    Extract(Extract),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Build {
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    making: Making,
}

impl Build {
    /// The same, said to `kiln build`.
    pub(crate) fn only_bundle(&self) -> build::Build {
        build::Build {
            paths: self.paths.clone(),
            only: vec!["bundle".to_string()],
            making: self.making.clone(),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Sign {
    /// The unsigned bundle
    pub(crate) bundle: PathBuf,
    /// The output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) signature: Signature,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Attach {
    /// The unsigned bundle
    pub(crate) bundle: PathBuf,
    /// The signature: CMS with the manifest in it, in DER, as `openssl cms -sign -nodetach -binary -outform DER` makes it
    pub(crate) signature: PathBuf,
    /// The output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) trust: Trust,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Resign {
    /// The signed bundle
    pub(crate) bundle: PathBuf,
    /// The output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) signature: Signature,
    /// The certificates that the old signature is checked against, when they are others than the new one's
    #[arg(long, value_name = "FILE")]
    pub(crate) old_keyring: Option<PathBuf>,
    /// The time at which the old certificates must have been valid, in seconds since 1970, or `now`, which is usual
    #[arg(long, value_name = "TIME")]
    pub(crate) old_at: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The bundle
    pub(crate) bundle: PathBuf,
    #[command(flatten)]
    pub(crate) trust: Trust,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Info {
    /// The bundle; an unsigned one, too
    pub(crate) bundle: PathBuf,
    /// Show what a bundle says although nobody vouches for it
    #[arg(long, conflicts_with = "keyring")]
    pub(crate) no_verify: bool,
    #[command(flatten)]
    pub(crate) trust: Trust,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Extract {
    /// The bundle
    pub(crate) bundle: PathBuf,
    /// The folder that receives the files; it must be empty
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) trust: Trust,
}
