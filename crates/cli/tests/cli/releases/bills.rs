//! What bills of materials say of what a release and its image are made of.

use std::fs;

use serde_json::Value;

use super::{SPEC, World, build, with_stub};

/// The places of all files in a bill, but for those of a file system's tree.
fn places(world: &World, name: &str) -> Vec<String> {
    let bill: Value = serde_json::from_slice(&fs::read(world.path(name)).unwrap()).unwrap();
    let files = bill["components"].as_array().unwrap().iter();
    let mut names: Vec<String> = files
        .map(|file| file["name"].as_str().unwrap().to_owned())
        .collect();
    names.retain(|name| !name.starts_with("fs.root:"));
    names.sort();
    names
}

#[test]
fn images_are_no_material_and_what_is_in_them_is() {
    let Some(world) = with_stub() else { return };
    world.write(
        "ids/a.json",
        br#"{"type": "uefi-fw", "name": "Board", "fwid": "board-fw", "hwids": []}"#,
    );
    world.write("ids/README", b"no description");
    world.write("board-fw/fw.bin", b"firmware");
    world.write("other-fw/fw.bin", b"other firmware");
    let spec = SPEC.replace(
        "cmdline =",
        "hwids = \"ids\"\nefifw = [\"board-fw\", \"other-fw\"]\ncmdline =",
    );
    world.write(
        "spec.toml",
        format!("{spec}\n[sbom]\nformats = [\"cyclonedx\"]\n").as_bytes(),
    );
    build(&world, "out", &[]);
    world.done(&[
        "sbom",
        "spec.toml",
        "--format",
        "cyclonedx",
        "--out",
        "again.json",
    ]);
    let [built, again] =
        ["out/kilnos.cdx.json", "again.json"].map(|name| fs::read(world.path(name)).unwrap());
    assert!(built == again);
    assert_eq!(
        places(&world, "again.json"),
        [
            "uki.main.efifw[0]:/fw.bin",
            "uki.main.efifw[1]:/fw.bin",
            "uki.main.hwids:/a.json",
            "uki.main.initrd",
            "uki.main.linux",
            "uki.main.stub",
        ]
    );
}
