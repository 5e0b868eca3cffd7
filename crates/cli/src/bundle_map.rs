//! What a bundle will hold, for people and machines.

use std::fmt::Write as _;

use serde::Serialize;

use crate::ui::size;

/// The bundle, for people and machines.
#[derive(Serialize)]
pub(crate) struct BundleEntry<'a> {
    output: &'a str,
    compatible: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    /// Without the signature.
    size: u64,
    estimate: bool,
    images: Vec<BundleImageEntry<'a>>,
}

#[derive(Serialize)]
struct BundleImageEntry<'a> {
    slot: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    size: u64,
}

impl<'a> BundleEntry<'a> {
    pub(crate) fn new(bundle: &'a spec::PlannedBundle) -> BundleEntry<'a> {
        let image = |(slot, file): &'a (String, Option<(String, u64)>)| BundleImageEntry {
            slot,
            file: file.as_ref().map(|(name, _)| name.as_str()),
            size: file.as_ref().map_or(0, |(_, size)| *size),
        };
        BundleEntry {
            output: &bundle.file,
            compatible: &bundle.compatible,
            version: bundle.version.as_deref(),
            size: bundle.size,
            estimate: bundle.unsigned.is_none(),
            images: bundle.images.iter().map(image).collect(),
        }
    }

    pub(crate) fn describe(&self, text: &mut String) {
        let most = if self.estimate { "at most " } else { "" };
        let version = self.version.map(|version| format!(", version {version}"));
        let _ = writeln!(
            text,
            "bundle → {}: {most}{} and a signature; for {}{}",
            self.output,
            size(self.size),
            self.compatible,
            version.unwrap_or_default()
        );
        for image in &self.images {
            let _ = match image.file {
                Some(file) => writeln!(text, "  {:>12}  {file} → slot {}", size(image.size), image.slot),
                None => writeln!(text, "  {:>12}  no file → slot {}", "", image.slot),
            };
        }
    }
}
