//! A file that changes its length while it is read.

use std::fs::File;
use std::io::{BufRead, BufReader};

use insta::assert_snapshot;

use crate::world::{LIB, Said, World};

const GIB: u64 = 1 << 30;

/// Makes a file of five bytes and a hole: reading it takes much longer than the moment between the line that
/// says so and the change.
fn make_large(world: &World, path: &str, len: u64) {
    world.write(path, b"12345");
    set_len(world, path, len);
}

fn set_len(world: &World, path: &str, len: u64) {
    let file = File::options().write(true).open(world.path(path)).unwrap();
    file.set_len(len).unwrap();
}

/// Runs a build, truncates a file when it says that it reads it, and answers the error.
fn truncated_at(world: &World, line: &str, path: &str) -> String {
    let mut before = world.files();
    before.insert(format!("/{path}"), b"12345".to_vec());
    let mut child = world
        .kiln(&["build", "spec.toml", "--out", "out"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    lines.find(|said| said.starts_with(line)).unwrap();
    set_len(world, path, 5);
    let stderr = lines.map(|line| line + "\n").collect();
    let said = Said {
        code: child.wait().unwrap().code(),
        stdout: String::new(),
        stderr,
    };
    world.check_refusal(3, &before, said)
}

#[test]
fn while_the_store_is_checked() {
    let world = World::new();
    let path = format!("store{LIB}/lib/large");
    world.write(&path, b"12345");
    world.register(&world.hashed());
    make_large(&world, &path, 64 * GIB);
    assert_snapshot!(truncated_at(&world, "checking store paths", &path), @"error: store/nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0/lib/large: changed after it was planned: 68719476736 bytes then, 5 bytes now");
}

/// All outputs but the last are complete then, and none of them may stay.
#[test]
fn while_the_disk_is_written() {
    let world = World::with("size = \"40MiB\"", "size = \"2GiB\"");
    let region = "content = \"fs.rootfs\"\n\n[[disk.region]]\nname = \"large\"\nraw = \"large\"\n";
    world.edit("spec.toml", "content = \"fs.rootfs\"\n", region);
    make_large(&world, "large", GIB);
    assert_snapshot!(truncated_at(&world, "writing demo-25.11.img", "large"), @"error: large: changed after it was planned: 1073741824 bytes then, 5 bytes now");
}
