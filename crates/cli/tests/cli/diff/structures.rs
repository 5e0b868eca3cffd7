//! `--bytes`: a byte is flipped, and what it belongs to is named. Outside tools say where things lie.

use std::fs;
use std::process::Command;

use crate::diff::{differs, json, part};
use crate::oracle::installed;
use crate::world::{World, noise};

/// What `kiln diff --bytes` calls a byte that is not the same.
fn name_of(world: &World, image: &str, at: usize) -> String {
    let mut bytes = fs::read(world.path(image)).unwrap();
    bytes[at] ^= 0x40;
    world.write("flipped", &bytes);
    let said = world.run(&["diff", image, "flipped", "--bytes", "--json"]);
    // What is damaged cannot be read; its place is named all the same.
    assert_eq!(said.code, Some(1), "byte {at}: {}", said.stderr);
    let parts = json(&said.stdout);
    let first = &part(&parts, "")["first"];
    assert_eq!(first["byte"], at);
    first["structure"]["before"].as_str().unwrap().to_string()
}

fn tree(world: &World) {
    fs::create_dir_all(world.path("tree/boot/dtbs")).unwrap();
    world.write("tree/boot/Image", &noise(300_000));
    world.write("tree/boot/dtbs/board.dtb", &noise(20_000)[1000..]);
    world.write("tree/small", b"small");
}

fn debugfs(world: &World, command: &str) -> String {
    let output = Command::new("debugfs")
        .args(["-R", command, "root.ext4"])
        .current_dir(world.path("."))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn places_in_ext4_have_names() {
    let world = World::new();
    tree(&world);
    world.done(&["ext4", "--tree", "tree", "--free", "140MiB", "--out", "root.ext4"]);
    let name = |block: usize| name_of(&world, "root.ext4", block * 4096 + 2000);
    if installed("debugfs") {
        let blocks = |path: &str| -> Vec<usize> {
            debugfs(&world, &format!("blocks {path}"))
                .split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect()
        };
        let image = blocks("/boot/Image");
        assert_eq!(image.len(), 74);
        for block in [image[0], image[73]] {
            assert_eq!(name(block), "data of /boot/Image");
        }
        let stats = debugfs(&world, "stats");
        let group = |number: &str| -> Vec<usize> {
            let start = stats
                .find(&format!(" Group {number:>2}: block bitmap at "))
                .unwrap();
            let words = stats[start..].split(|character: char| !character.is_ascii_digit());
            words
                .filter_map(|word| word.parse().ok())
                .skip(1)
                .take(3)
                .collect()
        };
        for number in ["0", "1"] {
            let at = group(number);
            let (blocks, inodes, table) = (at[0], at[1], at[2]);
            assert_eq!(name(blocks), format!("block bitmap of group {number}"));
            assert_eq!(name(inodes), format!("inode bitmap of group {number}"));
            assert_eq!(name(table + 3), format!("inode table of group {number}"));
        }
        let folder = blocks("/boot")[0];
        assert_eq!(name(folder), "directory /boot");
    }
    assert_eq!(name_of(&world, "root.ext4", 100), "boot block");
}

#[test]
fn places_in_fat_have_names() {
    let world = World::new();
    tree(&world);
    world.done(&[
        "fat",
        "--tree",
        "tree",
        "--size",
        "40MiB",
        "--label",
        "BOOT",
        "--out",
        "boot.vfat",
    ]);
    if installed("mshowfat") {
        let output = Command::new("mshowfat")
            .args(["-i", "boot.vfat", "::/boot/Image"])
            .current_dir(world.path("."))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let first: usize = text
            .split(['<', '-', '>'])
            .find_map(|word| word.trim().parse().ok())
            .unwrap();
        let bytes = fs::read(world.path("boot.vfat")).unwrap();
        let word = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let (sector, cluster) = (word(11), usize::from(bytes[13]));
        let data = (word(14) + usize::from(bytes[16]) * word(22)) * sector + word(17) * 32;
        let place = data + (first - 2) * cluster * sector;
        assert_eq!(name_of(&world, "boot.vfat", place), "cluster of /boot/Image");
    }
    assert_eq!(name_of(&world, "boot.vfat", 100), "boot sector");
}

#[test]
fn places_in_squashfs_have_names() {
    let world = World::new();
    tree(&world);
    world.done(&[
        "squashfs",
        "--tree",
        "tree",
        "--block-size",
        "128KiB",
        "--out",
        "root.squashfs",
    ]);
    let bytes = fs::read(world.path("root.squashfs")).unwrap();
    // Noise lies there as it is.
    let wanted = &noise(300_000)[150_000..150_032];
    let place = bytes.windows(32).position(|window| window == wanted).unwrap();
    assert_eq!(
        name_of(&world, "root.squashfs", place),
        "data block of /boot/Image"
    );
    let word =
        |at: usize| usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap();
    // The superblock says where the tables are; a superblock that differs in its time is a sound one.
    assert_eq!(name_of(&world, "root.squashfs", 8), "superblock");
    let said = differs(&world, &["root.squashfs", "flipped"]);
    assert!(said.contains("  time: "), "{said}");
    assert!(word(64) < word(72));
}

/// Nodes say themselves which trees they are of: the file system's id, their address, their tree and their level are in their
/// headers, as the format has them.
#[test]
fn places_in_btrfs_have_names() {
    let world = World::new();
    tree(&world);
    world.done(&[
        "btrfs",
        "--tree",
        "tree",
        "--size",
        "128MiB",
        "--out",
        "root.btrfs",
    ]);
    let bytes = fs::read(world.path("root.btrfs")).unwrap();
    assert_eq!(name_of(&world, "root.btrfs", (64 << 10) + 200), "superblock 1");
    // Noise lies there as it is.
    let wanted = &noise(300_000)[150_000..150_032];
    let place = bytes.windows(32).position(|window| window == wanted).unwrap();
    assert_eq!(name_of(&world, "root.btrfs", place), "extent of /boot/Image");
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let id = &bytes[(64 << 10) + 32..][..16];
    let mut trees = std::collections::BTreeSet::new();
    for start in (0..bytes.len()).step_by(16 << 10) {
        let header = &bytes[start..start + 101];
        // The superblock has the id at the same place, and a mark behind it.
        if &header[32..48] != id || &header[64..72] == b"_BHRfS_M" {
            continue;
        }
        let (owner, level) = (word(start + 88), header[100]);
        if trees.insert(owner) {
            let name = name_of(&world, "root.btrfs", start + 5000);
            assert!(
                name.starts_with(&format!("node of tree {}", owner.cast_signed())),
                "{name}"
            );
            assert!(name.ends_with(&format!(", level {level}")), "{name}");
        }
    }
    assert!(trees.is_superset(&[1, 2, 3, 4, 5, 7].into()), "{trees:?}");
}
