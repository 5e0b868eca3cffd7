//! The keys of a specification.

mod btrfs;
mod bundle;
mod closure;
mod device;
mod disk;
mod grub;
mod netboot;
mod output;
mod release;
mod sbom;
mod tree;
mod uki;
mod verity;

pub use btrfs::{Metadata, Subvolume};
pub use bundle::{Bundle, BundleHooks, BundleImage, BundleProgram, Signing};
pub use closure::{Check, Closure};
pub use device::{
    Device, DeviceBoot, DeviceEnvironment, DeviceKeep, DeviceMount, DevicePartition, DeviceSlot,
    DeviceSlotType, PartitionsBy,
};
pub use disk::{Disk, Region, Table};
pub use grub::{Grub, GrubMenu, GrubSerial, Limine};
pub use netboot::Netboot;
pub use output::{Container, Output};
pub use release::{Release, ReleaseCompress, ReleaseSign};
pub use sbom::{Sbom, SbomFormat};
pub use tree::{Attributes, Sources};
pub use uki::{Efi, EfiSign, SecureBoot, SecureBootKey, Uki, UkiMeasure, UkiName, UkiProfile};
pub use verity::{Verity, VeritySignature};

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::amount::Amount;

/// A specification: what is to be made, and out of what. Relative paths in it start at its own folder.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The version of these keys; 1 is the only one.
    pub schema: u32,
    /// What outputs are called. May hold `{series}` and `{version}`.
    pub name: String,
    /// What all ids derive from; from the closure when not given.
    pub seed: Option<String>,
    /// How hard compressing file systems are compressed; as their levels say when not given.
    pub profile: Option<Effort>,
    /// What each file is known by in the manifest, besides its fs-verity digest.
    #[serde(default)]
    pub digests: Vec<Sum>,
    /// The store paths.
    pub closure: Option<Closure>,
    /// The file systems, by name.
    #[serde(default)]
    pub fs: BTreeMap<String, FileSystem>,
    /// The boot scripts, by name.
    #[serde(default)]
    pub script: BTreeMap<String, Script>,
    /// The hash trees of file systems, by name.
    #[serde(default)]
    pub verity: BTreeMap<String, Verity>,
    /// The unified kernel images, by name.
    #[serde(default)]
    pub uki: BTreeMap<String, Uki>,
    /// Other programs that firmware starts, to be signed, by name.
    #[serde(default)]
    pub efi: BTreeMap<String, Efi>,
    /// Whose programs firmware is to start.
    pub secure_boot: Option<SecureBoot>,
    /// The disk.
    pub disk: Option<Disk>,
    /// The update bundle.
    pub bundle: Option<Bundle>,
    /// What a device has to know of its slots.
    pub device: Option<Device>,
    /// What boots over a network.
    pub netboot: Option<Netboot>,
    /// The bills of materials.
    pub sbom: Option<Sbom>,
    /// What a new version is, for systemd-sysupdate.
    pub release: Option<Release>,
}

/// How hard file systems are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effort {
    /// Quickly, whatever their levels say: for images that are thrown away.
    Dev,
    /// As their levels say.
    Release,
}

/// A checksum of a whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sum {
    /// As `sha256sum` prints it.
    Sha256,
}

