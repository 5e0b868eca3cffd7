//! Kiln's reader on what mkfs.vfat and mtools made.

use std::fs::File;
use std::sync::Arc;

use crate::tools::{OnDisk, assert_same, have, many, noise, zoo};
use fat::Variant;
use fat::read::FileSystem;
use image::{Kind, NodeId, Tree};

const TOOLS: [&str; 4] = ["fsck.fat", "mkfs.vfat", "mcopy", "mdel"];

pub(crate) fn open(disk: &OnDisk) -> FileSystem {
    let file = File::open(&disk.path).unwrap();
    let len = file.metadata().unwrap().len();
    FileSystem::open(Arc::new(file), len).unwrap()
}

fn unpack(tree: &Tree, folder: &std::path::Path) {
    for entry in tree.walk().skip(1) {
        let path = folder.join(std::str::from_utf8(&entry.path[1..]).unwrap());
        match &tree.node(entry.id).kind {
            Kind::Directory(_) => std::fs::create_dir(path).unwrap(),
            Kind::File(content) => std::fs::write(path, content.to_vec().unwrap()).unwrap(),
            _ => unreachable!(),
        }
    }
}

fn made(tree: &Tree, size_mib: u64, mkfs: &[&str]) -> OnDisk {
    let disk = OnDisk::empty();
    File::create(&disk.path).unwrap().set_len(size_mib << 20).unwrap();
    disk.run(
        "mkfs.vfat",
        &[mkfs, &["-n", "MADE", "-i", "0badcafe", "fat.img"]].concat(),
    );
    let folder = disk.folder.path().join("in");
    std::fs::create_dir(&folder).unwrap();
    unpack(tree, &folder);
    for (name, _) in tree.children(NodeId::ROOT) {
        let path = format!("in/{}", std::str::from_utf8(name).unwrap());
        disk.run("mcopy", &["-s", "-m", "-i", "fat.img", &path, "::"]);
    }
    disk
}

#[test]
fn reads_what_others_write() {
    if !have(&TOOLS) {
        return;
    }
    let cases: [(Variant, u32, u64, &[&str]); 5] = [
        (Variant::Fat16, 512, 30, &["-F", "16"]),
        (Variant::Fat16, 4096, 64, &["-F", "16", "-S", "4096"]),
        (Variant::Fat32, 512, 64, &["-F", "32"]),
        (Variant::Fat32, 4096, 300, &["-F", "32", "-S", "4096"]),
        (Variant::Fat32, 512, 70, &["-F", "32", "-s", "2", "-f", "1"]),
    ];
    for (variant, sector_size, size, mkfs) in cases {
        for tree in [zoo(), many(500)] {
            let disk = made(&tree, size, mkfs);
            let found = open(&disk);
            let info = found.info().unwrap();
            assert_eq!((info.variant, info.sector_size), (variant, sector_size));
            assert_eq!(
                (info.label.as_deref(), info.volume_id),
                (Some("MADE"), 0x0bad_cafe)
            );
            assert_same(&found.tree().unwrap(), &tree);
            // fsck counts used clusters, without the root directory's on FAT32.
            let said = disk.run("fsck.fat", &["-n", "fat.img"]);
            let counted = format!(
                "{}/{} clusters",
                info.clusters - info.free_clusters,
                info.clusters
            );
            assert!(said.contains(&counted), "{counted}: {said}");
        }
    }
}

#[test]
fn reads_fragmented_files() {
    if !have(&TOOLS) {
        return;
    }
    let disk = made(&many(400), 30, &["-F", "16"]);
    for number in (0..400).step_by(2) {
        let path = format!("::/many/file number {number} of many.txt");
        disk.run("mdel", &["-i", "fat.img", &path]);
    }
    // FAT16 has no hint where to begin, so mtools begin with the gaps.
    let bytes = noise(3_000_001, 3);
    std::fs::write(disk.folder.path().join("pieces"), &bytes).unwrap();
    disk.run("mcopy", &["-i", "fat.img", "pieces", "::"]);
    disk.run("fsck.fat", &["-n", "fat.img"]);
    let tree = open(&disk).tree().unwrap();
    let Kind::File(content) = &tree.node(tree.lookup(b"/pieces").unwrap()).kind else {
        panic!("no file");
    };
    assert!(format!("{content:?}").contains("Fragments"), "not fragmented");
    assert!(content.to_vec().unwrap() == bytes);
    let mut part = [0; 10_000];
    image::ReadAt::read_exact_at(content, &mut part, 123_456).unwrap();
    assert_eq!(part[..], bytes[123_456..133_456]);
}

/// mtools do not read these, and most systems do.
#[test]
fn reads_fat32_with_too_few_clusters() {
    if !have(&TOOLS) {
        return;
    }
    let disk = OnDisk::empty();
    File::create(&disk.path).unwrap().set_len(8 << 20).unwrap();
    disk.run("mkfs.vfat", &["-F", "32", "-s", "1", "fat.img"]);
    let info = open(&disk).info().unwrap();
    assert_eq!((info.variant, info.label), (Variant::Fat32, None));
    assert!(info.clusters < 65_525);
    assert_same(&open(&disk).tree().unwrap(), &Tree::default());
}

#[test]
fn fat12_is_named() {
    if !have(&TOOLS) {
        return;
    }
    let disk = OnDisk::empty();
    File::create(&disk.path).unwrap().set_len(1_440 << 10).unwrap();
    disk.run("mkfs.vfat", &["-F", "12", "fat.img"]);
    let error = FileSystem::open(Arc::new(File::open(&disk.path).unwrap()), 1_440 << 10).unwrap_err();
    assert!(
        error.to_string().starts_with("not FAT16 or FAT32: FAT12, with "),
        "{error}"
    );
}
