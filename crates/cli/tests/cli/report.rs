//! `kiln report`: what is planned and what is written are reported alike, what grew is said, and what is damaged, too.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::world::{LIB, World};

const GUIDE: &str = include_str!("../../../../docs/guide-contents.md");
const IMAGE: &str = "out/demo-25.11.img";
/// The root file system's first byte on the disk.
const ROOT_START: u64 = 32 << 20;

fn json(world: &World, args: &[&str]) -> Value {
    let text = world.done(&[&["report"], args, &["--json"]].concat());
    serde_json::from_str(&text).unwrap()
}

fn built() -> World {
    let world = World::new();
    world.done(&["build", "spec.toml", "--out", "out"]);
    world
}

fn names<'a>(report: &'a Value, key: &str) -> Vec<&'a str> {
    let list = report[key].as_array().unwrap().iter();
    list.map(|entry| entry["name"].as_str().unwrap()).collect()
}

#[test]
fn what_is_planned_and_what_is_written_are_reported_alike() {
    let world = built();
    let (planned, written) = (json(&world, &["spec.toml"]), json(&world, &[IMAGE]));
    for key in [
        "name", "format", "classes", "toplevel", "paths", "files", "equal", "tree",
    ] {
        assert_eq!(planned[key], written[key], "{key}");
    }
    assert_eq!(
        names(&written, "regions"),
        [
            "partition table",
            "free, in no partition",
            "idbloader",
            "free, in no partition",
            "boot",
            "rootfs",
            "free, in no partition",
            "partition table",
        ]
    );
    let promised = |report: &Value| report["totals"]["promised"].as_u64();
    assert_eq!((promised(&planned), promised(&written)), (Some(1 << 20), None));
    assert_eq!(written["totals"]["image"], 40_u64 << 20);
    // The toplevel keeps both others, and nothing else is there.
    let paths = written["paths"].as_array().unwrap();
    let via: Vec<&Value> = paths.iter().map(|path| &path["via"]).collect();
    assert_eq!(via, [&Value::from(2), &Value::from(2), &Value::Null]);
    assert_eq!(paths[2]["retained_paths"], 3);
    assert_eq!(paths[0]["name"], LIB.trim_start_matches("/nix/store/"));
    assert_eq!(paths[0]["unpacked"], 14_000);
}

#[test]
fn pages_and_pictures_are_the_same_twice_and_appear_whole_or_not_at_all() {
    let world = built();
    for (args, names) in [
        (&["--out"][..], ["a.html", "b.html"]),
        (&["--svg", "--out"], ["a.svg", "b.svg"]),
    ] {
        for (name, jobs) in names.iter().zip(["1", "2"]) {
            let args = [&["report", IMAGE], args, &[name]].concat();
            let mut kiln = Command::new(env!("CARGO_BIN_EXE_kiln"));
            kiln.args(args).args(["--jobs", jobs]).current_dir(world.path(""));
            assert!(kiln.output().unwrap().status.success());
        }
        let [a, b] = names.map(|name| fs::read(world.path(name)).unwrap());
        assert!(a == b && a.len() > 1000, "{names:?}");
    }
    world.refused(5, &["report", IMAGE, "--out", "missing/report.html"]);
    world.refused(5, &["report", IMAGE, "--out", "out"]);
    world.refused(3, &["report", "none.img", "--out", "c.html"]);
    world.refused(2, &["report", IMAGE]);
    world.refused(2, &["report", IMAGE, "--svg", "--json"]);
    let old = world.refused(3, &["report", IMAGE, "--against", "a.svg", "--out", "c.html"]);
    assert!(old.contains("a.svg"), "{old}");
}

