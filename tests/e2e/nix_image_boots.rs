//! A system is told of the image that it lies in, whatever its configuration says of the machine it was written for: what
//! it mounts, what its boot menu says, and that it boots, and goes on from what the image has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::boots::console_lines;
use crate::caches::{BUCKET, cache};
use crate::demo::{demo, is_made, target};
use crate::nix_images::{evaluated, nix, on_host};
use crate::nix_world::{World, world};
use crate::tools::{installed, output, run, said, tool};

#[test]
fn a_card_mounts_what_it_has() {
    let Some(world) = world() else { return };
    let told = evaluated(
        &world,
        r#"let
          card = s: t.image [ { kiln.layout = "sd-card"; } t.hardware s ];
          mounts = s: t.mounts (card s);
        in {
          usual = mounts { };
          label = (mounts { kiln.specification.fs.root.label = "My disk"; })."/".device;
          uuid = (mounts { kiln.specification.fs.root.uuid = "0D0D0D0D-2222-3333-4444-555555555555"; })."/".device;
          firmware = (mounts { kiln.specification.fs.firmware.label = "PI"; })."/boot/firmware".device;
          forced = (mounts { fileSystems."/" = t.lib.mkForce { device = "/dev/sda1"; fsType = "xfs"; }; })."/".device;
          loader = (card { }).system.boot.loader.id;
          grows = (card { }).boot.growPartition;
          repart = (card { systemd.repart.enable = true; }).boot.growPartition;
          initrd = (card { boot.initrd.systemd.repart.enable = true; }).boot.growPartition;
          hardware = (card { }).hardware.enableAllHardware;
          none = (card { hardware.enableAllHardware = false; }).hardware.enableAllHardware;
          console = (card { }).boot.kernelParams;
          level = (card { }).boot.consoleLogLevel;
          system = (card { }).system.build.toplevel.drvPath != "";
          warnings = (card { }).warnings;
          swap = map (swap: swap.options) (card { }).swapDevices;
          luks = (card { }).boot.initrd.luks.devices;
        }"#,
    );
    assert_eq!(
        told["usual"],
        json!({
            "/": {
                "device": "/dev/disk/by-label/NIXOS_SD",
                "fsType": "ext4",
                "options": ["x-systemd.growfs", "x-initrd.mount"],
            },
            // Of the other machine, and not there.
            "/boot": {
                "device": "/dev/disk/by-uuid/AAAA-BBBB",
                "fsType": "vfat",
                "options": ["nofail"],
            },
            "/boot/firmware": {
                "device": "/dev/disk/by-label/FIRMWARE",
                "fsType": "vfat",
                "options": ["nofail", "noauto"],
            },
        })
    );
    assert_eq!(evaluated(&world, "t.priorities"), json!([true, true]));
    assert_eq!(told["label"], "/dev/disk/by-label/My\\x20disk");
    assert_eq!(
        told["uuid"],
        "/dev/disk/by-uuid/0d0d0d0d-2222-3333-4444-555555555555"
    );
    assert_eq!(told["firmware"], "/dev/disk/by-label/PI");
    assert_eq!(told["forced"], "/dev/sda1");
    assert_eq!(told["loader"], "generic-extlinux-compatible");
    // NixOS refuses to grow a partition in two ways.
    assert_eq!(
        [&told["grows"], &told["repart"], &told["initrd"]],
        [true, false, false]
    );
    assert_eq!([&told["hardware"], &told["none"]], [true, false]);
    let console: Vec<_> = told["console"].as_array().unwrap().iter().collect();
    for word in [
        "console=ttyS0,115200n8",
        "console=ttyAMA0,115200n8",
        "console=tty0",
        "loglevel=7",
    ] {
        assert!(console.contains(&&json!(word)), "{console:?}");
    }
    assert_eq!((&told["level"], &told["system"]), (&json!(7), &json!(true)));
    // As the mount: it is not waited for, and nobody asks for a key.
    assert_eq!(told["swap"], json!([["nofail"]]));
    assert_eq!(told["luks"], json!({}));
    let warnings = told["warnings"].to_string();
    for words in ["no /dev/disk/by-uuid/AAAA-BBBB", "no /dev/disk/by-uuid/99999999-"] {
        assert!(warnings.contains(words), "{warnings}");
    }
}

