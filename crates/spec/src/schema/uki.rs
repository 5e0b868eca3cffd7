//! The keys of unified kernel images, and of other programs that firmware starts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Signing, Sources};

/// A unified kernel image, or an addon to others. What is not given comes from the toplevel where that has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Uki {
    /// The stub: the program that starts the kernel.
    pub stub: String,
    /// Whether it is an addon, which takes nothing from the toplevel.
    #[serde(default)]
    pub addon: bool,
    /// The kernel; the toplevel's when not given.
    pub linux: Option<String>,
    /// The initrds, one behind the other; the toplevel's when not given.
    pub initrd: Option<Sources>,
    /// What the kernel is told; `init={toplevel}/init` and the toplevel's parameters when not given.
    pub cmdline: Option<String>,
    /// What the system calls itself, a source, or the text itself where it has several lines; the toplevel's
    /// `etc/os-release` when not given.
    pub os_release: Option<String>,
    /// What `uname -r` will say; what the kernel says when not given.
    pub uname: Option<String>,
    /// A device tree.
    pub dtb: Option<String>,
    /// Device trees of which the stub takes the one that the firmware names.
    #[serde(default)]
    pub dtbauto: Vec<String>,
    /// Which hardware needs which of them, or which firmware: a folder of descriptions, or the section as a file.
    pub hwids: Option<String>,
    /// Folders with firmware, whose names are its ids.
    #[serde(default)]
    pub efifw: Vec<String>,
    /// A picture, BMP.
    pub splash: Option<String>,
    /// Updates of the processor, an archive that is not compressed.
    pub microcode: Option<String>,
    /// The first profile's name and title.
    pub profile: Option<UkiName>,
    /// Further profiles, in this order.
    #[serde(default)]
    pub profiles: Vec<UkiProfile>,
    /// Other sections, by name.
    #[serde(default)]
    pub sections: BTreeMap<String, String>,
    /// Its own lines of SBAT, below the first.
    pub sbat: Option<String>,
    /// Who says what the TPM will hold.
    pub measure: Option<UkiMeasure>,
    /// Who signs it for Secure Boot.
    pub sign: Option<EfiSign>,
    /// The output's name; the image's name and `.efi` when not given.
    pub file: Option<String>,
}

/// What a profile is called.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UkiName {
    /// By which it is chosen.
    pub id: String,
    /// What menus show.
    pub title: Option<String>,
}

/// A further profile. What it has stands in place of what all share.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UkiProfile {
    /// By which it is chosen.
    pub id: String,
    /// What menus show.
    pub title: Option<String>,
    /// What the kernel is told.
    pub cmdline: Option<String>,
    /// The initrds.
    pub initrd: Option<Sources>,
    /// A device tree.
    pub dtb: Option<String>,
    /// What the system calls itself, a source or a text.
    pub os_release: Option<String>,
}

/// Who says what PCR 11 will be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UkiMeasure {
    /// The key, a file in PEM, RSA. It is read when it is used, and nowhere else.
    pub key: Option<PathBuf>,
    /// The public half, in PEM, of a key that is elsewhere.
    pub public_key: Option<PathBuf>,
    /// Its signatures, which were made elsewhere: JSON as `.pcrsig` has it.
    pub attach: Option<PathBuf>,
    /// The phases up to which secrets open; those of systemd-measure when not given.
    pub phases: Option<Vec<String>>,
}

/// A program that firmware starts, such as systemd-boot, to be signed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Efi {
    /// The program.
    pub source: String,
    /// Who signs it.
    pub sign: EfiSign,
    /// The output's name; the program's name and `.efi` when not given.
    pub file: Option<String>,
}

/// Who signs for Secure Boot.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EfiSign {
    /// The key, a file in PEM. It is read when it is used, and nowhere else.
    pub key: Option<PathBuf>,
    /// The signer's certificate.
    pub certificate: Option<PathBuf>,
    /// The certificates between it and those that the firmware has.
    #[serde(default)]
    pub intermediates: Vec<PathBuf>,
    /// A signature that was made elsewhere, in DER, in place of a key.
    pub attach: Option<PathBuf>,
}

impl EfiSign {
    /// What bundles have as well.
    #[must_use]
    pub fn signing(&self) -> Signing {
        Signing {
            key: self.key.clone(),
            certificate: self.certificate.clone(),
            intermediates: self.intermediates.clone(),
            ..Signing::default()
        }
    }
}

/// Whose programs firmware is to start: updates of its variables, for systemd-boot to hand on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SecureBoot {
    /// Whom lists say that they belong to, a GUID; derived when not given.
    pub owner: Option<String>,
    /// The platform's owner.
    pub pk: SecureBootKey,
    /// Who may change which programs start.
    pub kek: SecureBootKey,
    /// The certificates whose programs start.
    pub db: Vec<PathBuf>,
    /// The time of the updates, in seconds since 1970; when the signer's certificate becomes valid, when not given.
    pub time: Option<u64>,
}

/// A key that firmware gets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SecureBootKey {
    /// The key, a file in PEM. It is read when it is used, and nowhere else.
    pub key: PathBuf,
    /// Its certificate.
    pub certificate: PathBuf,
}
