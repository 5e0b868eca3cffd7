//! `image.fileName` and its siblings, `kiln.compress` and `specification.disk` agree with what lies in `$out`, in every
//! combination, or are refused with a way out.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::demo::kiln;
use crate::nix_images::{evaluated, refused};
use crate::nix_world::{World, world};
use crate::tools::{output, said};

/// What an expression over a configuration says for some settings of it.
fn table(world: &World, function: &str, cases: &[(&str, &str)]) -> BTreeMap<String, Value> {
    let entry = |(name, settings): &(&str, &str)| format!("\"{name}\" = ({function}) {settings};\n");
    let list = cases.iter().map(entry).collect::<Vec<_>>().concat();
    serde_json::from_value(evaluated(world, &format!("{{ {list} }}"))).unwrap()
}

#[test]
fn names_agree_with_what_lies_in_the_output() {
    let Some(world) = world() else { return };
    let card = "s: let c = t.image [ { kiln.layout = \"sd-card\"; } s ]; in t.named c c.system.build.image";
    let told = table(
        &world,
        card,
        &[
            ("usual", "{ }"),
            ("zstd", "{ kiln.compress = \"zstd\"; }"),
            ("disk", "{ kiln.specification.disk.compress = \"xz\"; }"),
            (
                "both",
                "{ kiln.compress = \"xz\"; kiln.specification.disk.compress = \"xz\"; }",
            ),
            ("file", "{ kiln.specification.disk.file = \"other.raw\"; }"),
            (
                "compressed file",
                "{ kiln.compress = \"gzip\"; kiln.specification.disk.file = \"other.raw\"; }",
            ),
            ("file name", "{ image.fileName = \"mine.img\"; }"),
            (
                "compressed file name",
                "{ kiln.compress = \"zstd\"; image.fileName = \"mine.img.zst\"; }",
            ),
            ("extension", "{ image.extension = \"raw\"; }"),
        ],
    );
    let agrees = |name: &str, file_name: &str, file: &str, compress: Option<&str>| {
        let entry = &told[name];
        let found = (
            entry["fileName"].as_str().unwrap(),
            entry["filePath"].as_str().unwrap(),
            entry["path"].as_str().unwrap(),
            entry["file"].as_str().unwrap(),
            entry["compress"].as_str(),
        );
        assert_eq!(found, (file_name, file_name, file_name, file, compress), "{name}");
        assert!(
            file_name.ends_with(entry["extension"].as_str().unwrap()),
            "{name}"
        );
    };
    agrees("usual", "board.img", "board.img", None);
    agrees("zstd", "board.img.zst", "board.img", Some("zstd"));
    agrees("disk", "board.img.xz", "board.img", Some("xz"));
    agrees("both", "board.img.xz", "board.img", Some("xz"));
    agrees("file", "other.raw", "other.raw", None);
    agrees("compressed file", "other.raw.gz", "other.raw", Some("gzip"));
    agrees("file name", "mine.img", "mine.img", None);
    agrees("compressed file name", "mine.img.zst", "mine.img", Some("zstd"));
    agrees("extension", "board.raw", "board.raw", None);
}

/// What cannot agree says what to change.
#[test]
fn names_that_disagree_are_refused() {
    let Some(world) = world() else { return };
    for (settings, hint) in [
        (
            "{ kiln.compress = \"zstd\"; image.fileName = \"mine.img\"; }",
            "have to end with .zst",
        ),
        (
            "{ image.fileName = \"mine.img.zst\"; }",
            "is not compressed like that",
        ),
        ("{ image.fileName = \"mine.raw\"; }", "image.extension is img"),
        (
            "{ image.fileName = \"a.img\"; kiln.specification.disk.file = \"b.img\"; }",
            "kiln.specification.disk.file is b.img",
        ),
        ("{ image.filePath = \"folder/board.img\"; }", "say image.baseName"),
        (
            "{ kiln.compress = \"zstd\"; kiln.specification.disk.compress = \"xz\"; }",
            "contradict each other",
        ),
    ] {
        let expression =
            format!("(t.image [ {{ kiln.layout = \"sd-card\"; }} {settings} ]).system.build.image.drvPath");
        let said = refused(&world, &expression);
        assert!(said.contains(hint), "{settings}: {said}");
    }
    // Alone, and as image.modules.kiln.
    for expression in ["(t.image { }).system.build.image.drvPath", "t.bare.drvPath"] {
        let said = refused(&world, expression);
        assert!(
            said.contains("kiln.layout = \"sd-card\"") && said.contains("kiln.layout = \"efi\""),
            "{said}"
        );
    }
}

