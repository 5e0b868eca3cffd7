//! Second slots: partitions that are empty until an update writes a version into them, on the disk or made by the first
//! boot.

use std::borrow::Cow;
use std::collections::btree_map::Entry;

use device::{Definition, Size};
use disk::PartitionType;
use image::{Content, Node, Tree};

use crate::error::{Error, Result};
use crate::parts::Planner;
use crate::releases::{self, Release, Slot};
use crate::schema::{DevicePartition, Disk, FileSystem, Region, Sources};
use crate::text::choice;
use crate::{Spec, boots, disks, hash_trees, root_signatures};

/// The part that is a folder.
pub(crate) const REPART: &str = "release.repart";
/// What the table calls a slot that no version is in: systemd-sysupdate looks for it.
pub(crate) const EMPTY: &str = "_empty";
/// What systemd-repart rounds sizes to.
const GRAIN: u64 = 4096;

/// The region whose second slot another one is.
pub(crate) fn first<'a>(region: &Region, disk: &'a Disk) -> Result<Option<&'a Region>> {
    let Some(name) = &region.slot_of else {
        return Ok(None);
    };
    let place = format!("disk.region {:?}", region.name);
    let others = [
        ("raw", region.raw.is_some()),
        ("content", region.content.is_some()),
        ("type", region.kind.is_some()),
        ("size", region.size.is_some()),
        ("min-size", region.min_size.is_some()),
        ("label", region.label.is_some()),
        ("mbr-type", region.mbr_type.is_some()),
    ];
    if let Some((key, _)) = others.iter().find(|(_, given)| *given) {
        return Err(Error::BadValue {
            place: format!("{place}.{key}"),
            problem: format!("slot-of says it: it is empty, and like {name:?}"),
        });
    }
    let known: Vec<&Region> = disk
        .region
        .iter()
        .filter(|known| known.slot_of.is_none() && known.kind.is_some())
        .collect();
    let found = known.iter().find(|known| known.name == *name).copied();
    found.map(Some).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|known| known.name.as_str()).collect();
        Error::Unknown {
            place: format!("{place}.slot-of"),
            what: format!("partition {name:?}"),
            hint: Some(choice(name, &names)),
        }
    })
}

/// Gives second slots the sizes of the first ones, as far as these are known.
pub(crate) fn size(disk: &Disk, lowered: &mut [disk::Region]) {
    for number in 0..lowered.len() {
        let Some(name) = disk.region.get(number).and_then(|region| region.slot_of.as_ref()) else {
            continue;
        };
        let first = lowered.iter().find(|first| first.name == *name);
        let size = first.and_then(|first| {
            let content = first.content.as_ref().map(Content::len);
            first.size.or(content)
        });
        lowered[number].size = size;
    }
}

/// The size of a region that follows from another's: that of the tree of a slot's data, whatever version fills it.
pub(crate) fn tree_size(region: &Region, spec: &Spec) -> Option<u64> {
    if spec.release.is_none() || region.size.is_some() || region.min_size.is_some() {
        return None;
    }
    let key = region.content.as_deref()?.strip_prefix("verity.")?;
    let data = &spec.verity.get(key)?.data;
    let disk = spec.disk.as_ref()?;
    let regions = &disk.region;
    let data = regions
        .iter()
        .find(|known| known.content.as_ref() == Some(data))?;
    let size = data.size?.bytes(disk.sector_size.unwrap_or(512).into());
    hash_trees::size(size).checked_next_multiple_of(GRAIN)
}

/// Finds partitions that would be taken for slots, and are none.
pub(crate) fn check(planner: &Planner) -> Result<()> {
    let Some(release) = Release::new(planner)? else {
        return Ok(());
    };
    check_first_boot(planner, &release)?;
    let Some(disk) = &planner.spec.disk else {
        return Ok(());
    };
    for region in &disk.region {
        let is_own = |slot: &Slot| {
            region.name == slot.region.name || region.slot_of.as_ref() == Some(&slot.region.name)
        };
        let kind = region
            .kind
            .as_deref()
            .and_then(|kind| PartitionType::parse(kind).ok());
        let guid = kind.and_then(PartitionType::guid);
        let alike = release
            .slots
            .iter()
            .find(|slot| guid.is_some() && slot.kind.guid() == guid && !release.slots.iter().any(is_own));
        if let Some(slot) = alike {
            return Err(Error::Misfit {
                place: format!("disk.region {:?}.type", region.name),
                problem: format!(
                    "is that of {:?}, which releases replace: devices would take it for a slot of that",
                    slot.region.name
                ),
                hint: format!(
                    "say slot-of = {:?} in place of its keys for a second slot; or give it another type",
                    slot.region.name
                ),
            });
        }
    }
    Ok(())
}

/// Finds what the first boot could not make.
fn check_first_boot(planner: &Planner, release: &Release) -> Result<()> {
    let regions = planner.spec.disk.iter().flat_map(|disk| &disk.region);
    let mut names: Vec<String> = regions.map(|region| region.name.clone()).collect();
    names.extend(release.slots.iter().map(|slot| second(&slot.region.name)));
    let keys = planner
        .spec
        .release
        .iter()
        .flat_map(|release| &release.first_boot);
    for partition in keys {
        let definition = planner.first_boot(partition, release)?;
        if names.contains(&definition.name) {
            return Err(Error::BadValue {
                place: format!("release.first-boot {:?}", partition.name),
                problem: "another partition has this name".into(),
            });
        }
        names.push(definition.name);
    }
    Ok(())
}

