//! The parts of a specification: file systems, their hash trees and scripts as contents, each made once.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::sync::OnceLock;

use image::{Content, Progress, Spool};

use crate::bundles::PlannedBundle;
use crate::containers::{self, Contained};
pub use crate::detail::{Detail, Room};
use crate::error::{Error, Result};
use crate::expand::{expand, whole};
use crate::gather::Gathered;
use crate::schema::{FileSystem, Format, Script};
use crate::trees::{self, Values};
use crate::{
    EfiSigner, PlannedRelease, ReleaseSigner, RootSigner, Spec, beside, bills, boots, bundles, devices,
    disks, formats, grub_menu, id, needs, netboot, outputs, release_plan, releases, root_signatures, slots,
    ukis,
};

/// How planning works, none of which changes a byte.
pub struct Work<'a> {
    /// Where relative paths start.
    pub folder: &'a Path,
    /// How compressing file systems are made.
    pub squashing: Squashing<'a>,
    /// How many threads compress.
    pub threads: usize,
    /// Hears how far the work is.
    pub progress: &'a dyn Progress,
    /// Where compressed segments may be, and are kept; without it they are not looked for, and get no names.
    pub segments: Option<cache::Places<'a>>,
    /// What signs root hashes; without it, signature partitions hold zeros.
    pub roots: Option<&'a dyn RootSigner>,
    /// What signs programs that firmware starts.
    pub efi: Option<&'a dyn EfiSigner>,
    /// What signs releases.
    pub release: Option<&'a dyn ReleaseSigner>,
    /// Only these parts, and what they need: `fs.NAME`, `script.NAME`, `verity.NAME`, `verity.NAME.signature`, `disk`,
    /// `bundle`, `release`. All when empty.
    pub only: &'a [String],
}

/// What happens with file systems whose size is known only after compressing.
pub enum Squashing<'a> {
    /// They are compressed into spools on the disk that a folder lies on.
    Spool(&'a Path),
    /// They are not made: a plan shows the most that they can take.
    Estimate,
}

/// Everything that was asked for.
#[derive(Debug)]
pub struct Plan {
    /// The parts that become files, in the order of their names.
    pub parts: Vec<Part>,
    /// The disk, and its output's name.
    pub disk: Option<(disk::Planned, String)>,
    /// Whether regions have sizes that are estimates, so that they and what is behind them lie no farther than here.
    pub disk_is_bound: bool,
    /// Whether the disk itself is an output.
    pub disk_is_output: bool,
    /// What else comes: with the disk, and for a network.
    pub beside: Vec<Beside>,
    /// The disk in containers, which [`contain`](crate::contain) fills.
    pub contained: Vec<Contained>,
    /// The bundle.
    pub bundle: Option<PlannedBundle>,
    /// What is worth a look at how a release starts, and what could not be said in bills of materials.
    pub notes: Vec<String>,
    /// The release.
    pub release: Option<PlannedRelease>,
}

impl Plan {
    /// The release, if nothing in it lacks a signature.
    #[must_use]
    pub fn made_release(&self) -> Option<&PlannedRelease> {
        self.release
            .as_ref()
            .filter(|release| release.unsigned.is_empty())
    }
}

/// An output that comes with the disk, or for a network.
#[derive(Clone, Debug)]
pub struct Beside {
    /// What is in it: `region.NAME`, `disk.partition-list`, `netboot.NAME`, or `sbom.FORMAT`.
    pub part: String,
    /// Its name.
    pub file: String,
    /// Its bytes.
    pub content: Content,
}

/// A file system, a script, a hash tree or its signature.
#[derive(Clone, Debug)]
pub struct Part {
    /// `fs.NAME`, `script.NAME`, `verity.NAME` or `verity.NAME.signature`.
    pub name: String,
    /// Its bytes; only their number counts when it is an estimate.
    pub content: Content,
    /// What it is like.
    pub detail: Detail,
    /// The outputs' names, with what is in them: the part itself, and for a script also its source.
    pub files: Vec<(String, Content)>,
    /// What its data lies in, to become its output.
    pub spool: Option<Spool>,
}

/// What values begin with that are parts.
const HELD: [&str; 6] = [
    "{fs.",
    "{verity.",
    "{uki.",
    "{efi.",
    "{secure-boot.",
    "{release.keyring",
];