#[test]
fn what_grew_is_said_against_images_pages_json_and_manifests() {
    let world = built();
    world.done(&["report", IMAGE, "--out", "old.html"]);
    fs::write(world.path("old.json"), world.done(&["report", IMAGE, "--json"])).unwrap();
    fs::rename(world.path("out"), world.path("old")).unwrap();
    world.write_store(LIB, "share/doc/more", &[7; 9000]);
    world.register(&world.hashed());
    world.done(&["build", "spec.toml", "--out", "out"]);
    let lib = |old: &str| {
        let report = json(&world, &[IMAGE, "--against", old]);
        let changes = report["grown"]["changes"].as_array().unwrap();
        let change = changes
            .iter()
            .find(|change| change["name"] == "lib")
            .unwrap()
            .clone();
        let sum = |side: &str| change[side]["unpacked"].as_u64().unwrap();
        assert_eq!(change["versions_after"][0], "1.0");
        (
            report["grown"]["is_exact"].as_bool().unwrap(),
            sum("after") - sum("before"),
        )
    };
    for old in [
        "old/demo-25.11.img",
        "old.html",
        "old.json",
        "old",
        "old/demo-25.11.manifest.json",
    ] {
        assert_eq!(lib(old), (true, 9000), "{old}");
    }
    // A release lies in a folder of its own.
    let manifest = fs::read_to_string(world.path("old/demo-25.11.manifest.json")).unwrap();
    let sums = "\"files\": [{ \"part\": \"release\", \"file\": \"release/SHA256SUMS\", \"size\": 1 },";
    let manifest = manifest.replacen("\"files\": [", sums, 1);
    world.write("old/demo-25.11.manifest.json", manifest.as_bytes());
    assert_eq!(lib("old/demo-25.11.manifest.json"), (true, 9000));
    // Without its outputs, a manifest knows the sizes of NARs.
    fs::remove_file(world.path("old/demo-25.11.img")).unwrap();
    let (is_exact, bytes) = lib("old/demo-25.11.manifest.json");
    assert!(!is_exact && (9000..11_000).contains(&bytes), "{bytes}");
    let nothing = json(&world, &[IMAGE, "--against", IMAGE]);
    assert_eq!(nothing["grown"]["changes"].as_array().unwrap().len(), 0);
}

#[test]
fn of_a_damaged_image_the_rest_is_shown() {
    let world = built();
    let mut image = fs::OpenOptions::new()
        .write(true)
        .open(world.path(IMAGE))
        .unwrap();
    // The pointers of the squashfs' superblock to its tables.
    image.seek(SeekFrom::Start(ROOT_START + 64)).unwrap();
    image.write_all(&[0x5a; 16]).unwrap();
    let said = world.run(&["report", IMAGE, "--out", "report.html"]);
    assert_eq!(said.code, Some(6), "{}", said.stderr);
    let page = fs::read_to_string(world.path("report.html")).unwrap();
    assert!(page.contains("Not everything could be read."), "{page}");
    assert!(page.contains("<code>/rootfs</code>: squashfs"), "{page}");
    assert!(
        page.contains("boot.scr") && page.contains("what could not be read"),
        "{page}"
    );
    let said = world.run(&["report", IMAGE, "--json"]);
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(report["found"]["totals"]["image"], 40_u64 << 20);
    // A table that is damaged leaves bytes.
    fs::write(
        world.path("short.img"),
        &fs::read(world.path(IMAGE)).unwrap()[..20 << 20],
    )
    .unwrap();
    let said = world.run(&["report", "short.img", "--out", "short.html"]);
    assert_eq!(said.code, Some(6), "{}", said.stderr);
    assert!(
        fs::read_to_string(world.path("short.html"))
            .unwrap()
            .contains("Not everything could be read.")
    );
}

