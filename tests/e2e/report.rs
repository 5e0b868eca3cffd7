//! `kiln report`: its numbers are those of `kiln ls`, of debugfs and of Nix, and the README's picture is that of the demo.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::demo::{demo, is_made, kiln, store_paths, toplevel, workspace};
use crate::rock64::Rock64;
use crate::shared::{Shared, shared};
use crate::tools::{installed, run, sha256, tool};

/// The SHA-256 of the list of store paths that the README's picture shows: the packages of the Debian of its day.
const PICTURED: &str = "8cb720c57a8a39b030be66b38a5039f08312891e97cb819ad91476923a3a09e2";
const IMAGE: &str = "sd-image-25.11.img";
const HASH_LEN: usize = 32;

/// The SD card, built once per test run.
pub(crate) fn sd_card() -> Shared {
    shared("report-sd-image", |folder| {
        let mut build = kiln();
        build.args(["build", "sd-image.toml", "--out"]).arg(folder);
        run(build.current_dir(demo()));
    })
}

/// What `kiln` says of a file, as JSON.
fn json(verb: &[&str], image: &Path) -> Value {
    let text = run(kiln().args(verb).arg(image).arg("--json"));
    serde_json::from_str(&text).unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// A store path's name in a path, when the path leads to one or into one.
fn store_name(path: &str) -> Option<&str> {
    let name = path.split("/nix/store/").nth(1)?.split('/').next()?;
    (name.len() > HASH_LEN).then_some(name)
}

/// Compares a report with a listing: store paths, files, regions and sums.
fn assert_as_listed(report: &Value, listing: &Value) {
    let (mut files, mut bytes) = (0, 0);
    let mut paths: BTreeMap<&str, u64> = BTreeMap::new();
    let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
    let mut partitions = Vec::new();
    for entry in listing.as_array().unwrap() {
        let path = entry["path"].as_str().unwrap();
        if let Some(partition) = entry["image"].get("partition") {
            partitions.push((
                path.trim_start_matches('/'),
                number(&partition["size"]),
                number(&partition["start"]),
            ));
        }
        if let Some(name) = store_name(path) {
            paths.entry(name).or_default();
        }
        if entry["type"] == "file" {
            assert_eq!(entry["links"], 1, "{path}");
            let size = number(&entry["size"]);
            files += 1;
            bytes += size;
            sizes.insert(path, size);
            *store_name(path).map_or(&mut 0, |name| paths.entry(name).or_default()) += size;
        }
    }
    assert_eq!(report["totals"]["files"], files);
    assert_eq!(report["totals"]["unpacked"], bytes);
    let said: BTreeMap<&str, u64> = report["paths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|path| (path["name"].as_str().unwrap(), number(&path["unpacked"])))
        .collect();
    assert_eq!(said, paths);
    for file in report["files"].as_array().unwrap() {
        let path = file["path"].as_str().unwrap();
        assert_eq!(Some(&number(&file["unpacked"])), sizes.get(path), "{path}");
    }
    let regions = report["regions"].as_array().unwrap().iter();
    let said: Vec<_> = regions
        .filter(|region| region["kind"] == "partition")
        .map(|region| {
            (
                region["name"].as_str().unwrap(),
                number(&region["size"]),
                number(&region["start"]),
            )
        })
        .collect();
    assert_eq!(said, partitions);
    assert_sums(report);
}

/// Each part takes what its parts take; the whole is the image.
fn assert_sums(report: &Value) {
    let mut open = vec![&report["tree"]];
    while let Some(node) = open.pop() {
        let Some(children) = node.get("children").and_then(Value::as_array) else {
            continue;
        };
        for key in ["image", "unpacked"] {
            let sum: u64 = children.iter().map(|child| number(&child[key])).sum();
            // A folder's own blocks are in no part of it.
            let own = number(&node[key])
                .checked_sub(sum)
                .unwrap_or_else(|| panic!("{}: {sum}", node["name"]));
            let is_folder = ["folder", "store-path"].contains(&node["kind"].as_str().unwrap());
            assert!(
                own == 0 || is_folder && key == "image",
                "{}: {key} {own}",
                node["name"]
            );
        }
        open.extend(children);
    }
    for key in ["image", "unpacked"] {
        let classes = report["classes"].as_array().unwrap().iter();
        assert_eq!(
            classes.map(|class| number(&class[key])).sum::<u64>(),
            number(&report["totals"][key])
        );
    }
    let regions = report["regions"].as_array().unwrap().iter();
    assert_eq!(
        regions.map(|region| number(&region["size"])).sum::<u64>(),
        number(&report["totals"]["image"])
    );
}

#[test]
fn numbers_are_those_of_listings_of_debugfs_and_of_nix() {
    if !(is_made() && installed(&["debugfs", "dumpe2fs"])) {
        return;
    }
    let card = sd_card();
    let image = card.path.join(IMAGE);
    let report = json(&["report"], &image);
    assert_as_listed(&report, &json(&["ls", "-R"], &image));
    assert_eq!(
        number(&report["totals"]["image"]),
        fs::metadata(&image).unwrap().len()
    );
    let root = report["regions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|region| region["format"] == "ext4")
        .unwrap();
    let info = json(&["info", image.to_str().unwrap()], Path::new("/2"));
    assert_eq!(root["free"], info["free"]);
    // The blocks that the largest files have, as debugfs counts them.
    let place = format!("{}?offset={}", image.display(), root["start"]);
    for file in report["files"].as_array().unwrap().iter().take(8) {
        let path = file["path"].as_str().unwrap().strip_prefix("/2").unwrap();
        let stat = run(tool("debugfs").args(["-R", &format!("stat \"{path}\""), &place]));
        let blocks: u64 = stat
            .split("Blockcount: ")
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(number(&file["image"]), blocks * 512, "{path}");
    }
    assert_follows_registration(&report);
    // What is planned is what is written.
    let planned = json(&["report"], &demo().join("sd-image.toml"));
    for key in ["paths", "files", "classes", "tree", "equal", "toplevel"] {
        assert!(planned[key] == report[key], "{key}");
    }
    let promised = planned["regions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|region| region["promised"].as_u64());
    assert_eq!(promised.max(), Some(64 << 20));
}

/// The references of each path, and the ways to it, are those of the registration that Nix has made.
fn assert_follows_registration(report: &Value) {
    let registration = fs::read_to_string(demo().join("out/store/closure-info/registration")).unwrap();
    let mut lines = registration.lines();
    let mut references: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let base = |path: &str| path.trim_start_matches("/nix/store/").to_string();
    while let Some(path) = lines.next() {
        let count: usize = lines.nth(3).unwrap().parse().unwrap();
        let all: Vec<String> = (0..count).map(|_| base(lines.next().unwrap())).collect();
        references.insert(base(path), all);
    }
    let paths = report["paths"].as_array().unwrap();
    let name = |index: &Value| {
        paths[usize::try_from(number(index)).unwrap()]["name"]
            .as_str()
            .unwrap()
            .to_string()
    };
    assert_eq!(paths.len(), store_paths().len());
    for path in paths {
        let own = path["name"].as_str().unwrap();
        let mut wanted: Vec<String> = references[own]
            .iter()
            .filter(|other| *other != own)
            .cloned()
            .collect();
        wanted.sort();
        let said: Vec<String> = path
            .get("references")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(name)
            .collect();
        assert_eq!(said, wanted, "{own}");
        match path.get("via") {
            Some(via) => assert!(references[&name(via)].contains(&own.to_string()), "{own}"),
            None => assert_eq!(own, base(&toplevel())),
        }
    }
}

#[test]
fn compressed_images_are_divided_to_the_last_byte() {
    if !is_made() {
        return;
    }
    let rock64 = Rock64::build();
    let image = rock64.image();
    let report = json(&["report"], &image);
    assert_as_listed(&report, &json(&["ls", "-R"], &image));
    assert_eq!(report["totals"]["image"], 1170_u64 << 20);
    // The manifest beside it says what its loader is called, and who refers to whom.
    let names: Vec<&str> = report["regions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|region| region["name"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"idbloader") && names.contains(&"rootfs-a"),
        "{names:?}"
    );
    assert_follows_registration(&report);
    let root = report["regions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|region| region["format"] == "squashfs")
        .unwrap();
    let used = number(&json(&["info", image.to_str().unwrap()], Path::new("/rootfs-a"))["used"]);
    assert_eq!(number(&root["size"]) - number(&root["free"]), used);
}

#[test]
fn the_picture_in_the_readme_is_that_of_the_demo() {
    if !is_made() {
        return;
    }
    let card = sd_card();
    let made = card.path.with_extension("svg");
    run(kiln()
        .args(["report", "--svg", "--out"])
        .arg(&made)
        .arg(card.path.join(IMAGE)));
    let made = fs::read_to_string(made).unwrap();
    let picture = workspace().join("docs/treemap.svg");
    let kept = fs::read_to_string(&picture).unwrap();
    let again = "make it again: cd demo && kiln build sd-image.toml --out /tmp/card && kiln report /tmp/card/sd-image-25.11.img --svg --out ../docs/treemap.svg";
    if sha256(&demo().join("out/store/closure-info/store-paths")) == PICTURED {
        assert!(
            made == kept,
            "docs/treemap.svg is not what this kiln makes; {again}"
        );
    } else {
        // Debian has other packages by now: all that does not depend on them is the same.
        let drawn = |text: &str| {
            text.split("<g>")
                .next()
                .unwrap()
                .lines()
                .filter(|line| !line.contains(" in the image"))
                .map(String::from)
                .collect::<Vec<_>>()
        };
        assert_eq!(drawn(&made), drawn(&kept), "{again}");
    }
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let first: String = readme.lines().take(40).collect();
    assert!(
        first.contains("docs/treemap.svg"),
        "the first screen of the README shows it"
    );
}
