//! The names of partition types.

use std::collections::BTreeSet;
use std::process::Command;

use disk::{MbrType, PartitionType, TYPES};

use crate::oracle::installed;

/// Every type that sfdisk has the same words for has the same GUID.
#[test]
fn type_names_are_those_of_sfdisk() {
    if !installed("sfdisk") {
        return;
    }
    let output = Command::new("sfdisk")
        .args(["--list-types", "--label", "gpt"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let theirs = |words: &str| {
        let line = text
            .lines()
            .find(|line| line.split_once("  ").is_some_and(|(_, name)| name == words));
        disk::guid(
            line.unwrap_or_else(|| panic!("sfdisk has no {words}"))
                .split_once(' ')
                .unwrap()
                .0,
        )
        .unwrap()
    };
    let mut checked = 0;
    for known in TYPES {
        let name = known.name;
        let words = match name {
            "esp" => "EFI System".to_owned(),
            "xbootldr" => "Linux extended boot".to_owned(),
            "linux" => "Linux filesystem".to_owned(),
            "swap" | "home" => format!("Linux {name}"),
            "srv" => "Linux server data".to_owned(),
            "var" => "Linux variable data".to_owned(),
            "tmp" => "Linux temporary data".to_owned(),
            "user-home" => "Linux user's home".to_owned(),
            "bios-boot" => "BIOS boot".to_owned(),
            "chromeos-kernel" => "ChromeOS kernel".to_owned(),
            _ => {
                let (tree, rest) = name.split_once('-').unwrap_or_default();
                let tree = match tree {
                    "root" => "root",
                    "usr" => "/usr",
                    _ => continue,
                };
                let (arch, what) = match (rest.strip_suffix("-verity"), rest.strip_suffix("-verity-sig")) {
                    (Some(arch), _) => (arch, " verity"),
                    (_, Some(arch)) => (arch, " verity sign."),
                    _ => (rest, ""),
                };
                let arch = match arch {
                    "arm" => "ARM",
                    "arm64" => "ARM-64",
                    "ia64" => "IA-64",
                    "loongarch64" => "LoongArch-64",
                    "mips-le" => "MIPS-32 LE",
                    "mips64-le" => "MIPS-64 LE",
                    "ppc" => "PPC",
                    "ppc64" => "PPC64",
                    "ppc64-le" => "PPC64LE",
                    "riscv32" => "RISC-V-32",
                    "riscv64" => "RISC-V-64",
                    "s390" => "S390",
                    "s390x" => "S390X",
                    other => other,
                };
                format!("Linux {tree}{what} ({arch})")
            }
        };
        assert_eq!(known.guid, theirs(&words), "{name}");
        checked += 1;
    }
    assert_eq!(checked, 101);
}

/// Every number of an MBR that a name stands for is what sfdisk calls alike.
#[test]
fn type_numbers_are_those_of_sfdisk() {
    if !installed("sfdisk") {
        return;
    }
    let output = Command::new("sfdisk")
        .args(["--list-types", "--label", "dos"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let theirs = |number: MbrType| {
        let digits = format!("{:x}", number.0);
        let mut lines = text
            .lines()
            .map(|line| line.trim().split_once("  ").unwrap_or_default());
        lines.find(|(id, _)| *id == digits).map(|(_, words)| words.trim())
    };
    let ours = |name: &str| theirs(PartitionType::parse(name).unwrap().mbr().unwrap());
    let wanted = [
        ("esp", "EFI (FAT-12/16/32)"),
        ("xbootldr", "Linux extended boot"),
        ("linux", "Linux"),
        ("root-arm64", "Linux"),
        ("usr-x86-64", "Linux"),
        ("swap", "Linux swap / Solaris"),
        ("raid", "Linux raid autodetect"),
        ("lvm", "Linux LVM"),
        ("prep", "PPC PReP Boot"),
        ("fat32", "W95 FAT32 (LBA)"),
        ("fat16", "W95 FAT16 (LBA)"),
        ("ntfs", "HPFS/NTFS/exFAT"),
    ];
    for (name, words) in wanted {
        assert_eq!(ours(name), Some(words), "{name}");
    }
    let numbers: BTreeSet<MbrType> = TYPES.iter().filter_map(|known| known.mbr).collect();
    let checked: BTreeSet<MbrType> = wanted
        .iter()
        .map(|(name, _)| PartitionType::parse(name).unwrap().mbr().unwrap())
        .collect();
    // The number of a LUKS volume has no words there.
    let rest: Vec<_> = numbers.difference(&checked).collect();
    assert_eq!(rest, [&MbrType(0xe8)]);
}
