//! What can be said to `kiln diff`.

use std::ffi::OsString;
use std::path::PathBuf;

use super::look::{Image, Planning};

#[derive(Debug, clap::Args)]
pub(crate) struct Diff {
    /// What was there before: an image, a bundle, an archive or a device; a folder of outputs, or its manifest; or a
    /// specification, whose outputs are planned and not written
    pub(crate) a: PathBuf,
    /// What is there now
    pub(crate) b: PathBuf,
    /// The path in both of what is compared
    #[arg(default_value = "/")]
    pub(crate) path: OsString,
    /// Say where the first byte lies that differs, by the name of its structure
    #[arg(long)]
    pub(crate) bytes: bool,
    #[command(flatten)]
    pub(crate) planning: Planning,
}

impl Diff {
    /// Both, as the other verbs take them.
    pub(crate) fn images(&self) -> [Image; 2] {
        [&self.a, &self.b].map(|image| Image {
            image: image.clone(),
            planning: self.planning.clone(),
        })
    }
}
