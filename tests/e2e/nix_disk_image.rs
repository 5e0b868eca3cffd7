//! make-disk-image.nix: the arguments of nixpkgs' own, what each of them changes, and disks that other tools read as it is asked for.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::demo::kiln;
use crate::nix_world::{gpt, names, world};
use crate::tools::{installed, run, tool};

/// The arguments of the original that have no default, and those that have one.
const DEMANDED: [&str; 3] = ["config", "lib", "pkgs"];
const OPTIONAL: &str = "OVMF additionalPaths additionalSpace baseName bootSize configFile contents copyChannel deterministic diskSize \
                        efiFirmware efiVariables format fsType installBootLoader label memSize name onlyNixStore \
                        partitionTableType postVM rootFSUID rootGPUID touchEFIVars";

#[test]
fn the_arguments_and_defaults_of_the_original() {
    let Some(world) = world() else { return };
    let defaults = world.evaluated("t.disk-image.defaults");
    let arguments = defaults["arguments"].as_object().unwrap();
    let demanded: Vec<&String> = arguments
        .iter()
        .filter(|(_, has_default)| **has_default == json!(false))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(demanded, DEMANDED);
    for argument in OPTIONAL.split_whitespace() {
        assert_eq!(arguments[argument], json!(true), "{argument}");
    }

    let efi = &defaults["efi"];
    assert_eq!(efi["name"], "nixos-disk-image");
    assert_eq!(efi["filePath"], "nixos.img");
    assert_eq!(efi["products"], json!(["file raw-image nixos.img"]));
    // The system and the channel.
    assert_eq!(efi["closure"], 2);
    let root = &efi["fs"]["root"];
    assert_eq!(
        (&root["format"], &root["label"], &root["uuid"], &root["free"]),
        (
            &json!("ext4"),
            &json!("nixos"),
            &json!("F222513B-DED1-49FA-B591-20CE86A2FE7F"),
            &json!("536870912B")
        )
    );
    assert_eq!(
        efi["disk"],
        json!({
            "file": "nixos.img",
            "table": "gpt",
            "region": [
                {
                    "name": "ESP",
                    "number": 1,
                    "type": "esp",
                    "guid": "1C06F03B-704E-4657-B9CD-681A087A2FDC",
                    "offset": "8388608B",
                    "size": "260046848B",
                    "content": "fs.esp",
                },
                {
                    "name": "primary",
                    "number": 2,
                    "type": "linux",
                    "guid": "F222513B-DED1-49FA-B591-20CE86A2FE7F",
                    "offset": "268435456B",
                    "content": "fs.root",
                },
            ],
        })
    );
    let legacy = &defaults["bios"]["disk"];
    assert_eq!(legacy["table"], "mbr");
    assert_eq!(legacy["region"][0]["offset"], "1048576B");
    assert!(
        legacy["grub"]["from"]
            .as_str()
            .unwrap()
            .ends_with("/lib/grub/i386-pc"),
        "{legacy}"
    );
}

/// What an argument changes, and nothing else: `key = value` of each, without what stands beside the first colon.
#[test]
fn what_each_argument_changes() {
    let Some(world) = world() else { return };
    let changes = world.evaluated("t.disk-image.changes");
    let keys = |name: &str| -> Vec<String> { changes[name].as_object().unwrap().keys().cloned().collect() };
    // They are of a virtual machine, of what is so anyway, or as usual.
    for name in [
        "OVMF",
        "deterministic",
        "efiFirmware",
        "efiVariables",
        "memSize",
        "postVM",
        "touchEFIVars",
    ] {
        assert_eq!(changes[name], json!({}), "{name}");
    }
    let sized = json!({ "disk size": "2147483648B", "fs root free": null, "fs root size": "1877999616B" });
    assert_eq!(changes["diskSize"], sized);
    assert_eq!(changes["diskSize-text"], sized);
    assert_eq!(
        changes["additionalSpace"],
        json!({ "fs root free": "2147483648B" })
    );
    assert_eq!(keys("bootSize"), ["disk region", "fs esp size"]);
    assert_eq!(changes["bootSize"]["fs esp size"], "528482304B");
    assert_eq!(changes["label"], json!({ "fs root label": "root" }));
    assert_eq!(changes["name"], json!({ "name": "server" }));
    assert_eq!(
        changes["rootFSUID"],
        json!({ "fs root uuid": "14e19a7b-0ae0-484d-9d54-43bd6fdc20c7" })
    );
    assert_eq!(keys("rootGPUID"), ["disk region", "fs root uuid"]);
    assert_eq!(changes["additionalPaths"], json!({ "closure": 3 }));
    assert_eq!(
        keys("configFile"),
        ["fs root files", "fs root files /etc/nixos/configuration.nix"]
    );
    assert_eq!(keys("contents"), ["fs root files", "fs root files /etc/plain"]);
    assert_eq!(changes["copyChannel"]["closure"], 1);
    assert_eq!(
        changes["baseName"],
        json!({ "disk file": "server.img", "filePath": "server.img", "products": ["file raw-image server.img"] })
    );
    let loader = keys("installBootLoader");
    assert!(
        loader.iter().all(|key| key.starts_with("fs esp ")) && loader.len() == 7,
        "{loader:?}"
    );
}