#[test]
fn disks_for_uefi_and_sd_images_mount_what_they_have() {
    let Some(world) = world() else { return };
    let told = evaluated(
        &world,
        r#"let
          disk = s: t.image [ { kiln.layout = "efi"; } t.hardware s ];
          card = s: t.sd [ t.uBoot { inherit (t.hardware) fileSystems; } s ];
        in {
          disk = t.mounts (disk { });
          elsewhere = t.mounts (disk { boot.loader.efi.efiSysMountPoint = "/efi"; });
          id = (t.mounts (disk { kiln.specification.fs.esp.id = "abcd1234"; }))."/boot".device;
          loader = (disk { boot.loader.systemd-boot.enable = t.lib.mkOverride 90 false; }).system.boot.loader.id;
          grows = (disk { boot.initrd.systemd.repart.enable = true; }).boot.growPartition;
          card = t.mounts (card { fileSystems."/".options = [ "noatime" ]; });
          other = t.mounts (card { sdImage.rootVolumeLabel = "CARD"; sdImage.firmwarePartitionName = "PI"; });
          first = (card { sdImage.nixPathRegistrationFile = "/other"; }).boot.postBootCommands;
          fixed = (card { sdImage.expandOnBoot = false; }).boot.postBootCommands;
        }"#,
    );
    assert_eq!(told["disk"]["/"]["device"], "/dev/disk/by-label/nixos");
    assert_eq!(told["disk"]["/boot"]["device"], "/dev/disk/by-label/ESP");
    assert_eq!(told["disk"]["/boot"]["fsType"], "vfat");
    assert_eq!(told["elsewhere"]["/efi"]["device"], "/dev/disk/by-label/ESP");
    assert_eq!(told["id"], "/dev/disk/by-uuid/ABCD-1234");
    assert_eq!(told["loader"], "systemd-boot");
    assert_eq!(told["grows"], false);
    // Users of sdImage add options to its mounts.
    assert_eq!(told["card"]["/"]["device"], "/dev/disk/by-label/NIXOS_SD");
    let options = told["card"]["/"]["options"].as_array().unwrap();
    assert!(options.contains(&json!("noatime")), "{options:?}");
    assert_eq!(told["other"]["/"]["device"], "/dev/disk/by-label/CARD");
    assert_eq!(told["other"]["/boot/firmware"]["device"], "/dev/disk/by-label/PI");
    let text = |name: &str| told[name].as_str().unwrap().to_string();
    assert!(text("first").contains("if [ -f /other ]"), "{}", text("first"));
    assert!(text("first").contains("resize2fs") && !text("fixed").contains("resize2fs"));
}

/// What nixpkgs' generic-extlinux-compatible hands to its builder reaches the menus of all modules.
#[test]
fn menus_say_what_nixos_says() {
    let Some(world) = world() else { return };
    let told = evaluated(
        &world,
        r#"let
          card = s: (t.image [ { kiln.layout = "sd-card"; } s ]).system.build.image.specification.fs.root.extlinux or null;
          sd = s: (t.sd [ t.uBoot s ]).system.build.sdImage.specification.fs.root.extlinux;
          told = menu: {
            usual = menu { };
            timeout = (menu { boot.loader.timeout = 9; }).timeout;
            forever = (menu { boot.loader.timeout = null; }).timeout;
            limit = (menu { boot.loader.generic-extlinux-compatible.configurationLimit = 3; }).limit;
            none = menu { boot.loader.generic-extlinux-compatible.useGenerationDeviceTree = false; hardware.deviceTree.name = "a.dtb"; };
            named = (menu { hardware.deviceTree.name = "a.dtb"; }).dtb-name;
          };
        in {
          image = told card;
          sd = told sd;
          off = card { boot.loader.generic-extlinux-compatible.enable = false; };
        }"#,
    );
    for (module, more) in [("image", json!({})), ("sd", json!({ "at": "/boot" }))] {
        let with = |mut menu: Value| {
            let more = more.as_object().unwrap().clone();
            menu.as_object_mut().unwrap().extend(more);
            menu
        };
        let expected = json!({
            "usual": with(json!({ "timeout": 5, "limit": 20 })),
            "timeout": 9,
            "forever": -1,
            "limit": 3,
            "none": with(json!({ "timeout": 5, "limit": 20, "device-trees": false })),
            "named": "a.dtb",
        });
        assert_eq!(told[module], expected, "{module}");
    }
    assert_eq!(told["off"], json!(null));
}

#[test]
fn variants_are_ready() {
    let Some(world) = world() else { return };
    let name = |ending: &str| format!("nixos-image-25.11.20261121.abc-aarch64-linux.img{ending}");
    let expected = json!({
        "kiln-efi": { "filePath": name(""), "loader": "systemd-boot", "root": "/dev/disk/by-label/nixos" },
        "kiln-sd": {
            "filePath": name(""), "loader": "generic-extlinux-compatible", "root": "/dev/disk/by-label/NIXOS_SD",
        },
        "kiln-sd-image": {
            "filePath": "sd-image/nixos-image-sd-card-25.11.20261121.abc-aarch64-linux.img.zst",
            // What the configuration says; nixpkgs' sdImage has no opinion either.
            "loader": "systemd-boot",
            "root": "/dev/disk/by-label/NIXOS_SD",
        },
    });
    assert_eq!(evaluated(&world, "t.variants"), expected);
}

