//! Variants for virtual machines and clouds, `system.build.images.kiln-*`: nixpkgs' names, sizes and tables, made in the sandbox.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::demo::{is_made, target};
use crate::nix_image_boots::built;
use crate::nix_world::{World, names, world};
use crate::tools::{installed, run, said, tool};

/// A variant: how its file's name ends, its table, its loader, its container, and what QEMU calls that.
struct Variant {
    name: &'static str,
    file: &'static str,
    table: &'static str,
    loader: &'static str,
    container: &'static str,
}

const fn variant(
    name: &'static str,
    file: &'static str,
    table: &'static str,
    loader: &'static str,
    container: &'static str,
) -> Variant {
    Variant {
        name,
        file,
        table,
        loader,
        container,
    }
}

/// `@` stands for the system's label and its architecture.
const VARIANTS: [Variant; 16] = [
    variant("amazon", "nixos-image-amazon-@.vhd", "gpt", "grub", "vhd"),
    variant("azure", "nixos-image-azure-@.vhd", "mbr", "grub", "vhd-fixed"),
    variant(
        "digital-ocean",
        "nixos-image-digital-ocean-@.qcow2.gz",
        "mbr",
        "grub",
        "qcow2",
    ),
    variant(
        "google-compute",
        "nixos-image-google-compute-@.raw.tar.gz",
        "mbr",
        "grub",
        "gce",
    ),
    variant(
        "hyperv",
        "nixos-image-hyperv-@.vhdx",
        "gpt",
        "systemd-boot",
        "vhdx",
    ),
    variant("kubevirt", "nixos-image-kubevirt-@.qcow2", "mbr", "grub", "qcow2"),
    variant("linode", "nixos-image-linode-@.img.gz", "none", "grub", ""),
    variant("oci", "nixos-image-oci-@.qcow2", "gpt", "systemd-boot", "qcow2"),
    variant(
        "openstack",
        "nixos-image-openstack-@.qcow2",
        "mbr",
        "grub",
        "qcow2",
    ),
    variant(
        "proxmox",
        "vzdump-qemu-nixos-proxmox-25.11.20261121.abc.qcow2",
        "mbr",
        "grub",
        "qcow2",
    ),
    variant("qemu", "nixos-image-qcow2-@.qcow2", "mbr", "grub", "qcow2"),
    variant(
        "qemu-efi",
        "nixos-image-efi-qcow2-@.qcow2",
        "gpt",
        "systemd-boot",
        "qcow2",
    ),
    variant("raw", "nixos-image-raw-@.raw", "mbr", "grub", ""),
    variant("raw-efi", "nixos-image-efi-raw-@.raw", "gpt", "systemd-boot", ""),
    variant("virtualbox", "nixos-image-virtualbox-@.ova", "mbr", "grub", "ova"),
    variant(
        "vmware",
        "nixos-image-vmware-@.vmdk",
        "gpt",
        "systemd-boot",
        "vmdk",
    ),
];

impl Variant {
    fn key(&self) -> String {
        format!("kiln-{}", self.name)
    }

    /// Whether its file is compressed as a whole, by gzip.
    fn is_compressed(&self) -> bool {
        ends_with(self.file, "gz")
    }

    fn file(&self) -> String {
        let system = format!("25.11.20261121.abc-{}-linux", std::env::consts::ARCH);
        self.file.replace('@', &system)
    }
}

fn ends_with(name: &str, extension: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|found| found == extension)
}

