//! What is said of a release, for people and machines.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use spec::PlannedRelease;

use crate::ui::size;

/// A release.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReleaseEntry {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) folder: String,
    pub(crate) partitions: Vec<PartitionEntry>,
    /// The file of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uki: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) best_before: Option<String>,
    /// The oldest systemd on the devices, which says what files they look for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) systemd: Option<u32>,
}

/// A partition that a release replaces.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PartitionEntry {
    pub(crate) region: String,
    pub(crate) file: String,
    pub(crate) size: u64,
    /// The bytes that each later version has to fit into.
    pub(crate) slot_size: u64,
    pub(crate) label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) partuuid: Option<String>,
}

impl ReleaseEntry {
    pub(crate) fn new(release: &PlannedRelease) -> ReleaseEntry {
        let partitions = release.files.iter().filter_map(|file| {
            let slot = file.slot.as_ref()?;
            Some(PartitionEntry {
                region: slot.region.clone(),
                file: file.file.clone(),
                size: file.content.len(),
                slot_size: slot.size,
                label: slot.label.clone(),
                partuuid: slot.uuid.map(|uuid| uuid.to_string()),
            })
        });
        let uki = release.files.iter().find(|file| file.slot.is_none());
        ReleaseEntry {
            id: release.id.clone(),
            version: release.version.clone(),
            folder: release.folder.clone(),
            partitions: partitions.collect(),
            uki: uki.map(|file| file.file.clone()),
            best_before: release.best_before.clone(),
            systemd: Some(release.systemd),
        }
    }

    /// The lines for people.
    pub(crate) fn describe(&self, text: &mut String) {
        let _ = writeln!(text, "release: {} {} → {}/", self.id, self.version, self.folder);
        for partition in &self.partitions {
            let _ = writeln!(
                text,
                "  {}: {} of {} in partitions called {}",
                partition.region,
                size(partition.size),
                size(partition.slot_size),
                partition.label
            );
        }
        if let Some(uki) = &self.uki {
            let _ = writeln!(text, "  {uki}");
        }
    }
}
