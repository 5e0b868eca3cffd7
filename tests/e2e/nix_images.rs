//! nixpkgs' `sdImage` and the layouts of `nixosModules.image`: what each option changes, names that agree, and a system
//! that is told of the image it lies in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::demo::workspace;
use crate::nix_world::{World, names, world};
use crate::tools::{files, installed, output, run, said, tool};

const MIB: u64 = 1 << 20;

/// A program of Nix on a file beside `tests/nix/images.nix`.
pub(crate) fn nix(world: &World, program: &str, file: &str, words: &[&str]) -> Command {
    let file = workspace().join("tests/nix").join(file);
    let mut command = world.nix(program);
    if words.first() == Some(&"--expr") {
        let expression = format!("let t = import {}; in {}", file.display(), words[1]);
        command.args(["--eval", "--strict", "--json", "--expr", &expression]);
    } else {
        command.arg(file).args(words);
    }
    command
}

/// The value of an expression over `tests/nix/modules.nix`, which is `t` in it.
pub(crate) fn evaluated(world: &World, expression: &str) -> Value {
    let mut command = nix(world, "nix-instantiate", "modules.nix", &["--expr", expression]);
    serde_json::from_str(&run(&mut command)).unwrap()
}

/// What Nix says of an expression that has no value.
pub(crate) fn refused(world: &World, expression: &str) -> String {
    let output = output(&mut nix(
        world,
        "nix-instantiate",
        "modules.nix",
        &["--expr", expression],
    ));
    assert!(!output.status.success(), "{expression} has a value");
    said(&output)
}

/// Builds attributes of `tests/nix/modules.nix`, and answers where they lie on this machine, and what was said.
fn built<const N: usize>(world: &World, attributes: [&str; N]) -> ([PathBuf; N], String) {
    let mut command = nix(world, "nix-build", "modules.nix", &["--no-out-link"]);
    for attribute in attributes {
        command.args(["-A", attribute]);
    }
    let output = output(&mut command);
    let log = said(&output);
    assert!(output.status.success(), "{log}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    let place = |_| on_host(world, lines.next().unwrap());
    (attributes.map(place), log)
}

pub(crate) fn on_host(world: &World, path: &str) -> PathBuf {
    world.store().join(path.trim_start_matches('/'))
}

/// The partitions of an MBR: first byte and count of bytes.
fn partitions(image: &Path) -> Vec<(u64, u64)> {
    let text = run(tool("partx").args(["-g", "-b", "-o", "START,SIZE"]).arg(image));
    let line = |line: &str| {
        let mut words = line.split_whitespace().map(|word| word.parse::<u64>().unwrap());
        (words.next().unwrap() * 512, words.next().unwrap())
    };
    text.lines().map(line).collect()
}

fn debugfs(image: &Path, start: u64, request: &str) -> String {
    let place = format!("{}?offset={start}", image.display());
    run(tool("debugfs").args(["-R", request]).arg(place))
}

/// Lines of a text that begin like this, without that.
fn after<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.strip_prefix(start)).collect()
}

