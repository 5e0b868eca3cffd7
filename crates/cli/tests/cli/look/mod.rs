//! `kiln ls`, `cat`, `extract`, `info` and `check`: what they say is what outside tools say, of Kiln's images and of others'.

mod bad;
mod elsewhere;
mod guide;
mod hostile;
mod peers;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;

use crate::bundles;
use crate::oracle::installed;
use crate::world::World;

/// Runs a script in the world's folder. Answers what it prints.
pub(crate) fn shell(world: &World, script: &str) -> String {
    let mut command = Command::new("sh");
    let command = command.args(["-euc", script]).current_dir(world.path("."));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a listing says, by path.
fn listed(world: &World, args: &[&str]) -> BTreeMap<String, Value> {
    let text = world.done(&[&["ls", "-R", "--json"], args].concat());
    let entries: Vec<Value> = serde_json::from_str(&text).unwrap();
    let path = |entry: &Value| entry["path"].as_str().unwrap().to_string();
    entries.into_iter().map(|entry| (path(&entry), entry)).collect()
}

/// The parts that a check names, with their outcomes.
fn checked(world: &World, args: &[&str]) -> Vec<String> {
    let said = world.run(&[&["check", "--json"], args].concat());
    let value: Value = serde_json::from_str(&said.stdout).unwrap();
    let parts = value.get("found").unwrap_or(&value).as_array().unwrap();
    let line = |part: &Value| {
        format!(
            "{} {} {}",
            part["path"].as_str().unwrap(),
            part["what"].as_str().unwrap(),
            part["outcome"].as_str().unwrap()
        )
    };
    parts.iter().map(line).collect()
}

/// The usual world with a bundle, built.
fn built() -> Option<World> {
    let world = bundles::world()?;
    world.done(&["build", "spec.toml", "--out", "out"]);
    Some(world)
}

#[test]
fn a_disk_a_bundle_and_their_parts_are_folders() {
    let Some(world) = built() else { return };
    assert_snapshot!(world.done(&["ls", "out/demo-25.11.img"]), @r"
    boot
    rootfs
    ");
    assert_snapshot!(world.done(&["ls", "out/demo-25.11.img", "/boot"]), @r"
    Image
    boot.scr
    ");
    assert_snapshot!(world.done(&["ls", "-l", "out/demo-25.11.img", "/2/init"]), @"lrwxrwxrwx   1     0     0              1970-01-01 00:00:01 init -> /nix/store/ssssssssssssssssssssssssssssssss-system/init");
    assert_snapshot!(world.done(&["ls", "out/demo-25.11.raucb"]), @r"
    boot.vfat
    boot.vfat.block-hash-index
    manifest.raucm
    rootfs.squashfs
    rootfs.squashfs.block-hash-index
    ");
    // By its slot, through a link; a script as its text; a folder of outputs.
    let init = "#!/bin/sh\n";
    assert_eq!(world.done(&["cat", "out/demo-25.11.raucb", "/rootfs/init"]), init);
    assert_eq!(world.done(&["cat", "out", "/demo-25.11.raucb/rootfs/init"]), init);
    assert_eq!(
        world.done(&["cat", "out/rootfs.squashfs", "init", "/init"]),
        init.repeat(2)
    );
    let script = world.done(&["cat", "out/demo-25.11.img", "/boot/boot.scr/script"]);
    assert!(script.starts_with("echo ") && script.ends_with('\n'), "{script}");
    let manifest = world.done(&["cat", "out/demo-25.11.raucb", "/manifest.raucm"]);
    assert!(
        manifest.starts_with("[update]\ncompatible=rock64\n"),
        "{manifest}"
    );
}

#[test]
fn what_is_planned_is_read_as_what_is_written() {
    let Some(world) = built() else { return };
    let planned = listed(&world, &["spec.toml"]);
    let written = listed(&world, &["out"]);
    let same = |entries: &BTreeMap<String, Value>| -> BTreeMap<String, Value> {
        // Only one of them has these outputs, or has them with a signature.
        let is_same = |path: &str| {
            let ending = path.rsplit('.').next();
            !matches!(ending, Some("json" | "cmd" | "raucb"))
        };
        let entries = entries.iter().filter(|(path, _)| is_same(path));
        entries
            .map(|(path, entry)| {
                let mut entry = entry.clone();
                if let Some(image) = entry.get_mut("image").and_then(Value::as_object_mut) {
                    image.remove("part");
                }
                (path.clone(), entry)
            })
            .collect()
    };
    assert!(planned.len() > 30, "{planned:?}");
    assert_eq!(same(&planned), same(&written));
    let part = &planned["/rootfs.squashfs"]["image"]["part"];
    assert_eq!(part, "fs.rootfs");
    let kernel = world.done(&["ls", "-l", "spec.toml", "/fs.boot/Image"]);
    assert!(kernel.contains(" 5000 "), "{kernel}");
}

/// Sizes and places as `sfdisk` has them, files as mtools and `unsquashfs` list them.
#[test]
fn listings_are_those_of_outside_tools() {
    if !["sfdisk", "mdir", "unsquashfs"].into_iter().all(installed) {
        return;
    }
    let Some(world) = built() else { return };
    let entries = listed(&world, &["out/demo-25.11.img"]);
    let table: Value = serde_json::from_str(&shell(&world, "sfdisk --json out/demo-25.11.img")).unwrap();
    let table = table["partitiontable"]["partitions"].as_array().unwrap();
    assert_eq!(table.len(), 2);
    for (number, partition) in (1..).zip(table) {
        let name = partition["name"].as_str().unwrap();
        let ours = &entries[&format!("/{name}")]["image"]["partition"];
        assert_eq!(ours["number"], number);
        let sectors = |key: &str| ours[key].as_u64().unwrap() / 512;
        assert_eq!(sectors("start"), partition["start"].as_u64().unwrap());
        assert_eq!(sectors("size"), partition["size"].as_u64().unwrap());
        for key in ["uuid", "type"] {
            let theirs = partition[key].as_str().unwrap().to_lowercase();
            assert_eq!(ours[key].as_str().unwrap(), theirs);
        }
    }
    let below = |part: &str| -> Vec<&str> {
        let names = entries.keys().filter_map(|path| path.strip_prefix(part));
        names.filter(|name| !name.is_empty()).collect()
    };
    let mdir = shell(
        &world,
        "MTOOLSRC=/dev/null mdir -/ -b -i out/boot.vfat ::/ | sed 's/^:://' | sort",
    );
    assert_eq!(below("/boot"), mdir.lines().collect::<Vec<_>>());
    let unsquashfs = shell(
        &world,
        "unsquashfs -l -d '' out/rootfs.squashfs | LC_ALL=C sort | grep .",
    );
    assert_eq!(below("/rootfs"), unsquashfs.lines().collect::<Vec<_>>());
}

#[test]
fn an_extracted_bundle_is_what_rauc_extracts() {
    if !installed("rauc") {
        return;
    }
    let Some(world) = built() else { return };
    shell(
        &world,
        "rauc extract --keyring=keys/root.pem out/demo-25.11.raucb theirs >rauc.log 2>&1",
    );
    world.done(&["extract", "out/demo-25.11.raucb", "--out", "ours"]);
    shell(&world, "diff -r theirs ours");
    // The images as folders, and a partition as the file that it is in a bundle.
    world.done(&["extract", "-R", "out/demo-25.11.raucb", "--out", "deep"]);
    world.done(&["extract", "out/demo-25.11.img", "/rootfs", "--out", "rootfs"]);
    shell(
        &world,
        "diff -r --no-dereference deep/rootfs.squashfs rootfs; test -L rootfs/init; test -f deep/boot.vfat/Image",
    );
    world.done(&["extract", "out/demo-25.11.img", "--out", "parts"]);
    shell(
        &world,
        "cmp parts/boot out/boot.vfat; cmp -n $(stat -c %s out/rootfs.squashfs) parts/rootfs out/rootfs.squashfs",
    );
}

#[test]
fn sound_outputs_are_sound_and_any_changed_byte_is_found() {
    let Some(world) = built() else { return };
    assert_eq!(
        checked(&world, &["out/demo-25.11.img"]),
        [
            "/ manifest sound",
            "/ disk sound",
            "/boot fat sound",
            "/rootfs squashfs sound"
        ]
    );
    let keyring = ["out/demo-25.11.raucb", "--keyring", "keys/root.pem"];
    let wanted = [
        "/ manifest sound",
        "/ bundle sound",
        "/boot.vfat fat sound",
        "/rootfs.squashfs squashfs sound",
    ];
    assert_eq!(checked(&world, &keyring), wanted);
    let other = ["check", "out/demo-25.11.raucb", "--keyring", "keys/other.pem"];
    assert_eq!(world.run(&other).code, Some(7));
    // Without the manifest, the bundle's tree finds it; a disk's boot loader is nobody's, and a squashfs has no checksums.
    for (file, place, manifest, alone) in [
        ("out/demo-25.11.img", 64 * 512, 6, 0),
        ("out/demo-25.11.img", 512 + 60, 6, 6),
        ("out/demo-25.11.raucb", 9000, 6, 6),
        ("out/rootfs.squashfs", 40, 6, 6),
        ("out/rootfs.squashfs", 200, 6, 0),
    ] {
        let path = world.path(file);
        let sound = fs::read(&path).unwrap();
        let mut flipped = sound.clone();
        flipped[place] ^= 1;
        fs::write(&path, &flipped).unwrap();
        let said = world.run(&["check", file]);
        assert_eq!(said.code, Some(manifest), "{file} at {place}: {}", said.stdout);
        assert!(said.stderr.contains("error: "), "{}", said.stderr);
        fs::create_dir(world.path("alone")).unwrap();
        fs::write(world.path("alone/image"), &flipped).unwrap();
        assert_eq!(
            world.run(&["check", "alone/image"]).code,
            Some(alone),
            "{file} at {place}"
        );
        fs::remove_dir_all(world.path("alone")).unwrap();
        fs::write(&path, &sound).unwrap();
    }
}
