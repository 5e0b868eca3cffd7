//! What can be said to the verbs that look into images: `kiln ls`, `cat`, `extract`, `info` and `check`.

use std::ffi::OsString;
use std::path::PathBuf;

use super::build::Overrides;
use super::signing::Trust;
use super::source::Gathering;

/// What is looked into.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Image {
    /// An image, a bundle, an archive or a device; a folder of outputs; or a specification, TOML or JSON, whose outputs are
    /// planned and not written
    pub(crate) image: PathBuf,
    #[command(flatten)]
    pub(crate) planning: Planning,
}

/// How the outputs of a specification are planned.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Planning {
    #[command(flatten, next_help_heading = "With a specification")]
    pub(crate) overrides: Overrides,
    #[command(flatten, next_help_heading = "With a specification")]
    pub(crate) gathering: Gathering,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The path in it: through partitions, images, file systems, and compressed files
    #[arg(default_value = "/")]
    pub(crate) path: OsString,
    /// Modes, owners, bytes, times, targets of links, and what images are
    #[arg(long, short)]
    pub(crate) long: bool,
    /// All that is below, through partitions and images
    #[arg(long, short = 'R')]
    pub(crate) recursive: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Cat {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The files in it, one after the other; links are followed within their file system
    #[arg(required = true)]
    pub(crate) paths: Vec<OsString>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Extract {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The file or folder in it
    #[arg(default_value = "/")]
    pub(crate) path: OsString,
    /// The folder or file that is made; a folder may be there if it is empty
    #[arg(long, value_name = "PATH")]
    pub(crate) out: PathBuf,
    /// Make folders of partitions and images, too, in place of files
    #[arg(long, short = 'R')]
    pub(crate) recursive: bool,
    /// Keep owners and extended attributes, as root does anyway
    #[arg(long, conflicts_with = "mine")]
    pub(crate) keep: bool,
    /// Make everything belong to whoever runs kiln, without extended attributes, as for anybody but root
    #[arg(long)]
    pub(crate) mine: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Info {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The path in it of what is shown
    #[arg(default_value = "/")]
    pub(crate) path: OsString,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The path in it of what is checked
    #[arg(default_value = "/")]
    pub(crate) path: OsString,
    #[command(flatten)]
    pub(crate) trust: Trust,
}
