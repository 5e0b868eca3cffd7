//! The flake and the functions of its `lib`: each image is built twice inside Nix's sandbox, and looked at by others.

use std::fs;
use std::path::Path;

use crate::demo::{digests, kiln, workspace};
use crate::nix_world::{gpt, names, world};
use crate::sbom::judged;
use crate::tools::{installed, output, run, said, sha256, tool};

#[test]
fn each_function_builds_the_same_twice_inside_the_sandbox() {
    let oracles = [
        "unsquashfs",
        "e2fsck",
        "debugfs",
        "fsck.fat",
        "mcopy",
        "mkimage",
        "rauc",
        "zstd",
    ];
    if !installed(&oracles) {
        return;
    }
    let Some(world) = world() else { return };
    let [squashfs, ext4, fat, script, bundle, disk, prepared] = world.built([
        "lib.squashfs",
        "lib.ext4",
        "lib.fat",
        "lib.script",
        "lib.bundle",
        "lib.disk",
        "lib.prepared",
    ]);

    assert_eq!(names(&squashfs), ["lib-squashfs.squashfs", "nix-support"]);
    let listing = run(tool("unsquashfs")
        .arg("-l")
        .arg(squashfs.join("lib-squashfs.squashfs")));
    assert!(listing.contains("-coreutils-9.1-1/bin/true\n"), "{listing}");
    let products = fs::read_to_string(squashfs.join("nix-support/hydra-build-products")).unwrap();
    let inside = Path::new("/").join(squashfs.strip_prefix(world.store()).unwrap());
    assert_eq!(
        products,
        format!("file squashfs-image {}/lib-squashfs.squashfs\n", inside.display())
    );

    let ext4 = ext4.join("lib-ext4.ext4");
    run(tool("e2fsck").args(["-fn"]).arg(&ext4));
    let database = run(tool("debugfs").args(["-R", "ls -l /nix/var/nix/db"]).arg(&ext4));
    assert!(database.contains("db.sqlite"), "{database}");

    let fat = fat.join("boot.vfat");
    run(tool("fsck.fat").arg("-n").arg(&fat));
    for (name, text) in [("::hello.txt", "hello\n"), ("::Image", "kernel\n")] {
        assert_eq!(run(tool("mcopy").arg("-i").arg(&fat).args([name, "-"])), text);
    }
    run(tool("fsck.fat").arg("-n").arg(&prepared));
    assert_eq!(
        run(tool("mcopy")
            .arg("-i")
            .arg(&prepared)
            .args(["::sub/file.txt", "-"])),
        "made\n"
    );

    assert_eq!(names(&script), ["boot.cmd", "boot.scr"]);
    let header = run(tool("mkimage").arg("-l").arg(script.join("boot.scr")));
    assert!(header.contains("AArch64 Linux Script"), "{header}");

    let keyring = crate::demo::demo().join("out/keys/ca.pem");
    let info = run(tool("rauc")
        .arg("info")
        .arg("--keyring")
        .arg(keyring)
        .arg(bundle.join("lib-bundle.raucb")));
    assert!(
        info.contains("Compatible: \t'board'") && info.contains("rootfs"),
        "{info}"
    );

    assert_eq!(names(&disk), ["disk.img.bmap", "disk.img.zst", "nix-support"]);
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("disk.img");
    run(tool("zstd")
        .args(["-q", "-d"])
        .arg(disk.join("disk.img.zst"))
        .arg("-o")
        .arg(&image));
    let (_, partitions) = gpt(&image, 512);
    assert_eq!(
        partitions
            .iter()
            .map(|partition| &*partition.name)
            .collect::<Vec<_>>(),
        ["boot", "root"]
    );
}

