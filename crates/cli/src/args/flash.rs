//! What can be said to `kiln flash`.

use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of the command line"
)]
pub(crate) struct Flash {
    /// The image: a disk or a file system, also compressed or in a container; or a folder of outputs, whose disk is meant.
    /// Without it, what can be flashed is listed
    #[arg(requires = "device")]
    pub(crate) image: Option<PathBuf>,
    /// The disk, such as /dev/sdb or a name in /dev/disk/by-id, or a file that stands for one. Everything on it is lost
    pub(crate) device: Option<PathBuf>,
    /// The image's block map, in place of the one beside it
    #[arg(long, value_name = "FILE", requires = "image")]
    pub(crate) bmap: Option<PathBuf>,
    /// Write every byte of the image, even if there is a block map beside it
    #[arg(long, conflicts_with = "bmap", requires = "image")]
    pub(crate) no_bmap: bool,
    /// Tell the device that nobody needs what is not written
    #[arg(long, requires = "image")]
    pub(crate) discard: bool,
    /// Leave what the block map leaves out as it is, even where boot ROMs look for loaders
    #[arg(long, conflicts_with_all = ["discard", "no_bmap"], requires = "image")]
    pub(crate) keep_gaps: bool,
    /// Do not read back and compare what was written
    #[arg(long, requires = "image")]
    pub(crate) no_read_back: bool,
    /// Do not ask
    #[arg(long, short, requires = "image")]
    pub(crate) yes: bool,
}