/// Finds what is wrong without reading a file's bytes: options, places on the disk, and FATs that do not fit, unless
/// they hold parts whose size is not known yet.
pub(crate) fn check(spec: &Spec, gathered: &Gathered, folder: &Path) -> Result<()> {
    let work = Work {
        folder,
        squashing: Squashing::Estimate,
        threads: 1,
        progress: &image::Silent,
        segments: None,
        roots: None,
        efi: None,
        release: None,
        only: &[],
    };
    let mut planner = Planner::new(spec, gathered, &work);
    if let Some(sbom) = &spec.sbom {
        bills::check(sbom)?;
        bills::version(sbom, gathered)?;
    }
    outputs::check(spec, gathered)?;
    formats::check_options(spec)?;
    if let Some(disk) = &spec.disk {
        containers::check(spec, disk, gathered)?;
        planner.starts = disks::check(disk, &planner)?;
    }
    if let Some(netboot) = &spec.netboot {
        netboot::check(spec, netboot)?;
    }
    if let Some(bundle) = &spec.bundle {
        bundles::check(bundle, &mut planner)?;
    }
    devices::check(&planner)?;
    releases::check(&planner)?;
    slots::check(&planner)?;
    boots::check(&planner)?;
    let holds_parts = |fs: &FileSystem| {
        let sources = fs.files.values().flat_map(|sources| &sources.0);
        let mut texts = sources.chain(fs.text.values());
        texts.any(|text| HELD.iter().any(|part| text.contains(part)))
    };
    for (key, fs) in &spec.fs {
        match fs.format {
            _ if holds_parts(&*planner.with_image(key, fs)?) => {}
            Format::Fat => {
                planner.part(&format!("fs.{key}"))?;
            }
            Format::Btrfs => planner.check_btrfs(key, fs)?,
            Format::Erofs => planner.check_erofs(key, fs)?,
            Format::Squashfs | Format::Ext4 | Format::Swap => {}
        }
    }
    Ok(())
}

/// Plans all parts that were asked for, and the disk. What is wrong with keys was found when the closure was gathered.
///
/// # Errors
/// When anything in the specification does not fit together, or a part cannot be made.
pub fn plan(spec: &Spec, gathered: &Gathered, work: &Work) -> Result<Plan> {
    check_only(spec, work.only)?;
    let mut planner = Planner::new(spec, gathered, work);
    let asked = |name: &str| work.only.is_empty() || work.only.iter().any(|only| only == name);
    let mut names: Vec<String> = Vec::new();
    names.extend(spec.fs.keys().map(|name| format!("fs.{name}")));
    names.extend(spec.script.keys().map(|name| format!("script.{name}")));
    for (name, tree) in &spec.verity {
        names.push(format!("verity.{name}"));
        names.extend(
            tree.signature
                .as_ref()
                .map(|_| format!("verity.{name}.signature")),
        );
    }
    names.extend(spec.uki.keys().map(|name| format!("uki.{name}")));
    names.extend(spec.efi.keys().map(|name| format!("efi.{name}")));
    names.extend(ukis::variables(spec));
    names.extend(devices::names(spec).map(str::to_owned));
    if let Some(disk) = &spec.disk {
        planner.starts = disks::check(disk, &planner)?;
    }
    let mut parts = Vec::new();
    for name in names.iter().filter(|name| asked(name)) {
        parts.push(planner.part(name)?.clone());
    }
    let released = spec.release.as_ref().filter(|_| asked(releases::PART));
    // The slots of a release have the places and UUIDs of the disk's.
    let disk = match &spec.disk {
        Some(disk) if asked("disk") || released.is_some() => Some(disks::plan(disk, &mut planner)?),
        _ => None,
    };
    let mut notes = boots::planned(&mut planner, disk.as_ref())?;
    let release = match released {
        Some(keys) => release_plan::plan(keys, disk.as_ref().map(|(planned, _)| planned), &mut planner)?,
        None => None,
    };
    let disk = disk.filter(|_| asked("disk"));
    let disk_is_bound = disk.is_some() && disks::is_bound(spec, &mut planner)?;
    let mut beside = match (&spec.disk, &disk) {
        (Some(disk), Some((planned, file))) => beside::plan(disk, planned, file, &mut planner)?,
        _ => Vec::new(),
    };
    let contained = match (&spec.disk, &disk) {
        (Some(disk), Some(_)) => containers::named(spec, disk, gathered)?,
        _ => Vec::new(),
    };
    if let Some(netboot) = &spec.netboot
        && asked(netboot::PART)
    {
        beside.extend(netboot::plan(netboot, &mut planner)?);
    }
    if let (Some(sbom), Squashing::Spool(_)) = (&spec.sbom, &work.squashing)
        && asked(bills::PART)
    {
        let (bills, more) = bills::plan(sbom, &mut planner)?;
        beside.extend(bills);
        notes.extend(more);
    }
    let bundle = match &spec.bundle {
        Some(bundle) if asked("bundle") => Some(bundles::plan(bundle, &mut planner)?),
        _ => None,
    };
    debug_assert!(
        planner
            .made
            .keys()
            .all(|part| needs::asks_for(spec, work.only, part))
    );
    Ok(Plan {
        parts,
        disk,
        disk_is_bound,
        disk_is_output: spec.disk.as_ref().is_some_and(|disk| !disk.only_outputs),
        beside,
        contained,
        bundle,
        notes,
        release,
    })
}