/// Another container is another file, and another table has other partitions.
#[test]
fn what_formats_and_tables_change() {
    let Some(world) = world() else { return };
    let changes = world.evaluated("t.disk-image.changes");
    for (name, kind, output) in [
        (
            "format-qcow2",
            "qcow2",
            json!({ "file": "nixos.qcow2", "format": "qcow2" }),
        ),
        (
            "format-qcow2-compressed",
            "qcow2",
            json!({ "compression": "zlib", "file": "nixos.qcow2", "format": "qcow2" }),
        ),
        (
            "format-vdi",
            "vdi",
            json!({ "file": "nixos.vdi", "format": "vdi" }),
        ),
        (
            "format-vpc",
            "vpc",
            json!({ "file": "nixos.vhd", "format": "vhd" }),
        ),
    ] {
        let file = output["file"].as_str().unwrap();
        let wanted = json!({
            "disk file": "nixos.raw",
            "disk only-outputs": true,
            "disk output": [output],
            "filePath": file,
            "products": [format!("file {kind}-image {file}")],
        });
        assert_eq!(changes[name], wanted, "{name}");
    }
    assert_eq!(changes["onlyNixStore"]["fs root label"], "nix-store");
    assert_eq!(changes["onlyNixStore"]["fs root closure-at"], "/");
    assert_eq!(changes["onlyNixStore"]["fs root database"], Value::Null);
    assert_eq!(changes["fsType"]["fs root format"], "btrfs");
    for (name, table, regions) in [
        ("none", json!("none"), 1),
        ("legacy", json!("mbr"), 1),
        ("legacy+gpt", Value::Null, 2),
        ("hybrid", Value::Null, 3),
        ("efixbootldr", Value::Null, 3),
    ] {
        // What does not change is not there.
        assert_eq!(
            changes[name].get("disk table").unwrap_or(&Value::Null),
            &table,
            "{name}"
        );
        assert_eq!(
            changes[name]["disk region"].as_array().unwrap().len(),
            regions,
            "{name}"
        );
    }
}

/// What is refused, and words of what is said.
const REFUSED: [(&str, &str); 18] = [
    (
        "boot-size",
        "bootSize is 8388608 bytes, where the root begins: it has to be a whole number of MiB, and more than 8",
    ),
    (
        "format",
        "format = \"qed\": Kiln makes qcow2 qcow2-compressed raw vdi vhdx vmdk vpc",
    ),
    ("fs-id", "rootFSUID must be said for ext4"),
    ("fs-type", "fsType = \"xfs\": Kiln makes ext4, and btrfs"),
    (
        "fs-type-table",
        "fsType = \"btrfs\": a partition table needs ext4",
    ),
    (
        "grub-efi",
        "boot.loader.grub: UEFI is started by systemd-boot on a disk of type efi: say boot.loader.systemd-boot.enable",
    ),
    (
        "mode",
        "contents: /x: mode = \"u+x\" must be three or four octal digits",
    ),
    (
        "no-bios",
        "partitionTableType = \"legacy\": aarch64-linux has no BIOS that starts GRUB",
    ),
    (
        "only-store",
        "onlyNixStore: there must be no contents, no configFile, and installBootLoader = false",
    ),
    (
        "post-vm",
        "postVM: it is for files of a virtual machine's build, and there is none: say finish",
    ),
    ("size", "diskSize = 2G: must be a number of MiB, or \"auto\""),
    ("small", "diskSize = 256: the root begins at byte 268435456"),
    (
        "space",
        "additionalSpace = 512MiB: must be a whole number with K, M, G or T behind it",
    ),
    (
        "table",
        "partitionTableType = \"gpt\": must be one of legacy legacy+gpt efi",
    ),
    ("twice", "contents: /x has two sources"),
    (
        "unknown-user",
        "contents: the user someone has no number before the system runs: say users.users.someone.uid",
    ),
    ("user", "contents: /x: user and group are said together"),
    (
        "variables",
        "touchEFIVars: EFI variables need a partition table of type hybrid",
    ),
];

