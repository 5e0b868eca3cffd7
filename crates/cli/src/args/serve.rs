//! What can be said to `kiln serve`; `kiln run` shares most of it.

use std::ffi::OsString;
use std::path::PathBuf;

use nbd::Address;

use super::build::Overrides;
use super::caching::Caching;
use super::signing::Signing;
use super::source::Gathering;

#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) source: Source,
    /// What of it is meant: disk, fs.NAME, script.NAME or verity.NAME of a specification, or a partition of an image; the
    /// disk, or all of an image, when not given
    #[arg(long)]
    pub(crate) part: Option<String>,
    /// The Unix socket to make; it is there once clients can connect, belongs to whoever runs kiln, and goes at the end
    #[arg(long, value_name = "PATH", conflicts_with = "listen")]
    pub(crate) socket: Option<PathBuf>,
    /// The TCP port to listen on, as PORT or ADDRESS:PORT; a port alone is reached from this machine only, and 0 stands for any
    /// that is free
    #[arg(long, value_name = "ADDRESS", required_unless_present_any = ["socket", "command"])]
    pub(crate) listen: Option<Address>,
    /// A command that runs when clients can connect, and whose exit code is kiln's; {uri} stands for the export, {socket} for
    /// its socket. Without --socket and --listen, there is a socket for the command alone
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// What is served, and how it is planned if it is not there yet.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Source {
    /// A specification, TOML or JSON, which is planned and not written; or an image, compressed or not, a device, or a
    /// folder of outputs
    pub(crate) image: PathBuf,
    #[command(flatten, next_help_heading = "With a specification")]
    pub(crate) planning: Planning,
}

/// How a part of a specification is planned.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Planning {
    #[command(flatten)]
    pub(crate) overrides: Overrides,
    #[command(flatten)]
    pub(crate) gathering: Gathering,
    #[command(flatten)]
    pub(crate) caching: Caching,
    #[command(flatten)]
    pub(crate) signing: Signing,
}
