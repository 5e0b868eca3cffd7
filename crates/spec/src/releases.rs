//! A release: its keys and the disk become names, transfer files and checksums.

use disk::PartitionType;
use release::boot_count::{self, BootCount};
use release::transfers::SYSTEMD_ZSTD;
use release::{Id, Version, names};
use transport::Options;

use crate::error::{Error, Result};
use crate::expand::expand;
use crate::parts::Planner;
use crate::release_plan::{KEYRING, TRANSFERS};
use crate::schema::{self, Format, Region, ReleaseCompress, Table};
use crate::text::choice;
use crate::{Spec, disks, formats, release_values, root_signatures, slots};

/// What `--only` calls it.
pub(crate) const PART: &str = "release";
/// The oldest systemd whose transfer files are known, and the first that does not exist in a long time.
const SYSTEMD: std::ops::Range<u32> = 252..300;
/// The first systemd-boot that starts the first profile of an image whose name counts boots.
const SYSTEMD_PROFILES: u32 = 261;
/// What stands for the version in a region's label.
const VERSION_VALUE: &str = "{release.version}";
/// And for the id.
const ID_VALUE: &str = "{release.id}";

/// What a release is, out of its keys and the disk.
pub(crate) struct Release<'a> {
    /// What the system is called.
    pub(crate) id: Id,
    /// Its version.
    pub(crate) version: Version,
    /// The partitions that it replaces, in the order of the disk.
    pub(crate) slots: Vec<Slot<'a>>,
    /// The name of the unified kernel image, and of the FAT that has it.
    pub(crate) uki: Option<(&'a str, &'a str)>,
    /// How often it is tried; 0 for no counting.
    pub(crate) tries: u32,
    /// The oldest systemd that looks for it.
    pub(crate) systemd: u32,
    /// How partitions are compressed.
    pub(crate) compress: Option<Options>,
}

/// A partition that a release replaces.
pub(crate) struct Slot<'a> {
    /// Its region, of this version.
    pub(crate) region: &'a Region,
    /// The part that it holds.
    pub(crate) content: &'a str,
    /// What the partition table calls this version's.
    pub(crate) label: String,
    /// The same with `@v` for the version.
    pub(crate) label_pattern: String,
    /// Its type.
    pub(crate) kind: PartitionType,
    /// Whether it is the signature of a root hash.
    pub(crate) is_signature: bool,
    /// Whether its file is compressed, if any is.
    pub(crate) is_compressed: bool,
    /// Whether devices find it by its UUID, which follows from the root hash.
    pub(crate) is_found_by_uuid: bool,
}

impl<'a> Release<'a> {
    /// What the keys say; none when there is no release.
    pub(crate) fn new(planner: &Planner<'a>) -> Result<Option<Release<'a>>> {
        let spec = planner.spec;
        let Some(keys) = &spec.release else {
            return Ok(None);
        };
        let id = id(keys, planner)?;
        let version = version(keys, planner)?;
        let mut slots = Vec::new();
        for region in regions(keys, spec)? {
            slots.push(slot(region, spec, &id, &version)?);
        }
        check_slots(&slots)?;
        let systemd = keys.systemd.unwrap_or(257);
        if !SYSTEMD.contains(&systemd) {
            let problem = format!("{systemd}: must be from {} to {}", SYSTEMD.start, SYSTEMD.end - 1);
            return Err(bad("systemd", problem));
        }
        let release = Release {
            uki: uki(keys, spec)?,
            tries: keys.tries.unwrap_or(3),
            compress: compress(keys, systemd)?,
            id,
            version,
            slots,
            systemd,
        };
        release.check(keys, spec)?;
        Ok(Some(release))
    }

    fn check(&self, keys: &schema::Release, spec: &Spec) -> Result<()> {
        if self.slots.is_empty() && self.uki.is_none() {
            return Err(misfit(
                "partitions",
                "there is nothing to release: no region of the disk holds the data, tree or signature of a [verity.NAME]",
                "name regions in partitions, or an image in uki",
            ));
        }
        let uki = self.uki.and_then(|(name, _)| spec.uki.get(name));
        if self.tries > 0
            && self.systemd < SYSTEMD_PROFILES
            && uki.is_some_and(|uki| !uki.profiles.is_empty())
        {
            return Err(misfit(
                "tries",
                "systemd-boot before 261 starts the second profile of an image whose name counts boots, and this one has profiles",
                "say tries = 0, systemd = 261, or give profiles images of their own",
            ));
        }
        if let Some(url) = &keys.url {
            release_values::check_url(url).map_err(|problem| bad("url", problem))?;
        }
        if let Some(day) = &keys.best_before {
            release_values::check_day(day).map_err(|problem| bad("best-before", problem))?;
        }
        if let Some(sign) = &keys.sign
            && sign.attach.is_some()
            && sign.key.is_some()
        {
            return Err(bad(
                "sign.attach",
                "is a signature that is made already: it and key exclude each other",
            ));
        }
        Ok(())
    }

    /// The slot that a region is, if this release replaces it.
    pub(crate) fn slot(&self, region: &str) -> Option<&Slot<'a>> {
        self.slots.iter().find(|slot| slot.region.name == region)
    }

