//! Segments that are made before the images that have them.

use std::collections::BTreeSet;
use std::fs;

use insta::assert_snapshot;

use crate::cache::{build, bytes, entries, large, store_path};
use crate::world::{World, noise};

const CLOSURE: [&str; 4] = ["--closure", "list", "--store-root", "store"];
const BLOCKS: [&str; 4] = ["--block-size", "64KiB", "--level", "12"];

/// Four paths with a segment each, of which one has a large file of another, and small ones that share some.
fn mixed() -> World {
    let world = large(4);
    let copied = fs::read(world.store(&store_path(1)).join("bin/large")).unwrap();
    world.write_store(&store_path(3), "bin/large", &copied);
    let mut list = fs::read_to_string(world.path("list")).unwrap();
    for number in 4..40 {
        let path = store_path(number);
        world.write_store(&path, "share/text", &noise(700 + 10 * number));
        list.extend([path.as_str(), "\n"]);
    }
    world.write("list", list.as_bytes());
    world
}

fn make(world: &World, out: &str, more: &[&str]) -> String {
    let args = [&["segments", "make", "--out", out], &CLOSURE[..], &BLOCKS, more];
    world.done(&args.concat())
}

fn listed(world: &World) -> Vec<serde_json::Value> {
    let args = [
        &["segments", "list", "--json"],
        &CLOSURE[..],
        &["--block-size", "64KiB"],
    ];
    let listing: serde_json::Value = serde_json::from_str(&world.done(&args.concat())).unwrap();
    listing["segments"].as_array().unwrap().clone()
}

fn texts(value: &serde_json::Value) -> Vec<&str> {
    let texts = value.as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap()).collect()
}

/// The names of a folder's segments.
fn keys(world: &World, folder: &str) -> BTreeSet<String> {
    let names = entries(&world.path(folder)).into_iter();
    names
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_string())
        .collect()
}

#[test]
fn each_made_alone_is_that_of_the_image() {
    let world = mixed();
    build(&world, "cold", &["--cache", "cache"]);
    let listed = listed(&world);
    let originals: Vec<Vec<&str>> = listed.iter().map(|entry| texts(&entry["originals"])).collect();
    assert_eq!(originals.iter().filter(|held| !held.is_empty()).count(), 1);
    assert!(originals.contains(&vec![store_path(1).as_str()]));
    for (number, segment) in listed.iter().enumerate() {
        let mut more = Vec::new();
        for path in texts(&segment["paths"]) {
            more.extend(["--path", path]);
        }
        for path in texts(&segment["originals"]) {
            more.extend(["--original", path]);
        }
        make(&world, &format!("made-{number}"), &more);
        assert_eq!(keys(&world, &format!("made-{number}")).len(), 1, "{segment}");
        make(&world, "made", &more);
    }
    assert_eq!(keys(&world, "made"), keys(&world, "cache"));
    let (one, other) = (entries(&world.path("made")), entries(&world.path("cache")));
    for (one, other) in one.iter().zip(&other) {
        assert!(fs::read(one).unwrap() == fs::read(other).unwrap());
    }
    // All at once.
    make(&world, "whole", &[]);
    assert_eq!(keys(&world, "whole"), keys(&world, "cache"));

    let folders: Vec<String> = (0..listed.len()).map(|number| format!("made-{number}")).collect();
    let reuse: Vec<&str> = folders.iter().flat_map(|folder| ["--reuse", folder]).collect();
    let stderr = build(&world, "warm", &reuse);
    assert!(!stderr.contains("compressing:"), "{stderr}");
    assert!(bytes(&world, "warm") == bytes(&world, "cold"));
}

