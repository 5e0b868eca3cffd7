//! A disk as the kernel describes it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Obstacle;
use crate::host::{Node, line};

/// The unit of `size` in `/sys`, whatever the disk's sectors are.
const SECTOR: u64 = 512;

/// Names of what is no disk that anybody flashes: memory, optical drives, and what is made of other disks.
const OTHERS: [&str; 8] = ["ram", "zram", "dm-", "md", "sr", "fd", "nbd", "mtdblock"];

/// A disk, and what speaks against writing to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Where it is, in `/dev`.
    pub path: PathBuf,
    /// Its bytes.
    pub size: u64,
    /// Who made it, and what they call it.
    pub model: Option<String>,
    /// What tells it from others of its kind.
    pub serial: Option<String>,
    /// How it is connected: `usb`, `mmc`, `nvme`, `sata`, `virtio`, `loop`.
    pub bus: Option<&'static str>,
    /// Whether it, or what is in it, can be taken out.
    pub removable: bool,
    /// The names of its partitions.
    pub partitions: Vec<String>,
    /// The disk that it is a partition of.
    pub partition_of: Option<String>,
    /// Whether a flash of it was begun and not ended, as far as this user may read it.
    #[serde(rename = "partly_written")]
    pub is_partly_written: bool,
    /// Whether it refuses to be written to.
    #[serde(rename = "read_only")]
    pub is_read_only: bool,
    /// What speaks against writing to it.
    #[serde(rename = "refused")]
    pub obstacle: Option<Obstacle>,
}

/// Whether a block device is a disk that somebody may want to flash.
pub(crate) fn is_disk(node: &Node) -> bool {
    node.parent.is_none() && !OTHERS.iter().any(|other| node.name.starts_with(other))
}

impl Device {
    /// What the kernel says of it, without what speaks against it.
    pub(crate) fn read(node: &Node, nodes: &[Node]) -> Device {
        let folder = &node.folder;
        // What is known of a partition is known of its disk.
        let disk = match node.parent {
            Some(_) => folder.parent().unwrap_or(folder),
            None => folder,
        };
        let number = |file: &str| line(&folder.join(file)).and_then(|text| text.parse::<u64>().ok());
        let of_disk = |file: &str| line(&disk.join(file));
        let bus = bus(disk, &node.name);
        let is_parent = |other: &&Node| other.parent.as_deref() == Some(&node.name);
        let name = of_disk("device/model").or_else(|| of_disk("device/name"));
        let vendor = of_disk("device/vendor").filter(|vendor| !vendor.starts_with("0x") && vendor != "ATA");
        let model = match (vendor, name) {
            (Some(vendor), Some(name)) if !name.starts_with(&vendor) => Some(format!("{vendor} {name}")),
            (vendor, name) => name.or(vendor),
        };
        let is_one = |text: &str| text == "1";
        Device {
            path: node.path(),
            size: number("size").unwrap_or(0).saturating_mul(SECTOR),
            model,
            serial: serial(disk),
            bus,
            removable: matches!(bus, Some("usb"))
                || of_disk("removable").is_some_and(|text| is_one(&text))
                || is_card(disk),
            partitions: nodes
                .iter()
                .filter(is_parent)
                .map(|other| other.name.clone())
                .collect(),
            partition_of: node.parent.clone(),
            is_partly_written: false,
            is_read_only: number("ro") == Some(1),
            obstacle: None,
        }
    }

    /// What people call it: `SanDisk Ultra, serial 4C530001`.
    #[must_use]
    pub fn title(&self) -> String {
        let model = self.model.as_deref().unwrap_or("no model");
        match &self.serial {
            Some(serial) => format!("{model}, serial {serial}"),
            None => format!("{model}, no serial"),
        }
    }
}

/// How a disk is connected, by the folders that the kernel keeps it in.
fn bus(disk: &Path, name: &str) -> Option<&'static str> {
    if name.starts_with("loop") {
        return Some("loop");
    }
    let names: Vec<_> = disk.iter().filter_map(|part| part.to_str()).collect();
    let has = |start: &str| names.iter().any(|name| name.starts_with(start));
    let known = [
        ("usb", "usb"),
        ("mmc", "mmc"),
        ("nvme", "nvme"),
        ("ata", "sata"),
        ("virtio", "virtio"),
    ];
    known
        .into_iter()
        .find(|(start, _)| has(start))
        .map(|(_, bus)| bus)
}

/// Whether a disk on an MMC bus is a card, and not soldered to the board.
fn is_card(disk: &Path) -> bool {
    line(&disk.join("device/type")).is_some_and(|kind| kind == "SD")
}

/// A disk's serial number: its own, or that of the USB device that it is in.
fn serial(disk: &Path) -> Option<String> {
    let own = ["serial", "device/serial", "device/vpd_pg80"];
    let found = own.iter().find_map(|file| line(&disk.join(file)));
    let clean = |text: String| {
        let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
        let text = text.trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    found.and_then(clean).or_else(|| {
        let is_usb = |folder: &&Path| folder.join("idVendor").exists();
        let usb = disk.ancestors().find(is_usb)?;
        line(&usb.join("serial"))
    })
}
