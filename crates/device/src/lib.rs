//! What a device has to know of its slots, said once: RAUC, U-Boot, the tools of the running system and the first
//! boot all get their texts from one [`Device`].
//!
//! ```text
//!   the disk as it leaves the factory            made by the first boot
//!  ┌─────────┬──────────┬────────┬──────────┐   ┌────────┬──────────┬──────────────┐
//!  │ loaders │ counters │ boot-a │ rootfs-a │ + │ boot-b │ rootfs-b │ data ...     │
//!  └─────────┴────▲─────┴───▲────┴────▲─────┘   └───▲────┴────▲─────┴──────▲───────┘
//!                 │         └─────────┼─ a class ───┘         │            │
//!                 │                   └──── another class ────┘            │
//!   fw_env.config ┤ system.conf: which partitions are slots, and which     │ fstab
//!        boot.cmd ┘ belong together      repart.d: all of them, in order ──┘
//! ```
//!
//! A *class* of slots holds the same thing several times; one is written while another runs. What boots has
//! *bootnames* (`A`, `B`); the other classes follow it. U-Boot and RAUC talk about them through variables of U-Boot's
//! environment: `BOOT_ORDER` says which to try first, and `BOOT_A_LEFT` how often. The boot script counts down, RAUC
//! counts up again when the system says that it works.
//!
//! * [`system_conf`] is RAUC's configuration, [`fw_env_config`] that of `fw_printenv` and `fw_setenv`.
//! * [`repart`] are the files with which `systemd-repart` makes what is missing at the first boot, and leaves alone
//!   what is there; [`repart_service`] tells it the disk.
//! * [`fstab`] has the lines for mounts.
//! * [`boot_cmd`] chooses a slot, as a script or as one line; [`counters`] is the environment that it begins with, and
//!   [`chooser`] one that runs it.
//!
//! Each of them checks the device first ([`Device::check`]): whatever two of these texts would say differently from
//! each other, or from the disk, is an error with both places and their numbers.

mod boot_cmd;
mod check;
mod environment;
mod error;
mod fstab;
mod rauc;
mod repart;
mod settings;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use disk::PartitionType;

pub use boot_cmd::{Form, boot_cmd};
pub use environment::{chooser, counters, fw_env_config};
pub use error::{Error, Result};
pub use fstab::fstab;
pub use rauc::system_conf;
pub use repart::{Definition, RepartFile, definitions, repart, repart_service};

/// A device: its disk, its slots, and who has to know of them.
#[derive(Clone, Debug)]
pub struct Device {
    /// What bundles for it say too.
    pub compatible: String,
    /// The RAUC on it.
    pub rauc: Version,
    /// Its disk.
    pub disk: Disk,
    /// The partitions, in the order of their numbers: those of the factory's image, and those of the first boot.
    pub partitions: Vec<Partition>,
    /// The classes of slots.
    pub slots: Vec<Class>,
    /// How often a slot is tried, 1 to 9: U-Boot reads hexadecimal digits in one place and decimal ones in another.
    pub attempts: u8,
    /// Where U-Boot and RAUC talk to each other.
    pub environment: Place,
    /// How the boot script does its work.
    pub chooser: Chooser,
    /// The file with the certificates that RAUC trusts.
    pub keyring: String,
    /// Where RAUC keeps what it knows of slots.
    pub status: Status,
    /// More of RAUC's settings, by section and key.
    pub settings: BTreeMap<String, BTreeMap<String, String>>,
    /// What is mounted.
    pub mounts: Vec<Mount>,
}

/// A version of RAUC. One that does not know a key refuses the whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
}

/// The disk that the slots are on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What Linux calls it: `/dev/mmcblk0`.
    pub node: String,
    /// How partitions are called.
    pub by: By,
    /// Bytes of a sector.
    pub sector_size: u64,
    /// Bytes of the factory's image.
    pub size: u64,
    /// What lies on it outside of partitions: loaders, environments.
    pub regions: Vec<Region>,
}

/// How partitions are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// By their names: `/dev/disk/by-partlabel/boot-a`.
    #[default]
    Label,
    /// By the disk and their numbers: `/dev/mmcblk0p1`.
    Number,
}

/// A named part of the disk that is no partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub range: Range<u64>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its name in the table.
    pub name: String,
    /// Its number, from 1.
    pub number: u32,
    /// What it holds.
    pub kind: PartitionType,
    /// How large it is.
    pub size: Size,
    /// Who makes it.
    pub made: Made,
}

/// How large a partition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// This many bytes.
    Exactly(u64),
    /// This many bytes or more: it takes what is left of the disk.
    AtLeast(u64),
}

impl Size {
    /// The least bytes that it has.
    #[must_use]
    pub fn min(self) -> u64 {
        match self {
            Size::Exactly(size) | Size::AtLeast(size) => size,
        }
    }
}

/// Who makes a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// The factory's image has it, from this byte on.
    Factory(u64),
    /// The first boot makes it, and a file system in it when one is named.
    FirstBoot(Option<String>),
}

/// Slots that hold the same thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// What bundles call it.
    pub name: String,
    /// The partitions, that of the first slot first.
    pub partitions: Vec<String>,
    /// What RAUC takes them for.
    pub kind: SlotKind,
    /// What makes a slot of it the one that runs.
    pub role: Role,
    /// The bytes of the image that the factory and bundles write to it, when that is known.
    pub image_len: Option<u64>,
}

/// What RAUC takes a slot for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotKind {
    /// Bytes: SquashFS, EROFS.
    Raw,
    /// A FAT.
    Vfat,
    /// An ext4.
    Ext4,
}