/// A file system. Some keys belong to one format only.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key that is true or not there"
)]
pub struct FileSystem {
    /// Which one.
    pub format: Format,
    /// The output's name; the file system's name and the format's ending when not given.
    pub file: Option<String>,
    /// How the output's file is compressed; not at all when not given.
    pub compress: Option<Compress>,
    /// The level of that.
    pub compress_level: Option<u32>,
    /// Whether the output comes with a block map.
    #[serde(default)]
    pub bmap: bool,
    /// Whether every path of the closure lies under `/nix/store`.
    #[serde(default)]
    pub closure: bool,
    /// Where they lie, when the file system is mounted below the root: `/` for one that is `/nix/store` itself.
    pub closure_at: Option<String>,
    /// How the closure becomes a root.
    pub layout: Option<Layout>,
    /// layout: the environment that becomes the root; the toplevel when not given.
    pub env: Option<String>,
    /// layout fhs: whether programs, libraries and data lie in `/usr`.
    #[serde(default)]
    pub merge_usr: bool,
    /// A file that receives the closure's registration.
    pub registration: Option<String>,
    /// Whether the store's database lies at `/nix/var/nix/db`.
    #[serde(default)]
    pub database: bool,
    /// A boot menu for U-Boot, and the kernels that it names.
    pub extlinux: Option<Extlinux>,
    /// A boot menu for GRUB.
    pub grub: Option<GrubMenu>,
    /// A folder of the host that is copied to the root, a tar archive of one, `-` for one that comes on standard input, or
    /// a list of archives: the layers of an OCI image.
    pub tree: Option<Sources>,
    /// What is left out of trees that come from the host: patterns of paths.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Whether links in trees and files are replaced by what they lead to.
    #[serde(default)]
    pub follow_links: bool,
    /// What of the host's metadata is kept for what comes from the host.
    #[serde(default)]
    pub keep: Vec<Kept>,
    /// Files and folders, by their paths: from the closure, the host, or other parts.
    #[serde(default)]
    pub files: BTreeMap<String, Sources>,
    /// Files and what they say.
    #[serde(default)]
    pub text: BTreeMap<String, String>,
    /// Symbolic links and their targets.
    #[serde(default)]
    pub symlinks: BTreeMap<String, String>,
    /// Directories that are made.
    #[serde(default)]
    pub directories: Vec<String>,
    /// Devices and pipes: `char 5:1`, `block 8:0`, `fifo`, `socket`.
    #[serde(default)]
    pub nodes: BTreeMap<String, String>,
    /// Patterns of the extended attributes that stay; all of them when not given.
    #[serde(default)]
    pub xattrs: Vec<String>,
    /// What files have in place of what they bring, rule by rule.
    #[serde(default)]
    pub attributes: Vec<Attributes>,
    /// More bytes than this are an error.
    pub max_size: Option<Amount>,
    /// The time of the file system itself, in seconds since 1970.
    pub time: Option<u32>,

    /// squashfs, btrfs, erofs: the compressor; zstd when not given, and none for btrfs and erofs.
    pub compression: Option<Compressor>,
    /// squashfs, btrfs, erofs: its level.
    pub level: Option<u32>,
    /// squashfs: bytes of a block.
    pub block_size: Option<Amount>,

    /// fat, ext4, btrfs, erofs, swap: the volume's label.
    pub label: Option<String>,
    /// fat: the volume's id, eight hexadecimal digits with or without a dash; derived when not given.
    pub id: Option<String>,
    /// fat: which one.
    pub bits: Option<FatBits>,
    /// fat, ext4, btrfs, swap: its size; as small as possible when not given, except for swap.
    pub size: Option<Amount>,
    /// fat, ext4, btrfs: promised free bytes.
    pub free: Option<Amount>,
    /// fat: bytes of a sector; the disk's when not given.
    pub sector_size: Option<u32>,
    /// fat: bytes of a cluster. erofs: bytes of a file that are compressed together; 1 MiB when not given.
    pub cluster_size: Option<Amount>,

    /// ext4, btrfs, erofs: who has to read it; portable when not given.
    pub profile: Option<Profile>,
    /// ext4, btrfs, erofs, swap: its UUID; derived when not given.
    pub uuid: Option<String>,
    /// ext4: promised free inodes.
    pub free_inodes: Option<u64>,
    /// ext4: the journal's size; as `mke2fs` has it when not given.
    pub journal: Option<Journal>,
    /// ext4: up to what it can grow; 2 TiB when not given.
    pub grow_to: Option<Amount>,

    /// btrfs: how often metadata is stored; twice when not given.
    pub metadata: Option<Metadata>,
    /// btrfs: whether files with equal bytes share their extents; they do when not given.
    pub deduplicate: Option<bool>,
    /// btrfs: the directories that are subvolumes.
    #[serde(default)]
    pub subvolumes: BTreeMap<String, Subvolume>,
}

/// How a closure becomes a root that looks like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// The environment's links, beside the store.
    Links,
    /// Second names of the store's files in the place of the links, beside the store.
    Hardlinks,
    /// Files of their own in the place of the links, beside the store.
    Copies,
    /// The whole closure joined, and no store.
    Fhs,
}

/// A boot menu for U-Boot, as nixpkgs' `generic-extlinux-compatible` makes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Extlinux {
    /// The folder that receives `extlinux` and `nixos`; `/boot` when not given.
    pub at: Option<String>,
    /// Seconds until the default starts: none for no menu, fewer than none for no limit; 5 when not given.
    pub timeout: Option<i64>,
    /// The device tree in the folder of the system's; the boot loader chooses when not given.
    pub dtb_name: Option<String>,
    /// Whether the menu says anything of device trees; it does when not given.
    pub device_trees: Option<bool>,
    /// Systems beside the toplevel, by the numbers of their generations.
    #[serde(default)]
    pub generations: BTreeMap<String, String>,
    /// How many of these the menu has, the newest; all of them when not given.
    pub limit: Option<usize>,
    /// The time that the menu shows for generations, in seconds since 1970; the file system's when not given.
    pub time: Option<u32>,
}