/// A file system that is all of an image, a partition that is asked for, and outputs whose disk is damaged.
#[test]
fn of_what_is_damaged_as_a_whole_there_is_a_page() {
    let world = built();
    let damage = |file: &str, start: u64| {
        let mut image = fs::OpenOptions::new().write(true).open(world.path(file)).unwrap();
        image.seek(SeekFrom::Start(start)).unwrap();
        image.write_all(&[0x5a; 16]).unwrap();
    };
    let page = |args: &[&str]| {
        let said = world.run(&[&["report"], args, &["--out", "page.html"]].concat());
        assert_eq!(said.code, Some(6), "{args:?}: {}", said.stderr);
        let page = fs::read_to_string(world.path("page.html")).unwrap();
        fs::remove_file(world.path("page.html")).unwrap();
        assert!(page.contains("Not everything could be read."), "{args:?}");
        let report = world.run(&[&["report"], args, &["--json"]].concat());
        let report: Value = serde_json::from_str(&report.stdout).unwrap();
        (report["found"].clone(), said.stderr)
    };
    // The tables of a squashfs, and what the root directory's number leads to.
    let root = fs::read(world.path("out/rootfs.squashfs")).unwrap();
    for start in [64, 32] {
        world.write("root.img", &root);
        damage("root.img", start);
        let (report, _) = page(&["root.img"]);
        assert_eq!(report["totals"]["image"], root.len(), "{start}");
        assert_eq!(report["problems"][0]["path"], "/");
        let tree = report["tree"].to_string();
        assert!(tree.contains("what could not be read"), "{start}: {tree}");
    }
    damage(IMAGE, ROOT_START + 64);
    let (report, said) = page(&[IMAGE, "/rootfs"]);
    assert_eq!(report["name"], "demo-25.11.img/rootfs");
    assert!(said.contains("/rootfs: squashfs"), "{said}");
    // Outputs, of which the disk is shorter than its table says.
    let disk = fs::OpenOptions::new()
        .write(true)
        .open(world.path(IMAGE))
        .unwrap();
    disk.set_len(20 << 20).unwrap();
    let (report, _) = page(&["out"]);
    assert_eq!(report["totals"]["image"], 20 << 20);
}

/// Two files of a tebibyte, of which next to nothing is stored, and a partition of a pebibyte without content.
#[test]
fn zeros_are_known_without_reading_them() {
    let world = World::new();
    fs::create_dir(world.path("tree")).unwrap();
    for (name, start) in [("one", &b"same"[..]), ("other", b"same"), ("third", b"else")] {
        let mut file = fs::File::create(world.path("tree").join(name)).unwrap();
        file.write_all(start).unwrap();
        file.set_len(1 << 40).unwrap();
    }
    world.done(&["ext4", "--tree", "tree", "--out", "tree.ext4"]);
    let report = json(&world, &["tree.ext4"]);
    let equal = report["equal"].as_array().unwrap();
    assert_eq!(equal.len(), 1, "{equal:?}");
    assert_eq!(equal[0]["paths"].as_array().unwrap().len(), 2);
    assert_eq!(equal[0]["size"], 1_u64 << 40);
    let spec = "schema = 1\nname = \"huge\"\n[disk]\n[[disk.region]]\nname = \"data\"\ntype = \"linux\"\nsize = \"1024TiB\"\n";
    world.write("huge.toml", spec.as_bytes());
    let report = json(&world, &["huge.toml"]);
    let tree = report["tree"].to_string();
    assert!(tree.contains("\"name\":\"empty\""), "{tree}");
}

#[test]
fn a_closure_without_references_is_a_note() {
    let world = built();
    fs::create_dir(world.path("alone")).unwrap();
    fs::copy(
        world.path("out/rootfs.squashfs"),
        world.path("alone/rootfs.squashfs"),
    )
    .unwrap();
    let note = |args: &[&str]| json(&world, args)["notes"].to_string();
    assert!(note(&["alone/rootfs.squashfs"]).contains("No references are known"));
    assert_eq!(
        note(&["alone/rootfs.squashfs", "--closure", "closure-info"]),
        "[]"
    );
    assert_eq!(note(&["out/rootfs.squashfs"]), "[]");
}

#[test]
fn every_command_of_the_guide_works() {
    let world = World::with("name = \"demo-{series}\"", "name = \"atomicnix\"");
    world.done(&["build", "spec.toml", "--out", "result"]);
    let bin = Path::new(env!("CARGO_BIN_EXE_kiln")).parent().unwrap();
    let blocks = GUIDE.split("```sh\n").skip(1);
    let commands = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    let commands: Vec<&str> = commands.collect();
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        let mut shell = Command::new("sh");
        shell.args(["-euc", &format!("PATH={}:$PATH; {command}", bin.display())]);
        let output = shell.current_dir(world.path("")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && output.stdout.is_empty(),
            "{command}: {said}"
        );
        let made = command.rsplit(' ').next().unwrap();
        assert!(fs::metadata(world.path(made)).unwrap().len() > 1000, "{command}");
    }
}
