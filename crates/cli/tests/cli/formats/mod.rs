//! Every property that a file can have, in every format: it is there by an outside tool's eyes, or refused before the work
//! with the file's name. Whatever is asked for is said in an archive, because no host has all of it.

mod btrfs;
mod erofs;
mod names;
mod rows;

use std::process::Command;

use crate::oracle::installed;
use crate::world::World;

/// What becomes of a property in a format.
#[derive(Clone, Copy)]
enum Cell {
    /// The listing has this.
    Kept(&'static str),
    /// With this code and problem.
    Refused(i32, &'static str),
}
use Cell::{Kept, Refused};

/// An entry of an archive. What is not said is that of a small file.
#[derive(Clone, Default)]
struct Entry {
    kind: u8,
    name: &'static [u8],
    link: String,
    mode: u32,
    device: (u32, u32),
    /// Records of pax: `mtime`, `uid`, `SCHILY.xattr.user.a` …
    pax: Vec<(String, Vec<u8>)>,
}

/// A property: what it is called, what is kept, the archive, and what squashfs, ext4 and FAT make of it.
struct Row {
    what: &'static str,
    keep: &'static str,
    entries: Vec<Entry>,
    cells: [Cell; 3],
}

fn header(entry: &Entry, kind: u8, name: &[u8], len: usize) -> Vec<u8> {
    let mut bytes = [0; 512];
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    put(0, &name[..name.len().min(100)]);
    put(100, format!("{:07o}\0", entry.mode).as_bytes());
    put(108, b"0000000\x000000000\0");
    put(124, format!("{len:011o}\x0000000000001\0").as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    put(157, &entry.link.as_bytes()[..entry.link.len().min(100)]);
    put(257, b"ustar\x0000");
    put(
        329,
        format!("{:07o}\0{:07o}\0", entry.device.0, entry.device.1).as_bytes(),
    );
    let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    bytes.to_vec()
}

/// A record of pax, which begins with its own length.
fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let len = (1..8)
        .map(|digits| rest + digits)
        .find(|len| len.to_string().len() + rest == *len);
    [format!("{} {key}=", len.unwrap()).as_bytes(), value, b"\n"].concat()
}

fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        let mut pax = entry.pax.clone();
        if entry.name.len() > 100 {
            pax.push(("path".into(), entry.name.to_vec()));
        }
        if entry.link.len() > 100 {
            pax.push(("linkpath".into(), entry.link.clone().into_bytes()));
        }
        let records: Vec<u8> = pax.iter().flat_map(|(key, value)| record(key, value)).collect();
        let content: &[u8] = if entry.kind == b'0' { b"x" } else { b"" };
        let mut put = |kind: u8, content: &[u8]| {
            bytes.extend(header(entry, kind, entry.name, content.len()));
            bytes.extend(content);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        };
        if !records.is_empty() {
            put(b'x', &records);
        }
        put(entry.kind, content);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// What outside tools say of an image with a file called "thing", in one line.
fn listing(world: &World, format: &str) -> String {
    let tools: &[&[&str]] = match format {
        "squashfs" => &[
            &["unsquashfs", "-lln", "out/it.squashfs"],
            &["rdsquashfs", "-d", "out/it.squashfs"],
            &["rdsquashfs", "-x", "/thing", "out/it.squashfs"],
            &["rdsquashfs", "-s", "/thing", "out/it.squashfs"],
        ],
        "ext4" => &[
            &["debugfs", "-R", "stat /thing", "out/it.ext4"],
            &["debugfs", "-R", "ls -l /", "out/it.ext4"],
        ],
        "btrfs" => &[&[
            "btrfs",
            "inspect-internal",
            "dump-tree",
            "-t",
            "5",
            "out/it.btrfs",
        ]],
        "erofs" => &[&["sh", "-c", erofs::LISTED]],
        _ => &[&["mdir", "-a", "-i", "out/it.vfat", "::"]],
    };
    let mut text = String::new();
    for tool in tools {
        let mut command = Command::new(tool[0]);
        command.args(&tool[1..]).current_dir(world.path("."));
        let said = command.env("TZ", "UTC").env("PAGER", "cat").output().unwrap();
        for word in String::from_utf8_lossy(&said.stdout).split_whitespace() {
            text.extend([" ", word]);
        }
        text += " ";
    }
    text
}

/// Makes the image of a row, and answers what is not as the row says.
fn wrong(row: &Row, format: &str, cell: Cell) -> Option<String> {
    let world = World::new();
    let (tree, keep) = (archive(&row.entries), row.keep);
    world.write("it.tar", &tree);
    let keep = if keep.is_empty() {
        String::new()
    } else {
        format!("keep = [\"{keep}\"]\n")
    };
    let level = if format == "squashfs" { "level = 1\n" } else { "" };
    let spec =
        format!("schema = 1\nname = \"x\"\n[fs.it]\nformat = \"{format}\"\ntree = \"it.tar\"\n{keep}{level}");
    world.write("spec.toml", spec.as_bytes());
    std::fs::remove_file(world.path("out/demo-25.11.img")).unwrap();
    let before = world.files();
    let said = world.run(&["build", "spec.toml", "--out", "out", "--only", "fs.it"]);
    let what = format!("{} in {format}", row.what);
    match cell {
        Kept(text) => {
            if said.code != Some(0) {
                return Some(format!("{what}: {}", said.stderr));
            }
            let listing = listing(&world, format);
            (!listing.contains(text)).then(|| format!("{what}: no {text:?} in {listing:.900}"))
        }
        Refused(code, text) => {
            let early = !said.stderr.contains("compressing") && world.files() == before;
            let right = said.code == Some(code) && said.stderr.contains(text) && early;
            (!right).then(|| format!("{what}: exit code {:?}: {}", said.code, said.stderr))
        }
    }
}

/// What is in no archive: a socket, a file of 4 GiB, and one of nothing.
#[test]
fn sockets_and_sizes_are_kept_or_refused() {
    if !["unsquashfs", "debugfs", "mdir"].into_iter().all(installed) {
        return;
    }
    let world = World::new();
    for (name, len) in [("large/thing", 1 << 32), ("small/thing", 0)] {
        world.write(name, b"");
        let file = std::fs::File::options().write(true).open(world.path(name));
        file.unwrap().set_len(len).unwrap();
    }
    let image = |format: &str, more: &[&str]| {
        let out = match format {
            "fat" => "out/it.vfat".to_string(),
            _ => format!("out/it.{format}"),
        };
        world.done(&[&[format, "--out", &out][..], more].concat());
        listing(&world, format)
    };
    let socket = ["--tree", "small", "--node", "/thing2=socket"];
    assert!(image("squashfs", &socket).contains("sock thing2 0600 0 0"));
    assert!(image("ext4", &socket).contains("140600 (6) 0 0 0 1-Jan-1970 00:00 thing2"));
    let said = world.refused(2, &[&["fat", "--out", "o"], &socket[..]].concat());
    assert!(said.contains("nodes is no key of format fat"), "{said}");
    let (large, small) = (["--tree", "large"], ["--tree", "small"]);
    assert!(image("squashfs", &[&large[..], &["--level", "1"]].concat()).contains("File size: 4294967296"));
    assert!(image("ext4", &large).contains("Size: 4294967296"));
    let said = world.refused(4, &[&["fat", "--out", "o"], &large[..]].concat());
    assert!(said.contains("/thing") && said.contains("4294967296"), "{said}");
    assert!(image("squashfs", &small).contains("File size: 0"));
    assert!(image("ext4", &small).contains("Size: 0 File ACL"));
    assert!(image("fat", &small).contains("thing 0 1980-01-01"));
}

fn check(rows: &[Row]) {
    for tool in ["unsquashfs", "rdsquashfs", "debugfs", "mdir"] {
        if !installed(tool) {
            return;
        }
    }
    let mut all = Vec::new();
    for row in rows {
        for (format, cell) in ["squashfs", "ext4", "fat"].into_iter().zip(row.cells) {
            all.extend(wrong(row, format, cell));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn modes_and_owners_are_kept_or_refused() {
    check(&rows::modes_and_owners());
}

#[test]
fn times_are_kept_or_refused() {
    check(&rows::times());
}

#[test]
fn attributes_are_kept_or_refused() {
    check(&rows::attributes());
    check(&rows::sizes_of_attributes());
}

#[test]
fn kinds_of_files_are_kept_or_refused() {
    check(&rows::kinds());
    check(&rows::links());
}

#[test]
fn names_are_kept_or_refused() {
    check(&names::names());
}