/// Where the demo's systems are, for `tests/nix/boots.nix`, in place of what the world knows.
fn inputs(world: &World, dir: &Path) -> PathBuf {
    let system = |folder: &str| {
        let folder = demo().join("out").join(folder);
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let toplevel = text("toplevel").trim().to_string();
        let list = text("closure-info/store-paths");
        let package = |name: &str| {
            let start = format!("-{name}-");
            let is_it = |path: &&str| {
                path["/nix/store/".len() + 32..]
                    .strip_prefix(&*start)
                    .is_some_and(|version| version.starts_with(|digit: char| digit.is_ascii_digit()))
            };
            list.lines().find(is_it).unwrap().to_string()
        };
        let link = |name: &str| fs::read_link(folder.join(format!("root{toplevel}/{name}"))).ok();
        let mut system = json!({
            "toplevel": toplevel, "kernel": link("kernel"), "initrd": link("initrd"),
            "nix": package("nix-bin"), "busybox": package("busybox-static"),
        });
        if let Some(trees) = link("dtbs") {
            system["dtbs"] = json!(trees);
        }
        for name in ["bash", "e2fsprogs", "fdisk", "util-linux"] {
            system[name] = package(name).into();
        }
        system
    };
    let known = world.store().with_file_name("inputs.json");
    let mut inputs: Value = serde_json::from_str(&fs::read_to_string(known).unwrap()).unwrap();
    inputs["systems"] = json!({ "aarch64-linux": system("store"), "x86_64-linux": system("store-amd64") });
    inputs["folder"] = json!(dir);
    inputs["systemd-boot"] = json!(demo().join("out/efi-loader/systemd-bootx64.efi"));
    let path = dir.join("inputs.json");
    fs::write(&path, inputs.to_string()).unwrap();
    path
}

/// Builds an attribute of `tests/nix/boots.nix`, with the demo's arm64 closure out of a binary cache.
pub(crate) fn built(world: &World, attribute: &str, dir: &Path) -> PathBuf {
    let cache = cache();
    let source = format!("file://{}", cache.path.join(BUCKET).display());
    let key = fs::read_to_string(cache.path.join("key")).unwrap();
    let mut command = nix(
        world,
        "nix-build",
        "boots.nix",
        &["--no-out-link", "-A", attribute],
    );
    command
        .env("KILN_TEST", inputs(world, dir))
        .args(["--option", "substituters", &source])
        .args(["--option", "trusted-public-keys", key.trim()]);
    on_host(world, run(&mut command).trim())
}

/// A boot, and what the console said.
pub(crate) fn boot(image: &Path, log: &Path, more: &[&str]) -> Vec<String> {
    let mut boot = tool(demo().join("boot").to_str().unwrap());
    boot.arg(image)
        .args(["--timeout", "900"])
        .arg("--log")
        .arg(log)
        .args(more);
    let output = output(&mut boot);
    assert!(output.status.success(), "{}", said(&output));
    console_lines(log)
}