#[test]
fn the_list_names_store_paths_and_bytes() {
    let world = large(2);
    let args = [&["segments", "list", "--block-size", "64KiB"], &CLOSURE[..]].concat();
    assert_snapshot!(world.done(&args), @r"
    178.7 KiB  00000000000000000000000000000000-path-0
    179.6 KiB  00000000000000000000000000000001-path-1
    ");
    assert_snapshot!(make(&world, "made", &["--path", &store_path(1)]), @"made: 1 segment, 39.8 KiB");
}

#[test]
fn a_folder_to_reuse_stays_as_it_is() {
    let world = large(3);
    make(&world, "made", &[]);
    build(&world, "cold", &["--no-cache"]);
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
    let paths = entries(&world.path("made"));
    for path in &paths {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(old).unwrap();
    }
    let mut damaged = fs::read(&paths[1]).unwrap();
    damaged[100] ^= 1;
    fs::write(&paths[1], &damaged).unwrap();
    fs::write(&paths[2], b"short").unwrap();
    let stderr = build(&world, "warm", &["--reuse", "made", "--cache", "cache"]);
    for problem in ["its bytes do not have the digest", "5 bytes are too few"] {
        let warning = format!(": damaged, and made anew: {problem}");
        assert_eq!(stderr.matches(&warning).count(), 1, "{stderr}");
    }
    assert!(bytes(&world, "warm") == bytes(&world, "cold"));
    assert_eq!(entries(&world.path("made")), paths);
    assert!(fs::read(&paths[1]).unwrap() == damaged);
    assert_eq!(fs::metadata(&paths[0]).unwrap().modified().unwrap(), old);
    // What is taken from it is kept in the cache.
    assert_eq!(keys(&world, "cache"), keys(&world, "made"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let world = mixed();
    make(&world, "made", &["--path", &store_path(0)]);
    let refused = |code: i32, closure: &str, more: &[&str]| {
        let usual = [
            "segments",
            "make",
            "--store-root",
            "store",
            "--out",
            "made",
            "--closure",
        ];
        world.refused(code, &[&usual[..], &[closure], more].concat())
    };
    let stranger = format!("/nix/store/{}-stranger", "z".repeat(32));
    assert_snapshot!(refused(3, "nowhere", &[]), @"error: nowhere: cannot be read: No such file or directory (os error 2)");
    assert_snapshot!(refused(2, "https://cache.example.org", &[]), @"error: https://cache.example.org: is no closure in a store of this machine");
    assert_snapshot!(refused(2, "list", &["--path", &stranger]), @"error: /nix/store/zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz-stranger: not one of the 40 paths of the closure");
    assert_snapshot!(refused(2, "list", &["--path", &store_path(0), "--original", &stranger]), @"error: /nix/store/zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz-stranger: not one of the 40 paths of the closure");
    assert_snapshot!(refused(2, "list", &["--compression", "none"]), @"error: --compression none: there are no segments where nothing is compressed");
    assert_snapshot!(refused(2, "list", &["--block-size", "5000B"]), @"error: block size of 5000 bytes: must be a power of two from 4096 to 1048576");
    assert_snapshot!(refused(2, "list", &["--level", "40"]), @"error: zstd level 40: must be from 1 to 22");
    assert_snapshot!(refused(2, "list", &["--path", "/home/me"]), @r"
    error: invalid value '/home/me' for '--path <STORE-PATH>': /home/me: not a store path: it does not lie directly in /nix/store

    For more information, try '--help'.
    ");
    fs::create_dir(world.path("bare")).unwrap();
    let args = [
        "squashfs",
        "--closure",
        "list",
        "--store-root",
        "store",
        "--out",
        "out/x",
    ];
    assert_snapshot!(world.refused(3, &[&args[..], &["--reuse", "bare"]].concat()), @r"
    error: bare: there are no segments in it
    hint: a folder to reuse is a cache, or one that `kiln segments make` has filled
    ");
}

#[test]
fn a_store_path_that_was_changed_is_told() {
    let world = World::new();
    world.done(&REGISTERED);
    world.write_store(crate::world::LIB, "lib/libc.so", &b"SHARED ".repeat(2000));
    let path = ["--path", crate::world::LINUX];
    // Only what is wanted is read.
    world.done(&[&REGISTERED[..], &path].concat());
    let refused = world.refused(3, &REGISTERED);
    assert!(refused.contains("-lib-1.0: registered as sha256:"), "{refused}");
}

const REGISTERED: [&str; 8] = [
    "segments",
    "make",
    "--store-root",
    "store",
    "--out",
    "made",
    "--closure",
    "closure-info",
];

#[test]
fn what_cannot_be_kept_is_a_failure() {
    let world = large(2);
    world.write("made/segments", b"no folder");
    let said = world.run(&[&["segments", "make", "--out", "made"], &CLOSURE[..]].concat());
    assert_eq!(said.code, Some(5), "{}", said.stderr);
    // A file where the folder of an entry shall be.
    make(&world, "good", &[]);
    fs::create_dir_all(world.path("bad/segments")).unwrap();
    for key in keys(&world, "good") {
        world.write(&format!("bad/segments/{}", &key[..2]), b"");
    }
    let said = world.run(&[&["segments", "make", "--out", "bad"], &CLOSURE[..], &BLOCKS].concat());
    assert_eq!(said.code, Some(5), "{}", said.stderr);
    assert!(said.stderr.contains("nothing more is kept"), "{}", said.stderr);
}
