//! What can be said to `kiln cache`.

use clap::Subcommand;
use spec::Amount;

use super::caching::CacheFolder;
use super::logins::Logins;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
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
        #[command(flatten)]
        logins: Logins,
    },
    /// Read everything, and remove what is damaged
    Verify(CacheFolder),
}