/// The number behind a word on the console.
pub(crate) fn number(console: &[String], word: &str) -> u64 {
    let line = console.iter().find_map(|line| line.strip_prefix(word)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

pub(crate) fn says(console: &[String], wanted: &str) -> bool {
    console.iter().any(|line| line.starts_with(wanted))
}

/// The card of an arm64 configuration that names another machine's root is made on this machine out of a binary cache. It
/// finds its own root, does what NixOS does at a first boot, and then no more.
#[test]
fn a_card_boots_with_the_mounts_of_another_machine() {
    let tools = [
        "qemu-system-aarch64",
        "/usr/lib/u-boot/qemu_arm64/u-boot.bin",
        "nginx",
    ];
    if !cfg!(target_arch = "x86_64") || !is_made() || !installed(&tools) {
        return;
    }
    let Some(world) = world() else { return };
    let dir = tempfile::tempdir_in(target()).unwrap();
    let made = built(&world, "card", dir.path());
    let image = made.join("sd-image/board.img");
    let (log, disk) = (dir.path().join("log"), dir.path().join("disk"));
    let disk_word = disk.to_str().unwrap();
    let console = boot(&image, &log, &["--disk-size", "16G", "--keep", disk_word]);
    for wanted in [
        "STAGE1 root=LABEL=NIXOS_SD device=/dev/vda2 type=ext4",
        "PASSED OVER /boot",
        "the root grows to the size of /dev/vda",
        "NIXOS is there",
        "PROFILE /nix/store/",
    ] {
        assert!(says(&console, wanted), "{wanted:?} is not in {console:#?}");
    }
    assert!(!says(&console, "REGISTRATION is there"), "{console:#?}");
    let (before, after) = (number(&console, "BEFORE "), number(&console, "AFTER "));
    assert!(before < 1 << 20 && after > 14 << 20, "{before} to {after} KiB");

    let console = boot(&disk, &log, &[]);
    assert!(!says(&console, "the root grows"), "{console:#?}");
    assert_eq!(number(&console, "BEFORE "), number(&console, "AFTER "));
}

/// What `nixos-rebuild switch` writes into /boot is what the next boot starts.
#[test]
fn a_second_generation_is_what_boots_next() {
    let tools = ["qemu-system-x86_64", "/usr/share/ovmf/OVMF.fd", "nginx"];
    if !cfg!(target_arch = "x86_64") || !is_made() || !installed(&tools) {
        return;
    }
    let Some(world) = world() else { return };
    let dir = tempfile::tempdir_in(target()).unwrap();
    let made = built(&world, "efi", dir.path());
    let (log, disk) = (dir.path().join("log"), dir.path().join("disk"));
    let disk_word = disk.to_str().unwrap();
    let console = boot(
        &made.join("board.img"),
        &log,
        &["--arch", "amd64", "--keep", disk_word],
    );
    for wanted in ["STAGE1 root=LABEL=nixos ", "MOUNTED /boot vfat", "GENERATION 1"] {
        assert!(says(&console, wanted), "{wanted:?} is not in {console:#?}");
    }
    let console = boot(&disk, &log, &["--arch", "amd64"]);
    for wanted in ["MOUNTED /boot vfat", "GENERATION 2"] {
        assert!(says(&console, wanted), "{wanted:?} is not in {console:#?}");
    }
}

/// The partition of a disk for UEFI has what NixOS' installer of systemd-boot leaves, under the names that it gives.
#[test]
fn the_partition_for_uefi_is_as_the_installer_leaves_it() {
    if !cfg!(target_arch = "x86_64") || !is_made() || !installed(&["nginx", "mdir", "mtype", "partx"]) {
        return;
    }
    let Some(world) = world() else { return };
    let dir = tempfile::tempdir_in(target()).unwrap();
    let image = built(&world, "efi", dir.path()).join("board.img");
    let start = run(tool("partx").args(["-g", "-o", "START", "--nr", "1"]).arg(&image));
    let start = start.trim().parse::<u64>().unwrap() * 512;
    let fat = format!("{}@@{start}", image.display());
    let mtools = |program: &str, path: &str| -> String {
        let mut command: Command = tool(program);
        if program == "mdir" {
            command.args(["-/", "-b"]);
        }
        run(command.args(["-i", &fat, path]))
    };
    let known: Value =
        serde_json::from_str(&fs::read_to_string(inputs(&world, dir.path())).unwrap()).unwrap();
    // …-linux-6.1/boot/vmlinuz becomes …-linux-6.1-vmlinuz.efi.
    let installed = |part: &str| {
        let path = known["systems"]["x86_64-linux"][part].as_str().unwrap();
        let mut parts = path["/nix/store/".len()..].split('/');
        let (first, last) = (parts.next().unwrap(), parts.next_back().unwrap());
        format!("/EFI/nixos/{first}-{last}.efi")
    };
    let mut expected = vec![
        "/EFI/BOOT/BOOTX64.EFI".to_string(),
        "/EFI/systemd/systemd-bootx64.efi".into(),
        installed("kernel"),
        installed("initrd"),
        "/loader/entries.srel".into(),
        "/loader/entries/nixos-generation-1.conf".into(),
        "/loader/loader.conf".into(),
    ];
    expected.sort();
    let listed = mtools("mdir", "::");
    let mut found: Vec<_> = listed
        .lines()
        .filter(|line| !line.ends_with('/'))
        .map(|line| line.trim_start_matches("::").to_string())
        .collect();
    found.sort();
    assert_eq!(found, expected);
    let lines = |path: &str| mtools("mtype", path);
    assert_eq!(
        lines("::/loader/loader.conf"),
        "timeout 1\ndefault nixos-generation-1.conf\nconsole-mode keep\n"
    );
    let entry = lines("::/loader/entries/nixos-generation-1.conf");
    assert!(
        entry.contains(&format!("\nlinux {}\n", installed("kernel"))),
        "{entry}"
    );
    assert!(
        entry.contains(&format!("\ninitrd {}\n", installed("initrd"))),
        "{entry}"
    );
    assert!(entry.contains("\noptions init=/nix/store/"), "{entry}");
}
