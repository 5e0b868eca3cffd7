//! Packages, and what an update costs.

use std::collections::BTreeSet;
use std::fs;

use crate::diff::{differs, json, part};
use crate::world::{World, noise};

/// A tree with packages of these versions, each with a file of noise.
fn packed(world: &World, out: &str, packages: &[(&str, char, usize)]) {
    let store = world.path(&format!("{out}.tree/nix/store"));
    for (name, hash, len) in packages {
        let folder = store.join(format!("{}-{name}", hash.to_string().repeat(32)));
        fs::create_dir_all(&folder).unwrap();
        // No two packages have a block in common.
        let skip = usize::from(u8::try_from(*hash).unwrap()) * 3;
        fs::write(folder.join("data"), &noise(*len + skip)[skip..]).unwrap();
    }
    let tree = format!("{out}.tree");
    world.done(&["ext4", "--tree", &tree, "--free", "1MiB", "--out", out]);
}

#[test]
fn packages_have_versions() {
    let world = World::new();
    packed(
        &world,
        "a.ext4",
        &[
            ("glibc-2.38", 'a', 100_000),
            ("gone-1", 'b', 5000),
            ("same-1.0", 'c', 70_000),
            ("again-3", 'd', 9),
        ],
    );
    packed(
        &world,
        "b.ext4",
        &[
            ("glibc-2.39", 'f', 120_000),
            ("new", 'g', 6000),
            ("same-1.0", 'c', 70_000),
            ("again-3", 'h', 9),
        ],
    );
    let said = differs(&world, &["a.ext4", "b.ext4"]);
    for line in [
        "    glibc: 2.38 → 2.39, +19.5 KiB\n",
        "    new: ∅ → ε, +5.8 KiB\n",
        "    gone: 1 → ∅, -4.8 KiB\n",
        "    again: 3, another build, no bytes more or less\n",
    ] {
        assert!(said.contains(line), "{line}{said}");
    }
    assert!(!said.contains("same"), "{said}");
    // What belongs to packages is not listed file by file.
    assert!(!said.contains("+ /nix"), "{said}");
}

/// Counted here in the simplest way.
#[test]
fn new_blocks_are_counted() {
    let world = World::new();
    packed(&world, "a.ext4", &[("lib-1", 'a', 400_000)]);
    packed(
        &world,
        "b.ext4",
        &[("lib-1", 'a', 400_000), ("app-2", 'b', 300_000)],
    );
    let read = |name: &str| fs::read(world.path(name)).unwrap();
    let (a, b) = (read("a.ext4"), read("b.ext4"));
    let known: BTreeSet<&[u8]> = a.chunks(4096).collect();
    let new = b.chunks(4096).filter(|block| !known.contains(block)).count();
    let changed = b
        .chunks(4096)
        .enumerate()
        .filter(|(index, block)| a.chunks(4096).nth(*index) != Some(block))
        .count();
    let parts = json(&differs(&world, &["a.ext4", "b.ext4", "--json"]));
    let update = &part(&parts, "")["update"];
    assert_eq!(
        (
            &update["blocks"],
            &update["new_blocks"],
            &update["changed_blocks"]
        ),
        (&(b.len() / 4096).into(), &new.into(), &changed.into())
    );
    let causes = update["causes"].as_object().unwrap();
    let sum: u64 = causes.values().map(|bytes| bytes.as_u64().unwrap()).sum();
    assert_eq!(sum, new as u64 * 4096);
    assert!(causes["app"].as_u64().unwrap() >= 73 * 4096, "{causes:?}");
    assert!(
        causes.contains_key("inode tables") && !causes.contains_key("lib"),
        "{causes:?}"
    );
}

#[test]
fn bundles_tell_what_rauc_fetches() {
    let Some(world) = crate::bundles::world() else {
        return;
    };
    world.done(&["build", "spec.toml", "--out", "old"]);
    world.write("boot.cmd", b"echo @buildId@ again\n");
    world.done(&["build", "spec.toml", "--out", "new"]);
    let bundle = |out: &str| format!("{out}/demo-25.11.raucb");
    let parts = json(&differs(
        &world,
        &[&bundle("old"), &bundle("new"), "--json", "--bytes"],
    ));
    let boot = part(&parts, "/boot");
    let update = &boot["update"];
    let (blocks, new) = (
        update["blocks"].as_u64().unwrap(),
        update["new_blocks"].as_u64().unwrap(),
    );
    assert_eq!(blocks, 4096);
    assert!(new > 0 && new < 10, "{update:#}");
    assert_eq!(
        update["fetched"],
        serde_json::json!({ "method": "block-hash-index", "bytes": new * 4096 + blocks * 32, "index": blocks * 32 })
    );
    assert!(
        parts
            .as_array()
            .unwrap()
            .iter()
            .all(|part| part["path"] != "/rootfs"),
        "{parts:#}"
    );
}
