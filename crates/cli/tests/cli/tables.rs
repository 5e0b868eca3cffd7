//! Disks with other tables than a GPT.

use std::fs;
use std::sync::Arc;

use disk::read::{Disk, Table};
use image::ReadAt;
use insta::assert_snapshot;

use crate::world::World;

/// The disk of an SD image in small: firmware that a boot ROM finds, and a root.
const SD: &str = r#"schema = 1
name = "sd"
seed = "sd"

[fs.firmware]
format = "fat"
label = "FIRMWARE"
tree = "firmware"

[fs.root]
format = "squashfs"
level = 1
tree = "firmware"

[disk]
table = "mbr"
signature = "0x2178694e"
board = "raspberrypi"

[[disk.region]]
name = "FIRMWARE"
content = "fs.firmware"
type = "0x0b"
offset = "8MiB"
size = "30MiB"

[[disk.region]]
name = "NIXOS_SD"
content = "fs.root"
type = "linux"
bootable = true
"#;

fn world(edits: &[(&str, &str)]) -> World {
    let world = World::new();
    fs::create_dir(world.path("firmware")).unwrap();
    world.write("firmware/config.txt", b"enable_uart=1\n");
    world.write("code.bin", &[0xc0; 440]);
    world.write("code446.bin", &[0xc0; 446]);
    let mut spec = SD.to_owned();
    for (from, to) in edits {
        assert!(spec.contains(from), "{from}");
        spec = spec.replacen(from, to, 1);
    }
    world.write("spec.toml", spec.as_bytes());
    world
}

fn built(world: &World) -> Disk {
    world.done(&["build", "spec.toml", "--out", "out"]);
    let file = fs::File::open(world.path("out/sd.img")).unwrap();
    let size = file.metadata().unwrap().len();
    let source: Arc<dyn ReadAt> = Arc::new(file);
    let disk = Disk::open(source.as_ref(), size).unwrap();
    assert_eq!(disk.problems, []);
    let firmware = Arc::new(disk.partition(1).unwrap().content(source));
    let tree = fat::read::FileSystem::open(firmware.clone(), firmware.len())
        .unwrap()
        .tree()
        .unwrap();
    assert!(tree.lookup(b"/config.txt").is_some());
    disk
}

#[test]
fn an_mbr() {
    let world = world(&[("board =", "boot-code = \"code.bin\"\nboard =")]);
    let plan = world.done(&["plan", "spec.toml"]);
    let (_, disk) = plan.split_once("disk →").unwrap();
    assert_snapshot!(disk);
    let disk = built(&world);
    assert_eq!(disk.id().to_string(), "2178694e");
    assert_eq!(fs::read(world.path("out/sd.img")).unwrap()[..440], [0xc0; 440]);
    let manifest = fs::read_to_string(world.path("out/sd.manifest.json")).unwrap();
    assert!(manifest.contains(r#""partuuid": "2178694e-02""#), "{manifest}");
}

#[test]
fn a_hybrid() {
    let world = world(&[
        ("\"mbr\"", "\"hybrid\""),
        ("type = \"0x0b\"", "type = \"esp\"\nmbr-type = \"fat32\""),
    ]);
    let disk = built(&world);
    assert!(matches!(&disk.table, Table::Hybrid(_, mbr) if mbr.signature == 0x2178_694e));
    let types: Vec<_> = disk
        .partitions
        .iter()
        .map(|part| part.entry.to_string())
        .collect();
    assert_snapshot!(types.join("\n"), @r"
    number 1, esp, 0x0c in the MBR
    number 2, linux, bootable
    ");
}

#[test]
fn what_a_table_does_not_have() {
    let refused = |from: &str, to: &str| world(&[(from, to)]).build_refused(2);
    let all = [
        refused("\"mbr\"", "\"gpt\""),
        refused("\"mbr\"", "\"none\""),
        refused(
            "signature = \"0x2178694e\"",
            "guid = \"44444444-4444-4444-8888-888888888888\"",
        ),
        refused("signature = \"0x2178694e\"", "entries = 4"),
        refused("signature = \"0x2178694e\"", "header-hole = \"1MiB\""),
        refused("\"0x2178694e\"", "\"2178694e\""),
        refused("\"0x2178694e\"", "\"0x2178694e0\""),
        refused("\"0x2178694e\"", "\"0x0\""),
        refused("\"mbr\"", "\"hybird\""),
        refused("board =", "boot-code = \"code446.bin\"\nboard ="),
    ];
    assert_snapshot!(all.join("\n"));
}

#[test]
fn types_that_a_table_does_not_know() {
    let refused = |to: &str| world(&[("type = \"linux\"\nbootable = true", to)]).build_refused(2);
    let all = [
        refused("type = \"83\""),
        refused("type = \"lniux\""),
        refused("type = \"0fc63daf-8483-4772-8e79-3d69d8477de4\""),
        refused("type = \"0x0f\""),
        refused("type = \"linux\"\nmbr-type = \"0x83\""),
        refused("type = \"linux\"\nguid = \"44444444-4444-4444-8888-888888888888\""),
        refused("type = \"linux\"\nattributes = [\"growfs\"]"),
        refused("bootable = true"),
        refused("mbr-type = \"linux\""),
        world(&[("type = \"0x0b\"", "type = \"esp\"")]).build_refused(2),
    ];
    assert_snapshot!(all.join("\n"));
}
