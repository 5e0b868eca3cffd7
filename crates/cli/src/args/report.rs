//! What can be said to `kiln report`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum;

use super::look::Image;

#[derive(Debug, clap::Args)]
pub(crate) struct Report {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The path in it of what is reported; the disk of a specification or of a folder of outputs, when they have one, or
    /// else everything
    #[arg(default_value = "/")]
    pub(crate) path: OsString,
    /// The page that is made; with --svg, the picture
    #[arg(long, value_name = "FILE", required_unless_present = "json")]
    pub(crate) out: Option<PathBuf>,
    /// Make a picture of the treemap in place of the page
    #[arg(long, requires = "out")]
    pub(crate) svg: bool,
    /// What the areas of the picture stand for
    #[arg(long, value_name = "MEASURE", default_value = "image", requires = "svg")]
    pub(crate) by: Measure,
    /// An older image, folder of outputs, manifest or report (HTML or JSON), to say what grew
    #[arg(long, value_name = "OLD")]
    pub(crate) against: Option<PathBuf>,
    /// Who refers to whom: a registration, a folder of closureInfo, or a references graph; what is in the image, or in the
    /// manifest beside it, when not given
    #[arg(long, value_name = "PATH")]
    pub(crate) closure: Option<PathBuf>,
}

/// What areas stand for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Measure {
    /// Bytes in the image
    Image,
    /// Bytes unpacked
    Unpacked,
}

impl Measure {
    pub(crate) fn lower(self) -> report::Measure {
        match self {
            Measure::Image => report::Measure::Image,
            Measure::Unpacked => report::Measure::Unpacked,
        }
    }
}
