//! image.repart.verityStore: one derivation makes a store, and a UKI with its root hash.

use std::fs;

use serde_json::{Value, json};

use super::evaluated;
use super::layouts::{check_hashes, list};
use crate::demo::workspace;
use crate::nix_world::{names, world};
use crate::tools::{installed, run, tool};

#[test]
fn the_store_is_what_the_kernel_image_vouches_for() {
    if !installed(&["mcopy", "sfdisk", "veritysetup", "dd"]) {
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
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "x86-64",
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

    // The same UKI in the ESP and beside the disk; the stub's ukify writes down what it was told.
    assert_eq!(names(uki), ["appliance_7.efi"]);
    let text = fs::read_to_string(uki.join("appliance_7.efi")).unwrap();
    let first = text.lines().next().unwrap();
    assert!(first.starts_with("MZ init=/nix/store/"), "{first}");
    assert!(first.ends_with(&format!("/init quiet usrhash={root}")), "{first}");
    assert!(text.contains("Stub = /nix/store/"), "{text}");
    let esp = format!("{}@@1M", image.join("appliance_7.raw").display());
    let in_esp = run(tool("mcopy").args(["-i", &esp, "::EFI/Linux/appliance_7.efi", "-"]));
    assert_eq!(in_esp, text);
}
