//! `closure.check`: how much of store paths is read before they are believed, and what their hashes may name then.

use std::fs;

use crate::cache::entries;
use crate::world::{LIB, LINUX, SYSTEM, World};

const EXT4: &str = "format = \"ext4\"";
const SQUASHFS: &str = "format = \"squashfs\"\nlevel = 3";
const BTRFS: &str = "format = \"btrfs\"\ncompression = \"zstd\"\nlevel = 3";

/// A world whose specification has one file system of this format, out of a source that these keys name.
fn world(format: &str, keys: &str) -> World {
    let world = World::new();
    let spec = format!(
        "schema = 1\nname = \"x\"\nseed = \"s\"\n[closure]\n{keys}\ncheck = \"full\"\n[fs.root]\n{format}\nclosure = true\n"
    );
    world.write("full.toml", spec.as_bytes());
    let spec = spec.replace("check = \"full\"", "check = \"sizes\"");
    world.write("sizes.toml", spec.as_bytes());
    world
}

const REGISTRATION: &str = "from = \"closure-info\"\nstore-root = \"store\"";

/// Out of the database of the store.
fn with_database(format: &str) -> World {
    let world = world(format, &format!("from = \"store\"\npaths = [\"{SYSTEM}\"]"));
    let text = world.hashed();
    let closure = nix::Closure::from_registration("reg".as_ref(), text.as_bytes()).unwrap();
    let root = Some(world.path("store"));
    let tree = closure.tree(&nix::Store { root }).unwrap();
    let database = nix::database(&closure, &tree, 1).unwrap();
    world.write("store/nix/var/nix/db/db.sqlite", &database);
    world
}

fn build(world: &World, spec: &str, more: &[&str]) -> (Vec<u8>, String) {
    let spec = format!("{spec}.toml");
    let cache: &[&str] = if more == ["--no-cache"] {
        &[]
    } else {
        &["--cache", "cache"]
    };
    let args = [&["build", &spec, "--out", "made"], cache].concat();
    world.done(&[&args[..], more].concat());
    let image = world
        .files()
        .into_keys()
        .find(|path| path.starts_with("/made/root."));
    let image = fs::read(world.path(&image.unwrap()[1..])).unwrap();
    (
        image,
        fs::read_to_string(world.path("made/x.manifest.json")).unwrap(),
    )
}

/// Whether a build is refused because of what lies in the store.
fn refused(world: &World, spec: &str) -> bool {
    let spec = format!("{spec}.toml");
    let said = world.run(&["build", &spec, "--out", "refused", "--cache", "cache"]);
    assert!(matches!(said.code, Some(0 | 3)), "{}", said.stderr);
    assert_eq!(
        said.code == Some(3),
        said.stderr.contains("registered as sha256:"),
        "{}",
        said.stderr
    );
    said.code == Some(3)
}

#[test]
fn images_are_the_same_and_manifests_say_what_was_compared() {
    for world in [
        world(EXT4, REGISTRATION),
        world(SQUASHFS, REGISTRATION),
        with_database(EXT4),
        with_database(SQUASHFS),
        with_database(BTRFS),
    ] {
        let (full, manifest) = build(&world, "full", &["--no-cache"]);
        assert!(!manifest.contains("closure_check"));
        let (sizes, _) = build(&world, "sizes", &["--no-cache"]);
        assert!(full == sizes);
        let (cold, _) = build(&world, "sizes", &[]);
        let (warm, _) = build(&world, "sizes", &[]);
        assert!(full == cold && full == warm);
    }
    let (_, manifest) = build(&world(EXT4, REGISTRATION), "sizes", &[]);
    assert!(manifest.contains("\"closure_check\": \"sizes\""), "{manifest}");
}

#[test]
fn bytes_of_the_same_length_show_only_in_full() {
    let world = world(EXT4, REGISTRATION);
    world.write_store(SYSTEM, "init", b"#!/bin/ms\n");
    assert!(refused(&world, "full"));
    assert!(!refused(&world, "sizes"));
    // A NAR counts in steps of eight bytes.
    world.write_store(SYSTEM, "init", b"#!/usr/bin/env sh\n");
    assert!(refused(&world, "full"));
    assert!(refused(&world, "sizes"));
}

#[test]
fn what_is_taken_as_it_is_is_read() {
    let world = world(EXT4, REGISTRATION);
    world.write_store(SYSTEM, "init", b"#!/bin/ms\n");
    let (_, manifest) = build(&world, "sizes", &["--rehash"]);
    assert!(!manifest.contains("closure_check"));
    let said = world.run(&["build", "sizes.toml", "--out", "made", "--rehash"]);
    assert!(
        said.stderr
            .contains(&format!("warning: taken as found: {SYSTEM}")),
        "{}",
        said.stderr
    );
}

/// A registration by somebody else names no segment before it was compared.
#[test]
fn segments_out_of_a_registration_are_compared_in_full() {
    let world = world(SQUASHFS, REGISTRATION);
    build(&world, "full", &[]);
    world.write_store(SYSTEM, "init", b"#!/bin/ms\n");
    assert!(refused(&world, "sizes"));
}

/// Of a btrfs, some bytes come out of files and others out of segments, so nobody's word suffices.
#[test]
fn a_compressed_btrfs_is_compared_in_full() {
    for world in [world(BTRFS, REGISTRATION), with_database(BTRFS)] {
        build(&world, "full", &[]);
        world.write_store(SYSTEM, "init", b"#!/bin/ms\n");
        assert!(refused(&world, "sizes"));
    }
}

/// What the store has registered finds segments, and is compared before it names one.
#[test]
fn segments_out_of_a_database_are_compared_before_they_are_kept() {
    let world = with_database(SQUASHFS);
    world.write_store(SYSTEM, "init", b"#!/bin/ms\n");
    assert!(refused(&world, "sizes"));
    assert_eq!(entries(&world.path("cache")), Vec::<std::path::PathBuf>::new());
    world.write_store(SYSTEM, "init", b"#!/bin/sh\n");
    let (good, manifest) = build(&world, "sizes", &[]);
    assert!(manifest.contains("\"segments\""));
    // Nothing of what is found is read, so nothing of it gets into the image either.
    world.write_store(LINUX, "Image", &vec![7; 5000]);
    assert!(refused(&world, "full"));
    let (again, _) = build(&world, "sizes", &[]);
    assert!(good == again);
    // A length tells before anything is looked for.
    world.write_store(LIB, "lib/libc.so", b"short");
    assert!(refused(&world, "sizes"));
}

/// Another store than the one that the database is of.
#[test]
fn a_database_vouches_for_its_own_store_alone() {
    let world = with_database(SQUASHFS);
    build(&world, "full", &[]);
    world.edit(
        "sizes.toml",
        "from = \"store\"",
        "from = \"store\"\nstore-root = \"other\"",
    );
    fs::create_dir(world.path("other")).unwrap();
    std::os::unix::fs::symlink("../store/nix", world.path("other/nix")).unwrap();
    world.write_store(LINUX, "Image", &vec![7; 5000]);
    assert!(refused(&world, "sizes"));
}