#[test]
fn names_tables_and_loaders_are_those_of_nixpkgs() {
    let Some(world) = world() else { return };
    let told = world.evaluated("t.variants.told");
    let keys: Vec<String> = VARIANTS.iter().map(Variant::key).collect();
    assert_eq!(world.evaluated("t.variants.names"), json!(keys));
    for variant in &VARIANTS {
        let said = &told[variant.key()];
        let disk = &said["disk"];
        assert_eq!(said["filePath"], variant.file(), "{}", variant.name);
        assert_eq!(disk["table"], variant.table, "{}", variant.name);
        assert_eq!(said["loader"], variant.loader, "{}", variant.name);
        assert_eq!(said["root"], "/dev/disk/by-label/nixos", "{}", variant.name);
        let container = disk["output"][0]["format"].as_str().unwrap_or_default();
        assert_eq!(container, variant.container, "{}", variant.name);
        // A BIOS finds GRUB; a host with a GRUB of its own wants none.
        let has_grub = variant.loader == "grub" && variant.table != "none";
        assert_eq!(disk.get("grub").is_some(), has_grub, "{}", variant.name);
    }
    let size = |name: &str| told[name]["disk"]["size"].clone();
    assert_eq!(size("kiln-amazon"), format!("{}B", 4_u64 << 30));
    assert_eq!(size("kiln-hyperv"), format!("{}B", 4_u64 << 30));
    assert_eq!(size("kiln-oci"), format!("{}B", 8_u64 << 30));
    assert_eq!(size("kiln-qemu"), Value::Null);
    assert_eq!(told["kiln-virtualbox"]["free"], format!("{}B", 30_u64 << 30));
    assert_eq!(told["kiln-openstack"]["free"], format!("{}B", 1_u64 << 30));

    let special = world.evaluated("t.variants.special");
    assert_eq!(
        (
            &special["azure-v2"]["disk"]["table"],
            &special["azure-v2"]["loader"]
        ),
        (&json!("gpt"), &json!("systemd-boot"))
    );
    let amazon = &special["amazon-efi"];
    assert_eq!(
        amazon["products"],
        json!([format!("file raw {}", amazon["filePath"].as_str().unwrap())])
    );
    assert_eq!(amazon["disk"].get("output"), None);
    assert_eq!(
        special["vmware-stream"]["disk"]["output"][0]["format"],
        "vmdk-stream"
    );
    let hybrid = &special["proxmox-hybrid"];
    assert_eq!(hybrid["disk"]["region"].as_array().unwrap().len(), 3);
    assert_eq!(hybrid["loader"], "grub");
    assert_eq!(special["raw-size"]["disk"]["size"], format!("{}B", 2_u64 << 30));
}

/// What is refused, and words of what is said.
const REFUSED: [(&str, &str); 7] = [
    (
        "bzip2",
        "kiln-digital-ocean: virtualisation.digitalOceanImage.compressionMethod = \"bzip2\": Kiln compresses with gzip",
    ),
    (
        "commands",
        "kiln-virtualbox: virtualbox.postExportCommands: they are for VBoxManage's output",
    ),
    (
        "extra-disk",
        "kiln-virtualbox: virtualbox.extraDisk: Kiln's machine has one disk",
    ),
    (
        "flat",
        "kiln-vmware: vmware.vmSubformat = \"monolithicFlat\": Kiln makes monolithicSparse streamOptimized",
    ),
    ("unknown", "attribute 'kiln-amazn' missing"),
    (
        "unknown-guest",
        "kiln: there is no guest amazn; there are amazon azure digital-ocean google-compute hyperv kubevirt linode oci openstack proxmox",
    ),
    ("zfs", "kiln-amazon: ec2.zfs.enable: Kiln makes no ZFS"),
];

#[test]
fn what_a_variant_cannot_do_is_one_error() {
    let Some(world) = world() else { return };
    let names = world.evaluated("builtins.attrNames t.variants.refused");
    assert_eq!(names, json!(REFUSED.map(|(name, _)| name)));
    for (name, words) in REFUSED {
        let said = world.refused(&format!("t.variants.refused.{name}"));
        assert!(said.contains(words), "{name}: {said}");
        assert_eq!(said.matches("error:").count(), 1, "{name}: {said}");
    }
}

/// What QEMU says of an image in a format: the disk's bytes.
fn size_of(file: &Path, format: &str) -> u64 {
    let said = run(tool("qemu-img")
        .args(["info", "--output=json", "-f", format])
        .arg(file));
    let said: Value = serde_json::from_str(&said).unwrap();
    said["virtual-size"].as_u64().unwrap()
}

/// The partitions of a raw disk, by their first bytes.
fn starts(disk: &Path) -> Vec<u64> {
    let listed = run(tool("partx").args(["-g", "-o", "START"]).arg(disk));
    listed
        .split_whitespace()
        .map(|start| start.parse::<u64>().unwrap() * 512)
        .collect()
}

