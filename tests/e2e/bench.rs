//! `bench/run`: that it works, and finds all that is made equivalent. How long it takes says nothing here.

use std::fs;

use serde_json::Value;

use crate::demo::{is_made, kiln_program, workspace};
use crate::tools::{installed, run, tool};

const COMPARISONS: [&str; 15] = [
    "squashfs", "rebuild", "parts", "ext4", "btrfs", "erofs", "reflink", "fat", "bundle", "disk", "vm",
    "nixos", "fetch", "many", "large",
];

#[test]
#[ignore = "long: tests/long runs it"]
fn every_comparison_works_and_finds_equal_results() {
    let peers = [
        "mksquashfs",
        "gensquashfs",
        "mke2fs",
        "mkfs.btrfs",
        "mkfs.erofs-newer",
        "fakeroot",
        "faketime",
        "mkfs.vfat",
        "mcopy",
        "rauc",
        "qemu-img",
        "genimage",
        "sfdisk",
        "curl",
        "nginx",
        "nix-store",
        "/usr/bin/time",
    ];
    if !is_made() || !installed(&peers) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let figures = folder.path().join("figures.json");
    let mut bench = tool("bench/run");
    bench.current_dir(workspace()).args(["--quick", "--kiln"]);
    bench.arg(kiln_program()).arg("--json").arg(&figures);
    let tables = run(&mut bench);
    assert!(!tables.contains("Not measured"), "{tables}");
    assert_eq!(tables.matches("\n## ").count(), COMPARISONS.len() + 1, "{tables}");
    let figures: Value = serde_json::from_str(&fs::read_to_string(figures).unwrap()).unwrap();
    for name in COMPARISONS {
        let comparison = &figures["comparisons"][name];
        assert!(!comparison["figures"].as_object().unwrap().is_empty(), "{name}");
        for goal in comparison["goals"].as_array().unwrap() {
            let (what, limit) = (goal["what"].as_str().unwrap(), goal["limit"].as_f64().unwrap());
            let line = format!("| {name}: {what} ");
            assert!(limit > 0.0 && tables.contains(&line), "{line}: {tables}");
        }
    }
}