    /// What the image is called in the ESP: with its boot counter.
    pub(crate) fn uki_file(&self) -> String {
        let count = BootCount {
            left: self.tries,
            done: 0,
        };
        let stem = format!("{}_{}", self.id, self.version);
        boot_count::file(&stem, Some(count).filter(|count| count.left > 0))
    }
}

/// Refuses what makes no sense before anything is made.
pub(crate) fn check(planner: &Planner) -> Result<()> {
    Release::new(planner).map(drop)
}

/// The label of a region that a release replaces.
pub(crate) fn label_of(region: &Region, planner: &Planner) -> Result<Option<String>> {
    let release = Release::new(planner)?;
    Ok(release.and_then(|release| Some(release.slot(&region.name)?.label.clone())))
}

/// A value `{release.…}` that is a text.
pub(crate) fn text(key: &str, place: &str, planner: &Planner) -> Result<String> {
    let Some(release) = Release::new(planner)? else {
        return Err(no_release(place, key));
    };
    match key.strip_prefix("release.") {
        Some("id") => Ok(release.id.to_string()),
        Some("version") => Ok(release.version.to_string()),
        Some("uki") if release.uki.is_some() => Ok(release.uki_file()),
        _ => Err(Error::Unknown {
            place: place.to_owned(),
            what: format!("value {{{key}}}"),
            hint: Some(choice(
                key,
                &[
                    "release.id",
                    "release.version",
                    "release.uki",
                    TRANSFERS,
                    KEYRING,
                    slots::REPART,
                ],
            )),
        }),
    }
}

pub(crate) fn no_release(place: &str, key: &str) -> Error {
    Error::Misfit {
        place: place.to_owned(),
        problem: format!("{{{key}}}: there is no [release]"),
        hint: "add one".into(),
    }
}

fn bad(key: &str, problem: impl Into<String>) -> Error {
    Error::BadValue {
        place: format!("release.{key}"),
        problem: problem.into(),
    }
}

fn misfit(key: &str, problem: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::Misfit {
        place: format!("release.{key}"),
        problem: problem.into(),
        hint: hint.into(),
    }
}

fn id(keys: &schema::Release, planner: &Planner) -> Result<Id> {
    match &keys.id {
        Some(id) => id
            .parse()
            .map_err(|error: release::Error| bad("id", error.to_string())),
        None => planner.gathered.name.parse().map_err(|error: release::Error| {
            misfit(
                "id",
                format!("the specification's name is none: {error}"),
                "say id = \"…\"",
            )
        }),
    }
}

fn version(keys: &schema::Release, planner: &Planner) -> Result<Version> {
    let place = "release.version";
    let text = expand(&keys.version, place, |key| planner.gathered.value(key, place))?;
    text.parse()
        .map_err(|error: release::Error| bad("version", error.to_string()))
}

/// The regions that are replaced, in the order of the disk.
fn regions<'a>(keys: &schema::Release, spec: &'a Spec) -> Result<Vec<&'a Region>> {
    let disk = spec.disk.as_ref();
    if let Some(disk) = disk
        && !matches!(disk.table.unwrap_or(Table::Gpt), Table::Gpt | Table::Hybrid)
    {
        return Err(misfit(
            "partitions",
            "the disk has no GUID partition table, whose labels and types systemd-sysupdate looks for",
            "say disk.table = \"gpt\"",
        ));
    }
    let all = || disk.iter().flat_map(|disk| &disk.region);
    let Some(names) = &keys.partitions else {
        return Ok(all().filter(|region| is_verity(region, spec)).collect());
    };
    for name in names {
        if !all().any(|region| region.name == *name) {
            let known: Vec<&str> = all().map(|region| region.name.as_str()).collect();
            return Err(Error::Unknown {
                place: "release.partitions".into(),
                what: format!("region {name:?} on the disk"),
                hint: Some(choice(name, &known)),
            });
        }
    }
    Ok(all().filter(|region| names.contains(&region.name)).collect())
}

