//! Who asks servers that want to know it.

use std::path::PathBuf;

#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Logins {
    /// A netrc file with the passwords of caches over http:// and https://; the one of $NETRC, or else Nix's own
    /// (netrc-file of its nix.conf, or /etc/nix/netrc), when not given
    #[arg(long, value_name = "FILE")]
    pub(crate) netrc_file: Option<PathBuf>,
}
