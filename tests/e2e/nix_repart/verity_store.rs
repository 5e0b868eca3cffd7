//! image.repart.verityStore: one derivation makes a store, and a UKI with its root hash.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::evaluated;
use super::layouts::{check_hashes, list};
use super::refused::check;
use crate::demo::workspace;
use crate::nix_world::{names, world};
use crate::tools::{given, installed, run, tool};

/// What firmware calls this machine.
fn efi_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "aa64",
        _ => "x64",
    }
}

#[test]
fn the_store_is_what_the_kernel_image_vouches_for() {
    if !installed(&["mcopy", "fsck.erofs", "veritysetup", "objcopy", "dd"]) {
        return;
    }
    let stub = format!("/usr/lib/systemd/boot/efi/linux{}.efi.stub", efi_architecture());
    if !given(
        Path::new(&stub).exists(),
        &format!("{stub} is there (systemd-boot-efi)"),
    ) {
        return;
    }
    let Some(world) = world() else { return };
    // All that nixpkgs has derivations for.
    let one = evaluated(&world, "module.isOne");
    assert_eq!(one.as_array().unwrap().len(), 1, "{one}");

    let build = |more: &[&str]| {
        let mut command = world.nix("nix-build");
        command
            .arg(workspace().join("tests/nix/repart.nix"))
            .args([
                "--no-out-link",
                "-A",
                "module.store.finalImage",
                "-A",
                "module.store.uki",
            ])
            .args(more);
        run(&mut command)
    };
    let paths = build(&[]);
    assert_eq!(paths, build(&["--check"]));
    let on_host = |path: &str| world.store().join(path.trim_start_matches('/'));
    let paths: Vec<_> = paths.lines().map(on_host).collect();
    let [image, uki] = &paths[..] else {
        unreachable!("an image and a UKI")
    };

    let all = list(image);
    let kinds = ["esp", "usr", "usr-verity"].map(Value::from);
    let architecture = if efi_architecture() == "aa64" {
        "arm64"
    } else {
        "x86-64"
    };
    let of = |entry: &Value| {
        let kind = entry["type"].as_str().unwrap();
        Value::from(kind.replace(&format!("-{architecture}"), ""))
    };
    let found: Vec<Value> = all.as_array().unwrap().iter().map(of).collect();
    assert_eq!(found, [&kinds[0], &kinds[2], &kinds[1]].map(Value::clone));
    let root = all[1]["roothash"].as_str().unwrap();
    assert_eq!(all[2]["roothash"], json!(root));
    assert_eq!(check_hashes(image, "appliance_7.raw"), 1);
    assert_eq!(
        names(image),
        [
            "appliance_7.raw".to_owned(),
            format!("appliance_7.store-verity_{}.raw", &root[32..]),
            format!("appliance_7.store_{}.raw", &root[..32]),
            "nix-support".to_owned(),
            "repart-output.json".to_owned(),
        ]
    );

    // As NixOS has it unless another is said.
    let store = image.join(format!("appliance_7.store_{}.raw", &root[..32]));
    run(tool("fsck.erofs").arg(&store));

    // The same UKI in the ESP and beside the disk, which says the root hash.
    assert_eq!(names(uki), ["appliance_7.efi"]);
    let uki = uki.join("appliance_7.efi");
    let dir = tempfile::tempdir().unwrap();
    let in_esp = dir.path().join("uki");
    let esp = format!("{}@@1M", image.join("appliance_7.raw").display());
    run(tool("mcopy")
        .args(["-i", &esp, "::EFI/Linux/appliance_7.efi"])
        .arg(&in_esp));
    assert_eq!(fs::read(&in_esp).unwrap(), fs::read(&uki).unwrap());
    let section = |name: &str| {
        let out = dir.path().join("section");
        let mut objcopy = tool("objcopy");
        objcopy
            .args(["--output-target=binary", "--only-section", name])
            .args([&in_esp, &out]);
        run(&mut objcopy);
        fs::read(out).unwrap()
    };
    let text = |name: &str| {
        let text = String::from_utf8(section(name)).unwrap();
        text.replace('\0', "")
    };
    let cmdline = text(".cmdline");
    assert!(cmdline.starts_with("init=/nix/store/"), "{cmdline}");
    let end = format!("/init quiet {{loglevel}} loglevel=4 usrhash={root}");
    assert!(cmdline.ends_with(&end), "{cmdline}");
    assert_eq!(text(".uname"), "6.12.0");
    let kernel = section(".linux");
    assert!(
        kernel.starts_with(b"MZ") && kernel.len() > 1 << 20,
        "{}",
        kernel.len()
    );
    assert_eq!(text(".osrel"), "timeout 3\n");
    assert_eq!(text(".initrd"), "deep\nother\n");
}

#[test]
fn what_a_kernel_image_cannot_be_told_is_refused() {
    let Some(world) = world() else { return };
    check(
        &world,
        "module.storeRefused",
        &[
            (
                "setting",
                "boot.uki.settings.UKI.HWIDs: not supported: known are Cmdline DeviceTree",
            ),
            (
                "section",
                "boot.uki.settings.\"PCRSignature:initrd\": not supported",
            ),
            ("config", "boot.uki.configFile: Kiln makes the UKI itself"),
            (
                "ukiPath",
                "image.repart.verityStore.ukiPath: ukiPath: /EFI/../x.efi is no absolute path",
            ),
        ],
    );
}
