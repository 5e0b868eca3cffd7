//! Manifests of other forms than the one that is written.

use std::fs;

use serde_json::Value;

use crate::world::{LIB, World, noise, sha256sum};

/// A build's manifest in the form that was written before there were fs-verity digests.
fn make_old(world: &World) {
    let path = world.path("out/demo-25.11.manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["schema"] = 1.into();
    for entry in manifest["files"].as_array_mut().unwrap() {
        let entry = entry.as_object_mut().unwrap();
        entry.remove("fsverity").unwrap();
        let file = format!("out/{}", entry["file"].as_str().unwrap());
        entry.insert("sha256".into(), sha256sum(&world.path(&file)).into());
    }
    fs::write(path, serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
}

#[test]
fn one_of_the_old_form_is_read_and_that_is_said() {
    let world = World::new();
    world.write_store(LIB, "lib/large", &noise(300_000));
    world.register(&world.hashed());
    world.done(&["build", "spec.toml", "--out", "out"]);
    let build = |from: &str| {
        let said = world.run(&["build", "spec.toml", "--out", "next", "--reuse", from]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        assert!(!said.stderr.contains("compressing:"), "{}", said.stderr);
        said.stderr
    };
    let files = [
        "out/demo-25.11.manifest.json",
        "out/rootfs.squashfs",
        "out/demo-25.11.img",
    ];
    for file in files {
        assert!(!build(file).contains("warning:"), "{file}");
    }
    make_old(&world);
    let note = "warning: out/demo-25.11.manifest.json: a manifest of an older Kiln, without fs-verity digests: the segments \
                that it names are reused\n";
    for file in files {
        let said = build(file);
        assert_eq!(said.matches(note).count(), 1, "{file}: {said}");
        let manifest = fs::read(world.path("next/demo-25.11.manifest.json")).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["schema"], 2);
    }
}

#[test]
fn one_of_a_later_form_is_not_guessed_at() {
    let world = World::new();
    world.done(&["build", "spec.toml", "--out", "out"]);
    world.edit("out/demo-25.11.manifest.json", "\"schema\": 2", "\"schema\": 3");
    let refused = |from: &str| {
        let words = [
            "build",
            "spec.toml",
            "--out",
            "out",
            "--no-cache",
            "--reuse",
            from,
        ];
        world.refused(3, &words)
    };
    insta::assert_snapshot!(refused("out/demo-25.11.manifest.json"), @"error: out/demo-25.11.manifest.json: is a manifest of form 3, and this Kiln reads those up to 2");
    assert!(refused("out/rootfs.squashfs").contains("nothing beside it says which segments are in it"));
}
