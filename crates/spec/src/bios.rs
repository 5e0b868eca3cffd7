//! Boot loaders for machines with a BIOS, in the gap behind an MBR or in a partition of the type bios-boot.

use disk::{PartitionType, SectorSize};
use image::Content;

use crate::error::{Error, Result};
use crate::parts::Planner;
use crate::schema::{Compressor, Disk, FileSystem, Format, Grub, Limine, Profile};
use crate::{disks, formats, grub_menu};

/// A boot loader among the disk's regions.
pub(crate) struct Placed {
    loader: Loader,
    /// The region that it is in.
    region: String,
}

/// What a BIOS runs, and what that leads to, which has its length before it has its place.
enum Loader {
    Grub(grub::Core),
    Limine(limine::Stage),
}

impl Loader {
    /// The first stage and what follows, when that lies in one piece from a byte on.
    fn at(&self, start: u64) -> (Vec<u8>, Vec<u8>) {
        match self {
            Loader::Grub(core) => {
                let installed = core.at(start / SECTOR_LEN);
                (installed.boot_code.to_vec(), installed.core)
            }
            Loader::Limine(stage) => (stage.at(start).to_vec(), stage.second().to_vec()),
        }
    }

    /// The region in the gap behind an MBR.
    fn name(&self) -> &'static str {
        match self {
            Loader::Grub(_) => "grub",
            Loader::Limine(_) => "limine",
        }
    }

    /// What errors call what follows the first stage.
    fn what(&self) -> &'static str {
        match self {
            Loader::Grub(_) => "GRUB's core image",
            Loader::Limine(_) => "Limine's second stage",
        }
    }
}

/// The bytes of a sector, behind which the gap of an MBR begins.
const SECTOR_LEN: u64 = grub::SECTOR_LEN as u64;
/// The size of a partition for it when nobody says one, as partitioners advise.
const PARTITION_SIZE: u64 = 1 << 20;
const PARTITION_TYPE: &str = "bios-boot";

/// What is always in: the firmware's disks, and the commands of menus.
const MODULES: [&str; 14] = [
    "biosdisk",
    "normal",
    "search",
    "linux",
    "configfile",
    "test",
    "echo",
    "loadenv",
    "serial",
    "terminal",
    "minicmd",
    "ls",
    "halt",
    "reboot",
];

/// Puts a boot loader among the regions, which have their sizes as far as they are known, and its first stage before
/// them. Neither knows yet where the other lies.
pub(crate) fn add(
    disk: &Disk,
    options: &mut disk::Options,
    regions: &mut Vec<disk::Region>,
    planner: &Planner,
) -> Result<Option<Placed>> {
    let place = match (&disk.grub, &disk.limine) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(Error::BadValue {
                place: "disk".into(),
                problem: "grub and limine exclude each other: a BIOS runs one of them".into(),
            });
        }
        (Some(_), None) => "disk.grub",
        (None, Some(_)) => "disk.limine",
    };
    let bad = |problem: &str| Error::BadValue {
        place: place.into(),
        problem: problem.into(),
    };
    if options.sector_size != SectorSize::B512 {
        return Err(bad(
            "a BIOS counts sectors of 512 bytes, and disk.sector-size is 4096",
        ));
    }
    if options.boot_code.is_some() {
        return Err(bad("disk.boot-code is what a BIOS runs, and so would this be"));
    }
    let tables: &[&str] = match options.table {
        disk::Table::None => return Err(bad("needs a table: \"gpt\", \"mbr\" or \"hybrid\"")),
        disk::Table::Mbr(_) => &["part_msdos"],
        disk::Table::Gpt(_) => &["part_gpt"],
        disk::Table::Hybrid(..) => &["part_gpt", "part_msdos"],
    };
    let loader = match (&disk.grub, &disk.limine) {
        (Some(keys), _) => Loader::Grub(core(keys, tables, planner)?),
        (None, Some(keys)) => Loader::Limine(stage(keys, planner)?),
        (None, None) => return Ok(None),
    };
    let (boot_code, rest) = loader.at(0);
    options.boot_code = Some(Content::from(boot_code));
    let region = if matches!(options.table, disk::Table::Mbr(_)) {
        gap(&loader, rest, regions)
    } else {
        partition(&loader, rest, regions)
    };
    let region = region.map_err(|problem| bad(&problem))?;
    Ok(Some(Placed { loader, region }))
}