#[test]
fn what_is_refused_says_why() {
    let Some(world) = world() else { return };
    let names = world.evaluated("builtins.attrNames t.disk-image.refused");
    assert_eq!(names, json!(REFUSED.map(|(name, _)| name)));
    for (name, words) in REFUSED {
        let said = world.refused(&format!("t.disk-image.refused.{name}"));
        assert!(said.contains(words), "{name}: {said}");
    }
}

/// A part of an image as a file.
fn cut(image: &Path, start: u64, dir: &Path) -> PathBuf {
    let part = dir.join("part");
    run(tool("dd")
        .arg(format!("if={}", image.display()))
        .arg(format!("of={}", part.display()))
        .args(["bs=1MiB", "iflag=skip_bytes", "conv=sparse", "status=none"])
        .arg(format!("skip={start}")));
    part
}

#[test]
fn disks_are_what_the_arguments_ask_for() {
    if !installed(&[
        "sfdisk", "sgdisk", "mtype", "mdir", "debugfs", "e2fsck", "dumpe2fs",
    ]) {
        return;
    }
    let Some(world) = world() else { return };
    let [efi, none, store] = world.built([
        "disk-image.images.efi",
        "disk-image.images.none",
        "disk-image.images.store",
    ]);
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(names(&efi), ["efi-vars.fd", "nix-support", "nixos.img"]);
    assert_eq!(
        fs::read_to_string(efi.join("efi-vars.fd")).unwrap(),
        "FV/OVMF_VARS.fd of OVMF\n"
    );
    let image = efi.join("nixos.img");
    let (_, partitions) = gpt(&image, 512);
    let found: Vec<(&str, u64)> = partitions
        .iter()
        .map(|partition| (&*partition.name, (partition.first * 512) >> 20))
        .collect();
    assert_eq!(found, [("ESP", 8), ("primary", 64)]);
    assert_eq!(run(kiln().arg("ls").arg(&image)), "ESP\nprimary\n");
    let esp = format!("{}@@8M", image.display());
    let entry = run(tool("mtype").args(["-i", &esp, "::/loader/entries/nixos-generation-1.conf"]));
    assert!(entry.contains("\noptions init=/nix/store/"), "{entry}");
    let listed = run(tool("mdir").args(["-/", "-b", "-i", &esp, "::"]));
    assert!(listed.contains("::/EFI/BOOT/BOOTX64.EFI\n"), "{listed}");
    let root = cut(&image, 64 << 20, dir.path());
    check_contents(&root);

    // A bare file system of the size that was asked for.
    let bare = none.join("nixos.img");
    assert_eq!(fs::metadata(&bare).unwrap().len(), 128 << 20);
    run(tool("e2fsck").arg("-fn").arg(&bare));
    let header = run(tool("dumpe2fs").arg("-h").arg(&bare));
    assert!(
        header.contains("Filesystem volume name:   nixos\n")
            && header.contains("Filesystem UUID:          f222513b-ded1-49fa-b591-20ce86a2fe7f\n"),
        "{header}"
    );
    // Only the store: its paths are in the root.
    let store = store.join("nixos.img");
    let listed = run(tool("debugfs").args(["-R", "ls /"]).arg(&store));
    assert!(
        listed.contains("-nixos-system-nixos-") && !listed.contains(" nix "),
        "{listed}"
    );
}

