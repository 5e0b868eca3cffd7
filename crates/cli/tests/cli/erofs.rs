//! erofs, as a verb, as a format of a specification, and its segments.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use erofs::read::FileSystem;
use insta::assert_snapshot;

use crate::cache::{bytes, entries, large, store_path};
use crate::oracle::installed;
use crate::world::{LINUX, SYSTEM, World, noise, without_digests};

const FORMAT: &str = "format = \"squashfs\"\nlevel = 3";
const UUID: &str = "44444444-4444-4444-8888-888888888888";
const CLOSURE: [&str; 4] = ["--closure", "closure-info", "--store-root", "store"];

fn tree(world: &World, path: &str) -> image::Tree {
    let bytes = image::Content::from(fs::read(world.path(path)).unwrap());
    let len = bytes.len();
    let system = FileSystem::open(Arc::new(bytes), len).unwrap();
    system.check().unwrap();
    system.tree().unwrap()
}

#[test]
fn a_closure() {
    let world = World::new();
    let args = [
        &[
            "erofs",
            "--symlink",
            "/init={toplevel}/init",
            "--directory",
            "/home",
        ],
        &CLOSURE[..],
        &[
            "--registration",
            "/nix-path-registration",
            "--database",
            "--label",
            "store",
        ],
        &[
            "--uuid",
            UUID,
            "--compression",
            "lz4hc",
            "--cluster-size",
            "64KiB",
        ],
        &["--out", "out/a.erofs"],
    ]
    .concat();
    assert_snapshot!(without_digests(&world.done(&args)), @"out/a.erofs  20 KiB  fsverity [digest]");
    let found = tree(&world, "out/a.erofs");
    for path in [
        "/init",
        "/home",
        "/nix-path-registration",
        "/nix/var/nix/db/db.sqlite",
        SYSTEM,
    ] {
        assert!(found.lookup(path.as_bytes()).is_some(), "{path}");
    }
    let image = bytes(&world, "out/a.erofs");
    assert_eq!(&image[1024 + 64..][..6], b"store\0");
    // Debian 12's knows no packed file.
    if installed("dump.erofs-newer") {
        let mut dump = Command::new("dump.erofs-newer");
        let said = dump.arg("-s").arg(world.path("out/a.erofs")).output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert!(said.contains(UUID) && said.contains("lz4"), "{said}");
    }
}