/// The disk, with a boot loader that knows where it lies.
pub(crate) fn plan(
    placed: Option<&Placed>,
    mut options: disk::Options,
    mut regions: Vec<disk::Region>,
) -> Result<disk::Planned> {
    let planned = disk::plan(&options, &regions)?;
    let Some(Placed { loader, region }) = placed else {
        return Ok(planned);
    };
    let place = planned.map.iter().find(|entry| entry.name == *region);
    let (boot_code, rest) = loader.at(place.map_or(0, |entry| entry.start));
    options.boot_code = Some(Content::from(boot_code));
    if let Some(region) = regions.iter_mut().find(|one| one.name == *region) {
        region.content = Some(Content::from(rest));
    }
    Ok(disk::plan(&options, &regions)?)
}

/// Adds a region behind an MBR, where there is room for it as far as regions say where they are. Answers its name; the
/// problem is a text.
fn gap(loader: &Loader, rest: Vec<u8>, regions: &mut Vec<disk::Region>) -> Result<String, String> {
    let len = rest.len() as u64;
    let end = SECTOR_LEN + len;
    let first = regions
        .iter()
        .filter_map(|region| Some((region.place?, &region.name)))
        .min();
    if let Some((start, name)) = first.filter(|(start, _)| *start < end) {
        return Err(format!(
            "{} has {len} bytes, and region {name:?} at {start} leaves it {}: {} too few",
            loader.what(),
            start.saturating_sub(SECTOR_LEN),
            end - start.max(SECTOR_LEN),
        ));
    }
    let name = loader.name().to_string();
    let region = disk::Region {
        name: name.clone(),
        place: Some(SECTOR_LEN),
        size: None,
        content: Some(Content::from(rest)),
        partition: None,
    };
    regions.insert(0, region);
    Ok(name)
}

/// Fills the partition for it. Answers its name; the problem is a text.
fn partition(loader: &Loader, rest: Vec<u8>, regions: &mut [disk::Region]) -> Result<String, String> {
    let wanted = PartitionType::parse(PARTITION_TYPE).ok();
    let fits = |region: &&mut disk::Region| {
        let partition = region.partition.as_ref();
        partition.is_some_and(|partition| Some(partition.kind) == wanted)
    };
    let region = regions
        .iter_mut()
        .find(fits)
        .ok_or("needs a region of the type \"bios-boot\", for a GPT leaves no gap before partitions")?;
    let (name, len) = (region.name.clone(), rest.len() as u64);
    if region.content.is_some() {
        return Err(format!(
            "region {name:?} has a content, and {} belongs there",
            loader.what()
        ));
    }
    if let Some(size) = region.size.filter(|size| *size < len) {
        return Err(format!(
            "{} has {len} bytes, and region {name:?} has {size}: {} too few",
            loader.what(),
            len - size
        ));
    }
    region.content = Some(Content::from(rest));
    region.size.get_or_insert(PARTITION_SIZE);
    Ok(name)
}

/// Limine's first two stages.
fn stage(keys: &Limine, planner: &Planner) -> Result<limine::Stage> {
    let stage = limine::Stage::read(&planner.work.folder.join(&keys.from));
    stage.map_err(|source| Error::Limine { source })
}

/// GRUB's core image, which is made once.
fn core(keys: &Grub, tables: &[&str], planner: &Planner) -> Result<grub::Core> {
    if let Some(core) = planner.grub.get() {
        return Ok(core.clone());
    }
    let made = core_image(keys, tables, planner)?;
    Ok(planner.grub.get_or_init(|| made).clone())
}

