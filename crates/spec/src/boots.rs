//! What a machine starts from its disk has to find what it was told of: command lines ask for root hashes, whose halves
//! are the GUIDs of the partitions with the data and the hash tree.
//!
//! ```text
//!  FAT ── /EFI/Linux/….efi ── .cmdline: roothash=6ad1…c2  ──►  root-x86-64         GUID 6ad1…
//!      └─ /loader/entries/….conf: options                 └─►  root-x86-64-verity  GUID …c2
//! ```

use std::collections::BTreeSet;

use disk::PartUuid;
use image::{Kind, Tree, show};
use release::boot_count;
use uuid::Uuid;

use crate::Spec;
use crate::discoverable;
use crate::error::{Error, Result};
use crate::expand::{expand, whole};
use crate::parts::{Detail, Planner, Squashing};
use crate::releases::Release;
use crate::schema::{FileSystem, Region, Uki};
use crate::trees::Values;
use crate::ukis::USUAL_CMDLINE;

/// The folder in which boot loaders look for images.
pub(crate) const IMAGES: &str = "/EFI/Linux";
/// The folder in which they look for entries.
const ENTRIES: &str = "/loader/entries/";
/// How many images an update has beside each other: the one that runs, and the one that it writes.
const IMAGES_AT_ONCE: u64 = 2;

/// What a kernel is told.
struct Told {
    /// Where the specification says it.
    place: String,
    text: String,
}

/// A root hash that a kernel is told.
struct Asked<'a> {
    place: &'a str,
    /// `roothash` or `usrhash`.
    key: &'a str,
    /// The mount that it is for: `root` or `usr`.
    mount: &'a str,
    value: &'a str,
    /// Whether the partitions of data and tree are found by it.
    finds: [bool; 2],
}

impl Told {
    fn words(&self) -> impl Iterator<Item = &str> {
        self.text.split_ascii_whitespace()
    }

    /// The root hashes in it. What names a device needs none to find it.
    fn asked(&self) -> Vec<Asked<'_>> {
        let mut asked = Vec::new();
        for (key, mount) in [("roothash", "root"), ("usrhash", "usr")] {
            let names = |what: &str| {
                let start = format!("systemd.verity_{mount}_{what}=");
                self.words().any(|word| word.starts_with(&start))
            };
            let finds = [!names("data"), !names("hash")];
            let values = self
                .words()
                .filter_map(|word| word.strip_prefix(key)?.strip_prefix('='));
            asked.extend(values.map(|value| Asked {
                place: &self.place,
                key,
                mount,
                value,
                finds,
            }));
        }
        asked
    }
}

