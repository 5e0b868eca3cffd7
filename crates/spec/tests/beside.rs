//! What comes with a disk, and swap areas.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod access;

use std::fs;
use std::path::Path;

use image::{Content, Silent};
use serde_json::{Value, json};
use spec::{Detail, Plan, Rehash, Squashing, Work};

use access::access;

const SPEC: &str = r#"
schema = 1
name = "x"
seed = "seed"

[fs.swap]
format = "swap"
size = "1MiB"
label = "swap"

[disk]
align = "4KiB"
guid = "b581fef7-24ed-4f31-990b-099ec86bba03"
compress = "zstd"
partition-list = "list.json"

[[disk.region]]
name = "raw"
raw = "raw"
type = "linux"
offset = "1MiB"
guid = "be6595b1-70b2-4c1e-a455-2693510a426f"
min-size = "4096B"
file = "raw.bin"
definition = "10-raw.conf"

[[disk.region]]
name = "free"
size = "8KiB"

[[disk.region]]
name = "swap"
type = "swap"
content = "fs.swap"
guid = "9f77b6a6-6333-4b04-ba32-24ec36c178ed"
min-size = "2MiB"
attributes = ["0x8000000000000004", "no-auto"]
"#;

fn plan(text: &str) -> Result<(Plan, tempfile::TempDir), String> {
    let world = tempfile::tempdir().unwrap();
    fs::write(world.path().join("raw"), "raw".repeat(2000)).unwrap();
    let told = |error: spec::Error| error.to_string();
    let spec = spec::parse(text, Path::new("spec.toml")).map_err(told)?;
    let gathered = spec::gather(&spec, Rehash::Skip, &access(world.path())).map_err(told)?;
    let work = Work {
        folder: world.path(),
        squashing: Squashing::Estimate,
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

fn refused(from: &str, to: &str) -> String {
    assert!(SPEC.contains(from), "{from}");
    plan(&SPEC.replace(from, to)).err().unwrap()
}

#[test]
fn a_region_is_an_output_with_all_its_bytes() {
    let (plan, _world) = plan(SPEC).unwrap();
    let files: Vec<_> = plan
        .beside
        .iter()
        .map(|beside| (&*beside.part, &*beside.file))
        .collect();
    assert_eq!(
        files,
        [
            ("region.raw", "raw.bin.zst"),
            ("disk.partition-list", "list.json")
        ]
    );
    // 6000 bytes, and zeros up to a multiple of 4096.
    let bytes = plan.beside[0].content.to_vec().unwrap();
    assert_eq!(bytes.len(), 8192);
    assert_eq!(&bytes[..6000], "raw".repeat(2000).as_bytes());
    assert!(bytes[6000..].iter().all(|byte| *byte == 0));
}

#[test]
fn partitions_are_listed_as_systemd_repart_lists_them() {
    let (plan, _world) = plan(SPEC).unwrap();
    let list: Value = serde_json::from_slice(&plan.beside[1].content.to_vec().unwrap()).unwrap();
    assert_eq!(
        list,
        json!([
            {
                "type": "linux-generic",
                "label": "raw",
                "uuid": "be6595b1-70b2-4c1e-a455-2693510a426f",
                "partno": 0,
                "file": "10-raw.conf",
                "node": "x.img1",
                "offset": 1 << 20,
                "old_size": 0,
                "raw_size": 8192,
                "old_padding": 0,
                "raw_padding": 8192,
                "activity": "create",
                "split_path": "raw.bin.zst",
            },
            {
                "type": "swap",
                "label": "swap",
                "uuid": "9f77b6a6-6333-4b04-ba32-24ec36c178ed",
                "partno": 1,
                "node": "x.img2",
                "offset": (1 << 20) + 16384,
                "old_size": 0,
                "raw_size": 2 << 20,
                "old_padding": 0,
                "raw_padding": 0,
                "activity": "create",
            },
        ])
    );
    let (disk, _) = plan.disk.as_ref().unwrap();
    let swap = disk.map.iter().find(|entry| entry.name == "swap").unwrap();
    let attributes = swap.partition.unwrap().attributes;
    assert_eq!(attributes.to_string(), "legacy-boot, no-auto");
}

#[test]
fn a_swap_area_is_a_part() {
    let (plan, _world) = plan(SPEC).unwrap();
    let [part] = &plan.parts[..] else {
        unreachable!("there is one part")
    };
    assert_eq!(part.files[0].0, "swap.swap");
    let Content::Image(image) = &part.content else {
        unreachable!("it is an image")
    };
    let header = image.extents()[0].content.to_vec().unwrap();
    let found = swap::read(&header).unwrap();
    assert_eq!((found.size, found.label.as_deref()), (1 << 20, Some("swap")));
    let derived = matches!(&part.detail, Detail::Swap { uuid } if *uuid == found.uuid);
    assert!(derived && found.uuid.get_version_num() == 5);
}

#[test]
fn what_cannot_be_is_told() {
    let label = "label = \"swap\"";
    for (from, to, expected) in [
        ("size = \"1MiB\"\n", "", "fs.swap.size: is missing"),
        (
            "size = \"1MiB\"\n",
            "size = \"32KiB\"\n",
            "fs.swap: a swap area of 32768 bytes: it has at least 40960",
        ),
        (
            label,
            "label = \"sixteen letters!\"",
            "fs.swap: label \"sixteen letters!\" has 16 bytes",
        ),
        (
            label,
            "text = { \"/a\" = \"b\" }",
            "fs.swap: text is no key of format swap, which holds no files",
        ),
        (
            label,
            "closure = true",
            "fs.swap: closure is no key of format swap, which holds no files",
        ),
        (label, "free = \"1MiB\"", "fs.swap: free is no key of format swap"),
        (
            label,
            "id = \"1\"",
            "fs.swap: id is no key of format swap, whose id is a UUID: uuid",
        ),
        (label, "uuid = \"1\"", "fs.swap.uuid: \"1\": must be a UUID"),
        (
            "min-size = \"2MiB\"",
            "min-size = \"2MiB\"\nsize = \"2MiB\"",
            "disk.region \"swap\": size and min-size exclude each other",
        ),
        ("file = \"raw.bin\"", "file = \"a/b\"", "region.raw.file"),
        ("list.json", "swap.swap", "swap.swap"),
        ("0x8000000000000004", "0x80000000000000040", "0x80000000000000040"),
    ] {
        let told = refused(from, to);
        assert!(told.contains(expected), "{to}: {told}");
    }
}