/// The core image for a root, which GRUB has to be able to read.
fn core_image(keys: &Grub, tables: &[&str], planner: &Planner) -> Result<grub::Core> {
    let (key, fs) = root(keys, planner)?;
    let part = format!("fs.{key}");
    let prefix = match (&keys.prefix, &fs.grub) {
        (Some(prefix), _) => grub_menu::absolute(prefix),
        (None, menu) => grub_menu::folder(menu.as_ref()),
    };
    let mut modules: Vec<String> = MODULES.iter().chain(tables).map(ToString::to_string).collect();
    modules.extend(readers(&part, fs)?.iter().map(ToString::to_string));
    modules.extend(keys.modules.iter().cloned());
    let search = grub_menu::search(&part, fs, &prefix, planner)?;
    let mut config = format!(
        "{}\nset prefix=($root){}\n{}",
        search.embedded("root"),
        grub::menu::word(&prefix),
        keys.config
    );
    if !config.ends_with('\n') {
        config.push('\n');
    }
    let options = grub::Options {
        modules,
        config: Some(config),
        prefix,
    };
    let folder = grub::Folder::new(planner.work.folder.join(&keys.from));
    grub::core(&folder, &options).map_err(|source| Error::Grub {
        part: "disk.grub".into(),
        source,
    })
}

/// The file system that GRUB's folder is in.
fn root<'a>(keys: &Grub, planner: &'a Planner) -> Result<(&'a str, &'a FileSystem)> {
    let place = "disk.grub.root".to_string();
    let systems = &planner.spec.fs;
    if let Some(name) = &keys.root {
        disks::check_part(&place, name, planner.spec)?;
        let key = name.strip_prefix("fs.").unwrap_or_default();
        let found = systems.get_key_value(key);
        return found
            .map(|(key, fs)| (key.as_str(), fs))
            .ok_or_else(|| Error::BadValue {
                place,
                problem: format!("{name} is no file system"),
            });
    }
    let mut with_menu = systems.iter().filter(|(_, fs)| fs.grub.is_some());
    match (with_menu.next(), with_menu.next()) {
        (Some((key, fs)), None) => Ok((key, fs)),
        (first, _) => Err(Error::BadValue {
            place,
            problem: match first {
                None => "is missing, and no file system has a menu (grub = {})".into(),
                Some(_) => "is missing, and several file systems have a menu (grub)".into(),
            },
        }),
    }
}

/// The modules that read a file system.
fn readers(part: &str, fs: &FileSystem) -> Result<&'static [&'static str]> {
    let cannot = |what: &str, instead: &str| Error::BadValue {
        place: "disk.grub.root".into(),
        problem: format!("{part} is {what}, which GRUB cannot read: {instead}"),
    };
    let boot = "a FAT or an ext4 can have the kernels and the menu (grub = { at = \"/\" })";
    Ok(match (fs.format, fs.compression, fs.profile) {
        (Format::Fat, ..) => &["fat"],
        (Format::Ext4, ..) => &["ext2"],
        (Format::Btrfs, _, Some(Profile::Modern)) => {
            return Err(cannot(
                "a btrfs of the profile modern",
                "say profile = \"portable\"",
            ));
        }
        // GRUB before 2.04 has a module btrfs, and none that unpacks zstd.
        (Format::Btrfs, Some(Compressor::Zstd), _) => &["btrfs", "zstd"],
        (Format::Btrfs, ..) => &["btrfs"],
        (Format::Squashfs, None | Some(Compressor::Zstd), _) => {
            let instead = format!("{boot}; or say compression = \"xz\" or \"gzip\"");
            return Err(cannot("a squashfs compressed with zstd", &instead));
        }
        (Format::Squashfs, ..) => &["squash4"],
        (Format::Erofs, ..) => return Err(cannot("an erofs", boot)),
        (Format::Swap, ..) => return Err(cannot("a swap area", boot)),
    })
}

impl Planner<'_> {
    /// How GRUB finds a file system, which has an id before it is made.
    pub(crate) fn fs_id(&self, part: &str, fs: &FileSystem) -> Result<Option<String>> {
        let (seed, sector_size) = (self.gathered.seed, self.sector_size());
        Ok(match fs.format {
            Format::Ext4 => Some(
                formats::ext4_options(part, fs, sector_size, seed)?
                    .uuid
                    .to_string(),
            ),
            Format::Btrfs => {
                let options = formats::btrfs_options(part, fs, None, sector_size, seed)?;
                Some(options.uuid.to_string())
            }
            Format::Fat => {
                let derived = seed.part(part).number("volume id");
                let id = formats::fat_options(part, fs, sector_size, 0, derived)?.volume_id;
                Some(format!("{:04X}-{:04X}", id >> 16, id & 0xffff))
            }
            Format::Squashfs | Format::Erofs | Format::Swap => None,
        })
    }
}