/// Whether a region holds the data, the tree or the signature of a hash tree.
fn is_verity(region: &Region, spec: &Spec) -> bool {
    let content = region.content.as_deref();
    content.is_some_and(|content| {
        is_found_by_uuid(content, spec) || root_signatures::of(spec, content).is_some()
    })
}

/// Whether devices find something by a half of a root hash.
fn is_found_by_uuid(content: &str, spec: &Spec) -> bool {
    let is_tree = |key: &str| spec.verity.contains_key(key);
    content.strip_prefix("verity.").is_some_and(is_tree)
        || spec.verity.values().any(|tree| tree.data == content)
}

fn slot<'a>(region: &'a Region, spec: &Spec, id: &Id, version: &Version) -> Result<Slot<'a>> {
    let place = |key: &str| format!("disk.region {:?}.{key}", region.name);
    let in_region = |key: &str, problem: String| Error::BadValue {
        place: place(key),
        problem,
    };
    if !names::is_region(&region.name) {
        let problem = format!(
            "{:?}: names of files are made of it, in which a dot could be one of the version: letters, digits, _ and - only",
            region.name
        );
        return Err(in_region("name", problem));
    }
    let Some(content) = region.content.as_deref() else {
        return Err(Error::Misfit {
            place: place("content"),
            problem: "a release replaces it, and it holds no part".into(),
            hint: "say content, or take it out of release.partitions".into(),
        });
    };
    let Some(kind) = region.kind.as_deref() else {
        return Err(Error::Misfit {
            place: place("type"),
            problem: "a release replaces it, and it is no partition".into(),
            hint: "say type, or take it out of release.partitions".into(),
        });
    };
    let is_signature = root_signatures::of(spec, content).is_some();
    let is_asked = spec
        .release
        .as_ref()
        .is_some_and(|release| release.compress.is_some());
    let follows = is_signature || slots::tree_size(region, spec).is_some();
    if region.size.is_none() && region.min_size.is_none() && !follows {
        return Err(Error::Misfit {
            place: place("size"),
            problem: "is as large as this version, and the next one may be larger".into(),
            hint: "say size: slots keep theirs for the device's whole life".into(),
        });
    }
    let (label, label_pattern) = label(region, id, version)?;
    Ok(Slot {
        region,
        content,
        label,
        label_pattern,
        kind: disks::partition_type(kind, &place("type"))?,
        is_signature,
        is_compressed: !is_signature && (is_asked || !is_dense(content, spec)),
        is_found_by_uuid: is_found_by_uuid(content, spec) && region.guid.is_none(),
    })
}

/// Whether a part is a file system that is compressed itself, or the hash tree of one.
fn is_dense(content: &str, spec: &Spec) -> bool {
    let tree = content
        .strip_prefix("verity.")
        .and_then(|key| spec.verity.get(key));
    let data = tree.map_or(content, |tree| &tree.data);
    let fs = data.strip_prefix("fs.").and_then(|key| spec.fs.get(key));
    fs.is_some_and(formats::is_dense)
}

/// A slot's label, and how it looks in all versions.
fn label(region: &Region, id: &Id, version: &Version) -> Result<(String, String)> {
    let failed = |error: release::Error| Error::Misfit {
        place: format!("disk.region {:?}.label", region.name),
        problem: error.to_string(),
        hint: format!(
            "shorten it, and say {VERSION_VALUE} once where the version stands; without a label it is \"ID_VERSION\""
        ),
    };
    let said = region.label.as_deref();
    let said = said.map_or_else(
        || format!("{id}_{VERSION_VALUE}"),
        |said| said.replace(ID_VALUE, id.as_str()),
    );
    check_label_characters(&said.replace(VERSION_VALUE, ""), region)?;
    if !said.contains(VERSION_VALUE) {
        let pattern = names::label_pattern(&said, version).map_err(failed)?;
        return Ok((said, pattern));
    }
    let label = said.replace(VERSION_VALUE, version.as_str());
    names::check_label(&label).map_err(failed)?;
    Ok((label, said.replace(VERSION_VALUE, "@v")))
}