/// Every way of getting an argument wrong.
#[test]
fn arguments_that_make_no_sense() {
    let world = World::new();
    let refused = |code: i32, args: &[&str]| {
        world.refused(
            code,
            &[&["erofs", "--tree", "store", "--out", "out/a.erofs"], args].concat(),
        )
    };
    let said = [
        refused(2, &["--label", "sixteen bytes or"]),
        refused(2, &["--uuid", "4444"]),
        refused(2, &["--compression", "xz"]),
        refused(2, &["--compression", "lz4", "--level", "3"]),
        refused(2, &["--compression", "lz4hc", "--level", "2"]),
        refused(2, &["--compression", "zstd", "--level", "23"]),
        refused(2, &["--compression", "zstd", "--cluster-size", "4KiB"]),
        refused(2, &["--compression", "zstd", "--cluster-size", "2MiB"]),
        refused(2, &["--compression", "zstd", "--cluster-size", "8s"]),
        refused(2, &["--cluster-size", "64KiB"]),
        refused(4, &["--max-size", "4KiB"]),
    ];
    assert_snapshot!(said.join("\n"), @r#"
    error: label sixteen bytes or: is 16 bytes long, the limit is 15

    error: fs.image.uuid: "4444": must be a UUID, such as 44444444-4444-4444-8888-888888888888

    error: invalid value 'xz' for '--compression <COMPRESSION>'
      [possible values: lz4, lz4hc, deflate, zstd, none]

    For more information, try '--help'.

    error: level means nothing with compression = "lz4"

    error: fs.image.level: 2: lz4hc has levels from 3 to 12

    error: level 23: zstd has levels from 1 to 22

    error: cluster size 4096: must be a power of two from 8192 to 1048576

    error: cluster size 2097152: must be a power of two from 8192 to 1048576

    error: cluster-size cannot be said in sectors

    error: cluster-size means nothing without compression

    error: has 24576 bytes, 20480 more than the 4096 of max-size
    hint: take something out of it, or raise max-size
    "#);
}

/// What the format has no key for, and what it cannot hold.
#[test]
fn keys_and_files_of_no_erofs() {
    let refused = |code: i32, keys: &str| {
        let world = World::with(FORMAT, &format!("format = \"erofs\"\n{keys}"));
        world.refused(code, &["build", "spec.toml", "--out", "out"])
    };
    let said = [
        refused(2, "size = \"1GiB\""),
        refused(2, "free = \"1GiB\""),
        refused(2, "id = \"2178-694E\""),
        refused(2, "block-size = \"64KiB\""),
        refused(2, "compression = \"lzo\""),
        refused(2, "extlinux = {}"),
        refused(
            3,
            "attributes = [{ path = \"/etc\", xattrs = { \"system.b\" = \"\" } }]",
        ),
    ];
    assert_snapshot!(said.join("\n"), @r#"
    error: fs.rootfs: size is no key of format erofs, whose size follows from its content: max-size limits it

    error: fs.rootfs: free is no key of format erofs, which nobody writes to

    error: fs.rootfs: id is no key of format erofs, whose id is a UUID: uuid

    error: fs.rootfs: block-size is no key of format erofs, which compresses clusters of cluster-size

    error: fs.rootfs.compression: lzo: is no compressor of an erofs: lz4, lz4hc, deflate, zstd or none

    error: fs.rootfs: extlinux is no key of format erofs

    error: fs.rootfs: /etc: the extended attribute system.b: the name must begin with user., trusted. or security., or be that of an access list
    hint: name those that stay with the key `xattrs` (--keep-xattr), such as "security.*"; or do not keep any
    "#);
}

/// A plan says what a build makes: exactly where nothing is compressed, and the most otherwise.
#[test]
fn a_plan() {
    for (keys, exact) in [
        ("", true),
        ("compression = \"lz4\"", false),
        ("compression = \"deflate\"\ncluster-size = \"8KiB\"", false),
        ("compression = \"zstd\"\nlevel = 1", false),
    ] {
        let world = World::with(FORMAT, &format!("format = \"erofs\"\nuuid = \"{UUID}\"\n{keys}"));
        world.edit("spec.toml", "size = \"40MiB\"\nboard", "board");
        world.edit(
            "spec.toml",
            "offset = \"32MiB\"\nsize = \"1MiB\"",
            "offset = \"32MiB\"",
        );
        for (name, len) in [("modules", 3_000_001), ("again", 3_000_001), ("other", 12_345)] {
            world.write_store(LINUX, name, &noise(len));
        }
        let hole = [noise(70_000), vec![0; 900_000], noise(5)].concat();
        world.write_store(LINUX, "hole", &hole);
        world.register(&world.hashed());
        let said: serde_json::Value =
            serde_json::from_str(&world.done(&["plan", "spec.toml", "--json"])).unwrap();
        let parts = said["parts"].as_array().unwrap();
        let part = parts.iter().find(|part| part["part"] == "fs.rootfs").unwrap();
        let planned = part["size"].as_u64().unwrap();
        assert_eq!(part["uuid"], UUID);
        assert_eq!(part["estimate"], !exact, "{keys}");
        world.done(&["build", "spec.toml", "--out", "out"]);
        let made = fs::read(world.path("out/rootfs.erofs")).unwrap();
        let len = made.len() as u64;
        if exact {
            assert_eq!(planned, len, "{keys}");
            assert!(
                planned < 3_200_000,
                "equal files and holes take nothing: {planned}"
            );
        } else {
            // Equal files, zeros, and what bounds leave out.
            assert!(
                planned >= len && planned < len + (5 << 20),
                "{keys}: {planned} {len}"
            );
        }
        tree(&world, "out/rootfs.erofs");
        let disk = fs::read(world.path("out/demo-25.11.img")).unwrap();
        assert!(
            disk[32 << 20..].starts_with(&made),
            "{keys}: the partition is the output"
        );
        let manifest = fs::read_to_string(world.path("out/demo-25.11.manifest.json")).unwrap();
        assert!(manifest.contains(UUID), "{manifest}");
        let line = world.done(&["plan", "spec.toml"]);
        let line = line
            .lines()
            .find(|line| line.starts_with("fs.rootfs"))
            .unwrap()
            .to_string();
        if exact {
            assert_snapshot!(line, @"fs.rootfs → rootfs.erofs: erofs, 2.9 MiB; 19 entries, 6.6 MiB");
        } else if keys.contains("zstd") {
            assert_snapshot!(line, @"fs.rootfs → rootfs.erofs: erofs, at most 7.7 MiB (before compression); 19 entries, 6.6 MiB");
        }
    }
}

/// RAUC has no type for erofs and writes it as it is.
#[test]
fn in_a_bundle_it_is_a_raw_image() {
    let world = World::with(FORMAT, "format = \"erofs\"\ncompression = \"lz4\"");
    world.edit(
        "spec.toml",
        "[disk]\n",
        "[bundle]\ncompatible = \"x\"\n\n[bundle.image.rootfs]\ncontent = \"fs.rootfs\"\n\n[disk]\n",
    );
    let said = world.done(&["plan", "spec.toml"]);
    assert!(said.contains(" rootfs.img → slot rootfs"), "{said}");
}

/// What the verb says when it makes one.
fn made(world: &World, out: &str, more: &[&str]) -> String {
    let closure = ["--closure", "list", "--store-root", "store"];
    let zstd = ["--compression", "zstd", "--level", "12"];
    let said = world.run(&[&["erofs", "--out", out], &closure[..], &zstd, more].concat());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    said.stderr
}

/// Caches, earlier images and segments made in advance change no byte, and are what is taken.
#[test]
fn segments_change_no_byte() {
    let world = large(12);
    made(
        &world,
        "cold",
        &["--no-cache", "--segments", "cold.segments.json"],
    );
    let first = made(&world, "first", &["--cache", "cache"]);
    assert!(first.contains("compressing:"), "{first}");
    let closure = ["--closure", "list", "--store-root", "store"];
    let list = |more: &[&str]| {
        let args = [&["segments", "list", "--format", "erofs"], &closure[..], more];
        world.done(&args.concat())
    };
    assert_snapshot!(list(&["--cluster-size", "64KiB"]), @r"
    178.7 KiB  00000000000000000000000000000000-path-0
    179.6 KiB  00000000000000000000000000000001-path-1
    188.4 KiB  00000000000000000000000000000010-path-10
    189.4 KiB  00000000000000000000000000000011-path-11
    180.6 KiB  00000000000000000000000000000002-path-2
    181.6 KiB  00000000000000000000000000000003-path-3
    182.6 KiB  00000000000000000000000000000004-path-4
    183.5 KiB  00000000000000000000000000000005-path-5
    184.5 KiB  00000000000000000000000000000006-path-6
    185.5 KiB  00000000000000000000000000000007-path-7
    186.5 KiB  00000000000000000000000000000008-path-8
    187.5 KiB  00000000000000000000000000000009-path-9
    ");
    let make = [
        "segments", "make", "--format", "erofs", "--out", "made", "--level", "12",
    ];
    world.done(&[&make[..], &closure].concat());
    for (name, more) in [
        ("warm", &["--cache", "cache"][..]),
        ("reused", &["--no-cache", "--reuse", "cold"]),
        ("advance", &["--no-cache", "--reuse", "made"]),
    ] {
        let said = made(&world, name, more);
        assert!(bytes(&world, name) == bytes(&world, "cold"), "{name}");
        assert!(!said.contains("compressing:"), "{name}: {said}");
    }
    assert!(bytes(&world, "first") == bytes(&world, "cold"));
    // Those of the other profile are others.
    let padded = fs::metadata(world.path("cold")).unwrap().len();
    let modern = made(&world, "modern", &["--modern", "--no-cache", "--reuse", "cold"]);
    assert!(modern.contains("compressing:"), "{modern}");
    assert!(fs::metadata(world.path("modern")).unwrap().len() < padded);
    world.done(
        &[
            &make[..4],
            &["--modern", "--out", "modern-made", "--level", "12"],
            &closure,
        ]
        .concat(),
    );
    let reused = made(
        &world,
        "again",
        &["--modern", "--no-cache", "--reuse", "modern-made"],
    );
    assert!(!reused.contains("compressing:"), "{reused}");
    assert!(bytes(&world, "again") == bytes(&world, "modern"));
    // One path of twelve is another one; the cold build and the warm one agree on it.
    world.write_store(&store_path(3), "bin/large", &b"another text ".repeat(170_000));
    made(&world, "cold", &["--no-cache"]);
    let warm = made(&world, "warm", &["--cache", "cache"]);
    assert!(warm.contains("compressing:"), "{warm}");
    assert!(bytes(&world, "warm") == bytes(&world, "cold"));
    // Other formats have other segments, and all are sound.
    for more in [
        &["squashfs"][..],
        &["btrfs", "--compression", "zstd", "--registration", ""],
    ] {
        let args = [
            more,
            &["--out", "other", "--cache", "cache", "--level", "3"],
            &closure,
        ];
        world.done(&args.concat());
    }
    let said = world.done(&["cache", "verify", "--cache", "cache"]);
    let count = entries(&world.path("cache")).len();
    assert!(said.contains(&format!("sound: {count} segments")), "{said}");
}

/// What rots in a cache is found, and made anew.
#[test]
fn damaged_segments_are_not_taken() {
    let world = large(3);
    made(&world, "cold", &["--cache", "cache"]);
    for path in entries(&world.path("cache")) {
        let mut damaged = fs::read(&path).unwrap();
        damaged[4000] ^= 1;
        fs::write(path, damaged).unwrap();
    }
    let said = made(&world, "warm", &["--cache", "cache"]);
    assert!(said.contains("compressing:"), "{said}");
    assert!(bytes(&world, "warm") == bytes(&world, "cold"));
}

/// Build after build of a specification: `--reuse` finds the segments in a disk.
#[test]
fn segments_are_lifted_out_of_a_disk() {
    let world = World::with(FORMAT, "format = \"erofs\"\ncompression = \"lz4hc\"");
    world.edit(
        "spec.toml",
        "size = \"1MiB\"\ncontent = \"fs.rootfs\"",
        "size = \"32MiB\"\ncontent = \"fs.rootfs\"",
    );
    world.edit("spec.toml", "size = \"40MiB\"", "size = \"80MiB\"");
    world.write_store(LINUX, "modules", &b"a text ".repeat(600_000));
    world.register(&world.hashed());
    fs::create_dir(world.path("next")).unwrap();
    world.done(&["build", "spec.toml", "--out", "out", "--no-cache"]);
    fs::remove_file(world.path("out/rootfs.erofs")).unwrap();
    let args = [
        "build",
        "spec.toml",
        "--out",
        "next",
        "--no-cache",
        "--reuse",
        "out/demo-25.11.img",
    ];
    let said = world.run(&args);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(!said.stderr.contains("compressing:"), "{}", said.stderr);
    assert!(bytes(&world, "next/demo-25.11.img") == bytes(&world, "out/demo-25.11.img"));
}