/// Names, types and defaults are those of nixpkgs' installer/sd-card/sd-image.nix.
#[test]
fn sd_image_has_the_options_of_nixpkgs() {
    let Some(world) = world() else { return };
    let option = |kind: &str, default: Value| json!({ "type": kind, "default": default });
    let lines = || option("strings concatenated with \"\\n\"", json!(""));
    let expected = json!({
        "compressImage": option("boolean", json!(true)),
        "expandOnBoot": option("boolean", json!(true)),
        "firmwarePartitionID": option("string", json!("0x2178694e")),
        "firmwarePartitionName": option("string", json!("FIRMWARE")),
        "firmwarePartitionOffset": option("signed integer", json!(8)),
        "firmwareSize": option("signed integer", json!(30)),
        "nixPathRegistrationFile": option("string", json!("/nix-path-registration")),
        "populateFirmwareCommands": lines(),
        "populateRootCommands": lines(),
        "postBuildCommands": lines(),
        "preBuildCommands": lines(),
        "rootPartitionUUID": option("null or string", json!(null)),
        "rootVolumeLabel": option("string", json!("NIXOS_SD")),
        // The system is defined, not a default, so that others are added to it.
        "storePaths": option("list of package", json!([])),
    });
    assert_eq!(evaluated(&world, "t.options"), expected);
    assert_eq!(
        evaluated(&world, "t.rootTypes"),
        json!({ "rootFilesystemCreator": "package or absolute path", "rootFilesystemImage": "package" })
    );
    let more = evaluated(
        &world,
        "let c = t.sd [ t.uBoot { sdImage.storePaths = [ t.pkgs.demo.coreutils ]; } ]; in {
           paths = builtins.length c.sdImage.storePaths;
           own = builtins.elem c.system.build.toplevel.outPath (map (path: \"${path}\") c.sdImage.storePaths);
           image = c.system.build.image.drvPath == c.system.build.sdImage.drvPath;
           tags = c.system.nixos.tags;
           hardware = c.hardware.enableAllHardware;
           creator = baseNameOf c.sdImage.rootFilesystemCreator;
         }",
    );
    assert_eq!(
        more,
        json!({
            "paths": 2, "own": true, "image": true, "tags": ["sd-card"], "hardware": true, "creator": "make-ext4-fs.nix",
        })
    );
}

/// The names that options had, and one that is gone.
#[test]
fn old_names_of_sd_image_are_known() {
    let Some(world) = world() else { return };
    let renamed = "(t.sd [ t.uBoot { image.baseName = t.lib.mkForce \"x\"; sdImage.compressImage = false; \
                   sdImage.imageName = \"old.img\"; } ]).image.filePath";
    assert_eq!(evaluated(&world, renamed), json!("sd-image/old.img"));
    let gone = "(t.sd [ t.uBoot { sdImage.bootSize = 60; } ]).system.build.sdImage.drvPath";
    assert!(refused(&world, gone).contains("sdImage.firmwareSize"));
}

#[test]
fn an_sd_image_is_what_nixpkgs_makes() {
    if !installed(&[
        "zstd", "sfdisk", "partx", "fsck.fat", "e2fsck", "debugfs", "dumpe2fs", "mdir",
    ]) {
        return;
    }
    let Some(world) = world() else { return };
    // As users build it: nix-build '<nixpkgs/nixos>' -A config.system.build.sdImage -I nixos-config=…
    let nixpkgs = workspace().join("tests/nix/stub-nixpkgs");
    let mut command = world.nix("nix-build");
    command
        .args(["<nixpkgs/nixos>", "--no-out-link"])
        .args(["-A", "config.system.build.sdImage"])
        .args(["-I", &format!("nixpkgs={}", nixpkgs.display())])
        .arg("-I")
        .arg(format!(
            "nixos-config={}",
            workspace().join("tests/nix/sd-configuration.nix").display()
        ));
    let said_path = run(&mut command);
    let made = on_host(&world, said_path.trim());
    assert_eq!(names(&made), ["nix-support", "sd-image"]);
    let file = files(&made.join("sd-image")).remove(0);
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("nixos-image-sd-card-25.11"), "{name}");
    assert!(name.ends_with("-linux.img.zst"), "{name}");
    let support = |file: &str| fs::read_to_string(made.join("nix-support").join(file)).unwrap();
    assert_eq!(
        support("hydra-build-products"),
        format!("file sd-image {}/sd-image/{name}\n", said_path.trim())
    );
    assert_eq!(support("system"), format!("{}-linux\n", std::env::consts::ARCH));

    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("image");
    run(tool("zstd").args(["-q", "-d"]).arg(&file).arg("-o").arg(&image));
    let dump = run(tool("sfdisk").arg("-d").arg(&image));
    for line in [
        "label: dos\n",
        "label-id: 0x2178694e\n",
        "start=       16384, size=       61440, type=b\n",
        "start=       77824, ",
        "type=83, bootable\n",
    ] {
        assert!(dump.contains(line), "{dump}");
    }
    let [firmware, root] = partitions(&image)[..] else {
        panic!("{dump}")
    };
    let header = run(tool("dumpe2fs")
        .arg("-h")
        .arg(format!("{}?offset={}", image.display(), root.0)));
    for line in [
        "Filesystem volume name:   NIXOS_SD\n",
        "Filesystem UUID:          44444444-4444-4444-8888-888888888888\n",
    ] {
        assert!(header.contains(line), "{header}");
    }
    let listed = debugfs(&image, root.0, "ls -p /");
    assert!(listed.contains("/nix-path-registration/"), "{listed}");
    let menu = debugfs(&image, root.0, "cat /boot/extlinux/extlinux.conf");
    assert_eq!(after(&menu, "TIMEOUT "), ["50"], "{menu}");
    let fat = format!("{}@@{}", image.display(), firmware.0);
    let listed = run(tool("mdir").args(["-b", "-i", &fat, "::"]));
    assert_eq!(listed.lines().collect::<Vec<_>>(), ["::/config.txt"]);
}

