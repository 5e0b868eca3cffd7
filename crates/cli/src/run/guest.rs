//! What machine a disk is for, and what boots it: its partitions tell.

use disk::TypeId;
use disk::read::{Disk, Partition};
use image::{Content, Kind, NodeId, ReadAt as _, Tree};
use inspect::{Format, Inside, Last, Reach, What, Work};

use crate::args::run::{Arch, Run};
use crate::failure::Failure;
use crate::look;
use crate::ui::Ui;

/// A machine and what boots in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guest {
    pub(super) arch: Arch,
    pub(super) boots: Boots,
}

/// What boots a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boots {
    /// UEFI firmware, and a loader where removable media have it.
    Uefi,
    /// U-Boot, and a script or a menu.
    UBoot,
    /// The BIOS, and code in the first sector.
    Bios,
}

impl Boots {
    pub(super) fn name(self) -> &'static str {
        match self {
            Boots::Uefi => "UEFI",
            Boots::UBoot => "U-Boot",
            Boots::Bios => "BIOS",
        }
    }
}

/// Where UEFI firmware looks for a loader.
const LOADERS: [(&[u8], Arch); 2] = [(b"BOOTX64.EFI", Arch::Amd64), (b"BOOTAA64.EFI", Arch::Arm64)];

/// Where U-Boot looks for scripts and menus.
const MENUS: [&[u8]; 4] = [
    b"/boot.scr",
    b"/boot/boot.scr",
    b"/extlinux/extlinux.conf",
    b"/boot/extlinux/extlinux.conf",
];

/// As many bytes of the first sector are boot code.
const BOOT_CODE: usize = 440;

/// What the command line says of it.
pub(super) fn said(args: &Run) -> Option<Boots> {
    match args.firmware.as_deref()?.to_str() {
        Some("uefi") => Some(Boots::Uefi),
        Some("u-boot") => Some(Boots::UBoot),
        // A file is what it is: nothing depends on its kind.
        _ => Some(Boots::Bios),
    }
}

/// What the disk says, as far as the command line does not.
pub(super) fn of(content: &Content, args: &Run, threads: usize, ui: &Ui) -> Result<Guest, Failure> {
    let file = &*args.source.image;
    let said = said(args);
    let told = if args.arch.is_some() && said.is_some() {
        Told::default()
    } else {
        let spool = std::env::temp_dir();
        let work = look::work(&spool, threads, ui);
        let inside = inspect::open(content.clone(), &work).map_err(|error| Failure::from(error).at(file))?;
        told(&inside, &work)?
    };
    let boots = said.or(told.boots).ok_or_else(|| {
        let problem = "nothing on it boots: there is no EFI/BOOT/BOOTX64.EFI or BOOTAA64.EFI on a FAT, no boot.scr and no \
                       extlinux.conf, and no boot code";
        Failure::input(problem)
            .at(file)
            .hint("say it with --firmware, and the machine with --arch")
    })?;
    let usual = match boots {
        Boots::Bios => Some(Arch::Amd64),
        _ => None,
    };
    let arch = args.arch.or(told.arch).or(usual).ok_or_else(|| {
        Failure::input("nothing on it says what machine it is for")
            .at(file)
            .hint("say it with --arch: arm64 or amd64")
    })?;
    Ok(Guest { arch, boots })
}

/// What a disk tells.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    arch: Option<Arch>,
    boots: Option<Boots>,
}

fn told(inside: &Inside, work: &Work) -> Result<Told, Failure> {
    let What::Disk(disk) = &inside.what else {
        return Ok(Told::default());
    };
    let mut told = Told {
        arch: by_types(disk),
        boots: None,
    };
    let mut has_menu = false;
    for partition in &disk.partitions {
        let content = inspect::partition_content(&inside.content, partition);
        // What cannot be read boots nothing.
        let Ok(format @ (Format::Fat | Format::Ext4 | Format::Btrfs)) = Format::of(&content) else {
            continue;
        };
        let Ok(opened) = inspect::open(content, work) else {
            continue;
        };
        if format == Format::Fat
            && let Some(tree) = opened.files()?
            && let Some(arch) = loader(&tree, told.arch)
        {
            return Ok(Told {
                arch: Some(arch),
                boots: Some(Boots::Uefi),
            });
        }
        let has = |path: &&[u8]| opened.find(path, Last::Followed, Reach::Entries, work).is_ok();
        has_menu |= MENUS.iter().any(has);
    }
    told.boots = if has_menu {
        // Where nothing else is said: only the other machine has U-Boot.
        told.arch = told.arch.or(Some(Arch::Arm64));
        Some(Boots::UBoot)
    } else {
        has_boot_code(&inside.content)?.then_some(Boots::Bios)
    };
    Ok(told)
}

/// The machine that partition types name, such as `root-arm64`.
fn by_types(disk: &Disk) -> Option<Arch> {
    let of = |partition: &Partition| {
        let TypeId::Guid(guid) = partition.entry.kind else {
            return None;
        };
        let name = disk::type_of_guid(guid)?.name;
        let (_, machine) = name.split_once('-')?;
        match machine {
            _ if machine.starts_with("arm64") => Some(Arch::Arm64),
            _ if machine.starts_with("x86-64") => Some(Arch::Amd64),
            _ => None,
        }
    };
    disk.partitions.iter().find_map(of)
}

/// The machine that a loader in a FAT is for, whatever the case of its name; of several the wanted one.
fn loader(tree: &Tree, wanted: Option<Arch>) -> Option<Arch> {
    let inner = |folder: NodeId, name: &[u8]| {
        let mut children = tree.children(folder);
        children.find_map(|(found, id)| found.eq_ignore_ascii_case(name).then_some(id))
    };
    let folder = inner(inner(NodeId::ROOT, b"EFI")?, b"BOOT")?;
    let is_there = |name| inner(folder, name).is_some_and(|id| matches!(tree.node(id).kind, Kind::File(_)));
    let mut found = LOADERS
        .iter()
        .filter(|(name, _)| is_there(name))
        .map(|(_, arch)| *arch);
    let first = found.clone().next();
    found.find(|arch| Some(*arch) == wanted).or(first)
}

fn has_boot_code(content: &Content) -> Result<bool, Failure> {
    let mut code = [0; BOOT_CODE];
    if content.len() < code.len() as u64 {
        return Ok(false);
    }
    let failed = |error: std::io::Error| Failure::input(format!("the first sector cannot be read: {error}"));
    content.read_exact_at(&mut code, 0).map_err(failed)?;
    Ok(code.iter().any(|byte| *byte != 0))
}
