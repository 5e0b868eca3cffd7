//! The keys of a device.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::amount::Amount;

/// What a device has to know of its slots.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Device {
    /// What Linux calls its disk, such as `/dev/mmcblk1`.
    pub disk: String,
    /// What bundles for it say; the bundle's when not given.
    pub compatible: Option<String>,
    /// How partitions are called; by their labels when not given.
    pub partitions_by: Option<PartitionsBy>,
    /// The RAUC on it; the bundle's `target-rauc`, or 1.8, when not given.
    pub target_rauc: Option<String>,
    /// How often a slot is tried; 3 when not given.
    pub attempts: Option<u8>,
    /// The file with the certificates that RAUC trusts.
    pub keyring: String,
    /// The folder where RAUC keeps what it knows of slots.
    pub data_directory: Option<String>,
    /// The file where RAUC keeps that, before 1.8.
    pub status_file: Option<String>,
    /// Where U-Boot and RAUC talk to each other.
    pub environment: DeviceEnvironment,
    /// The classes of slots, by name.
    #[serde(default)]
    pub slot: BTreeMap<String, DeviceSlot>,
    /// The partitions that the first boot makes, in order.
    #[serde(default)]
    pub partition: Vec<DevicePartition>,
    /// What is mounted.
    #[serde(default)]
    pub mount: Vec<DeviceMount>,
    /// How the boot script works.
    #[serde(default)]
    pub boot: DeviceBoot,
    /// More of RAUC's settings, by section and key.
    #[serde(default)]
    pub rauc: BTreeMap<String, BTreeMap<String, String>>,
}

/// How partitions are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionsBy {
    /// `/dev/disk/by-partlabel/boot-a`.
    Label,
    /// `/dev/mmcblk1p1`.
    Number,
}

/// Where the environment with the counters is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeviceEnvironment {
    /// The disk's region that holds it.
    pub region: Option<String>,
    /// What Linux calls another device that holds it, such as `/dev/mtd0`.
    pub device: Option<String>,
    /// Its first byte in the region or on the device; 0 when not given.
    pub offset: Option<Amount>,
    /// The bytes of a copy; all of the region, or half of it for two copies, when not given.
    pub size: Option<Amount>,
    /// Bytes that the other device erases at once.
    pub erase_size: Option<Amount>,
    /// Whether a second copy follows the first.
    #[serde(default)]
    pub redundant: bool,
    /// What is in it beside the counters.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}

/// Slots that hold the same thing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeviceSlot {
    /// The partitions' names, that of the first slot first.
    pub partitions: Vec<String>,
    /// The names by which U-Boot chooses one.
    pub bootnames: Option<Vec<String>>,
    /// The class whose slots these go with.
    pub parent: Option<String>,
    /// What RAUC takes them for; what is in the first partition says it when not given.
    #[serde(rename = "type")]
    pub kind: Option<DeviceSlotType>,
}

/// What RAUC takes a slot for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceSlotType {
    /// Bytes.
    Raw,
    /// A FAT.
    Vfat,
    /// An ext4.
    Ext4,
}

/// A partition that the first boot makes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DevicePartition {
    /// Its name.
    pub name: String,
    /// A partition of the disk whose type and size it has.
    pub like: Option<String>,
    /// Its type: a name or a GUID.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Its size.
    pub size: Option<Amount>,
    /// Its least size: it takes what is left of the disk.
    pub size_min: Option<Amount>,
    /// The file system that is made in it.
    pub format: Option<String>,
}

/// A mount.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeviceMount {
    /// The partition's name.
    pub partition: String,
    /// Where.
    pub at: String,
    /// Its file system.
    pub format: String,
    /// Its options.
    #[serde(default)]
    pub options: Vec<String>,
    /// Whether and when it is checked: 0 never, 1 first, 2 later; 0 when not given.
    #[serde(default)]
    pub pass: u8,
}

/// How the boot script works.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeviceBoot {
    /// What U-Boot calls the disk, such as `mmc 1`; derived from what Linux calls it when not given.
    pub device: Option<String>,
    /// How counters are kept; by `saveenv` when not given.
    pub keep: Option<DeviceKeep>,
    /// Commands that make the disk known, such as `virtio scan`.
    #[serde(default)]
    pub prepare: Vec<String>,
    /// The memory that is used; `${scriptaddr}` when not given.
    pub address: Option<String>,
    /// The script in a slot's file system; `/boot.scr` when not given.
    pub script: Option<String>,
    /// The class whose partition is the root; the only one with a parent when not given.
    pub root: Option<String>,
    /// The bytes of an environment that runs the script as its `bootcmd`.
    pub environment_size: Option<Amount>,
    /// What is in that environment beside the script.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}

/// How the boot script keeps counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKeep {
    /// With U-Boot's own environment, which lies where RAUC reaches it.
    Saveenv,
    /// In a region of the disk, which the script itself reads and writes.
    Region,
}
