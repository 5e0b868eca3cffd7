//! Firmware of QEMU's machines: where distributions have it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::guest::{Boots, Guest};
use crate::args::run::Arch;
use crate::environment::variable;
use crate::failure::Failure;

/// What a machine begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Firmware {
    /// QEMU's own.
    Own,
    /// One file that holds all.
    Whole(PathBuf),
    /// Code, and the variables that it begins with.
    Flash { code: PathBuf, variables: PathBuf },
}

impl Firmware {
    pub(super) fn told(&self) -> String {
        match self {
            Firmware::Own => "BIOS".into(),
            Firmware::Whole(file) | Firmware::Flash { code: file, .. } => file.display().to_string(),
        }
    }
}

/// Where Debian, Fedora and NixOS have firmware.
const FOLDERS: [&str; 9] = [
    "/usr/share/OVMF",
    "/usr/share/AAVMF",
    "/usr/share/edk2/ovmf",
    "/usr/share/edk2/aarch64",
    "/usr/lib/u-boot/qemu_arm64",
    "/run/libvirt/nix-ovmf",
    "/run/current-system/sw/share/qemu",
    "/usr/share/ovmf",
    "/usr/share/qemu",
];

/// Pairs of code and variables, and files that hold all, the better ones first.
type Names = (&'static [[&'static str; 2]], &'static [&'static str]);

fn names(guest: Guest) -> Names {
    match (guest.boots, guest.arch) {
        (Boots::Uefi, Arch::Amd64) => (
            &[
                ["OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"],
                ["OVMF_CODE.fd", "OVMF_VARS.fd"],
                ["FV/OVMF_CODE.fd", "FV/OVMF_VARS.fd"],
                ["edk2-x86_64-code.fd", "edk2-i386-vars.fd"],
            ],
            &["OVMF.fd", "FV/OVMF.fd"],
        ),
        (Boots::Uefi, Arch::Arm64) => (
            &[
                ["AAVMF_CODE.fd", "AAVMF_VARS.fd"],
                ["FV/AAVMF_CODE.fd", "FV/AAVMF_VARS.fd"],
                ["edk2-aarch64-code.fd", "edk2-arm-vars.fd"],
            ],
            &[],
        ),
        (Boots::UBoot, Arch::Arm64) => (&[], &["u-boot.bin"]),
        (Boots::UBoot, Arch::Amd64) | (Boots::Bios, _) => (&[], &[]),
    }
}

/// Finds what boots a guest. A file that was named is taken as it is.
pub(super) fn find(guest: Guest, said: Option<&Path>, qemu: &Path) -> Result<Firmware, Failure> {
    if let Some(file) = said.filter(|said| {
        !["uefi", "u-boot", "bios"]
            .iter()
            .any(|kind| said == &Path::new(kind))
    }) {
        return if file.is_file() {
            Ok(Firmware::Whole(file.into()))
        } else {
            let failure = Failure::input("is no file").at(file);
            Err(failure.hint("--firmware takes uefi, u-boot, bios, or a file"))
        };
    }
    match (guest.boots, guest.arch) {
        (Boots::Bios, Arch::Amd64) => return Ok(Firmware::Own),
        (Boots::Bios, Arch::Arm64) => {
            return Err(Failure::usage("an arm64 machine has no BIOS")
                .hint("say --firmware uefi or --firmware u-boot"));
        }
        _ => {}
    }
    let folders = folders(variable("KILN_FIRMWARE").as_ref(), qemu);
    let (pairs, files) = names(guest);
    for folder in &folders {
        for [code, variables] in pairs {
            let (code, variables) = (folder.join(code), folder.join(variables));
            if code.is_file() && variables.is_file() {
                return Ok(Firmware::Flash { code, variables });
            }
        }
        for file in files {
            let file = folder.join(file);
            if file.is_file() {
                return Ok(Firmware::Whole(file));
            }
        }
    }
    Err(missing(guest))
}

/// Where firmware is looked for: what the user says, QEMU's own folder, and the usual ones.
fn folders(said: Option<&OsString>, qemu: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = said.into_iter().flat_map(std::env::split_paths).collect();
    let own = std::fs::canonicalize(qemu).ok();
    let own = own.as_deref().and_then(|qemu| qemu.parent()?.parent());
    let own = own.map(|prefix| prefix.join("share/qemu"));
    // As Nix has it; where distributions put QEMU, their own firmware goes before QEMU's.
    folders.extend(own.filter(|own| own != Path::new("/usr/share/qemu")));
    folders.extend(FOLDERS.iter().map(PathBuf::from));
    folders
}

fn missing(guest: Guest) -> Failure {
    let (debian, nix) = match (guest.boots, guest.arch) {
        (Boots::UBoot, Arch::Arm64) => ("u-boot-qemu", "ubootQemuAarch64"),
        (Boots::UBoot, Arch::Amd64) => {
            return Failure::usage("there is no U-Boot for an amd64 machine of QEMU")
                .hint("say --firmware uefi, --firmware bios, or name a file");
        }
        (_, Arch::Amd64) => ("ovmf", "OVMF.fd"),
        (_, Arch::Arm64) => ("qemu-efi-aarch64", "OVMF.fd"),
    };
    let (boots, arch) = (guest.boots.name(), guest.arch.name());
    Failure::input(format!("no {boots} for {arch} machines is installed")).hint(format!(
        "install {debian} (Debian) or {nix} (Nix), and name its folder in $KILN_FIRMWARE or its file with --firmware"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_says_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let qemu = folder.path().join("bin/qemu-system-x86_64");
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        std::fs::write(&qemu, "").unwrap();
        let real = std::fs::canonicalize(folder.path()).unwrap();
        let found = folders(Some(&"/a:/b".into()), &qemu);
        let first = [PathBuf::from("/a"), "/b".into(), real.join("share/qemu")];
        assert_eq!(found[..3], first);
        assert_eq!(found[3], Path::new(FOLDERS[0]));
        assert_eq!(folders(None, Path::new("/nowhere"))[0], Path::new(FOLDERS[0]));
    }

    #[test]
    fn bios_is_qemus_own() {
        let guest = |boots, arch| Guest { arch, boots };
        let find = |guest, said: Option<&str>| find(guest, said.map(Path::new), Path::new("qemu"));
        assert_eq!(
            find(guest(Boots::Bios, Arch::Amd64), None).unwrap(),
            Firmware::Own
        );
        assert_eq!(
            find(guest(Boots::Bios, Arch::Amd64), Some("bios")).unwrap(),
            Firmware::Own
        );
        assert!(find(guest(Boots::Bios, Arch::Arm64), None).is_err());
        assert!(find(guest(Boots::UBoot, Arch::Amd64), None).is_err());
        let error = find(guest(Boots::Bios, Arch::Amd64), Some("/nowhere")).unwrap_err();
        assert_eq!(error.message, "/nowhere: is no file");
    }
}
