//! Where compressed segments are found and kept.

use std::path::PathBuf;

use spec::Amount;

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
    /// An image, a file system or a bundle of an earlier build, with its manifest beside it, or a folder of segments: what
    /// did not change is taken from there; can be repeated
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
