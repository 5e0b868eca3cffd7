//! Compressed segments of a btrfs: kept, shared, made in advance, and lifted out of earlier outputs.

use std::collections::BTreeSet;
use std::fs;

use insta::assert_snapshot;

use crate::cache::{bytes, entries, large, store_path};
use crate::world::{LIB, World, noise};

const CLOSURE: [&str; 4] = ["--closure", "list", "--store-root", "store"];
const ZSTD: [&str; 4] = ["--compression", "zstd", "--level", "12"];

/// What the verb says when it makes one.
fn btrfs(world: &World, out: &str, more: &[&str]) -> String {
    let args = [
        &["btrfs", "--out", out, "--free", "0B", "--registration", ""],
        &CLOSURE[..],
        &ZSTD,
        more,
    ]
    .concat();
    let said = world.run(&args);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    said.stderr
}

fn keys(world: &World, folder: &str) -> BTreeSet<String> {
    let names = entries(&world.path(folder)).into_iter();
    names
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_string())
        .collect()
}

#[test]
fn a_warm_build_compresses_what_has_changed() {
    let world = large(12);
    btrfs(&world, "cold", &["--no-cache"]);
    let first = btrfs(&world, "first", &["--cache", "cache"]);
    let second = btrfs(&world, "second", &["--cache", "cache"]);
    assert!(
        first.contains("compressing:") && !second.contains("compressing:"),
        "{second}"
    );
    let cold = bytes(&world, "cold");
    assert!(bytes(&world, "first") == cold && bytes(&world, "second") == cold);
    // One for each store path, and one for the registration.
    assert_eq!(keys(&world, "cache").len(), 12);
    // One path of twelve is another one; the cold build and the warm one agree on it.
    world.write_store(&store_path(3), "bin/large", &b"another text ".repeat(17_000));
    btrfs(&world, "cold", &["--no-cache"]);
    let warm = btrfs(&world, "warm", &["--cache", "cache"]);
    assert!(bytes(&world, "warm") == bytes(&world, "cold"));
    assert!(warm.contains("compressing: 248.0 KiB"), "{warm}");
    // A squashfs has other segments, and both are sound.
    world.done(
        &[
            &["squashfs", "--out", "other", "--cache", "cache", "--level", "3"],
            &CLOSURE[..],
        ]
        .concat(),
    );
    let said = world.done(&["cache", "verify", "--cache", "cache"]);
    let count = keys(&world, "cache").len();
    assert!(said.contains(&format!("sound: {count} segments")), "{said}");
    assert!(count > 13, "{count}");
}

#[test]
fn caches_are_shared() {
    let world = large(6);
    btrfs(&world, "cold", &["--cache", "cache"]);
    let count = keys(&world, "cache").len();
    let to = format!("file://{}", world.path("team").display());
    let pushed = world.done(&["cache", "push", "--cache", "cache", "--to", &to]);
    assert!(
        pushed.starts_with(&format!("cache: pushed {count} segments, ")),
        "{pushed}"
    );
    btrfs(&world, "other", &["--cache", "new", "--cache-from", &to]);
    assert!(bytes(&world, "other") == bytes(&world, "cold"));
    assert_eq!(keys(&world, "new"), keys(&world, "cache"));
    let more = format!("file://{}", world.path("more").display());
    btrfs(&world, "third", &["--no-cache", "--cache-to", &more]);
    assert_eq!(keys(&world, "more"), keys(&world, "cache"));
    // What somebody has damaged is neither pushed nor taken.
    let path = &entries(&world.path("cache"))[0];
    let mut damaged = fs::read(path).unwrap();
    damaged[0] ^= 1;
    fs::write(path, damaged).unwrap();
    let said = world.run(&["cache", "verify", "--cache", "cache"]);
    assert_eq!(said.code, Some(6), "{}", said.stderr);
    assert_eq!(keys(&world, "cache").len(), count - 1);
}