/// How the file of an output is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compress {
    /// zstd in the seekable format, 1 to 22; 3 when no level is given.
    Zstd,
    /// xz, 0 to 9; 6 when no level is given.
    Xz,
    /// gzip, 1 to 12; 6 when no level is given.
    Gzip,
}

/// A kind of file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// SquashFS 4.0.
    #[default]
    Squashfs,
    /// FAT16 or FAT32.
    Fat,
    /// ext4.
    Ext4,
    /// btrfs.
    Btrfs,
    /// erofs.
    Erofs,
    /// A swap area: no file system, but a partition's content as well.
    Swap,
}

impl Format {
    /// What specifications call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Squashfs => "squashfs",
            Format::Fat => "fat",
            Format::Ext4 => "ext4",
            Format::Btrfs => "btrfs",
            Format::Erofs => "erofs",
            Format::Swap => "swap",
        }
    }
}

/// Metadata of the host that a tree can keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// Permission bits.
    Modes,
    /// User and group numbers.
    Owners,
    /// Times of last change.
    Times,
    /// Extended attributes.
    Xattrs,
    /// Several names of one file.
    HardLinks,
}

impl Kept {
    /// What specifications call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kept::Modes => "modes",
            Kept::Owners => "owners",
            Kept::Times => "times",
            Kept::Xattrs => "xattrs",
            Kept::HardLinks => "hard-links",
        }
    }
}

/// A compressor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compressor {
    /// zstd. squashfs, erofs: 1 to 22; 19 when no level is given. btrfs: 1 to 15; 15 when no level is given.
    Zstd,
    /// squashfs: xz, 0 to 9; 6 when no level is given.
    Xz,
    /// squashfs: gzip, 1 to 9; 9 when no level is given.
    Gzip,
    /// btrfs: zlib, 1 to 9; 9 when no level is given.
    Zlib,
    /// btrfs: LZO, which has no levels.
    Lzo,
    /// erofs: LZ4, which has no levels.
    Lz4,
    /// erofs: LZ4, compressed with more care, 3 to 12; 9 when no level is given.
    Lz4hc,
    /// erofs: deflate, 1 to 12; 9 when no level is given.
    Deflate,
    /// None.
    None,
}

impl Compressor {
    /// What specifications call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Compressor::Zstd => "zstd",
            Compressor::Xz => "xz",
            Compressor::Gzip => "gzip",
            Compressor::Zlib => "zlib",
            Compressor::Lzo => "lzo",
            Compressor::Lz4 => "lz4",
            Compressor::Lz4hc => "lz4hc",
            Compressor::Deflate => "deflate",
            Compressor::None => "none",
        }
    }
}

/// Who has to read an ext4, a btrfs or an erofs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Linux, GRUB, and U-Boot of today. btrfs: Linux since 5.15. erofs: who reads its compressor.
    Portable,
    /// btrfs: Linux since 6.1. erofs: Linux since 6.15.
    Modern,
    /// ext4: old U-Boot too, and U-Boot that writes.
    UbootLegacy,
    /// ext4: nobody writes it.
    Readonly,
}

/// The journal of an ext4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Journal {
    /// There is none.
    None,
    /// It has this size.
    Size(Amount),
}

impl TryFrom<String> for Journal {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "none" => Ok(Journal::None),
            size => size
                .parse()
                .map(Journal::Size)
                .map_err(|problem| format!("{problem}; or \"none\"")),
        }
    }
}

/// Which FAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub enum FatBits {
    /// FAT16.
    B16,
    /// FAT32.
    B32,
}

impl TryFrom<u32> for FatBits {
    type Error = String;

    fn try_from(bits: u32) -> Result<Self, String> {
        match bits {
            16 => Ok(FatBits::B16),
            32 => Ok(FatBits::B32),
            _ => Err(format!("bits = {bits}: must be 16 or 32")),
        }
    }
}

/// A boot script of U-Boot.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Script {
    /// The commands.
    pub source: PathBuf,
    /// The architecture's name.
    pub arch: String,
    /// Values for `@key@` in the source.
    #[serde(default)]
    pub substitute: BTreeMap<String, String>,
    /// The time in the header, in seconds since 1970; 0 when not given.
    pub time: Option<u32>,
    /// The output's name; the script's name and `.scr` when not given.
    pub file: Option<String>,
}