/// A card on which each option has another value than usual.
#[test]
fn each_option_of_sd_image_changes_the_image() {
    if !installed(&[
        "sfdisk", "partx", "e2fsck", "debugfs", "dumpe2fs", "mdir", "fatlabel",
    ]) {
        return;
    }
    let Some(world) = world() else { return };
    let ([made], _) = built(&world, ["everything"]);
    let image = made.join("sd-image/board.img");
    let dump = run(tool("sfdisk").arg("-d").arg(&image));
    assert!(dump.contains("label-id: 0xdeadbeef\n"), "{dump}");
    let [firmware, root] = partitions(&image)[..] else {
        panic!("{dump}")
    };
    assert_eq!(firmware, (16 * MIB, 40 * MIB));
    assert_eq!(root.0, 56 * MIB);
    let bytes = fs::read(&image).unwrap();
    assert!(bytes[64 * 512..].starts_with(b"idbloader.img of u-boot-rock64"));
    let fat = format!("{}@@{}", image.display(), firmware.0);
    let listed = run(tool("mdir").args(["-i", &fat, "::"]));
    assert!(
        listed.contains("is BOARD") && listed.contains("is DEAD-BEEF"),
        "{listed}"
    );
    let listed = run(tool("mdir").args(["-b", "-i", &fat, "::"]));
    let expected: Vec<String> = [
        "bootcode.bin",
        "config.txt",
        "fixup.dat",
        "fixup4.dat",
        "fixup4cd.dat",
        "fixup_cd.dat",
        "start.elf",
        "start4.elf",
        "start4cd.elf",
        "start_cd.elf",
        "u-boot.bin",
    ]
    .map(|name| format!("::/{name}"))
    .into();
    let mut found: Vec<&str> = listed.lines().collect();
    found.sort_unstable();
    assert_eq!(found, expected);

    let place = format!("{}?offset={}", image.display(), root.0);
    run(tool("e2fsck").arg("-fn").arg(&place));
    let header = run(tool("dumpe2fs").arg("-h").arg(&place));
    for line in [
        "Filesystem volume name:   CARD\n",
        "Filesystem UUID:          14e19a7b-0ae0-484d-9d54-43bd6fdc20c7\n",
    ] {
        assert!(header.contains(line), "{header}");
    }
    // Commands that end their shell, and change its variables, do so for themselves alone.
    assert_eq!(debugfs(&image, root.0, "cat /etc/hello"), "hello\n");
    let menu = debugfs(&image, root.0, "cat /boot/extlinux/extlinux.conf");
    assert_eq!(after(&menu, "TIMEOUT "), ["70"]);
    let [tree] = after(&menu, "  FDT ")[..] else {
        panic!("{menu}")
    };
    // Those that the filter has left.
    assert!(
        tree.ends_with("-device-trees/rockchip/rk3328-rock64.dtb"),
        "{menu}"
    );
    let store = debugfs(&image, root.0, "ls -p /nix/store");
    assert!(store.contains("-coreutils-"), "{store}");
}

