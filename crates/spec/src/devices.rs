//! The device of a specification: its keys and the disk become texts for RAUC, U-Boot and the first boot.

use std::path::PathBuf;

use device::{
    By, Chooser, Class, Device, Form, Keep, Made, Medium, Mount, Partition, Place, Region, Role, Size,
    SlotKind, Status, Version,
};
use disk::{Kind, MapEntry, PartitionType, TypeId};
use image::{Content, Node, Tree};
use uboot::EnvironmentOptions;

use crate::error::{Error, Result};
use crate::parts::{Detail, Part, Planner};
use crate::schema::{self, DeviceKeep, DeviceSlotType, Format, PartitionsBy};
use crate::{Spec, disks};

/// What a device gives, and the outputs' names behind that of the specification.
const TEXTS: &[(&str, &str)] = &[
    ("device.boot-cmd", "boot.cmd"),
    ("device.boot-line", "boot-line.txt"),
    ("device.chooser", "chooser.env"),
    ("device.environment", "uboot.env"),
    ("device.fstab", "fstab"),
    ("device.fw-env", "fw_env.config"),
    ("device.repart-service", "systemd-repart.service.conf"),
    ("device.system-conf", "system.conf"),
];

/// The part that is a folder.
pub(crate) const REPART: &str = "device.repart";

/// The names of all parts that a specification's device has; each of them is a file.
pub(crate) fn names(spec: &Spec) -> impl Iterator<Item = &'static str> {
    let device = spec.device.as_ref();
    let chooser = device.is_some_and(|device| device.boot.environment_size.is_some());
    let names = TEXTS.iter().map(|(name, _)| *name);
    names.filter(move |name| device.is_some() && (chooser || *name != "device.chooser"))
}

/// The names of the outputs of a part.
pub(crate) fn output(name: &str, specification: &str) -> Option<String> {
    let found = TEXTS.iter().find(|(known, _)| *known == name);
    found.map(|(_, ending)| format!("{specification}.{ending}"))
}

/// The bytes of a part whose size follows from the keys alone.
pub(crate) fn size(name: &str, spec: &Spec, sector_size: u64) -> Option<u64> {
    let device = spec.device.as_ref()?;
    let size = match name {
        "device.environment" => device.environment.size?,
        "device.chooser" => device.boot.environment_size?,
        _ => return None,
    };
    Some(size.bytes(sector_size))
}

/// Refuses what makes no sense before anything is made.
pub(crate) fn check(planner: &Planner) -> Result<()> {
    let Some(keys) = &planner.spec.device else {
        return Ok(());
    };
    let device = device(keys, planner)?;
    device.check().map_err(failed)?;
    let Some(bundle) = &planner.spec.bundle else {
        return Ok(());
    };
    if device.compatible != bundle.compatible {
        return Err(Error::BadValue {
            place: "device.compatible".into(),
            problem: format!(
                "is {:?}, that of the bundle is {:?}",
                device.compatible, bundle.compatible
            ),
        });
    }
    for (slot, image) in &bundle.image {
        let name = slot.split('.').next().unwrap_or_default();
        let place = format!("bundle.image.{slot}");
        let Some(class) = device.slots.iter().find(|class| class.name == name) else {
            let known: Vec<&str> = device.slots.iter().map(|class| class.name.as_str()).collect();
            return Err(Error::Unknown {
                place,
                what: format!("class of slots {name:?} on the device"),
                hint: Some(format!("there are: {}", known.join(", "))),
            });
        };
        let first = class.partitions.first().map(String::as_str).unwrap_or_default();
        let raw = |raw: &Option<PathBuf>| raw.as_ref().map(|file| file.display().to_string());
        let content = image.content.clone().or_else(|| raw(&image.raw));
        let factory = region(first, planner.spec);
        let factory = factory.and_then(|region| region.content.clone().or_else(|| raw(&region.raw)));
        if let (Some(factory), Some(content)) = (factory, content)
            && factory != content
        {
            return Err(Error::BadValue {
                place: format!("{place}.content"),
                problem: format!("is {content}, the factory's {first} holds {factory}"),
            });
        }
    }
    Ok(())
}

fn failed(source: device::Error) -> Error {
    Error::Device {
        source: Box::new(source),
    }
}

fn bad(key: &str, problem: impl Into<String>) -> Error {
    Error::BadValue {
        place: format!("device.{key}"),
        problem: problem.into(),
    }
}