/// The raw disk of a variant's file.
fn raw(variant: &Variant, file: &Path, dir: &Path) -> PathBuf {
    let disk = dir.join(format!("{}.raw", variant.name));
    let unpacked = |command: &str| {
        run(tool("sh").args(["-c", command]).arg(file).arg(&disk));
    };
    let convert = |file: &Path| {
        let format = format_of(variant.container).unwrap_or("vmdk");
        run(tool("qemu-img")
            .args(["convert", "-f", format, "-O", "raw"])
            .arg(file)
            .arg(&disk));
    };
    match variant.container {
        "" if variant.is_compressed() => {
            unpacked("gzip -dc \"$0\" | cp --sparse=always /dev/stdin \"$1\"");
        }
        "" => return file.to_path_buf(),
        "gce" => unpacked("tar -xzOf \"$0\" disk.raw | cp --sparse=always /dev/stdin \"$1\""),
        "ova" => {
            let vmdk = dir.join("disk.vmdk");
            let member = run(tool("tar").arg("-tf").arg(file));
            let member = member
                .lines()
                .find(|name| ends_with(name, "vmdk"))
                .unwrap()
                .to_string();
            let out = fs::File::create(&vmdk).unwrap();
            let mut tar = tool("tar");
            tar.arg("-xOf").arg(file).arg(member).stdout(out);
            assert!(tar.status().unwrap().success());
            convert(&vmdk);
        }
        "qcow2" if variant.is_compressed() => {
            let plain = dir.join("plain.qcow2");
            run(tool("sh")
                .args(["-c", "gzip -dc \"$0\" > \"$1\""])
                .arg(file)
                .arg(&plain));
            convert(&plain);
        }
        _ => convert(file),
    }
    disk
}

/// Whether a disk has what its variant starts with.
fn check_disk(variant: &Variant, disk: &Path) {
    let name = variant.name;
    let starts = if variant.table == "none" {
        Vec::new()
    } else {
        starts(disk)
    };
    let root = match (variant.table, variant.loader) {
        ("none", _) => 0,
        ("mbr", _) => {
            assert_eq!(starts, [1 << 20], "{name}");
            starts[0]
        }
        (_, "grub") => {
            assert_eq!(starts, [1 << 20, 2 << 20], "{name}");
            starts[1]
        }
        _ => {
            assert_eq!(starts, [8 << 20, 256 << 20], "{name}");
            starts[1]
        }
    };
    let place = format!("{}?offset={root}", disk.display());
    let debugfs = |command: &str| run(tool("debugfs").args(["-R", command]).arg(&place));
    assert!(
        debugfs("stats -h").contains("Filesystem volume name:   nixos\n"),
        "{name}"
    );
    let profile = debugfs("cat /nix/var/nix/profiles/system-1-link");
    assert!(profile.contains("nixos-system-nixos-"), "{name}: {profile}");
    if variant.loader == "grub" {
        let menu = debugfs("cat /boot/grub/grub.cfg");
        assert!(
            menu.contains("/init") && menu.contains("menuentry"),
            "{name}: {menu}"
        );
    } else {
        let esp = format!("{}@@8M", disk.display());
        let entry = run(tool("mtype").args(["-i", &esp, "::/loader/entries/nixos-generation-1.conf"]));
        assert!(entry.contains("\noptions init=/nix/store/"), "{name}: {entry}");
    }
}

/// What QEMU calls containers.
fn format_of(container: &str) -> Option<&'static str> {
    let formats = BTreeMap::from([
        ("", "raw"),
        ("qcow2", "qcow2"),
        ("vhd", "vpc"),
        ("vhd-fixed", "vpc"),
        ("vhdx", "vhdx"),
        ("vmdk", "vmdk"),
    ]);
    formats.get(container).copied()
}

