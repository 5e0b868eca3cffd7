//! Values of a release in texts: labels, and what an image calls itself.

use std::fs;

use serde_json::Value;

use super::with_stub;

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