/// Patterns stand in transfer files, where some characters mean something.
fn check_label_characters(label: &str, region: &Region) -> Result<()> {
    let fits = |one: char| one.is_ascii_alphanumeric() || "._-+".contains(one);
    match label.chars().find(|one| !fits(*one)) {
        None => Ok(()),
        Some(bad) => Err(Error::BadValue {
            place: format!("disk.region {:?}.label", region.name),
            problem: format!(
                "{bad:?} cannot be in it: transfer files say it, where letters, digits and ._-+ are safe"
            ),
        }),
    }
}

/// systemd-sysupdate finds slots by their types, and versions in them by their labels.
fn check_slots(slots: &[Slot]) -> Result<()> {
    for (number, slot) in slots.iter().enumerate() {
        if let Some(first) = slots[..number]
            .iter()
            .find(|first| first.kind.guid() == slot.kind.guid())
        {
            return Err(Error::Misfit {
                place: format!("disk.region {:?}.type", slot.region.name),
                problem: format!(
                    "is that of {:?}, too: systemd-sysupdate would take each for a slot of the other",
                    first.region.name
                ),
                hint: "give each its own type, or leave one out of release.partitions".into(),
            });
        }
    }
    Ok(())
}

/// The image that starts a version, and the FAT that has it.
pub(crate) fn uki<'a>(keys: &'a schema::Release, spec: &'a Spec) -> Result<Option<(&'a str, &'a str)>> {
    let Some(name) = &keys.uki else {
        return match &keys.esp {
            None => Ok(None),
            Some(_) => Err(bad("esp", "means nothing without uki")),
        };
    };
    let Some(uki) = spec.uki.get(name) else {
        let known: Vec<&String> = spec.uki.keys().collect();
        return Err(Error::Unknown {
            place: "release.uki".into(),
            what: format!("[uki.{name}]"),
            hint: Some(choice(name, &known)),
        });
    };
    if uki.addon {
        return Err(bad(
            "uki",
            format!("uki.{name} is an addon, which starts nothing"),
        ));
    }
    Ok(Some((name, esp(keys, spec)?)))
}

/// The name of the FAT that firmware looks into.
fn esp<'a>(keys: &'a schema::Release, spec: &'a Spec) -> Result<&'a str> {
    let fat = |key: &str| spec.fs.get(key).is_some_and(|fs| fs.format == Format::Fat);
    if let Some(name) = &keys.esp {
        return match name.strip_prefix("fs.") {
            Some(key) if fat(key) => Ok(key),
            Some(key) if spec.fs.contains_key(key) => Err(bad("esp", format!("{name} is no FAT"))),
            _ => Err(disks::no_part("release.esp", name, spec)),
        };
    }
    let regions = spec.disk.iter().flat_map(|disk| &disk.region);
    let esp = regions.filter(|region| {
        let kind = region
            .kind
            .as_deref()
            .and_then(|kind| PartitionType::parse(kind).ok());
        kind.and_then(PartitionType::guid) == PartitionType::parse("esp").ok().and_then(PartitionType::guid)
    });
    let found: Vec<&str> = esp
        .filter_map(|region| region.content.as_deref()?.strip_prefix("fs."))
        .filter(|key| fat(key))
        .collect();
    match found[..] {
        [only] => Ok(only),
        _ => Err(misfit(
            "esp",
            format!("{} regions of the type esp hold a FAT", found.len()),
            "say which FAT has the image: esp = \"fs.NAME\"",
        )),
    }
}

fn compress(keys: &schema::Release, systemd: u32) -> Result<Option<Options>> {
    let compress = keys.compress.unwrap_or(ReleaseCompress::Xz);
    if compress == ReleaseCompress::Zstd && systemd < SYSTEMD_ZSTD {
        return Err(misfit(
            "compress",
            format!(
                "systemd-sysupdate before {SYSTEMD_ZSTD} writes zstd files as they are, and devices have {systemd}: they would not start"
            ),
            format!("say compress = \"xz\", or systemd = {SYSTEMD_ZSTD} if no device has an older one"),
        ));
    }
    let method = match (compress, keys.compress_level) {
        (ReleaseCompress::Xz, _) => transport::Method::Xz,
        (ReleaseCompress::Zstd, _) => transport::Method::Zstd,
        (ReleaseCompress::None, None) => return Ok(None),
        (ReleaseCompress::None, Some(level)) => {
            return Err(bad(
                "compress-level",
                format!("{level}: means nothing without compress"),
            ));
        }
    };
    let options = Options::new(method, keys.compress_level);
    options
        .map(Some)
        .map_err(|error| bad("compress-level", error.to_string()))
}
