//! `kiln diff`: what it finds, what it costs, and where the first byte lies that differs.

mod costs;
mod help;
mod structures;

use std::fs;

use insta::assert_snapshot;
use serde_json::Value;

use crate::world::{World, noise, without_digests};

/// A run that finds a difference. Answers its stdout.
pub(crate) fn differs(world: &World, args: &[&str]) -> String {
    let said = world.run(&[&["diff"], args].concat());
    assert_eq!(said.code, Some(1), "{}{}", said.stdout, said.stderr);
    assert!(!said.stderr.contains("error:"), "{}", said.stderr);
    said.stdout
}

/// The part of a path in what `--json` prints.
pub(crate) fn part<'a>(parts: &'a Value, path: &str) -> &'a Value {
    let list = parts.as_array().unwrap();
    let found = list.iter().find(|part| part["path"] == path);
    assert!(found.is_some(), "no {path}: {parts:#}");
    found.unwrap()
}

pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn what_is_equal_has_no_difference() {
    let world = World::new();
    for out in ["one", "two"] {
        world.done(&["build", "spec.toml", "--out", out]);
    }
    let image = |out: &str| format!("{out}/demo-25.11.img");
    for (a, b) in [
        (image("one"), image("two")),
        ("one".into(), "two".into()),
        ("one".into(), "spec.toml".into()),
        (image("one"), "spec.toml".into()),
        ("one/demo-25.11.manifest.json".into(), "spec.toml".into()),
        ("spec.toml".into(), "spec.toml".into()),
    ] {
        assert_eq!(world.done(&["diff", &a, &b]), "no difference\n", "{a} {b}");
        assert_eq!(world.done(&["diff", &a, &b, "--json"]), "[]\n");
    }
    // Compressed or not, what is inside counts, and that it is compressed is said.
    world.edit("spec.toml", "[disk]\n", "[disk]\ncompress = \"zstd\"\n");
    world.done(&["build", "spec.toml", "--out", "three"]);
    let said = differs(&world, &[&image("one"), "three/demo-25.11.img.zst"]);
    assert_eq!(said, "/ (disk → zstd, 40 MiB): changed\n");
}

#[test]
fn files_options_and_regions() {
    let world = World::new();
    world.done(&["build", "spec.toml", "--out", "old"]);
    let mut loader = noise(3000);
    loader[1000] ^= 1;
    world.write("idbloader.img", &loader);
    world.write("boot.cmd", b"echo @buildId@ again\n");
    world.edit("spec.toml", "label = \"BOOT\"", "label = \"BOOT-B\"");
    world.edit(
        "spec.toml",
        "\"/Image\" = \"{kernel}\"",
        "\"/kernel\" = \"{kernel}\"",
    );
    world.edit(
        "spec.toml",
        "name = \"rootfs\"\n",
        "name = \"rootfs\"\nattributes = [\"read-only\"]\n",
    );
    world.done(&["build", "spec.toml", "--out", "new"]);
    let said = differs(&world, &["old/demo-25.11.img", "new/demo-25.11.img", "--bytes"]);
    assert_snapshot!(without_digests(&said));
    // A specification shows the same as what it makes.
    let planned = differs(&world, &["old/demo-25.11.img", "spec.toml", "--bytes"]);
    assert_eq!(planned, said);
    let said = differs(&world, &["old/demo-25.11.img", "new/demo-25.11.img", "/boot"]);
    assert!(said.starts_with("/ (fat, 16 MiB): changed\n"), "{said}");
    let parts = json(&differs(&world, &["old", "spec.toml", "--json"]));
    let paths: Vec<&str> = parts
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "/disk",
            "/disk/boot",
            "/fs.boot",
            "/script.boot.cmd",
            "/script.boot.scr"
        ]
    );
    assert_eq!(part(&parts, "/disk")["regions"].as_array().unwrap().len(), 5);
}

#[test]
fn bad_input_is_refused() {
    let world = World::new();
    world.done(&["build", "spec.toml", "--out", "old"]);
    world.write(
        "trunk.img",
        &fs::read(world.path("old/boot.vfat")).unwrap()[..8000],
    );
    world.write("new.manifest.json", br#"{"schema": 3, "files": []}"#);
    assert_snapshot!(world.refused(3, &["diff", "old/boot.vfat", "none"]), @"error: none: cannot be read: No such file or directory (os error 2)");
    assert_snapshot!(world.refused(3, &["diff", "old", "new.manifest.json"]), @r"
    error: new.manifest.json: is a manifest of schema 3, and those of 1 to 2 are read
    hint: a newer kiln has made it
    ");
    assert_snapshot!(world.refused(3, &["diff", "old/boot.vfat", "old/boot.vfat", "/imag"]), @r#"
    error: old/boot.vfat: /imag: there is no "imag" in /
    hint: there is "Image"
    "#);
    // What is damaged is compared from outside.
    let said = differs(&world, &["old/boot.vfat", "trunk.img", "--bytes"]);
    assert!(
        said.contains("byte that differs: 8000 (0x1f40), file allocation table 1 → its end\n"),
        "{said}"
    );
    // Manifests of the first kind are read.
    let manifest = fs::read_to_string(world.path("old/demo-25.11.manifest.json")).unwrap();
    let first = manifest.replace("\"schema\": 2", "\"schema\": 1");
    let first: Vec<&str> = first.lines().filter(|line| !line.contains("fsverity")).collect();
    let first = first.join("\n").replace(",\n    }", "\n    }");
    world.write("old/demo-25.11.manifest.json", first.as_bytes());
    assert_eq!(
        world.done(&["diff", "old/demo-25.11.manifest.json", "spec.toml"]),
        "no difference\n"
    );
}
