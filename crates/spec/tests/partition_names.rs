//! What partitions are called: in the table, in lists, and as files of their own.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod access;

use std::fs;
use std::path::Path;

use disk::read::Disk;
use image::{Content, Silent};
use serde_json::Value;
use spec::{Plan, Rehash, Squashing, Work};

use access::access;

const SPEC: &str = r#"
schema = 1
name = "x"
seed = "seed"

[fs.root]
format = "ext4"
tree = "tree"

[verity.root]
data = "fs.root"

[disk]
partition-list = "list.json"

[[disk.region]]
name = "root"
type = "root-arm64"
content = "fs.root"
file = "x_{guid}.root.raw"

[[disk.region]]
name = "tree"
type = "root-arm64-verity"
content = "verity.root"

[[disk.region]]
name = "root of b"
label = "_empty"
type = "root-arm64"
size = "1MiB"

[[disk.region]]
name = "tree of b"
label = "_empty"
type = "root-arm64-verity"
size = "1MiB"
"#;

fn plan(text: &str) -> Result<(Plan, tempfile::TempDir), String> {
    let world = tempfile::tempdir().unwrap();
    fs::create_dir(world.path().join("tree")).unwrap();
    fs::write(world.path().join("tree/file"), "file").unwrap();
    let told = |error: spec::Error| error.to_string();
    let spec = spec::parse(text, Path::new("spec.toml")).map_err(told)?;
    let gathered = spec::gather(&spec, Rehash::Skip, &access(world.path())).map_err(told)?;
    let work = Work {
        folder: world.path(),
        squashing: Squashing::Spool(world.path()),
        threads: 1,
        progress: &Silent,
        segments: None,
        roots: None,
        efi: None,
        release: None,
        only: &[],
    };
    let plan = spec::plan(&spec, &gathered, &work).map_err(told)?;
    Ok((plan, world))
}

#[test]
fn labels_may_be_those_of_others() {
    let (plan, _world) = plan(SPEC).unwrap();
    let (planned, _) = plan.disk.as_ref().unwrap();
    let content = Content::from(planned.image.clone());

    let read = Disk::open(&content, content.len()).unwrap();
    let names: Vec<&str> = read
        .partitions
        .iter()
        .map(|partition| partition.name.as_str())
        .collect();
    assert_eq!(names, ["root", "tree", "_empty", "_empty"]);
    let labels: Vec<_> = planned
        .map
        .iter()
        .filter_map(|entry| entry.label.as_deref())
        .collect();
    assert_eq!(labels, ["_empty", "_empty"]);
}

#[test]
fn lists_have_root_hashes_and_files_are_called_after_guids() {
    let (plan, _world) = plan(SPEC).unwrap();
    let [file, list] = &plan.beside[..] else {
        unreachable!("a file and a list")
    };
    let list: Value = serde_json::from_slice(&list.content.to_vec().unwrap()).unwrap();
    let [root, tree, empty, _] = list.as_array().unwrap().as_slice() else {
        unreachable!("four partitions")
    };
    let hash = tree["roothash"].as_str().unwrap();
    let guid = |entry: &Value| entry["uuid"].as_str().unwrap().replace('-', "");
    assert_eq!(hash, guid(root) + &guid(tree));
    assert_eq!(root["roothash"], hash);
    assert_eq!(empty.as_object().unwrap()["roothash"], Value::Null);
    assert_eq!(empty["label"], "_empty");
    assert_eq!(file.file, format!("x_{}.root.raw", &hash[..32]));
    assert_eq!(root["split_path"], file.file);
}

#[test]
fn a_label_is_for_partitions_of_a_gpt() {
    let changed = |from: &str, to: &str| {
        assert!(SPEC.contains(from), "{from}");
        plan(&SPEC.replace(from, to)).err().unwrap()
    };
    let long = changed("\"_empty\"", "\"a label of more units than thirty-six are\"");
    assert!(long.contains("a label of more units"), "{long}");
    let mbr = "[disk]\ntable = \"mbr\"";
    let said = plan(
        &SPEC
            .replace("[disk]\n", &format!("{mbr}\n"))
            .replace("root-arm64-verity", "0x83")
            .replace("root-arm64", "0x83"),
    );
    let said = said.err().unwrap();
    assert!(
        said.contains("label and slot-of are for the tables \"gpt\" and \"hybrid\""),
        "{said}"
    );
    let said = changed(
        "label = \"_empty\"\ntype = \"root-arm64\"\n",
        "label = \"_empty\"\n",
    );
    assert!(said.contains("label, guid, number, bootable"), "{said}");
}