/// The region of a name.
fn region<'a>(name: &str, spec: &'a Spec) -> Option<&'a schema::Region> {
    let mut regions = spec.disk.iter().flat_map(|disk| &disk.region);
    regions.find(|known| known.name == name)
}

/// The part that is the content of a region.
fn content_of<'a>(name: &str, spec: &'a Spec) -> Option<&'a String> {
    region(name, spec)?.content.as_ref()
}

impl Planner<'_> {
    /// A part of the device.
    pub(crate) fn device_part(&self, name: &str, keys: &schema::Device) -> Result<Part> {
        let device = device(keys, self)?;
        let text = |text: device::Result<String>| text.map(String::into_bytes);
        let bytes = match name {
            "device.boot-cmd" => text(device::boot_cmd(&device, Form::Script)),
            "device.boot-line" => text(device::boot_cmd(&device, Form::Line)),
            "device.chooser" => {
                let size = size(name, self.spec, self.sector_size()).unwrap_or(0);
                device::chooser(&device, &keys.boot.variables, &EnvironmentOptions::new(size))
            }
            "device.environment" => device::counters(&device, &keys.environment.variables).map(|copy| {
                // Both copies are in the region.
                let copies = 1 + usize::from(device.environment.second.is_some());
                copy.repeat(copies)
            }),
            "device.fstab" => text(device::fstab(&device)),
            "device.fw-env" => text(device::fw_env_config(&device)),
            "device.repart-service" => text(device::repart_service(&device)),
            "device.system-conf" => text(device::system_conf(&device)),
            _ => return Err(disks::no_part("this specification", name, self.spec)),
        };
        let content = Content::from(bytes.map_err(failed)?);
        let file = output(name, &self.gathered.name);
        Ok(Part {
            name: name.to_string(),
            files: file.into_iter().map(|file| (file, content.clone())).collect(),
            content,
            detail: Detail::Device,
            spool: None,
        })
    }

    /// The files of `repart.d`, as a folder.
    pub(crate) fn repart(&self) -> Result<Tree> {
        let keys = self.spec.device.as_ref();
        let keys = keys.ok_or_else(|| disks::no_part("this specification", REPART, self.spec))?;
        let mut tree = Tree::default();
        for file in device::repart(&device(keys, self)?).map_err(failed)? {
            let path = format!("/{}", file.name);
            tree.add_at(path.as_bytes(), Node::file(file.text.into_bytes()))?;
        }
        Ok(tree)
    }
}

/// The device with everything that follows from the disk.
fn device(keys: &schema::Device, planner: &Planner) -> Result<Device> {
    let spec = planner.spec;
    let disk = spec.disk.as_ref().ok_or_else(|| bad("disk", "needs a [disk]"))?;
    let planned = disks::layout(disk, planner)?.ok_or_else(|| {
        let problem = "needs a disk whose regions have sizes: give each region, or its file system, a size";
        bad("disk", problem)
    })?;
    let bundle = spec.bundle.as_ref();
    let compatible = keys
        .compatible
        .clone()
        .or_else(|| Some(bundle?.compatible.clone()));
    let rauc = keys.target_rauc.as_ref().or_else(|| bundle?.target_rauc.as_ref());
    let partitions = partitions(keys, &planned.map, planner)?;
    let slots = keys.slot.iter().map(|(name, slot)| class(name, slot, spec));
    let slots = slots.collect::<Result<Vec<Class>>>()?;
    let mounts = keys.mount.iter().map(|mount| Mount {
        partition: mount.partition.clone(),
        at: mount.at.clone(),
        format: mount.format.clone(),
        options: mount.options.clone(),
        pass: mount.pass,
    });
    Ok(Device {
        compatible: compatible.ok_or_else(|| {
            bad(
                "compatible",
                "is missing, and there is no [bundle] to take it from",
            )
        })?,
        rauc: rauc
            .map_or(Ok(Version::DEBIAN_12), |text| text.parse())
            .map_err(failed)?,
        environment: environment(keys, &planned.map, planner.sector_size())?,
        chooser: chooser(keys, &slots)?,
        disk: device::Disk {
            node: keys.disk.clone(),
            by: match keys.partitions_by {
                None | Some(PartitionsBy::Label) => By::Label,
                Some(PartitionsBy::Number) => By::Number,
            },
            sector_size: planned.sector_size.bytes(),
            size: planned.image.size(),
            regions: regions(&planned.map),
        },
        partitions,
        slots,
        attempts: keys.attempts.unwrap_or(3),
        keyring: keys.keyring.clone(),
        status: match (&keys.data_directory, &keys.status_file) {
            (Some(path), None) => Status::Directory(path.clone()),
            (None, Some(path)) => Status::File(path.clone()),
            _ => return Err(bad("data-directory", "give either data-directory or status-file")),
        },
        settings: keys.rauc.clone(),
        mounts: mounts.collect(),
    })
}

