//! What devices that have one release look for in the next one.

use std::fmt::Write as _;

use insta::assert_snapshot;
use serde_json::json;

use crate::world::{World, sha256sum};

const UUID: &str = "8c7d4be5-4e59-4f3f-a54e-6f1a0f3c2b1d";

/// A folder with files of these names, as one that somebody has published.
fn publish(world: &World, folder: &str, names: &[String]) {
    let mut sums = String::new();
    for name in names {
        let path = format!("{folder}/{name}");
        world.write(&path, name.as_bytes());
        let _ = writeln!(sums, "{}  {name}", sha256sum(&world.path(&path)));
    }
    world.write(&format!("{folder}/SHA256SUMS"), sums.as_bytes());
}

#[test]
fn devices_look_for_names_of_one_form() {
    let world = World::new();
    let named = |version: u32, uuid: &str, ending: &str| format!("x_{version}{uuid}.root.raw{ending}");
    let with = format!("_{UUID}");
    for (folder, version, uuid, ending) in [
        ("xz", 1, &*with, ".xz"),
        ("plain", 1, "", ""),
        ("none", 2, "", ".xz"),
        ("same", 2, &with, ".xz"),
        ("less", 2, &with, ""),
        ("zstd", 2, &with, ".zst"),
    ] {
        publish(&world, folder, &[named(version, uuid, ending)]);
    }
    let verify = |new: &'static str, old: &'static str| ["release", "verify", new, "--against", old];
    assert_snapshot!(world.refused(2, &verify("none", "xz")), @"error: none: has no file of root with a UUID in its name: devices look for one, and would not see the version");
    assert_snapshot!(world.refused(2, &verify("same", "plain")), @"error: same: has no file of root without a UUID in its name: devices look for one, and would not see the version");
    for new in ["same", "less"] {
        world.done(&verify(new, "xz"));
    }
    // Who looks for it is not said by names.
    let said = world.run(&verify("zstd", "xz"));
    assert!(
        said.code == Some(0) && said.stderr.contains("do not look for .zst"),
        "{}",
        said.stderr
    );
    for (systemd, more) in [(257, "refused"), (258, "taken"), (0, "warned of")] {
        let mut manifest = json!({ "release": {
            "id": "x", "version": "1", "folder": "gone", "partitions": [
                { "region": "root", "file": named(1, &with, ".xz"), "size": 1, "slot_size": 4096, "label": "x_1", "partuuid": UUID },
            ],
        }});
        if systemd > 0 {
            manifest["release"]["systemd"] = systemd.into();
        }
        world.write("m.json", manifest.to_string().as_bytes());
        let said = world.run(&verify("zstd", "m.json"));
        let warned = said.stderr.contains("do not look for .zst");
        let found = match (said.code, warned) {
            (Some(2), true) => "refused",
            (Some(0), false) => "taken",
            (Some(0), true) => "warned of",
            _ => "",
        };
        assert_eq!(found, more, "{}", said.stderr);
    }
}
