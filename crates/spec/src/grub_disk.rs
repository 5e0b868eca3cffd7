//! GRUB on the disk: a core image of its files, in the gap behind an MBR or in a partition of the type bios-boot.

use disk::{PartitionType, SectorSize};
use image::Content;

use crate::error::{Error, Result};
use crate::parts::Planner;
use crate::schema::{Compressor, Disk, FileSystem, Format, Grub, Profile};
use crate::{disks, formats, grub_menu};

/// A core image among the disk's regions.
pub(crate) struct Core {
    core: grub::Core,
    /// The region that it is in.
    region: String,
}

/// The name of the region in the gap behind an MBR.
const GAP_NAME: &str = "grub";
/// Where that begins: behind the table's sector.
const GAP_START: u64 = grub::SECTOR_LEN as u64;
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

/// Puts GRUB's core image among the regions, which have their sizes as far as they are known, and its first stage before
/// them. Neither knows yet where the core lies.
pub(crate) fn add(
    disk: &Disk,
    options: &mut disk::Options,
    regions: &mut Vec<disk::Region>,
    planner: &Planner,
) -> Result<Option<Core>> {
    let Some(keys) = &disk.grub else { return Ok(None) };
    let bad = |problem: String| Error::BadValue {
        place: "disk.grub".into(),
        problem,
    };
    if options.sector_size != SectorSize::B512 {
        let problem = "a BIOS and GRUB count sectors of 512 bytes, and disk.sector-size is 4096";
        return Err(bad(problem.into()));
    }
    if options.boot_code.is_some() {
        return Err(bad(
            "disk.boot-code is what a BIOS runs, and so would this be".into()
        ));
    }
    let tables: &[&str] = match options.table {
        disk::Table::None => return Err(bad("needs a table: \"gpt\", \"mbr\" or \"hybrid\"".into())),
        disk::Table::Mbr(_) => &["part_msdos"],
        disk::Table::Gpt(_) => &["part_gpt"],
        disk::Table::Hybrid(..) => &["part_gpt", "part_msdos"],
    };
    let core = match planner.grub.get() {
        Some(core) => core.clone(),
        None => {
            let made = core_image(keys, tables, planner)?;
            planner.grub.get_or_init(|| made).clone()
        }
    };
    let installed = core.at(0);
    let len = installed.core.len() as u64;
    options.boot_code = Some(Content::from(installed.boot_code.to_vec()));
    let content = Some(Content::from(installed.core));
    let region = if matches!(options.table, disk::Table::Mbr(_)) {
        gap(len, regions).map_err(bad)?;
        regions.insert(
            0,
            disk::Region {
                name: GAP_NAME.into(),
                place: Some(GAP_START),
                size: None,
                content,
                partition: None,
            },
        );
        GAP_NAME.to_string()
    } else {
        let region = partition(len, regions).map_err(bad)?;
        region.content = content;
        region.size.get_or_insert(PARTITION_SIZE);
        region.name.clone()
    };
    Ok(Some(Core { core, region }))
}

/// The disk, with a core image that knows where it lies.
pub(crate) fn plan(
    core: Option<&Core>,
    mut options: disk::Options,
    mut regions: Vec<disk::Region>,
) -> Result<disk::Planned> {
    let planned = disk::plan(&options, &regions)?;
    let Some(Core { core, region }) = core else {
        return Ok(planned);
    };
    let place = planned.map.iter().find(|entry| entry.name == *region);
    let start = place.map_or(0, |entry| entry.start);
    let installed = core.at(start / GAP_START);
    options.boot_code = Some(Content::from(installed.boot_code.to_vec()));
    for one in regions.iter_mut().filter(|one| one.name == *region) {
        one.content = Some(Content::from(installed.core.clone()));
    }
    Ok(disk::plan(&options, &regions)?)
}

/// Finds whether there is room behind an MBR, as far as regions say where they are. The problem is a text.
fn gap(len: u64, regions: &[disk::Region]) -> Result<(), String> {
    let end = GAP_START + len;
    let first = regions
        .iter()
        .filter_map(|region| Some((region.place?, &region.name)))
        .min();
    match first.filter(|(start, _)| *start < end) {
        Some((start, name)) => Err(format!(
            "the core image has {len} bytes, and region {name:?} at {start} leaves it {}: {} too few",
            start.saturating_sub(GAP_START),
            end - start.max(GAP_START),
        )),
        None => Ok(()),
    }
}

/// The partition for a core of this many bytes. The problem is a text.
fn partition(len: u64, regions: &mut [disk::Region]) -> Result<&mut disk::Region, String> {
    let wanted = PartitionType::parse(PARTITION_TYPE).ok();
    let fits = |region: &&mut disk::Region| {
        let partition = region.partition.as_ref();
        partition.is_some_and(|partition| Some(partition.kind) == wanted)
    };
    let region = regions
        .iter_mut()
        .find(fits)
        .ok_or("needs a region of the type \"bios-boot\", for a GPT leaves no gap before partitions")?;
    let name = &region.name;
    if region.content.is_some() {
        return Err(format!(
            "region {name:?} has a content, and the core image belongs there"
        ));
    }
    match region.size {
        Some(size) if size < len => Err(format!(
            "the core image has {len} bytes, and region {name:?} has {size}: {} too few",
            len - size
        )),
        _ => Ok(region),
    }
}

/// The core image for a root, which GRUB has to be able to read.
fn core_image(keys: &Grub, tables: &[&str], planner: &Planner) -> Result<grub::Core> {
    let (key, fs) = root(keys, planner)?;
    let part = format!("fs.{key}");
    let prefix = match (&keys.prefix, &fs.grub) {
        (Some(prefix), _) => prefix.trim_end_matches('/').to_string(),
        (None, menu) => grub_menu::folder(menu.as_ref()),
    };
    let mut modules: Vec<String> = MODULES.iter().chain(tables).map(ToString::to_string).collect();
    modules.extend(readers(&part, fs)?.iter().map(ToString::to_string));
    modules.extend(keys.modules.iter().cloned());
    let search = grub_menu::search(&part, fs, &prefix, planner)?;
    let mut config = format!(
        "{}\nset prefix=($root){prefix}\n{}",
        search.embedded("root"),
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
            Format::Squashfs | Format::Swap => None,
        })
    }
}
