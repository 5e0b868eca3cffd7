//! Values of a release in texts: labels, and what an image calls itself.

use std::fs;

use serde_json::Value;

use super::{build, ran, with_stub};
use crate::oracle::installed;

#[test]
fn labels_have_id_and_version() {
    let Some(world) = with_stub() else { return };
    for (label, shown) in [
        ("{release.id}-1", "kilnos-1"),
        ("{release.version}-{release.id}", "1-kilnos"),
        ("r_1", "r_1"),
    ] {
        let name = "name = \"root\"\n";
        let before = fs::read(world.path("spec.toml")).unwrap();
        world.edit("spec.toml", name, &format!("{name}label = \"{label}\"\n"));
        let planned = world.done(&["plan", "spec.toml", "--json"]);
        let planned: Value = serde_json::from_str(&planned).unwrap();
        let partitions = planned["release"]["partitions"].as_array().unwrap();
        assert!(partitions.iter().any(|one| one["label"] == shown), "{planned}");
        world.write("spec.toml", &before);
    }
}

#[test]
fn an_image_says_its_version() {
    let Some(world) = with_stub() else { return };
    assert!(installed("objcopy"));
    let text = "NAME=x\\nID={release.id}\\nIMAGE_VERSION={release.version}\\n";
    world.edit(
        "spec.toml",
        "os-release = \"initrd\"",
        &format!("os-release = \"{text}\""),
    );
    build(&world, "out", &["--only", "uki.main"]);
    ran(
        &world,
        "objcopy",
        &["--dump-section=.osrel=osrel", "out/main.efi", "copy.efi"],
    );
    let said = fs::read_to_string(world.path("osrel")).unwrap();
    assert_eq!(said, "NAME=x\nID=kilnos\nIMAGE_VERSION=1\n");
    // A line alone is a file.
    world.edit("spec.toml", text, "ID={release.id}");
    let said = world.refused(3, &["plan", "spec.toml"]);
    assert!(said.contains("ID=kilnos"), "{said}");
}