fn regions(map: &[MapEntry]) -> Vec<Region> {
    let raw = map.iter().filter(|entry| entry.kind == Kind::Raw);
    raw.map(|entry| Region {
        name: entry.name.clone(),
        range: entry.start..entry.end,
    })
    .collect()
}

/// The partitions of the disk in the order of their numbers, and those of the first boot behind them.
fn partitions(keys: &schema::Device, map: &[MapEntry], planner: &Planner) -> Result<Vec<Partition>> {
    if let Some(labelled) = map.iter().find(|entry| entry.label.is_some()) {
        let problem = "has a label, and devices know partitions by their names; leave it out".to_string();
        return Err(Error::BadValue {
            place: format!("disk.region {:?}", labelled.name),
            problem,
        });
    }
    let made = map.iter().filter_map(|entry| {
        let partition = entry.partition?;
        let kind = match partition.kind {
            TypeId::Guid(guid) => {
                disk::type_of_guid(guid).map_or(PartitionType::Guid(guid), PartitionType::Named)
            }
            TypeId::Mbr(number) => PartitionType::Mbr(number),
        };
        Some(Partition {
            name: entry.name.clone(),
            number: partition.number,
            kind,
            size: Size::Exactly(entry.size()),
            made: Made::Factory(entry.start),
        })
    });
    let mut partitions: Vec<Partition> = made.filter(|partition| partition.number > 0).collect();
    partitions.sort_by_key(|partition| partition.number);
    for partition in &keys.partition {
        let place = format!("partition {:?}", partition.name);
        let like = match &partition.like {
            None => None,
            Some(name) => Some(
                partitions
                    .iter()
                    .find(|known| known.name == *name)
                    .ok_or_else(|| {
                        bad(
                            &format!("{place}.like"),
                            format!("{name:?}: there is no such partition before it"),
                        )
                    })?,
            ),
        };
        let kind = match (&partition.kind, like) {
            (Some(kind), None) => disks::partition_type(kind, &format!("device.{place}.type"))?,
            (None, Some(like)) => like.kind,
            _ => return Err(bad(&place, "give either type or like")),
        };
        let bytes = |amount: crate::Amount| amount.bytes(planner.sector_size());
        let size = match (partition.size, partition.size_min, like) {
            (Some(size), None, None) => Size::Exactly(bytes(size)),
            (None, Some(size), None) => Size::AtLeast(bytes(size)),
            (None, None, Some(like)) => like.size,
            _ => return Err(bad(&place, "give one of size, size-min and like")),
        };
        let number = partitions.last().map_or(0, |last| last.number) + 1;
        partitions.push(Partition {
            name: partition.name.clone(),
            number,
            kind,
            size,
            made: Made::FirstBoot(partition.format.clone()),
        });
    }
    Ok(partitions)
}

fn class(name: &str, slot: &schema::DeviceSlot, spec: &Spec) -> Result<Class> {
    let place = format!("slot.{name}");
    let role = match (&slot.bootnames, &slot.parent) {
        (Some(names), None) => Role::Boots(names.clone()),
        (None, Some(parent)) => Role::Follows(parent.clone()),
        _ => return Err(bad(&place, "give either bootnames or parent")),
    };
    let first = slot.partitions.first().map(String::as_str).unwrap_or_default();
    let content = content_of(first, spec).and_then(|content| content.strip_prefix("fs."));
    let format = content.and_then(|key| spec.fs.get(key)).map(|fs| fs.format);
    let kind = match (slot.kind, format) {
        (Some(DeviceSlotType::Raw), _) | (None, Some(Format::Squashfs | Format::Btrfs | Format::Erofs)) => {
            SlotKind::Raw
        }
        (Some(DeviceSlotType::Vfat), _) | (None, Some(Format::Fat)) => SlotKind::Vfat,
        (Some(DeviceSlotType::Ext4), _) | (None, Some(Format::Ext4)) => SlotKind::Ext4,
        (None, None | Some(Format::Swap)) => {
            let problem =
                format!("say raw, vfat or ext4: partition {first:?} holds no file system that says it");
            return Err(bad(&format!("{place}.type"), problem));
        }
    };
    Ok(Class {
        name: name.to_string(),
        partitions: slot.partitions.clone(),
        kind,
        role,
        // The disk's plan knows whether it fits.
        image_len: None,
    })
}

