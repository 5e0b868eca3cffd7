//! What a plan says of containers.

use std::fmt::Write as _;

use serde::Serialize;

use crate::ui::size;

/// The disk in a container, for people and machines.
#[derive(Serialize)]
pub(crate) struct ContainedEntry<'a> {
    output: &'a str,
    format: &'static str,
    /// Before the file is compressed; unknown when file systems are only estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

impl<'a> ContainedEntry<'a> {
    pub(crate) fn new(contained: &'a spec::Contained) -> ContainedEntry<'a> {
        ContainedEntry {
            output: &contained.file,
            format: contained.format.name(),
            size: contained.image.as_ref().map(|image| image.size()),
        }
    }

    pub(crate) fn describe(&self, text: &mut String) {
        let bytes = self.size.map(|bytes| format!(", {}", size(bytes)));
        let bytes = bytes.unwrap_or_default();
        let _ = writeln!(text, "disk → {}: {}{bytes}", self.output, self.format);
    }
}