#[test]
fn commands_run_before_and_after() {
    if !installed(&["zstd", "partx", "e2fsck", "debugfs"]) {
        return;
    }
    let Some(world) = world() else { return };
    let ([usual, changed, compressed, root, creator], log) =
        built(&world, ["usual", "changed", "compressed", "root", "creator"]);
    // Nothing else builds these two, so that their log is here.
    let told = "sdImage.postBuildCommands: checks end here";
    assert_eq!(log.matches(told).count(), 2, "{log}");
    let dir = tempfile::tempdir().unwrap();
    let plain = |made: &Path| {
        let image = dir.path().join(made.file_name().unwrap());
        let file = files(&made.join("sd-image")).remove(0);
        run(tool("zstd").args(["-q", "-d"]).arg(file).arg("-o").arg(&image));
        image
    };
    let usual = plain(&usual);
    // preBuildCommands were given the root's file system, and postBuildCommands the image.
    let changed = changed.join("sd-image/board.img");
    let [before, after] = [&usual, &changed].map(|image| partitions(image)[1]);
    assert_eq!((after.0, after.1), (before.0, before.1 + MIB));
    let bytes = fs::read(&changed).unwrap();
    assert!(bytes[64 * 512..].starts_with(b"after"));
    assert!(bytes[usize::try_from(after.0).unwrap()..].starts_with(b"before"));
    // But for what they wrote, it is the usual image.
    let compressed = fs::read(plain(&compressed)).unwrap();
    let mut expected = fs::read(&usual).unwrap();
    expected[64 * 512..][..5].copy_from_slice(b"after");
    assert!(compressed == expected, "more than the command's bytes differ");

    // Kiln's own function makes a folder, and no compressed file, where sdImage is compressed.
    let root = plain(&root);
    let start = partitions(&root)[1].0;
    run(tool("e2fsck")
        .arg("-fn")
        .arg(format!("{}?offset={start}", root.display())));
    let store = debugfs(&root, start, "ls -p /nix/store");
    assert!(store.contains("-coreutils-"), "{store}");

    // Another creator has the arguments that it has in nixpkgs.
    let creator = creator.join("sd-image/board.img");
    let start = usize::try_from(partitions(&creator)[1].0).unwrap();
    let bytes = fs::read(&creator).unwrap();
    let text = String::from_utf8_lossy(&bytes[start..][..512]);
    for line in [
        "label NIXOS_SD\n",
        "compressed \n",
        "commands echo files\n",
        "uuid none\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains("-nixos-system-"), "{text}");
}

#[test]
fn the_examples_are_cards_of_their_boards() {
    if !installed(&["partx", "mdir", "mtype"]) {
        return;
    }
    let Some(world) = world() else { return };
    let ([rock64, pi], _) = built(&world, ["examples.rock64", "examples.raspberry-pi"]);
    // Where a Rockchip's boot ROM and its first loader look, before all partitions.
    let image = rock64.join("sd-image/board.img");
    let bytes = fs::read(&image).unwrap();
    assert!(bytes[64 * 512..].starts_with(b"idbloader.img of u-boot-rock64"));
    assert!(bytes[16384 * 512..].starts_with(b"u-boot.itb of u-boot-rock64"));
    let [firmware, root] = partitions(&image)[..] else {
        panic!("two partitions")
    };
    assert_eq!((firmware.0, root.0), (16 * MIB, 24 * MIB));
    let menu = debugfs(&image, root.0, "cat /boot/extlinux/extlinux.conf");
    let [tree] = after(&menu, "  FDT ")[..] else {
        panic!("{menu}")
    };
    assert!(tree.ends_with("/rockchip/rk3328-rock64.dtb"), "{menu}");

    // What a Pi 5 looks for is there; other kernels of the firmware's package are not.
    let image = pi.join("sd-image/board.img");
    let firmware = partitions(&image)[0];
    assert_eq!(firmware, (8 * MIB, 512 * MIB));
    let fat = format!("{}@@{}", image.display(), firmware.0);
    let listed = run(tool("mdir").args(["-/", "-b", "-i", &fat, "::"]));
    for name in [
        "bcm2711-rpi-4-b.dtb",
        "bcm2712-rpi-5-b.dtb",
        "bcm2712d0-rpi-5-b.dtb",
        "config.txt",
        "initrd",
        "kernel.img",
        "overlays/disable-bt.dtbo",
        "start4.elf",
        "u-boot-rpi4.bin",
    ] {
        assert!(
            listed.lines().any(|line| line == format!("::/{name}")),
            "{name}: {listed}"
        );
    }
    for name in ["kernel8.img", "bcm2708", "bcm2710"] {
        assert!(!listed.contains(name), "{name}: {listed}");
    }
    let config = run(tool("mtype").args(["-i", &fat, "::/config.txt"]));
    assert!(config.contains("[pi5]\nkernel=kernel.img\n"), "{config}");
    let line = run(tool("mtype").args(["-i", &fat, "::/cmdline.txt"]));
    assert!(
        line.starts_with("init=/nix/store/") && line.contains(" loglevel="),
        "{line}"
    );

    // Its promise of room for more kernels, and not enough of it.
    let output = output(&mut nix(
        &world,
        "nix-build",
        "modules.nix",
        &["--no-out-link", "-A", "examples.small"],
    ));
    let said = said(&output);
    assert!(
        said.contains("fs.firmware: the tree does not fit") && said.contains("promised free"),
        "{said}"
    );
}

/// A program of the board is not run where Kiln makes the same menu.
#[test]
fn the_builder_of_menus_is_not_called() {
    let Some(world) = world() else { return };
    let told = evaluated(&world, "t.commands");
    let shown = |name: &str| {
        let entry = &told[name];
        let needs = entry["needs"].as_array().unwrap().len();
        (entry["menu"].as_str(), entry["commands"].as_str().unwrap(), needs)
    };
    let (menu, commands, needs) = shown("usual");
    assert_eq!((menu, needs), (Some("/boot"), 1));
    assert!(
        commands.ends_with(" x\nmkdir -p files/boot\necho more\n"),
        "{commands}"
    );
    assert_eq!(shown("root"), (Some("/"), "mkdir -p files", 0));
    for name in ["system", "folder", "word", "twice"] {
        let (menu, commands, needs) = shown(name);
        assert_eq!((menu, needs), (None, 1), "{name}");
        assert!(commands.contains("extlinux-conf-builder.sh"), "{commands}");
    }
}