impl Asked<'_> {
    fn misfit(&self, problem: &str, hint: String) -> Error {
        Error::Misfit {
            place: self.place.to_owned(),
            problem: format!("{}={}: {problem}", self.key, self.value),
            hint,
        }
    }

    /// The tree whose root hash it is, where a value says it.
    fn tree<'s>(&self, spec: &'s Spec) -> Option<&'s str> {
        let part = whole(self.value)?.strip_suffix(".roothash")?;
        let mut trees = spec.verity.iter();
        let of_part = match part.strip_prefix("verity.") {
            Some(name) => trees.find(|(key, _)| *key == name),
            None => trees.find(|(_, tree)| tree.data == part),
        };
        of_part.map(|(key, _)| key.as_str())
    }

    /// Checks that the disk has data and tree, and for this mount.
    fn check(&self, tree: &str, spec: &Spec) -> Result<()> {
        let Some(verity) = spec.verity.get(tree) else {
            return Ok(());
        };
        let regions: Vec<&Region> = spec.disk.iter().flat_map(|disk| &disk.region).collect();
        let tree = format!("verity.{tree}");
        for (part, finds) in [(&verity.data, self.finds[0]), (&tree, self.finds[1])] {
            if !finds {
                continue;
            }
            let mut found = regions
                .iter()
                .filter(|region| region.kind.is_some() && region.content.as_ref() == Some(part));
            let Some(first) = found.next() else {
                return Err(self.misfit(
                    &format!("no partition of the disk has {part}, which it is found in"),
                    format!(
                        "add a region with content = {part:?} and a type, or take {} out",
                        self.key
                    ),
                ));
            };
            let other = discoverable::mount(first).filter(|mount| *mount != self.mount);
            if let Some(other) = other {
                let right = if other == "usr" { "usrhash" } else { "roothash" };
                return Err(self.misfit(
                    &format!(
                        "the partition {:?} with {part} is for /{}",
                        first.name,
                        if other == "usr" { "usr" } else { "" }
                    ),
                    format!(
                        "say {right}= in place of {}=, or another type for the partition",
                        self.key
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// Finds what is wrong before anything is made.
pub(crate) fn check(planner: &Planner) -> Result<()> {
    let spec = planner.spec;
    for told in told(planner)? {
        for asked in told.asked() {
            if let Some(tree) = asked.tree(spec) {
                asked.check(tree, spec)?;
            }
        }
    }
    let release = Release::new(planner)?;
    let esp = release.and_then(|release| Some(release.uki?.1));
    if let Some(name) = esp
        && let Some(fs) = spec.fs.get(name)
        && fs.size.is_none()
        && fs.free.is_none()
    {
        return Err(Error::Misfit {
            place: format!("fs.{name}.size"),
            problem: "is as small as possible, and an update writes a second image beside the first".into(),
            hint: "say size, or free: the bytes of an image and more, because the next one may be larger"
                .into(),
        });
    }
    Ok(())
}

/// Checks a disk that is planned, if one is, and says what is worth a look.
pub(crate) fn planned(planner: &mut Planner, disk: Option<&(disk::Planned, String)>) -> Result<Vec<String>> {
    let Some((planned, _)) = disk else {
        return Ok(Vec::new());
    };
    check_planned(planner, planned)?;
    notes(planner)
}

/// Finds what is wrong with a disk that is planned: where the answer is in bytes.
fn check_planned(planner: &mut Planner, planned: &disk::Planned) -> Result<()> {
    if matches!(planner.work.squashing, Squashing::Estimate) {
        return Ok(());
    }
    let guids: BTreeSet<Uuid> = planned
        .map
        .iter()
        .filter_map(|entry| match entry.partition?.partuuid {
            PartUuid::Guid(guid) => Some(guid),
            PartUuid::Mbr { .. } => None,
        })
        .collect();
    for mut told in told(planner)? {
        let place = told.place.clone();
        told.text = expand(&told.text, &place, |key| Values::text(planner, key, &place))?;
        for asked in told.asked() {
            let Some(root) = root_hash(asked.value) else {
                continue;
            };
            let (data, tree) = verity::partition_uuids(&root);
            let halves = [(data, "data", "first"), (tree, "hash tree", "second")];
            for ((guid, what, half), finds) in halves.into_iter().zip(asked.finds) {
                if finds && !guids.contains(&guid) {
                    return Err(asked.misfit(
                        &format!(
                            "its {what} is found by the {half} half as a partition's GUID, {guid}, and no partition of \
                             the disk has that"
                        ),
                        hint_of(planner, &root, half)?,
                    ));
                }
            }
        }
    }
    check_room(planner)
}

/// What to do about a root hash that no partition has.
fn hint_of(planner: &mut Planner, root: &[u8; 32], half: &str) -> Result<String> {
    let spec = planner.spec;
    for (key, tree) in &spec.verity {
        let name = format!("verity.{key}");
        if planner.root(&name)? != Some(*root) {
            continue;
        }
        let part = if half == "first" { &tree.data } else { &name };
        let mut regions = spec.disk.iter().flat_map(|disk| &disk.region);
        let region = regions.find(|region| region.content.as_ref() == Some(part));
        if let Some(region) = region {
            return Ok(format!(
                "the region {:?} has {part}: leave its guid out, so that it follows from the root hash",
                region.name
            ));
        }
    }
    Ok("say {fs.NAME.roothash} of a file system that is on the disk with its hash tree".into())
}

/// Checks that an update can write a second image beside the first.
fn check_room(planner: &mut Planner) -> Result<()> {
    let Some((uki, esp)) = Release::new(planner)?.and_then(|release| release.uki) else {
        return Ok(());
    };
    let (uki, esp) = (format!("uki.{uki}"), format!("fs.{esp}"));
    let len = planner.part(&uki)?.content.len();
    let part = planner.part(&esp)?;
    let Detail::Fat { usage, .. } = &part.detail else {
        return Ok(());
    };
    let more = len.next_multiple_of(usage.cluster_size.into()) * (IMAGES_AT_ONCE - 1);
    if usage.free >= more {
        return Ok(());
    }
    let missing = more - usage.free;
    let mib = (part.content.len() + missing).div_ceil(1 << 20) + 1;
    Err(Error::Misfit {
        place: format!("{esp}.size"),
        problem: format!(
            "{} bytes are free beside {uki}, which has {len}, and an update writes a second one before it takes the \
             first away: {missing} bytes are missing",
            usage.free
        ),
        hint: format!("say size = \"{mib}MiB\" or more, because the next one may be larger"),
    })
}

/// What is worth a look at how a release starts.
fn notes(planner: &mut Planner) -> Result<Vec<String>> {
    let Some(release) = Release::new(planner)? else {
        return Ok(Vec::new());
    };
    let Some((name, _)) = release.uki.filter(|_| release.tries > 0) else {
        return Ok(Vec::new());
    };
    let Some(uki) = planner.spec.uki.get(name) else {
        return Ok(Vec::new());
    };
    let place = format!("uki.{name}.cmdline");
    let text = uki.cmdline.as_deref().unwrap_or(USUAL_CMDLINE);
    let text = expand(text, &place, |key| Values::text(planner, key, &place))?;
    let told = Told { place, text };
    let missing: Vec<String> = told
        .asked()
        .iter()
        .flat_map(|asked| missing(&told, asked))
        .collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![format!(
        "{}: lacks {}: a version whose partition is damaged waits in the initrd for ever, and is never counted as failed \
         ({} tries)",
        told.place,
        missing.join(" and "),
        release.tries
    )])
}

/// What lets a machine with damaged partitions try the next version.
fn missing(told: &Told, asked: &Asked) -> Vec<String> {
    let options = format!("systemd.verity_{}_options=", asked.mount);
    let said = |option: &str| {
        let mut words = told.words().filter_map(|word| word.strip_prefix(&options));
        words.any(|said| said.split(',').any(|one| one == option))
    };
    // That restarts without a panic.
    if said("restart-on-corruption") {
        return Vec::new();
    }
    let mut missing = Vec::new();
    if !said("panic-on-corruption") {
        missing.push(format!("{options}panic-on-corruption"));
    }
    if !told.words().any(|word| word.starts_with("panic=")) {
        missing.push("panic=10".to_owned());
    }
    missing
}

/// Refuses a FAT with two images of one version: boot loaders and systemd-sysupdate count them as one.
pub(crate) fn check_images(part: &str, tree: &Tree) -> Result<()> {
    let Some(folder) = tree.lookup(IMAGES.as_bytes()) else {
        return Ok(());
    };
    let mut seen: Vec<(String, String)> = Vec::new();
    for (name, id) in tree.children(folder) {
        let Kind::File(_) = tree.node(id).kind else {
            continue;
        };
        let name = show(name);
        let Some(version) = version(&name) else { continue };
        if let Some((_, first)) = seen.iter().find(|(known, _)| *known == version) {
            return Err(Error::Misfit {
                place: part.to_owned(),
                problem: format!(
                    "{IMAGES}/{first} and {IMAGES}/{name} are the same version, {version:?}: what stands behind + counts boots"
                ),
                hint: "give one of them another version, or take it out; [release] puts its own image there"
                    .into(),
            });
        }
        seen.push((version, name));
    }
    Ok(())
}

/// What an image is called without its boot counter, as FAT compares names: `kilnos_1` of `kilnos_1+3-0.efi`.
fn version(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    boot_count::read(&name).map(|(stem, _)| stem.to_owned())
}

/// A root hash, as it is written.
fn root_hash(text: &str) -> Option<[u8; 32]> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
    bytes.try_into().ok()
}

/// What is told to kernels that start from a FAT of the disk.
fn told(planner: &Planner) -> Result<Vec<Told>> {
    let spec = planner.spec;
    let release = Release::new(planner)?.and_then(|release| release.uki);
    let mut all = Vec::new();
    let regions = spec.disk.iter().flat_map(|disk| &disk.region);
    let keys: BTreeSet<&str> = regions
        .filter_map(|region| region.content.as_deref()?.strip_prefix("fs."))
        .collect();
    let systems = spec.fs.iter().filter(|(key, _)| keys.contains(key.as_str()));
    for (key, fs) in systems {
        all.extend(entries(key, fs));
        let sources = fs.files.values().flat_map(|sources| &sources.0);
        let mut ukis: BTreeSet<&str> = sources
            .filter_map(|source| whole(source)?.strip_prefix("uki."))
            .collect();
        ukis.extend(release.filter(|(_, esp)| esp == key).map(|(uki, _)| uki));
        for name in ukis {
            all.extend(
                spec.uki
                    .get(name)
                    .into_iter()
                    .flat_map(|uki| command_lines(name, uki)),
            );
        }
    }
    Ok(all)
}

/// What an image tells the kernel, in each of its profiles.
fn command_lines(name: &str, uki: &Uki) -> Vec<Told> {
    let own = match &uki.cmdline {
        Some(text) => Some(text.as_str()),
        None => (!uki.addon).then_some(USUAL_CMDLINE),
    };
    let base = own.map(|text| (format!("uki.{name}.cmdline"), text));
    let profiles = uki.profiles.iter().enumerate().filter_map(|(number, profile)| {
        let text = profile.cmdline.as_deref()?;
        Some((format!("uki.{name}.profiles[{number}].cmdline"), text))
    });
    base.into_iter()
        .chain(profiles)
        .map(|(place, text)| Told {
            place,
            text: text.to_owned(),
        })
        .collect()
}

/// The entries of a boot loader that a FAT has as texts.
fn entries(key: &str, fs: &FileSystem) -> Vec<Told> {
    let files = fs.text.iter().filter(|(path, _)| {
        path.starts_with(ENTRIES) && path.rsplit('.').next().is_some_and(|ending| ending == "conf")
    });
    let options = files.map(|(path, text)| {
        let lines = text.lines().filter_map(|line| {
            let (word, options) = line.trim_start().split_once(char::is_whitespace)?;
            (word == "options").then_some(options)
        });
        Told {
            place: format!("fs.{key}.text.{path:?}"),
            text: lines.collect::<Vec<_>>().join(" "),
        }
    });
    options.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_no_counters() {
        for name in ["x_1.efi", "x_1+3.efi", "x_1+3-0.EFI", "X_1+0-12.efi"] {
            assert_eq!(version(name).as_deref(), Some("x_1"), "{name}");
        }
        assert_eq!(version("x+a.efi").as_deref(), Some("x+a"));
        assert_eq!(version("x_1+3-0.addon"), None);
    }

    #[test]
    fn root_hashes_are_asked_for_by_mount() {
        let told = Told {
            place: "here".into(),
            text:
                "quiet roothash={fs.root.roothash} usrhash=ab systemd.verity_usr_data=/dev/vda2 xroothash=1"
                    .into(),
        };
        let asked = told.asked();
        assert_eq!(
            asked
                .iter()
                .map(|asked| (asked.mount, asked.value, asked.finds))
                .collect::<Vec<_>>(),
            [
                ("root", "{fs.root.roothash}", [true, true]),
                ("usr", "ab", [false, true])
            ]
        );
    }
}