#[test]
fn segments_are_made_in_advance() {
    let world = large(4);
    btrfs(&world, "cold", &["--no-cache"]);
    let list = |more: &[&str]| {
        let args = [&["segments", "list", "--format", "btrfs"], &CLOSURE[..], more];
        world.done(&args.concat())
    };
    assert_snapshot!(list(&[]), @r"
    178.7 KiB  00000000000000000000000000000000-path-0
    179.6 KiB  00000000000000000000000000000001-path-1
    180.6 KiB  00000000000000000000000000000002-path-2
    181.6 KiB  00000000000000000000000000000003-path-3
    ");
    let listing: serde_json::Value = serde_json::from_str(&list(&["--json"])).unwrap();
    let make = |out: &str, more: &[&str]| {
        let args = [
            &["segments", "make", "--format", "btrfs", "--out", out],
            &CLOSURE[..],
            &ZSTD,
            more,
        ];
        world.done(&args.concat())
    };
    for segment in listing["segments"].as_array().unwrap() {
        assert_eq!(segment["originals"].as_array().unwrap().len(), 0);
        let path = segment["paths"][0].as_str().unwrap();
        make("made", &["--path", path]);
    }
    make("whole", &[]);
    assert_eq!(keys(&world, "whole"), keys(&world, "made"));
    let stderr = btrfs(&world, "warm", &["--no-cache", "--reuse", "made"]);
    assert!(!stderr.contains("compressing:"), "{stderr}");
    assert!(bytes(&world, "warm") == bytes(&world, "cold"));

    let refused = |more: &[&str]| {
        let args = [
            &["segments", "make", "--format", "btrfs", "--out", "made"],
            &CLOSURE[..],
            more,
        ];
        world.refused(2, &args.concat())
    };
    let said = [
        refused(&["--block-size", "128KiB"]),
        refused(&["--compression", "xz"]),
        refused(&["--level", "19"]),
        refused(&["--compression", "none"]),
    ];
    assert_snapshot!(said.join(""), @r"
    error: --block-size: the blocks of a btrfs have 128KiB
    error: segments.compression: xz: is no compressor of a btrfs: zstd, zlib, lzo or none
    error: zstd level 19: must be from 1 to 15
    error: --compression none: there are no segments where nothing is compressed
    ");
}

/// Of a file system alone, of the disk that has it, and by its manifest.
#[test]
fn segments_are_lifted_out_of_earlier_outputs() {
    let world = World::with(
        "format = \"squashfs\"\nlevel = 3",
        "format = \"btrfs\"\ncompression = \"zstd\"\nlevel = 12\nfree = \"0B\"",
    );
    // What does not compress, and what is a hole, lies between what does.
    let text = b"a text that comes again and again, ".repeat(9000);
    let large = [&text[..], &noise(300_000), &vec![0; 200_000], &text].concat();
    world.write_store(LIB, "lib/large", &large);
    world.write_store(crate::world::LINUX, "copy", &text);
    world.write_store(crate::world::LINUX, "lib-copy", &large);
    world.register(&world.hashed());
    world.edit(
        "spec.toml",
        "size = \"1MiB\"\ncontent = \"fs.rootfs\"",
        "size = \"32MiB\"\ncontent = \"fs.rootfs\"",
    );
    world.edit("spec.toml", "size = \"40MiB\"", "size = \"80MiB\"");
    fs::create_dir(world.path("next")).unwrap();
    world.done(&["build", "spec.toml", "--out", "out", "--no-cache"]);
    let old = bytes(&world, "out/rootfs.btrfs");
    let next = |more: &[&str]| {
        let said = world.run(&[&["build", "spec.toml", "--out", "next", "--no-cache"], more].concat());
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        said.stderr
    };
    for file in ["rootfs.btrfs", "demo-25.11.img", "demo-25.11.manifest.json"] {
        let stderr = next(&["--reuse", &format!("out/{file}")]);
        assert!(
            !stderr.contains("compressing:") && !stderr.contains("warning:"),
            "{file}: {stderr}"
        );
        assert!(bytes(&world, "next/rootfs.btrfs") == old);
    }
    let manifest = fs::read_to_string(world.path("out/demo-25.11.manifest.json")).unwrap();
    assert!(manifest.contains("\"parts\": \""), "{manifest}");
    // The verb writes down where they are, too.
    let verb = |out: &str, more: &[&str]| {
        let args = [
            &[
                "btrfs",
                "--closure",
                "closure-info",
                "--store-root",
                "store",
                "--no-cache",
                "--out",
                out,
            ],
            &ZSTD[..],
            more,
        ];
        let said = world.run(&args.concat());
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        said.stderr
    };
    verb("a.img", &["--segments", "a.img.segments.json"]);
    let stderr = verb("b.img", &["--reuse", "a.img"]);
    assert!(!stderr.contains("compressing:"), "{stderr}");
    assert!(bytes(&world, "a.img") == bytes(&world, "b.img"));
    // Nobody has to believe what lies there.
    let mut damaged = bytes(&world, "a.img");
    for place in (1 << 20..damaged.len()).step_by(5000) {
        damaged[place] ^= 1;
    }
    fs::write(world.path("a.img"), damaged).unwrap();
    let stderr = verb("c.img", &["--reuse", "a.img"]);
    assert!(stderr.contains("is made anew"), "{stderr}");
    assert!(bytes(&world, "c.img") == bytes(&world, "b.img"));
}
