//! disko: its devices become the tables that sgdisk makes of them, files lie where the system finds them, and what Kiln does not
//! make is refused.

mod refused;

use std::fs::{self, File};
use std::path::Path;

use serde_json::{Value, json};

use crate::demo::kiln;
use crate::nix_world::world;
use crate::tools::{installed, run, tool};

/// A partition as sfdisk reads it, without ids.
#[derive(Debug, PartialEq, Eq)]
struct Partition {
    start: u64,
    size: u64,
    kind: String,
    name: String,
    guid: Option<String>,
    attributes: String,
}

/// The partitions of an image; ids of those that have one of their own.
fn partitions(image: &Path, with_ids: &[bool]) -> Vec<Partition> {
    let table = run(tool("sfdisk").arg("--json").arg(image));
    let table: Value = serde_json::from_str(&table).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
    table["partitiontable"]["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .zip(with_ids)
        .map(|(partition, with_id)| Partition {
            start: partition["start"].as_u64().unwrap(),
            size: partition["size"].as_u64().unwrap(),
            kind: text(&partition["type"]),
            name: partition["name"].as_str().unwrap_or_default().into(),
            guid: with_id.then(|| text(&partition["uuid"])),
            attributes: text(&partition["attrs"]),
        })
        .collect()
}

/// What disko hands to sgdisk for a disk's partitions, as its documentation and its defaults say, the lower priorities first. It
/// calls it for each of them; here they are in one call, since each call waits for all disks of this machine.
fn by_sgdisk(image: &Path, size: u64, partitions: &Value) -> Vec<bool> {
    File::create(image).unwrap().set_len(size).unwrap();
    let text =
        |partition: &Value, key: &str, default: &str| partition[key].as_str().unwrap_or(default).to_string();
    let mut ordered: Vec<(&String, &Value)> = partitions.as_object().unwrap().iter().collect();
    let priority = |partition: &Value| {
        let usual = match (partition["size"].as_str(), partition["type"].as_str()) {
            (Some("100%"), _) => 9001,
            (_, Some("EF02")) => 100,
            _ => 1000,
        };
        partition["priority"].as_i64().unwrap_or(usual)
    };
    ordered.sort_by_key(|(name, partition)| (priority(partition), *name));
    let mut sgdisk = tool("sgdisk");
    sgdisk.args(["--clear", "--align-end"]);
    for (index, (name, partition)) in ordered.iter().enumerate() {
        let number = index + 1;
        let size = text(partition, "size", "0");
        let usual_end = if size == "100%" {
            "-0".to_string()
        } else {
            format!("+{size}")
        };
        let start = text(partition, "start", "0");
        let end = text(partition, "end", &usual_end);
        let is_swap = partition["content"]["type"] == "swap";
        let kind = text(partition, "type", if is_swap { "8200" } else { "8300" });
        let mut label = format!("disk-main-{}", text(partition, "name", name));
        if label.len() > 36 {
            label = run(tool("sh").args(["-c", "printf %s \"$0\" | sha256sum", &label]))[..36].into();
        }
        let label = text(partition, "label", &label);
        if start.ends_with('s') || end.ends_with('s') {
            sgdisk.arg("--set-alignment=1");
        }
        sgdisk
            .arg(format!("--new={number}:{start}:{end}"))
            .arg(format!("--change-name={number}:{label}"))
            .arg(format!("--typecode={number}:{kind}"));
        let guid = text(partition, "uuid", "R");
        sgdisk.arg(format!("--partition-guid={number}:{guid}"));
        for bit in partition["attributes"].as_array().into_iter().flatten() {
            sgdisk.arg(format!("--attributes={number}:set:{bit}"));
        }
    }
    run(sgdisk.arg(image));
    ordered
        .iter()
        .map(|(_, partition)| !partition["uuid"].is_null())
        .collect()
}

#[test]
fn tables_are_those_that_sgdisk_makes() {
    if !installed(&["sgdisk", "sfdisk"]) {
        return;
    }
    let Some(world) = world() else { return };
    let tables = world.evaluated("t.disko.tables");
    let tables = tables.as_object().unwrap();
    assert_eq!(tables.len(), 14);
    for (name, table) in tables {
        let dir = tempfile::tempdir().unwrap();
        let size = table["size"].as_str().unwrap().trim_end_matches('B');
        let theirs = dir.path().join("sgdisk.img");
        let with_ids = by_sgdisk(&theirs, size.parse().unwrap(), &table["partitions"]);
        let spec = dir.path().join("spec.json");
        fs::write(&spec, table["specification"].to_string()).unwrap();
        run(kiln()
            .arg("build")
            .arg(&spec)
            .arg("--out")
            .arg(dir.path().join("out")));
        let ours = dir
            .path()
            .join("out")
            .join(table["specification"]["disk"]["file"].as_str().unwrap());
        assert_eq!(
            partitions(&ours, &with_ids),
            partitions(&theirs, &with_ids),
            "{name}"
        );
        assert_eq!(
            fs::metadata(&ours).unwrap().len(),
            fs::metadata(&theirs).unwrap().len(),
            "{name}"
        );
    }
}

#[test]
fn what_the_system_mounts_is_what_devices_say() {
    let Some(world) = world() else { return };
    let said = world.evaluated("t.disko.lowered");
    let mount = |device: &str, kind: &str, options: &[&str]| json!({ "device": device, "fsType": kind, "options": options });
    let part = |name: &str| format!("/dev/disk/by-partlabel/disk-main-{name}");
    let root = part("root");
    let esp = mount(&part("ESP"), "vfat", &["umask=0077"]);
    assert_eq!(
        said["btrfs-subvolumes"]["fileSystems"],
        json!({
            "/": mount(&root, "btrfs", &["defaults", "subvol=/rootfs"]),
            "/boot": esp,
            "/home": mount(&root, "btrfs", &["compress=zstd", "subvol=/home"]),
            "/nix": mount(&root, "btrfs", &["compress=zstd:3", "noatime", "subvol=/nix"]),
        })
    );
    assert_eq!(
        said["tmpfs-on-root"]["fileSystems"],
        json!({
            "/": mount("none", "tmpfs", &["size=2G", "defaults", "mode=755"]),
            "/boot": esp,
            "/nix": mount(&part("nix"), "ext4", &["defaults"]),
        })
    );
    let spaces = part("name\\x20with\\x20spaces");
    assert_eq!(
        said["gpt-name-with-whitespace"]["fileSystems"]["/name with spaces"],
        mount(&spaces, "ext4", &["defaults"])
    );
    let uuid = "/dev/disk/by-partuuid/809b3a2b-828a-4730-95e1-75b6343e415a";
    assert_eq!(
        said["evaluated"]["fileSystems"]["/"],
        mount(uuid, "ext4", &["defaults"])
    );
    assert_eq!(
        said["swap"]["swapDevices"],
        json!([
            { "device": part("encryptedSwap"), "priority": 100, "randomEncryption": true },
            { "device": part("plainSwap"), "discardPolicy": "both" },
        ])
    );
    assert_eq!(said["swap"]["resumeDevice"], part("plainSwap"));
    // Encrypted swap is made at each boot.
    assert_eq!(said["swap"]["fs"]["encryptedSwap"], Value::Null);
    assert_eq!(said["swap"]["fs"]["plainSwap"]["label"], "swap");
    assert_eq!(said["evaluated"]["fs"]["root"]["label"], "nixos");
    assert_eq!(said["evaluated"]["disk"]["file"], "main.raw");
    let btrfs = &said["btrfs-only-root-subvolume"]["fs"]["root"];
    assert_eq!(
        (&btrfs["compression"], &btrfs["level"], &btrfs["label"]),
        (&json!("zstd"), &Value::Null, &json!("system"))
    );
}

/// A BIOS starts GRUB from its own partition, and its menu lies in what is mounted at /boot.
#[test]
fn grub_has_its_partition_and_its_menu() {
    let Some(world) = world() else { return };
    let said = world.evaluated("t.disko.bios");
    let files = said["disk"]["grub"]["from"].as_str().unwrap();
    assert!(files.ends_with("/lib/grub/i386-pc"), "{files}");
    assert_eq!(said["disk"]["region"][0]["type"], "bios-boot");
    assert_eq!(
        said["fs"]["ESP"]["grub"],
        json!({ "at": "/", "limit": 100, "timeout": 5 })
    );
    assert_eq!(said["fs"]["root"].get("grub"), None);
}

/// Where sfdisk says that a partition begins, in bytes.
fn start_of(image: &Path, number: usize) -> u64 {
    partitions(image, &[false; 8])[number - 1].start * 512
}

#[test]
fn files_lie_where_the_system_finds_them() {
    if !installed(&["sfdisk", "mtype", "debugfs", "btrfs", "dd", "sqlite3"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [btrfs, memory, module] =
        world.built(["disko.images.btrfs", "disko.images.memory", "disko.images.module"]);
    let coreutils = world.evaluated("t.disko.small");
    let coreutils = coreutils.as_str().unwrap();
    let dir = tempfile::tempdir().unwrap();

    // Three subvolumes are one system: its root, its store and its homes.
    let image = btrfs.join("machine.raw");
    let text = format!("{}@@{}", image.display(), start_of(&image, 1));
    assert_eq!(
        run(tool("mtype").args(["-i", &text, "::/loader/loader.conf"])),
        "timeout 3\n"
    );
    let root = cut(&image, start_of(&image, 2), dir.path());
    run(tool("btrfs").args(["check", "--force"]).arg(&root));
    let restored = dir.path().join("restored");
    fs::create_dir(&restored).unwrap();
    // Subvolumes are restored as snapshots are.
    run(tool("btrfs")
        .args(["restore", "--snapshots", "--symlinks"])
        .arg(&root)
        .arg(&restored));
    let here = |path: &str| restored.join(path.trim_start_matches('/'));
    assert_eq!(
        fs::read_to_string(here("/rootfs/etc/hostname")).unwrap(),
        "machine\n"
    );
    for path in [
        "/rootfs/etc/NIXOS",
        "/nix/var/nix/db/db.sqlite",
        "/home/user/data",
    ] {
        assert!(here(path).exists(), "{path}");
    }
    assert!(here(&format!("{coreutils}/bin/true")).is_file());
    assert!(!here("/rootfs/nix/store").exists());
    let profile = fs::read_link(here("/nix/var/nix/profiles/system-1-link")).unwrap();
    assert_eq!(profile.to_str().unwrap(), coreutils);
    let valid = |database: &Path| {
        run(tool("sqlite3")
            .arg(database)
            .arg("select count(*) from ValidPaths where path like '%-coreutils-%'"))
    };
    assert_eq!(valid(&here("/nix/var/nix/db/db.sqlite")), "1\n");

    // A root in memory: the store's file system is mounted at /nix.
    let image = memory.join("machine.raw");
    let nix = cut(&image, start_of(&image, 3), dir.path());
    let debugfs = |command: &str| run(tool("debugfs").args(["-R", command]).arg(&nix));
    let database = dir.path().join("db.sqlite");
    debugfs(&format!("dump /var/nix/db/db.sqlite {}", database.display()));
    assert_eq!(valid(&database), "1\n");
    let store = coreutils.trim_start_matches("/nix");
    assert!(debugfs(&format!("stat {store}/bin/true")).contains("Type: regular"));
    assert!(debugfs("stat /var/nix/profiles/system").contains("Fast link dest: \"system-1-link\""));

    let loader = format!("{0}@@{1}", module.join("machine.raw").display(), 1 << 20);
    let entry = run(tool("mtype").args(["-i", &loader, "::/loader/entries/nixos-generation-1.conf"]));
    assert!(entry.contains("\nlinux /EFI/nixos/"), "{entry}");
}

/// The rest of an image from a byte on.
fn cut(image: &Path, start: u64, dir: &Path) -> std::path::PathBuf {
    let part = dir.join(format!("{start}.part"));
    run(tool("dd")
        .arg(format!("if={}", image.display()))
        .arg(format!("of={}", part.display()))
        .args(["bs=1MiB", "iflag=skip_bytes", "conv=sparse", "status=none"])
        .arg(format!("skip={start}")));
    part
}