/// The tree that a file system would hold: `fs.NAME`. Parts that are files in it are made.
///
/// # Errors
/// When there is no such file system, anything in the specification does not fit together, or the tree cannot be made.
pub fn tree(spec: &Spec, gathered: &Gathered, part: &str, work: &Work) -> Result<image::Tree> {
    check_only(spec, &[part.to_string()])?;
    let Some(key) = part.strip_prefix("fs.") else {
        let (place, problem) = (part.to_string(), "is no file system".to_string());
        return Err(Error::BadValue { place, problem });
    };
    let mut planner = Planner::new(spec, gathered, work);
    planner.guarded(part, |planner| planner.tree(key))
}

pub(crate) struct Planner<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) gathered: &'a Gathered,
    pub(crate) work: &'a Work<'a>,
    made: BTreeMap<String, Part>,
    /// The parts that are being made, each needed by the one before it.
    open: Vec<String>,
    /// Where the disk's regions begin, as far as that is known before parts are made.
    pub(crate) starts: BTreeMap<String, u64>,
    /// The ids of file systems that were asked for.
    ids: BTreeMap<String, String>,
    /// GRUB's core image, made when it is first asked for.
    pub(crate) grub: OnceLock<grub::Core>,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(spec: &'a Spec, gathered: &'a Gathered, work: &'a Work<'a>) -> Planner<'a> {
        Planner {
            spec,
            gathered,
            work,
            made: BTreeMap::new(),
            open: Vec::new(),
            starts: BTreeMap::new(),
            ids: BTreeMap::new(),
            grub: OnceLock::new(),
        }
    }

    /// A part by its name, made when it is first asked for.
    pub(crate) fn part(&mut self, name: &str) -> Result<&Part> {
        if !self.made.contains_key(name) {
            let part = self.guarded(name, |planner| planner.make(name))?;
            self.made.insert(name.to_string(), part);
        }
        self.made.get(name).ok_or_else(|| Error::Circle {
            way: vec![name.to_string()],
        })
    }

    /// Does something that makes a part, and notices when that needs the part itself.
    fn guarded<T>(&mut self, name: &str, make: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if let Some(first) = self.open.iter().position(|open| open == name) {
            let mut way = self.open[first..].to_vec();
            way.push(name.to_string());
            return Err(Error::Circle { way });
        }
        self.open.push(name.to_string());
        let made = make(self);
        self.open.pop();
        made
    }

    fn make(&mut self, name: &str) -> Result<Part> {
        let spec = self.spec;
        if let Some((tree, signature)) = root_signatures::of(spec, name) {
            return self.root_signature(tree, signature);
        }
        match name.split_once('.') {
            Some(("fs", key)) if spec.fs.contains_key(key) => self.file_system(key, &spec.fs[key]),
            Some(("script", key)) if spec.script.contains_key(key) => self.script(key, &spec.script[key]),
            Some(("verity", key)) if spec.verity.contains_key(key) => self.hash_tree(key, &spec.verity[key]),
            Some(("uki", key)) if spec.uki.contains_key(key) => self.uki(key, &spec.uki[key]),
            Some(("efi", key)) if spec.efi.contains_key(key) => self.efi(key, &spec.efi[key]),
            Some(("secure-boot", _)) => match (ukis::variable(name), &spec.secure_boot) {
                (Some(variable), Some(secure_boot)) => self.enroll(variable, secure_boot),
                _ => Err(disks::no_part("this specification", name, spec)),
            },
            Some(("device", _)) => match &spec.device {
                Some(device) => self.device_part(name, device),
                None => Err(disks::no_part("this specification", name, spec)),
            },
            _ => Err(disks::no_part("this specification", name, spec)),
        }
    }

    pub(crate) fn tree(&mut self, key: &str) -> Result<image::Tree> {
        let (spec, gathered, folder) = (self.spec, self.gathered, self.work.folder);
        let fs = self.with_image(key, &spec.fs[key])?;
        trees::tree(key, &fs, gathered, folder, self)
    }

    fn script(&mut self, key: &str, script: &Script) -> Result<Part> {
        let part = format!("script.{key}");
        let failed = |source| Error::Script {
            part: part.clone(),
            source,
        };
        let unreadable = |source| Error::Tree {
            part: part.clone(),
            source,
        };
        let source = match script.source.to_str().and_then(whole) {
            Some(key) => Values::part(self, key, &format!("{part}.source"))?,
            None => None,
        };
        let source = match source {
            Some(content) => Ok(content),
            None => Content::host_file(self.work.folder.join(&script.source)),
        };
        let source = source.and_then(|content| content.to_vec()).map_err(unreadable)?;
        let mut values = BTreeMap::new();
        for (name, value) in &script.substitute {
            let place = format!("{part}.substitute.{name}");
            values.insert(name.clone(), expand(value, &place, |key| self.text(key, &place))?);
        }
        let source = uboot::substitute(&source, &values).map_err(failed)?;
        let arch = uboot::Arch::from_str(&script.arch).map_err(failed)?;
        let options = uboot::ScriptOptions {
            arch,
            time: script.time.unwrap_or(0),
            name: String::new(),
        };
        let content = Content::from(uboot::script(&source, &options).map_err(failed)?);
        let (file, readable) = outputs::script(key, script);
        let files = vec![(file, content.clone()), (readable, Content::from(source))];
        Ok(Part {
            name: part,
            content,
            detail: Detail::Script { arch: arch.name() },
            files,
            spool: None,
        })
    }
}