/// What makes a slot the one that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// U-Boot chooses it by these names, one for each slot.
    Boots(Vec<String>),
    /// It goes with the slot of this class that has the same place in the list.
    Follows(String),
}

/// Where an environment is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// On what.
    pub medium: Medium,
    /// Its first byte there.
    pub start: u64,
    /// Its bytes.
    pub size: u64,
    /// The first byte of its second copy.
    pub second: Option<u64>,
}

/// What an environment is stored on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Medium {
    /// The disk, in the region of this name.
    Disk(String),
    /// Another device, which is erased in pieces of this many bytes, when it has to be.
    Other {
        /// What Linux calls it: `/dev/mtd0`.
        node: String,
        /// Bytes that are erased at once.
        erase_size: Option<u64>,
    },
}

/// How the boot script does its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chooser {
    /// What U-Boot calls the disk: `mmc`, `virtio`.
    pub device_type: String,
    /// Its number there.
    pub device_number: u32,
    /// Commands that make the disk known: `virtio scan`.
    pub prepare: Vec<String>,
    /// The memory that is used: `${scriptaddr}`.
    pub address: String,
    /// The script in a slot's file system.
    pub script: String,
    /// The class whose partition the slot's script gets beside its own, as the root.
    pub root: Option<String>,
    /// How counters are kept.
    pub keep: Keep,
}

/// How the boot script keeps counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// As a part of U-Boot's own environment, which lies where RAUC reaches it.
    Saveenv,
    /// In an environment on the disk that is not U-Boot's own: the script reads and writes it.
    Region,
}

/// Where RAUC keeps what it knows of slots. It is never in them: they would no longer have the bytes of their images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// In a folder.
    Directory(String),
    /// In a file, for RAUC before 1.8.
    File(String),
}

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The partition's name.
    pub partition: String,
    /// Where.
    pub at: String,
    /// Its file system: `ext4`.
    pub format: String,
    /// Options; `defaults` when there are none.
    pub options: Vec<String>,
    /// Whether and when it is checked, as fstab counts: 0 never, 1 first, 2 later.
    pub pass: u8,
}

impl Version {
    /// Debian 12's.
    pub const DEBIAN_12: Version = Version { major: 1, minor: 8 };
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Version> {
        let bad = || Error::BadVersion {
            text: text.to_owned(),
        };
        let mut numbers = text.split('.').map(|number| number.parse().map_err(|_| bad()));
        let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else {
            return Err(bad());
        };
        // What comes third only mends mistakes.
        for number in numbers {
            number?;
        }
        Ok(Version {
            major: major?,
            minor: minor?,
        })
    }
}

impl SlotKind {
    /// What RAUC calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SlotKind::Raw => "raw",
            SlotKind::Vfat => "vfat",
            SlotKind::Ext4 => "ext4",
        }
    }
}

impl Partition {
    /// Its bytes on the factory's disk.
    fn range(&self) -> Option<Range<u64>> {
        match self.made {
            Made::Factory(start) => Some(start..start.saturating_add(self.size.min())),
            Made::FirstBoot(_) => None,
        }
    }
}

impl Device {
    /// The partition of a name.
    #[must_use]
    pub fn partition(&self, name: &str) -> Option<&Partition> {
        self.partitions.iter().find(|partition| partition.name == name)
    }

    /// What Linux calls a partition.
    #[must_use]
    pub fn node(&self, partition: &Partition) -> String {
        match self.disk.by {
            By::Label => format!("/dev/disk/by-partlabel/{}", partition.name),
            // A disk whose name ends in a digit needs something between that and the number.
            By::Number if self.disk.node.ends_with(|c: char| c.is_ascii_digit()) => {
                format!("{}p{}", self.disk.node, partition.number)
            }
            By::Number => format!("{}{}", self.disk.node, partition.number),
        }
    }

    /// The class that boots, and its names.
    fn bootable(&self) -> Option<(&Class, &[String])> {
        self.slots.iter().find_map(|class| match &class.role {
            Role::Boots(names) => Some((class, names.as_slice())),
            Role::Follows(_) => None,
        })
    }

    /// The slots by their bootnames: the partition that boots, and that of the root.
    fn choices(&self) -> Vec<(&str, &Partition, Option<&Partition>)> {
        let Some((class, names)) = self.bootable() else {
            return Vec::new();
        };
        let root = self
            .slots
            .iter()
            .find(|class| Some(&class.name) == self.chooser.root.as_ref());
        let choice = |(index, name): (usize, &'_ _)| {
            let of = |class: &Class| self.partition(class.partitions.get(index)?);
            let name: &String = name;
            Some((
                names.iter().find(|other| *other == name)?.as_str(),
                of(class)?,
                root.and_then(of),
            ))
        };
        names.iter().enumerate().filter_map(choice).collect()
    }

    /// The variables by which U-Boot and RAUC know slots, as they are at first.
    #[must_use]
    pub fn first_counters(&self) -> BTreeMap<String, String> {
        let names = self.bootable().map_or(&[][..], |(_, names)| names);
        let mut variables = BTreeMap::from([("BOOT_ORDER".to_owned(), names.join(" "))]);
        variables.extend(
            names
                .iter()
                .map(|name| (counter(name), self.attempts.to_string())),
        );
        variables
    }
}

/// The variable that counts a slot's attempts.
fn counter(bootname: &str) -> String {
    format!("BOOT_{bootname}_LEFT")
}