#[test]
fn names_of_sd_images_agree_with_what_lies_in_the_output() {
    let Some(world) = world() else { return };
    let sd = "s: let c = t.sd [ t.uBoot s ]; in t.named c c.system.build.sdImage";
    let told = table(
        &world,
        sd,
        &[
            ("usual", "{ }"),
            ("plain", "{ sdImage.compressImage = false; }"),
            ("xz", "{ kiln.specification.disk.compress = \"xz\"; }"),
            ("none", "{ kiln.specification.disk.compress = null; }"),
            ("after", "{ sdImage.postBuildCommands = \"true\"; }"),
        ],
    );
    for (name, file) in [
        ("usual", "board.img.zst"),
        ("plain", "board.img"),
        ("xz", "board.img.xz"),
        ("none", "board.img"),
        ("after", "board.img.zst"),
    ] {
        let entry = &told[name];
        assert_eq!(entry["fileName"], file, "{name}");
        assert_eq!(entry["filePath"], format!("sd-image/{file}"), "{name}");
        assert_eq!(entry["path"], entry["filePath"], "{name}");
        assert_eq!(entry["file"], "board.img", "{name}");
    }
}

/// What evaluation can know, it says, with the option and a way out.
#[test]
fn contradictions_are_told_before_anything_is_built() {
    let Some(world) = world() else { return };
    for (expression, hints) in [
        (
            // Where Rockchips' U-Boot is, nixpkgs' firmware partition begins.
            r#"t.sd [ t.uBoot { kiln.loaders = [ { name = "u-boot"; raw = "/x"; offset = "16384s"; } ]; } ]"#,
            [
                "u-boot (from byte 8388608) and firmware",
                "raise sdImage.firmwarePartitionOffset",
            ],
        ),
        (
            r#"t.image { kiln.layout = "sd-card"; kiln.loaders = [ { name = "a"; raw = "/x"; offset = "20MiB"; } ]; }"#,
            ["overlap", "kiln.loaders"],
        ),
        (
            r#"t.image { kiln.layout = "efi"; kiln.specification.fs.rot.label = "x"; }"#,
            ["kiln.specification.fs.rot has no format", "esp, root"],
        ),
        (
            r#"t.sd [ t.uBoot { kiln.specification.dsk.board = "rockchip"; } ]"#,
            ["kiln.specification.dsk", "disk"],
        ),
        (
            r#"t.sd [ t.uBoot { kiln.specification.fs.root.fre = "1GiB"; } ]"#,
            ["kiln.specification.fs.root.fre", "free,"],
        ),
        (
            r#"t.image { kiln.layout = "efi"; kiln.loaders = [ { name = "spl"; raw = "/x"; ofset = "64s"; } ]; }"#,
            ["the region spl.ofset", "offset,"],
        ),
        (
            r#"t.sd [ t.uBoot { sdImage.rootFilesystemImage = t.pkgs.coreutils; kiln.specification.fs.root.free = "1GiB"; } ]"#,
            [
                "kiln.specification.fs.root means nothing",
                "sdImage.rootFilesystemImage",
            ],
        ),
        (
            r#"t.image { kiln.layout = "sd-card"; system.build.image = t.pkgs.coreutils; }"#,
            ["system.build.image", "defined multiple times"],
        ),
        (
            r#"t.image { kiln.layout = "efi"; boot.growPartition = true; systemd.repart.enable = true; }"#,
            ["boot.growPartition", "systemd.repart.enable"],
        ),
    ] {
        let said = refused(&world, &format!("({expression}).system.build.image.drvPath"));
        for hint in hints {
            assert!(said.contains(hint), "{expression}: {said}");
        }
    }
    // What lies side by side does not overlap.
    let apart = r#"(t.sd [ t.uBoot { kiln.loaders = [ { name = "u-boot"; raw = "/x"; offset = "16384s"; } ];
                    sdImage.firmwarePartitionOffset = 16; } ]).image.filePath"#;
    assert_eq!(evaluated(&world, apart), "sd-image/board.img.zst");
}

/// Evaluation refuses a key that Kiln would refuse, and no other: it knows the same.
#[test]
fn the_keys_that_evaluation_knows_are_kilns() {
    let Some(world) = world() else { return };
    let known: BTreeMap<String, Vec<String>> = serde_json::from_value(evaluated(&world, "t.keys")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let spec = dir.path().join("spec.json");
    let ask = |value: Value| {
        fs::write(&spec, value.to_string()).unwrap();
        let said = said(&output(kiln().arg("plan").arg(&spec)));
        let (_, list) = said.split_once("expected one of ").unwrap();
        let list = list.lines().next().unwrap();
        let mut names: Vec<String> = list
            .split(", ")
            .map(|name| name.trim_matches('`').to_string())
            .collect();
        names.sort();
        names
    };
    let base = |part: Value| {
        let mut spec = json!({ "schema": 1, "name": "x" });
        spec.as_object_mut()
            .unwrap()
            .extend(part.as_object().unwrap().clone());
        spec
    };
    let told = [
        ("specification", ask(base(json!({ "odd": 1 })))),
        (
            "fs",
            ask(base(json!({ "fs": { "a": { "format": "fat", "odd": 1 } } }))),
        ),
        ("disk", ask(base(json!({ "disk": { "odd": 1 } })))),
        (
            "region",
            ask(base(json!({ "disk": { "region": [{ "odd": 1 }] } }))),
        ),
    ];
    assert_eq!(known.len(), told.len());
    for (place, names) in told {
        assert_eq!(known[place], names, "{place}");
    }
}