impl Values for Planner<'_> {
    fn text(&mut self, key: &str, place: &str) -> Result<String> {
        if key.starts_with("verity.") {
            return self.hash_tree_value(key, place);
        }
        if key.starts_with("device.") {
            disks::check_part(place, key, self.spec)?;
            let bytes = Planner::part(self, key)?.content.to_vec()?;
            return String::from_utf8(bytes).map_err(|_| Error::BadValue {
                place: place.to_string(),
                problem: format!("{{{key}}} is no text"),
            });
        }
        if key.starts_with("release.") {
            return releases::text(key, place, self);
        }
        let fs = key.strip_prefix("fs.").and_then(|key| key.split_once('.'));
        match fs {
            Some((name, "id")) if self.spec.fs.contains_key(name) => {
                if let Some(id) = self.ids.get(name) {
                    return Ok(id.clone());
                }
                let tree = self.guarded(&format!("fs.{name}"), |planner| planner.tree(name))?;
                let id = id::tree_id(&tree, self.gathered)?;
                self.ids.insert(name.to_string(), id.clone());
                Ok(id)
            }
            Some((name, "roothash")) if self.spec.fs.contains_key(name) => {
                self.root_hash(&format!("fs.{name}"), place)
            }
            Some((name, _)) if !self.spec.fs.contains_key(name) => {
                Err(disks::no_part(place, &format!("fs.{name}"), self.spec))
            }
            Some((name, _)) => {
                let what = format!("value {{{key}}}");
                let hint = Some(format!("a file system has {{fs.{name}.id}}"));
                Err(Error::Unknown {
                    place: place.to_string(),
                    what,
                    hint,
                })
            }
            None => self.gathered.value(key, place),
        }
    }

    fn search(&self, part: &str, fs: &FileSystem) -> Result<grub::menu::Search> {
        grub_menu::search(part, fs, &grub_menu::folder(fs.grub.as_ref()), self)
    }

    fn folder(&mut self, key: &str, place: &str) -> Result<Option<image::Tree>> {
        match key {
            devices::REPART => self.repart().map(Some),
            release_plan::TRANSFERS => self.transfers().map(Some),
            slots::REPART => self.slots_repart(place).map(Some),
            _ => Ok(None),
        }
    }

    fn part(&mut self, key: &str, place: &str) -> Result<Option<Content>> {
        if key == release_plan::KEYRING {
            return self.keyring(place).map(Some);
        }
        let is_part = match key.split_once('.') {
            Some(("fs" | "verity" | "uki" | "efi", name)) => !name.contains('.'),
            Some(("script" | "device" | "secure-boot", _)) => true,
            _ => false,
        };
        let is_part = is_part || root_signatures::of(self.spec, key).is_some();
        if is_part {
            disks::check_part(place, key, self.spec)?;
            Planner::part(self, key).map(|part| Some(part.content.clone()))
        } else {
            Ok(None)
        }
    }
}

/// Refuses parts that do not exist.
///
/// # Errors
/// When one does not.
pub fn check_only(spec: &Spec, only: &[String]) -> Result<()> {
    for name in only {
        match name.as_str() {
            "disk" if spec.disk.is_some() => {}
            netboot::PART if spec.netboot.is_some() => {}
            bills::PART if spec.sbom.is_some() => {}
            "bundle" if spec.bundle.is_some() => {}
            releases::PART if spec.release.is_some() => {}
            name => disks::check_part("--only", name, spec)?,
        }
    }
    Ok(())
}