#[test]
fn the_sandbox_changes_no_byte_of_a_whole_system() {
    if !installed(&["unsquashfs", "sfdisk", "sgdisk"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [whole] = world.built(["whole"]);
    assert_eq!(names(&whole), ["store.squashfs", "whole.img"]);
    let image = whole.join("whole.img");
    run(tool("sfdisk").arg("--verify").arg(&image));
    let said = said(&output(tool("sgdisk").arg("-v").arg(&image)));
    assert!(said.contains("No problems found."), "{said}");

    let dir = tempfile::tempdir().unwrap();
    let out = world.without_nix("whole", "[t.whole.specification.closure.toplevel]", dir.path());
    let mut wanted = digests(&out);
    let extra: Vec<String> = wanted
        .keys()
        .filter(|name| !names(&whole).contains(name))
        .cloned()
        .collect();
    for name in extra {
        wanted.remove(&name);
    }
    assert_eq!(wanted.len(), 2);
    for (name, digest) in wanted {
        assert_eq!(sha256(&whole.join(&name)), digest, "{name}");
    }
}

#[test]
fn the_flake_is_checked_and_its_checks_are_built() {
    let Some(world) = world() else { return };
    let dir = tempfile::tempdir().unwrap();
    let flake = dir.path().join("kiln");
    fs::create_dir_all(flake.join("demo")).unwrap();
    let here = workspace();
    run(tool("cp")
        .arg("-r")
        .args(["flake.nix", "nix", "Cargo.toml", "Cargo.lock", "crates", "tests"].map(|name| here.join(name)))
        .arg(&flake));
    fs::copy(here.join("demo/boot.cmd"), flake.join("demo/boot.cmd")).unwrap();
    let url = format!("path:{}", flake.display());
    let stub_url = format!("path:{}", here.join("tests/nix/stub-nixpkgs").display());
    let overridden = [
        "--impure",
        "--no-write-lock-file",
        "--offline",
        "--override-input",
        "nixpkgs",
        &stub_url,
    ];

    // Nix 2.8 takes no template out of a store that is not in /nix.
    let output = output(
        world
            .in_place(&["nix", "flake", "check"])
            .arg(&url)
            .args(overridden),
    );
    let told = said(&output);
    assert!(output.status.success(), "{told}");
    let warnings: Vec<&str> = told.lines().filter(|line| line.starts_with("warning:")).collect();
    for warning in warnings {
        assert!(
            ["unknown flake output 'lib'", "lock file", "incompatible systems"]
                .iter()
                .any(|harmless| warning.contains(harmless)),
            "{warning}"
        );
    }
    let shown = run(world
        .nix_command(&["flake", "show", "--json"])
        .arg(&url)
        .args(overridden));
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    for name in [
        "checks",
        "formatter",
        "lib",
        "nixosModules",
        "overlays",
        "packages",
        "templates",
    ] {
        assert!(shown.get(name).is_some(), "{name} in {shown}");
    }
    let version = run(kiln().arg("--version"));
    let system = format!("{}-linux", std::env::consts::ARCH);
    assert_eq!(
        shown["packages"][&system]["default"]["name"],
        version.trim().replace(' ', "-")
    );

    // What users write: the functions by package set, and the overlay.
    let applied = |output: &str, function: &str| {
        let mut eval = world.nix_command(&["eval", "--raw", &format!("{url}#{output}"), "--apply", function]);
        run(eval.args(overridden))
    };
    let stub = here.join("tests/nix/stub-nixpkgs");
    let (set, image) = (
        stub.display(),
        "mkFat { name = \"x\"; text.\"/a\" = \"a\"; }).drvPath",
    );
    let by_set = applied("lib", &format!("l: ((l.for (import {set} {{ }})).{image}"));
    let short = applied(
        "lib",
        "l: (l.mkFat (import SET { }) { name = \"x\"; text.\"/a\" = \"a\"; }).drvPath"
            .replace("SET", &set.to_string())
            .as_str(),
    );
    let overlay = applied(
        "overlays.default",
        &format!("o: ((import {set} {{ overlays = [ o ]; }}).kilnImages.{image}"),
    );
    assert!(by_set.ends_with("-x.drv"), "{by_set}");
    assert_eq!([&short, &overlay], [&by_set, &by_set]);
}

#[test]
fn the_reference_of_options_is_up_to_date() {
    if !installed(&["nix"]) {
        return;
    }
    let Some(world) = world() else { return };
    let file = workspace().join("nix/docs/options.nix");
    let made = world.evaluated(&format!("import {} {{ }}", file.display()));
    let written = fs::read_to_string(workspace().join("docs/module-options.md")).unwrap();
    assert!(
        made.as_str().unwrap() == written,
        "docs/module-options.md: run nix/docs/generate"
    );
}

#[test]
fn a_nixos_image_brings_what_evaluation_knows() {
    if !installed(&["sbom-python"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [made] = world.built(["modules.sbom"]);
    assert_eq!(
        names(&made),
        ["board.cdx.json", "board.img", "board.spdx.json", "nix-support"]
    );
    let said = judged(&[&made.join("board.cdx.json"), &made.join("board.spdx.json")]);
    assert_eq!(said.lines().count(), 2, "{said}");
    let text = fs::read_to_string(made.join("board.cdx.json")).unwrap();
    let bill: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(bill["metadata"]["supplier"]["name"], "Example GmbH");
    let all = bill["components"].as_array().unwrap();
    let component = |name: &str| all.iter().find(|one| one["name"] == name).unwrap();
    // The loader's package is not in the closure, the kernel is what it is linked with.
    let loader = component("uboot-board");
    assert_eq!(loader["version"], "2024.10");
    assert_eq!(loader["licenses"][0]["license"]["name"], "Own");
    assert_eq!(component("linux")["licenses"][0]["license"]["id"], "GPL-2.0-only");
    let dependencies = bill["dependencies"].as_array().unwrap();
    let file = dependencies
        .iter()
        .find(|one| one["ref"] == "file:disk.region.loader");
    assert_eq!(file.unwrap()["dependsOn"][0], loader["bom-ref"]);
}
