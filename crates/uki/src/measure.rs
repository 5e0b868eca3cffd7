//! PCR 11: what a TPM holds of an image once its stub has measured it.
//!
//! ```text
//!  v = 0…0
//!  for each section that is there, in the stub's order:   v = H(v ‖ H(name ‖ 00)),  v = H(v ‖ H(bytes))
//!  for each phase that the system enters:                 v = H(v ‖ H(word))
//! ```
//!
//! Which sections count depends on the stub's version. H is SHA-256: of the banks that a TPM can have, the one that is used.

use image::Content;
use sha2::{Digest as _, Sha256};

use crate::Result;
use crate::sections::Section;

/// The phases up to which a policy is signed unless something else is asked for: those of systemd-measure.
pub const PHASES: [&str; 4] = [
    "enter-initrd",
    "enter-initrd:leave-initrd",
    "enter-initrd:leave-initrd:sysinit",
    "enter-initrd:leave-initrd:sysinit:ready",
];

/// What stubs measure, in their order, from a version on.
const MEASURED: [(u32, &[&str]); 5] = [
    (
        258,
        &[
            ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat",
            ".pcrpkey", ".profile", ".dtbauto", ".hwids", ".efifw",
        ],
    ),
    (
        257,
        &[
            ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat",
            ".pcrpkey", ".profile", ".dtbauto", ".hwids",
        ],
    ),
    (
        256,
        &[
            ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat",
            ".pcrpkey",
        ],
    ),
    (
        254,
        &[
            ".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".uname", ".sbat", ".pcrpkey",
        ],
    ),
    (
        0,
        &[
            ".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".pcrpkey",
        ],
    ),
];

/// A section with the digest of its bytes: read once, whatever is asked of it.
#[derive(Clone, Debug)]
pub(crate) struct Hashed {
    pub(crate) name: String,
    pub(crate) digest: [u8; 32],
}

impl Hashed {
    pub(crate) fn of(section: &Section) -> Result<Hashed> {
        Ok(Hashed {
            name: section.name.clone(),
            digest: sha256(&section.content)?,
        })
    }
}

/// The SHA-256 of a content.
pub(crate) fn sha256(content: &Content) -> Result<[u8; 32]> {
    let mut reader = content.reader()?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 256 << 10];
    while reader.remaining() > 0 {
        let len = reader.fill(&mut chunk)?;
        hash.update(&chunk[..len]);
    }
    reader.finish()?;
    Ok(hash.finalize().into())
}

/// PCR 11 when the stub has measured these sections, and before any phase. A stub that says no version counts as the
/// newest.
pub(crate) fn pcr11(sections: &[Hashed], version: Option<u32>) -> [u8; 32] {
    let version = version.unwrap_or(u32::MAX);
    let order = MEASURED.iter().find(|(from, _)| *from <= version);
    let mut value = [0; 32];
    for name in order.map_or(&[][..], |(_, order)| order) {
        for section in sections.iter().filter(|section| section.name == *name) {
            let name = Sha256::digest([name.as_bytes(), &[0]].concat());
            value = extend(value, name.as_ref());
            value = extend(value, &section.digest);
        }
    }
    value
}

/// Whether a stub knows `.efifw`, and measures the one that it takes.
pub(crate) fn takes_firmware(version: Option<u32>) -> bool {
    version.unwrap_or(u32::MAX) >= 258
}

/// The value after these phases: words with `:` between them.
#[must_use]
pub fn after_phases(value: [u8; 32], phases: &str) -> [u8; 32] {
    let words = phases.split(':').filter(|word| !word.is_empty());
    words.fold(value, |value, word| extend(value, Sha256::digest(word).as_ref()))
}

fn extend(value: [u8; 32], digest: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(value);
    hash.update(digest);
    hash.finalize().into()
}
