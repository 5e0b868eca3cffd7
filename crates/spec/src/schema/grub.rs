//! The keys of boot loaders of PCs: their places on a disk, and menus in file systems.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// GRUB for machines with a BIOS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Grub {
    /// The folder of the host with GRUB's files: `lib/grub/i386-pc` of its package.
    pub from: PathBuf,
    /// The file system that GRUB's own folder is in: `fs.NAME`; the one that has a menu when not given.
    pub root: Option<String>,
    /// GRUB's own folder, in which `grub.cfg` is; where the file system's menu is, or `/boot/grub`, when not given.
    pub prefix: Option<String>,
    /// Modules beside those that are always in.
    #[serde(default)]
    pub modules: Vec<String>,
    /// Lines of the script that runs before the menu is read.
    #[serde(default)]
    pub config: String,
}

/// Limine for machines with a BIOS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limine {
    /// A file of the host with its first two stages: `limine-bios-hdd.h` of its releases, or the bytes in it.
    pub from: PathBuf,
}

/// A menu of GRUB's, as NixOS makes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GrubMenu {
    /// The folder that receives `grub` and, where kernels are copied, `kernels`; `/boot` when not given.
    pub at: Option<String>,
    /// Seconds until the default starts: none for no menu, fewer than none for no limit; 5 when not given.
    pub timeout: Option<i64>,
    /// The entry that starts when nobody chooses, from 0; the first when not given.
    #[serde(default)]
    pub default: u32,
    /// The serial line on which the menu is shown, too.
    pub serial: Option<GrubSerial>,
    /// Lines before the entries.
    #[serde(default)]
    pub extra_config: String,
    /// Lines behind the entries.
    #[serde(default)]
    pub extra_entries: String,
    /// Whether kernels are copied beside the menu; only where the file system has no store when not given.
    pub copy_kernels: Option<bool>,
    /// Systems beside the toplevel, by the numbers of their generations.
    #[serde(default)]
    pub generations: BTreeMap<String, String>,
    /// How many of these the menu has, the newest; all of them when not given.
    pub limit: Option<usize>,
    /// The time that the menu shows for generations, in seconds since 1970; the file system's when not given.
    pub time: Option<u32>,
}

/// A serial line.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GrubSerial {
    /// Its number, from 0; the first when not given.
    #[serde(default)]
    pub unit: u32,
    /// Bits in a second; 115200 when not given.
    pub speed: Option<u32>,
}