/// What a second slot is called that is not on the disk.
fn second(slot: &str) -> String {
    format!("{slot}-b")
}

impl<'a> Planner<'a> {
    /// A file system with what it gets without being told: the image that starts a release, in the FAT that has it.
    pub(crate) fn with_image(&self, key: &str, fs: &'a FileSystem) -> Result<Cow<'a, FileSystem>> {
        let Some(release) = Release::new(self)? else {
            return Ok(Cow::Borrowed(fs));
        };
        let Some((uki, _)) = release.uki.filter(|(_, esp)| *esp == key) else {
            return Ok(Cow::Borrowed(fs));
        };
        let path = format!("{}/{}", boots::IMAGES, release.uki_file());
        let mut fs = fs.clone();
        match fs.files.entry(path) {
            Entry::Vacant(free) => free.insert(Sources(vec![format!("{{uki.{uki}}}")])),
            Entry::Occupied(taken) => {
                return Err(Error::Misfit {
                    place: format!("fs.{key}.files.{:?}", taken.key()),
                    problem: "is the image of the release, which comes by itself (release.uki)".into(),
                    hint: "leave it out".into(),
                });
            }
        };
        Ok(Cow::Owned(fs))
    }

    /// The files of `repart.d` for the slots of a release, as a folder.
    pub(crate) fn slots_repart(&self, place: &str) -> Result<Tree> {
        let release = Release::new(self)?.ok_or_else(|| releases::no_release(place, REPART))?;
        let regions = self.spec.disk.iter().flat_map(|disk| &disk.region);
        let regions: Vec<&Region> = regions.collect();
        let mut list = Vec::new();
        for slot in &release.slots {
            let size = Size::Exactly(self.slot_size(slot)?);
            let definition = |name: String, label: Option<&str>| Definition {
                name,
                kind: slot.kind,
                label: label.map(str::to_owned),
                size,
                format: None,
            };
            list.push(definition(slot.region.name.clone(), None));
            let own = Some(&slot.region.name);
            let mut seconds = regions
                .iter()
                .filter(|region| region.slot_of.as_ref() == own)
                .map(|region| region.name.clone())
                .collect::<Vec<_>>();
            if seconds.is_empty() {
                seconds.push(second(&slot.region.name));
            }
            list.extend(seconds.into_iter().map(|name| definition(name, Some(EMPTY))));
        }
        let keys = self.spec.release.iter().flat_map(|release| &release.first_boot);
        for partition in keys {
            list.push(self.first_boot(partition, &release)?);
        }
        let mut tree = Tree::default();
        for file in device::definitions(&list) {
            let path = format!("/{}", file.name);
            tree.add_at(path.as_bytes(), Node::file(file.text.into_bytes()))?;
        }
        Ok(tree)
    }

    /// The bytes of a slot, which are in the text of its own content and so have to follow from keys.
    fn slot_size(&self, slot: &Slot) -> Result<u64> {
        let said = slot.region.size.map(|size| size.bytes(self.sector_size()));
        let signature = root_signatures::of(self.spec, slot.content).map(|_| verity::SIGNATURE_SIZE);
        let size = said.or_else(|| tree_size(slot.region, self.spec)).or(signature);
        let size = size.ok_or_else(|| Error::Misfit {
            place: format!("disk.region {:?}.size", slot.region.name),
            problem: format!("{{{REPART}}} says it to devices, and it is not known before the disk is made"),
            hint: "say size in place of min-size".into(),
        })?;
        if size % GRAIN == 0 {
            return Ok(size);
        }
        Err(Error::BadValue {
            place: format!("disk.region {:?}.size", slot.region.name),
            problem: format!(
                "{size} bytes: systemd-repart makes slots of multiples of {GRAIN}, so its second slot would be smaller"
            ),
        })
    }

    /// A partition that the first boot makes besides the slots.
    fn first_boot(&self, partition: &DevicePartition, release: &Release) -> Result<Definition> {
        let place = format!("release.first-boot {:?}", partition.name);
        let bad = |problem: &str| Error::BadValue {
            place: place.clone(),
            problem: problem.into(),
        };
        let kind = match (&partition.kind, &partition.like) {
            (Some(kind), None) => disks::partition_type(kind, &format!("{place}.type"))?,
            (_, Some(_)) => {
                return Err(bad(
                    "like: second slots are made without being asked for; say type",
                ));
            }
            (None, None) => return Err(bad("has no type, such as \"var\"")),
        };
        if kind.guid().is_none() || release.slots.iter().any(|slot| slot.kind.guid() == kind.guid()) {
            return Err(bad(
                "its type is that of a slot, or none of a GUID partition table",
            ));
        }
        let bytes = |amount: crate::Amount| amount.bytes(self.sector_size());
        let size = match (partition.size, partition.size_min) {
            (Some(size), None) => Size::Exactly(bytes(size)),
            (None, Some(size)) => Size::AtLeast(bytes(size)),
            _ => return Err(bad("give either size or size-min")),
        };
        let definition = Definition {
            name: partition.name.clone(),
            kind,
            label: Some(partition.name.clone()),
            size,
            format: partition.format.clone(),
        };
        definition.check().map_err(|error| bad(&error.to_string()))?;
        Ok(definition)
    }
}