/// What uploaders of Amazon's images read.
fn check_amazon(world: &World, folder: &Path, file: &str) {
    assert_eq!(
        names(&folder.join("nix-support")),
        ["hydra-build-products", "image-info.json"]
    );
    let info = fs::read_to_string(folder.join("nix-support/image-info.json")).unwrap();
    let info: Value = serde_json::from_str(&info).unwrap();
    let path = folder.strip_prefix(world.store()).unwrap();
    let path = format!("/{}/{file}", path.display());
    assert_eq!(
        info,
        json!({
            "label": "25.11.20261121.abc",
            "boot_mode": "legacy-bios",
            "system": format!("{}-linux", std::env::consts::ARCH),
            "logical_bytes": "4294967296",
            "file": path,
            "disks": { "root": { "logical_bytes": "4294967296", "file": path } },
            "registerImage": {
                "Architecture": if cfg!(target_arch = "x86_64") { "x86_64" } else { "arm64" },
                "BootMode": "legacy-bios",
                "RootDeviceName": "/dev/xvda",
            },
        })
    );
}

#[test]
fn all_are_made_without_a_virtual_machine() {
    if !installed(&["qemu-img", "partx", "debugfs", "mtype", "gzip", "tar"]) {
        return;
    }
    let Some(world) = world() else { return };
    let attributes: Vec<String> = VARIANTS
        .iter()
        .map(|variant| format!("variants.images.{}", variant.key()))
        .collect();
    let attributes: Vec<&str> = attributes.iter().map(String::as_str).collect();
    let (folders, _) = world.built_with_log(&attributes, &["--max-jobs", "2"]);
    assert_eq!(folders.len(), VARIANTS.len());
    for (variant, folder) in VARIANTS.iter().zip(&folders) {
        assert_eq!(names(folder).len(), 2, "{:?}", names(folder));
        let file = folder.join(variant.file());
        let products = fs::read_to_string(folder.join("nix-support/hydra-build-products")).unwrap();
        assert!(
            products.ends_with(&format!("/{}\n", variant.file())),
            "{products}"
        );
        if !variant.is_compressed()
            && let Some(format) = format_of(variant.container)
        {
            assert_eq!(size_of(&file, format) % (1 << 20), 0, "{}", variant.name);
        }
        let dir = tempfile::tempdir().unwrap();
        check_disk(variant, &raw(variant, &file, dir.path()));
        match variant.name {
            "amazon" => check_amazon(&world, folder, &variant.file()),
            // Azure takes whole MiB, and the footer behind them.
            "azure" => assert_eq!(fs::metadata(&file).unwrap().len() % (1 << 20), 512),
            _ => {}
        }
    }
}

/// A variant's own file is the drive of a machine that its firmware starts, and its system comes up with what it mounts.
#[test]
fn two_variants_boot() {
    let tools = ["qemu-system-x86_64", "/usr/share/ovmf/OVMF.fd", "nginx"];
    if !cfg!(target_arch = "x86_64") || !is_made() || !installed(&tools) {
        return;
    }
    let Some(world) = world() else { return };
    let dir = tempfile::tempdir_in(target()).unwrap();
    std::thread::scope(|scope| {
        for (attribute, firmware, wanted) in [
            (
                "variant-efi",
                &["-bios", "/usr/share/ovmf/OVMF.fd"][..],
                "MOUNTED /boot vfat",
            ),
            ("variant-bios", &[], "NIXOS is there"),
        ] {
            let (dir, world) = (dir.path(), &world);
            scope.spawn(move || {
                let made = built(world, attribute, dir);
                let file = made.join("board.qcow2");
                let mut machine = tool("timeout");
                machine
                    .args([
                        "600",
                        "qemu-system-x86_64",
                        "-machine",
                        "q35",
                        "-m",
                        "1024",
                        "-accel",
                        "tcg",
                    ])
                    .args(["-nographic", "-no-reboot", "-nic", "none", "-snapshot"])
                    .args(firmware)
                    .arg("-drive")
                    .arg(format!("file={},if=virtio,format=qcow2", file.display()));
                let output = machine.stdin(std::process::Stdio::null()).output().unwrap();
                let console = String::from_utf8_lossy(&output.stdout).replace('\r', "");
                for words in [
                    "STAGE1 root=LABEL=nixos ",
                    wanted,
                    "PROFILE /nix/store/",
                    "BOOT-DONE",
                ] {
                    assert!(
                        console.contains(words),
                        "{attribute}: {words} in {console} {}",
                        said(&output)
                    );
                }
            });
        }
    });
}