/// What `contents`, `configFile` and `copyChannel` say.
fn check_contents(root: &Path) {
    run(tool("e2fsck").arg("-fn").arg(root));
    let debugfs = |command: &str| run(tool("debugfs").args(["-R", command]).arg(root));
    for (path, mode, owner, group) in [
        ("/etc/plain", "0444", 0, 0),
        ("/etc/secret", "0600", 990, 991),
        ("/srv/folder", "0750", 0, 991),
        ("/srv/folder/sub/deep", "0750", 0, 991),
        ("/srv/patterns/one.conf", "0640", 0, 0),
        ("/srv/patterns/two.conf", "0640", 0, 0),
        ("/srv/patterns/run", "0555", 0, 0),
        ("/etc/nixos/configuration.nix", "0444", 0, 0),
        ("/root/.nix-defexpr", "0700", 0, 0),
    ] {
        let said = debugfs(&format!("stat {path}"));
        let words: Vec<&str> = said.split_whitespace().collect();
        let behind = |word: &str| {
            words
                .iter()
                .position(|found| *found == word)
                .map(|at| words[at + 1])
        };
        assert_eq!(
            (behind("Mode:"), behind("User:"), behind("Group:")),
            (Some(mode), Some(&*owner.to_string()), Some(&*group.to_string())),
            "{path}: {said}"
        );
    }
    assert_eq!(debugfs("cat /srv/folder/sub/deep"), "deep\n");
    assert!(debugfs("stat /srv/folder/link").contains("Fast link dest: \"one.conf\""));
    let channels = debugfs("stat /nix/var/nix/profiles/per-user/root/channels");
    assert!(
        channels.contains("Fast link dest: \"channels-1-link\""),
        "{channels}"
    );
    let registered = debugfs("ls /nix/var/nix/db");
    assert!(registered.contains("db.sqlite"), "{registered}");
}

/// The bytes of a part of a file.
fn bytes(file: &Path, start: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fs::File::open(file)
        .unwrap()
        .read_exact_at(&mut bytes, start)
        .unwrap();
    bytes
}

#[test]
fn a_bios_finds_grub_and_its_menu() {
    if !cfg!(target_arch = "x86_64") || !installed(&["sfdisk", "debugfs", "mtype", "qemu-img"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [legacy, gpt, hybrid, compressed] = world.built([
        "disk-image.grub.legacy",
        "disk-image.grub.\"legacy+gpt\"",
        "disk-image.grub.hybrid",
        "disk-image.compressed",
    ]);
    for (folder, table, numbers, core) in [
        (&legacy, "dos", &[(1, 1 << 20)][..], 512),
        (&gpt, "gpt", &[(1, 1 << 20), (2, 2 << 20)], 1 << 20),
        (
            &hybrid,
            "gpt",
            &[(1, 8 << 20), (2, 34 * 512), (3, 64 << 20)],
            34 * 512,
        ),
    ] {
        let image = folder.join("nixos.img");
        let said: Value = serde_json::from_str(&run(tool("sfdisk").arg("--json").arg(&image))).unwrap();
        let said = &said["partitiontable"];
        assert_eq!(said["label"], table);
        let found: Vec<(usize, u64)> = said["partitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|partition| {
                let node = partition["node"].as_str().unwrap();
                let number = node.trim_start_matches(image.to_str().unwrap()).parse().unwrap();
                (number, partition["start"].as_u64().unwrap() * 512)
            })
            .collect();
        assert_eq!(found, numbers, "{table}");
        // GRUB's first sector says its name, and its second begins the core image.
        let first = bytes(&image, 0, 440);
        assert!(first.windows(5).any(|word| word == b"GRUB "), "{table}");
        let core = bytes(&image, core, 512);
        assert!(core.windows(7).any(|word| word == b"loading"), "{table}");
        let menu = if table == "gpt" && numbers.len() == 3 {
            run(tool("mtype").args(["-i", &format!("{}@@8M", image.display()), "::/grub/grub.cfg"]))
        } else {
            let place = format!("{}?offset={}", image.display(), numbers.last().unwrap().1);
            run(tool("debugfs").args(["-R", "cat /boot/grub/grub.cfg"]).arg(place))
        };
        assert!(
            menu.contains("set timeout=3") && menu.contains("/init"),
            "{table}: {menu}"
        );
    }
    let file = compressed.join("nixos.qcow2");
    run(tool("qemu-img").args(["check", "-f", "qcow2"]).arg(&file));
    assert!(fs::metadata(&file).unwrap().len() < 24 << 20);
}
