//! The keys of a release for systemd-sysupdate.

use std::path::PathBuf;

use serde::Deserialize;

use super::{DevicePartition, Signing};

/// What a new version is, and how a device finds it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Release {
    /// What the system is called, `IMAGE_ID`; the specification's name when not given.
    pub id: Option<String>,
    /// Its version, `IMAGE_VERSION`. May hold `{version}` and `{series}`.
    pub version: String,
    /// The regions of the disk that a release replaces; those that hold the data, the tree or the signature of a
    /// `[verity.NAME]` when not given.
    pub partitions: Option<Vec<String>>,
    /// The name of the unified kernel image that starts this version: `NAME` of `[uki.NAME]`. None when not given.
    pub uki: Option<String>,
    /// The FAT that has it, `fs.NAME`; the one in a region of the type `esp` when not given.
    pub esp: Option<String>,
    /// How often it is tried before the older one starts again; 3 when not given, 0 for no counting.
    pub tries: Option<u32>,
    /// Where devices look for releases: what a web server makes of the folder.
    pub url: Option<String>,
    /// How partitions are compressed; when not given, by xz, but for file systems that are compressed themselves, and
    /// their hash trees.
    pub compress: Option<ReleaseCompress>,
    /// The level of that.
    pub compress_level: Option<u32>,
    /// The oldest systemd on the devices, 252 to 299; 257 when not given.
    pub systemd: Option<u32>,
    /// A day, `YYYY-MM-DD`, after which devices take this release no more (from systemd 260 on).
    pub best_before: Option<String>,
    /// The folder of the output; `release` when not given.
    pub folder: Option<String>,
    /// Who signs it.
    pub sign: Option<ReleaseSign>,
    /// The partitions that `{release.repart}` makes besides slots, in order.
    #[serde(default)]
    pub first_boot: Vec<DevicePartition>,
}

/// How the partitions of a release are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ReleaseCompress {
    /// xz, 0 to 9; 6 when no level is given.
    Xz,
    /// zstd, 1 to 22; 3 when no level is given. systemd from 258 on reads it.
    Zstd,
    /// Not at all.
    None,
}

impl TryFrom<String> for ReleaseCompress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "xz" => Ok(ReleaseCompress::Xz),
            "zstd" => Ok(ReleaseCompress::Zstd),
            "none" => Ok(ReleaseCompress::None),
            "gzip" => Err(
                "\"gzip\": systemd-sysupdate 257 never ends with a gzip file of several members; say xz, zstd or none"
                    .into(),
            ),
            other => Err(format!("{other:?}: must be xz, zstd or none")),
        }
    }
}

/// Who signs a release: `SHA256SUMS` as OpenPGP.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReleaseSign {
    /// The key, RSA, a file in PEM. It is read when it is used, and nowhere else.
    pub key: Option<PathBuf>,
    /// A certificate of the key; needed where the key is elsewhere.
    pub certificate: Option<PathBuf>,
    /// What the key is called; the release's id when not given.
    pub user: Option<String>,
    /// When the key was made, in seconds since 1970, which its fingerprint depends on; when the certificate becomes valid,
    /// or 1 without one, when not given.
    pub key_time: Option<u32>,
    /// When it was signed, in seconds since 1970; when the key was made when not given.
    pub time: Option<u32>,
    /// The keys that devices have, a file of OpenPGP keys that are not armoured; the signer's alone when not given.
    pub keyring: Option<PathBuf>,
    /// A signature that was made elsewhere, by gpg or anything else, in place of a key.
    pub attach: Option<PathBuf>,
}

impl ReleaseSign {
    /// What bundles have as well.
    #[must_use]
    pub fn signing(&self) -> Signing {
        Signing {
            key: self.key.clone(),
            certificate: self.certificate.clone(),
            ..Signing::default()
        }
    }
}
