//! The keys of an update bundle.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::Compressor;
use crate::amount::Amount;

/// A RAUC bundle of the format verity.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bundle {
    /// The output's name; the specification's name and `.raucb` when not given.
    pub file: Option<String>,
    /// What it is for. A device takes only what is for itself.
    pub compatible: String,
    /// The version of what it brings. May hold `{version}` and `{series}`.
    pub version: Option<String>,
    /// About it, for people.
    pub description: Option<String>,
    /// The build that made it.
    pub build: Option<String>,
    /// The oldest RAUC that may install it.
    pub min_rauc_version: Option<String>,
    /// The oldest RAUC that has to understand it; 1.8 when not given.
    pub target_rauc: Option<String>,
    /// What goes into the slots, by their class, or their class and variant with a dot between.
    #[serde(default)]
    pub image: BTreeMap<String, BundleImage>,
    /// A program that is asked on the way.
    pub hooks: Option<BundleHooks>,
    /// A program that installs in RAUC's place.
    pub handler: Option<BundleProgram>,
    /// What else lies in it, for its programs, by the names that the files have there.
    #[serde(default)]
    pub extra: BTreeMap<String, BundleFile>,
    /// More about it, for other programs.
    #[serde(default)]
    pub meta: BTreeMap<String, BTreeMap<String, String>>,
    /// How images that are not compressed themselves are compressed; as the first squashfs in it, or gzip, when not
    /// given.
    pub compression: Option<Compressor>,
    /// The level of that; when not given, as the squashfs whose compressor it is, but zstd no higher than 15.
    pub level: Option<u32>,
    /// Bytes of a block; 16 KiB when not given.
    pub block_size: Option<Amount>,
    /// The time of making in its superblock and of its files, in seconds since 1970; 1 when not given.
    pub time: Option<u32>,
    /// Who signs it, and who checks that.
    #[serde(default)]
    pub sign: Signing,
}

/// An image of a bundle. With the hook `install` or the type `emptyfs` it needs neither content nor raw.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BundleImage {
    /// The part that it is: `fs.NAME`, `verity.NAME` or `verity.NAME.signature`.
    pub content: Option<String>,
    /// A file of the host that it is, made before.
    pub raw: Option<PathBuf>,
    /// Its name in the bundle, by which RAUC knows what it is; the file's own, or the slot's name and the format's
    /// ending, when not given.
    pub file: Option<String>,
    /// What it is, for RAUC 1.15 and later.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Whether devices may reuse blocks that they have: it comes with the hashes of its blocks. When not given, it does where
    /// RAUC looks for them: in an ext4, squashfs, vfat or raw image of whole blocks of 4096 bytes that no hook installs, from
    /// RAUC 1.8 on.
    pub adaptive: Option<bool>,
    /// For which steps the bundle's program is called.
    #[serde(default)]
    pub hooks: Vec<String>,
    /// Whether it is compressed in the bundle; it is when not given, unless it is a compressed squashfs.
    pub compress: Option<bool>,
}

/// A program that is asked on the way.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BundleHooks {
    /// The program, a file of the host.
    pub source: PathBuf,
    /// Its name in the bundle; the file's own when not given.
    pub file: Option<String>,
    /// For which parts of the whole it is called.
    #[serde(default)]
    pub hooks: Vec<String>,
}

/// A program that installs in RAUC's place.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BundleProgram {
    /// The program, a file of the host.
    pub source: PathBuf,
    /// Its name in the bundle; the file's own when not given.
    pub file: Option<String>,
    /// Its arguments.
    pub args: Option<String>,
}

/// A file that lies in a bundle beside images and programs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BundleFile {
    /// A file of the host.
    pub source: PathBuf,
    /// Whether it can be run; it cannot when not given.
    #[serde(default)]
    pub executable: bool,
}

/// Who signs, and who checks that. Each can be said on the command line, too.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Signing {
    /// The key, a file in PEM. It is read when it is used, and nowhere else.
    pub key: Option<PathBuf>,
    /// The signer's certificate.
    pub certificate: Option<PathBuf>,
    /// The certificates between it and the devices' own.
    #[serde(default)]
    pub intermediates: Vec<PathBuf>,
    /// The certificates that devices trust.
    pub keyring: Option<PathBuf>,
    /// What a certificate must be good for: `smimesign`, as RAUC has it when nothing is said, `codesign`, or `any`.
    pub purpose: Option<String>,
    /// The time of signing, in seconds since 1970.
    pub time: Option<u64>,
}
