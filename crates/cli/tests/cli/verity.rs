//! A disk with a verity partition: what cryptsetup says of it, with the root hash that the boot script got.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::oracle::installed;
use crate::world::World;

const WITH_TREE: &str = r#"content = "fs.rootfs"

[verity.rootfs]
data = "fs.rootfs"

[[disk.region]]
name = "rootfs-verity"
type = "root-arm64-verity"
content = "verity.rootfs"
"#;

/// The world whose root has a hash tree, and whose boot script and FAT say its root hash.
fn world(format: &str) -> World {
    let world = World::with("content = \"fs.rootfs\"\n", WITH_TREE);
    world.edit(
        "spec.toml",
        "{ buildId = \"{fs.rootfs.id}\" }",
        "{ buildId = \"{fs.rootfs.roothash}\" }",
    );
    let text = "[fs.boot.text]\n\"/cmdline.txt\" = \"roothash={verity.rootfs.roothash}\"\n\n[disk]";
    world.edit("spec.toml", "[disk]", text);
    world.edit("spec.toml", "size = \"40MiB\"", "");
    world.edit("spec.toml", "size = \"1MiB\"", "");
    world.edit("spec.toml", "format = \"squashfs\"\nlevel = 3", format);
    world
}

/// Cuts a partition out of the disk, and answers with its GUID.
fn cut(world: &World, table: &Value, name: &str) -> String {
    let partitions = table["partitiontable"]["partitions"].as_array().unwrap();
    let found = partitions
        .iter()
        .find(|partition| partition["name"] == name)
        .unwrap();
    let sector = |key: &str| usize::try_from(found[key].as_u64().unwrap()).unwrap() * 512;
    let disk = fs::read(world.path("out/demo-25.11.img")).unwrap();
    world.write(name, &disk[sector("start")..sector("start") + sector("size")]);
    found["uuid"].as_str().unwrap().replace('-', "").to_lowercase()
}

#[test]
fn veritysetup_verifies_the_partitions() {
    if !installed("veritysetup") || !installed("sfdisk") {
        return;
    }
    for format in [
        "format = \"squashfs\"\nlevel = 3",
        "format = \"ext4\"\nprofile = \"readonly\"",
    ] {
        let world = world(format);
        world.done(&["build", "spec.toml", "--out", "out"]);
        let script = fs::read_to_string(world.path("out/boot.cmd")).unwrap();
        let root = script.strip_prefix("echo ").unwrap().trim_end();
        let run = |tool: &str, arguments: &[&str]| {
            Command::new(tool)
                .args(arguments)
                .current_dir(world.path(""))
                .output()
                .unwrap()
        };
        let table = run("sfdisk", &["--json", "out/demo-25.11.img"]);
        let table: Value = serde_json::from_slice(&table.stdout).unwrap();
        let (data, tree) = (
            cut(&world, &table, "rootfs"),
            cut(&world, &table, "rootfs-verity"),
        );
        assert_eq!(
            data + &tree,
            root,
            "the partitions' GUIDs are the halves of the root hash"
        );
        let verify = || run("veritysetup", &["verify", "rootfs", "rootfs-verity", root]);
        let output = verify();
        assert!(output.status.success(), "{output:?}");
        let mut changed = fs::read(world.path("rootfs")).unwrap();
        changed[5000] ^= 1;
        world.write("rootfs", &changed);
        assert!(!verify().status.success(), "a flipped bit is found");
        let manifest: Value =
            serde_json::from_slice(&fs::read(world.path("out/demo-25.11.manifest.json")).unwrap()).unwrap();
        let entry = manifest["files"]
            .as_array()
            .unwrap()
            .iter()
            .find(|file| file["part"] == "verity.rootfs")
            .unwrap();
        assert_eq!(entry["id"], root);
        // What is its own output is what is in the partition.
        let own = fs::read(world.path("out/rootfs.verity")).unwrap();
        assert!(fs::read(world.path("rootfs-verity")).unwrap().starts_with(&own));
        let output = run(
            "veritysetup",
            &[
                "verify",
                &format!(
                    "out/rootfs.{}",
                    if format.contains("ext4") {
                        "ext4"
                    } else {
                        "squashfs"
                    }
                ),
                "out/rootfs.verity",
                root,
            ],
        );
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn plans_say_what_they_know() {
    let world = world("format = \"squashfs\"\nlevel = 3");
    let estimate = world.done(&["plan", "spec.toml"]);
    let line = |text: &str| {
        text.lines()
            .find(|line| line.starts_with("verity.rootfs"))
            .unwrap()
            .to_string()
    };
    assert!(
        line(&estimate).contains("hash tree of fs.rootfs, at most "),
        "{estimate}"
    );
    assert!(!line(&estimate).contains("root hash"), "{estimate}");
    let exact = line(&world.done(&["plan", "spec.toml", "--exact"]));
    let root = exact.split_once("root hash ").unwrap().1;
    assert_eq!(root.len(), 64);
    world.done(&["build", "spec.toml", "--out", "out"]);
    assert_eq!(
        fs::read_to_string(world.path("out/boot.cmd")).unwrap(),
        format!("echo {root}\n")
    );
}