fn environment(keys: &schema::Device, map: &[MapEntry], sector_size: u64) -> Result<Place> {
    let keys = &keys.environment;
    let bytes = |amount: crate::Amount| amount.bytes(sector_size);
    let offset = keys.offset.map_or(0, bytes);
    let missing = || bad("environment.size", "is missing");
    let (medium, start, size) = match (&keys.region, &keys.device) {
        (Some(name), None) => {
            let region = map
                .iter()
                .find(|entry| entry.kind == Kind::Raw && entry.name == *name);
            let region = region.ok_or_else(|| Error::Unknown {
                place: "device.environment.region".into(),
                what: format!("region {name:?} outside of partitions"),
                hint: None,
            })?;
            let room = region.size().saturating_sub(offset);
            let size = keys.size.map_or(room / if keys.redundant { 2 } else { 1 }, bytes);
            (
                Medium::Disk(name.clone()),
                region.start.saturating_add(offset),
                size,
            )
        }
        (None, Some(node)) => {
            let medium = Medium::Other {
                node: node.clone(),
                erase_size: keys.erase_size.map(bytes),
            };
            (medium, offset, keys.size.map(bytes).ok_or_else(missing)?)
        }
        _ => return Err(bad("environment", "give either region or device")),
    };
    Ok(Place {
        medium,
        start,
        size,
        second: keys.redundant.then(|| start.saturating_add(size)),
    })
}

fn chooser(keys: &schema::Device, slots: &[Class]) -> Result<Chooser> {
    let boot = &keys.boot;
    let (device_type, device_number) = u_boot_device(keys)?;
    let mut following = slots
        .iter()
        .filter(|class| matches!(class.role, Role::Follows(_)));
    let root = match (&boot.root, following.next(), following.next()) {
        (Some(root), ..) => Some(root.clone()),
        (None, Some(only), None) => Some(only.name.clone()),
        (None, None, _) => None,
        (None, Some(one), Some(other)) => {
            let problem = format!("say which one is the root: {} or {}", one.name, other.name);
            return Err(bad("boot.root", problem));
        }
    };
    Ok(Chooser {
        device_type,
        device_number,
        prepare: boot.prepare.clone(),
        address: boot.address.clone().unwrap_or_else(|| "${scriptaddr}".into()),
        script: boot.script.clone().unwrap_or_else(|| "/boot.scr".into()),
        root,
        keep: match boot.keep {
            None | Some(DeviceKeep::Saveenv) => Keep::Saveenv,
            Some(DeviceKeep::Region) => Keep::Region,
        },
    })
}

/// What U-Boot calls the disk: as it is said, or `mmc 1` for `/dev/mmcblk1`, and `virtio 0` for `/dev/vda`.
fn u_boot_device(keys: &schema::Device) -> Result<(String, u32)> {
    if let Some(text) = &keys.boot.device {
        let mut words = text.split(' ');
        return match (words.next(), words.next().map(str::parse), words.next()) {
            (Some(kind), Some(Ok(number)), None) => Ok((kind.to_string(), number)),
            _ => Err(bad(
                "boot.device",
                format!("{text:?}: must be a type and a number, such as \"mmc 1\""),
            )),
        };
    }
    if let Some(Ok(number)) = keys.disk.strip_prefix("/dev/mmcblk").map(str::parse) {
        return Ok(("mmc".into(), number));
    }
    let letter = keys.disk.strip_prefix("/dev/vd").map(str::as_bytes);
    if let Some([letter @ b'a'..=b'z']) = letter {
        return Ok(("virtio".into(), u32::from(letter - b'a')));
    }
    let problem = format!("say what U-Boot calls {}, such as \"mmc 1\"", keys.disk);
    Err(bad("boot.device", problem))
}
