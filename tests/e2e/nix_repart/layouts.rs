//! Layouts as appliances in the wild define them become images, or errors that name the key.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::refused::refused;
use super::verity::{Listed, verified};
use crate::demo::workspace;
use crate::nix_world::{World, names, world};
use crate::tools::{installed, run, tool};

const MADE: [&str; 8] = [
    "appliance",
    "board",
    "desktop",
    "padded",
    "release",
    "slots",
    "verityRoot",
    "verityStore",
];

const REFUSED: [(&str, &str); 6] = [
    ("nullUuid", "partitions.10-root: UUID = null: "),
    ("encrypted", "partitions.20-home: Encrypt: not supported: "),
    (
        "fragments",
        "image.repart.mkfsOptions.erofs: -Efragments,ztailpacking: not supported: ",
    ),
    ("f2fs", "partitions.20-data: Format = f2fs: "),
    (
        "smallBlocks",
        "partitions.10-store-verity: VerityHashBlockSizeBytes = 1024: ",
    ),
    (
        "unsigned",
        "partitions.30-sig: Verity = signature: there is no key",
    ),
];

/// Where the images of all layouts lie.
fn made(world: &World) -> Vec<PathBuf> {
    let mut build = world.nix("nix-build");
    build
        .arg(workspace().join("tests/nix/repart.nix"))
        .arg("--no-out-link");
    for layout in MADE {
        build.args(["-A", &format!("layouts.{layout}")]);
    }
    let paths = run(&mut build);
    let on_host = |path: &str| world.store().join(path.trim_start_matches('/'));
    paths.lines().map(on_host).collect()
}

/// The list of an image's partitions.
pub(super) fn list(made: &Path) -> Value {
    serde_json::from_slice(&fs::read(made.join("repart-output.json")).unwrap()).unwrap()
}

/// Checks what vouches for what in an image, and answers how many hash trees it has.
pub(super) fn check_hashes(made: &Path, image: &str) -> usize {
    let all = list(made);
    let list = Listed(&all);
    let dir = tempfile::tempdir().unwrap();
    let [data, tree] = ["data", "tree"].map(|name| dir.path().join(name));
    let mut count = 0;
    let entries = all.as_array().unwrap().iter();
    let files: Vec<&str> = entries.filter_map(|entry| entry["file"].as_str()).collect();
    for hashes in files.iter().filter(|file| list.is_tree(file)) {
        let root = list.root(hashes);
        let hashed = files.iter().find(|file| list.guid(file) == root[..32]).unwrap();
        assert_eq!(list.guid(hashes), root[32..]);
        list.cut(hashed, &made.join(image), &data);
        list.cut(hashes, &made.join(image), &tree);
        assert!(verified(&data, &tree, &root), "{image}: {hashes}");
        count += 1;
    }
    count
}

#[test]
fn layouts_have_images() {
    if !installed(&["sfdisk", "veritysetup", "dd"]) {
        return;
    }
    let Some(world) = world() else { return };
    let made = made(&world);
    let mut trees = Vec::new();
    for (layout, made) in MADE.iter().zip(&made) {
        let said = run(tool("sfdisk").arg("--verify").arg(made.join("appliance_7.raw")));
        assert!(said.contains("No errors detected"), "{layout}: {said}");
        trees.push(check_hashes(made, "appliance_7.raw"));
    }
    assert_eq!(trees, [0, 0, 0, 1, 1, 1, 1, 1]);
    let [_, board, _, padded, _, slots, ..] = &made[..] else {
        unreachable!("there are eight")
    };
    assert_eq!(
        fs::metadata(board.join("appliance_7.raw")).unwrap().len(),
        1 << 30
    );
    let store = list(padded);
    assert_eq!(store[1]["raw_padding"], 512 << 20);
    assert_eq!(
        names(padded),
        [
            "appliance_7.esp.raw",
            "appliance_7.raw",
            "appliance_7.usr-hash.raw",
            "appliance_7.usr.raw",
            "nix-support",
            "repart-output.json"
        ]
    );
    // What an update reads has its GUIDs in its names.
    let all = list(slots);
    let root = all[1]["roothash"].as_str().unwrap();
    for name in [
        format!("appliance_7.store_{}.raw", &root[..32]),
        format!("appliance_7.verity_{}.raw", &root[32..]),
    ] {
        assert!(slots.join(&name).exists(), "{name}: {:?}", names(slots));
    }
    let label = |number: usize| all[number]["label"].as_str().unwrap();
    assert_eq!([label(3), label(4)], ["_empty"; 2]);
}

#[test]
fn layouts_that_cannot_be_name_the_key() {
    let Some(world) = world() else { return };
    for (layout, words) in REFUSED {
        let said = refused(&world, &format!("layouts.{layout}.drvPath"));
        assert!(said.contains(words), "{layout}: {said}");
    }
}
