//! docs/manifest.md has every key of a manifest.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

const PAGE: &str = include_str!("../../../../docs/manifest.md");

fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                found.insert(key.clone());
                keys(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

#[test]
fn every_key_is_documented() {
    let Some(world) = crate::bundles::world() else {
        return;
    };
    world.edit("spec.toml", "[disk]\n", "[disk]\ncompress = \"zstd\"\n");
    world.done(&["build", "spec.toml", "--out", "out"]);
    let manifest = fs::read(world.path("out/demo-25.11.manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let mut found = BTreeSet::new();
    keys(&manifest, &mut found);
    assert!(found.len() > 30, "{found:?}");
    let missing: Vec<&String> = found
        .iter()
        .filter(|key| !PAGE.contains(&format!("`{key}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let kinds = manifest["disk"]["regions"].as_array().unwrap().iter();
    for kind in kinds.map(|region| region["kind"].as_str().unwrap()) {
        assert!(PAGE.contains(&format!("`{kind}`")), "{kind}");
    }
    assert_eq!(manifest["schema"], 2);
    // All bytes of the disk, as the page says.
    let regions = manifest["disk"]["regions"].as_array().unwrap();
    for pair in regions.windows(2) {
        assert_eq!(pair[0]["end"], pair[1]["start"]);
    }
}
