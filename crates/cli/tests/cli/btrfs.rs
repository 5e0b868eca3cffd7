//! btrfs, as a verb and as a format of a specification.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use btrfs::Access;
use btrfs::read::{Contents, FileSystem};
use insta::assert_snapshot;

use crate::oracle::installed;
use crate::world::{LINUX, SYSTEM, World, noise, without_digests};

const FORMAT: &str = "format = \"squashfs\"\nlevel = 3";
const UUID: &str = "44444444-4444-4444-8888-888888888888";

fn contents(world: &World, path: &str) -> Contents {
    let bytes = image::Content::from(fs::read(world.path(path)).unwrap());
    let len = bytes.len();
    let system = FileSystem::open(Arc::new(bytes), len).unwrap();
    system.check().unwrap();
    system.contents().unwrap()
}

/// What `btrfs` says of an image, in whole lines; nothing when it is not there.
fn btrfs(world: &World, args: &[&str]) -> Option<String> {
    if !installed("btrfs") {
        return None;
    }
    let said = Command::new("btrfs")
        .args(args)
        .current_dir(world.path("."))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(said.status.success(), "{text}");
    Some(text)
}

#[test]
fn a_closure() {
    let world = World::new();
    let args = [
        "btrfs",
        "--closure",
        "closure-info",
        "--store-root",
        "store",
        "--symlink",
        "/init={toplevel}/init",
        "--directory",
        "/home",
        "--subvolume",
        "/nix",
        "--subvolume",
        "/home=read-only,default",
        "--compression",
        "zstd",
        "--level",
        "3",
        "--profile",
        "modern",
        "--metadata",
        "single",
        "--no-deduplicate",
        "--label",
        "NIXOS_SD",
        "--uuid",
        UUID,
        "--database",
        "--out",
        "out/a.btrfs",
    ];
    assert_snapshot!(without_digests(&world.done(&args)), @"out/a.btrfs  82.4 MiB  fsverity [digest]");
    let found = contents(&world, "out/a.btrfs");
    for path in [
        "/init",
        "/nix-path-registration",
        "/nix/var/nix/db/db.sqlite",
        SYSTEM,
    ] {
        assert!(found.tree.lookup(path.as_bytes()).is_some(), "{path}");
    }
    let at = |path: &str| found.tree.lookup(path.as_bytes()).unwrap();
    let subvolumes = [(at("/nix"), Access::Writable), (at("/home"), Access::ReadOnly)];
    assert_eq!(found.subvolumes, subvolumes.into());
    assert_eq!(found.default_subvolume, at("/home"));
    let Some(said) = btrfs(&world, &["inspect-internal", "dump-super", "out/a.btrfs"]) else {
        return;
    };
    let has = |text: &str| {
        said.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .contains(text)
    };
    for text in [
        UUID,
        "label NIXOS_SD",
        "BLOCK_GROUP_TREE",
        "COMPRESS_ZSTD",
        "DEFAULT_SUBVOL",
    ] {
        assert!(has(text), "{text}: {said}");
    }
    btrfs(&world, &["check", "--check-data-csum", "out/a.btrfs"]);
}

/// Every way of getting an argument wrong.
#[test]
fn arguments_that_make_no_sense() {
    let world = World::new();
    let refused = |code: i32, args: &[&str]| {
        world.refused(
            code,
            &[&["btrfs", "--tree", "store", "--out", "out/a.btrfs"], args].concat(),
        )
    };
    let long = "l".repeat(256);
    let said = [
        refused(2, &["--label", &long]),
        refused(2, &["--label", "a/b"]),
        refused(2, &["--uuid", "44444444-4444-4444-8888-88888888888"]),
        refused(2, &["--size", "5000B"]),
        refused(2, &["--compression", "zstd", "--level", "16"]),
        refused(2, &["--compression", "zstd", "--level", "0"]),
        refused(2, &["--compression", "zlib", "--level", "10"]),
        refused(2, &["--compression", "lzo", "--level", "1"]),
        refused(2, &["--level", "1"]),
        refused(2, &["--compression", "xz"]),
        refused(2, &["--subvolume", "/nix=writable"]),
        refused(2, &["--subvolume", "/nix", "--subvolume", "/nix"]),
        refused(4, &["--size", "1MiB"]),
        refused(4, &["--size", "8MiB", "--free", "64MiB"]),
    ];
    assert_snapshot!(said.join("\n"), @r#"
    error: label llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll: is 256 bytes long, the limit is 255
    
    error: name: "a/b": must be the name of a file, without folders
    
    error: fs.image.uuid: "44444444-4444-4444-8888-88888888888": must be a UUID, such as 44444444-4444-4444-8888-888888888888
    
    error: size 5000: must be a multiple of 4096
    
    error: zstd level 16: must be from 1 to 15
    
    error: zstd level 0: must be from 1 to 15
    
    error: zlib level 10: must be from 1 to 9
    
    error: level means nothing with compression = "lzo"
    
    error: level means nothing with compression = "none"
    
    error: invalid value 'xz' for '--compression <COMPRESSION>'
      [possible values: zstd, zlib, lzo, none]
    
    For more information, try '--help'.
    
    error: invalid value '/nix=writable' for '--subvolume <PATH[=FLAGS]>': "writable": must be read-only or default
    
    For more information, try '--help'.
    
    error: --subvolume /nix: is given twice
    
    error: the tree does not fit: 7405568 bytes would do (0 of them promised free), and 1048576 were asked for, 6356992 too few
    hint: take something out of it, raise its size, or leave the size out to let it fit
    
    error: the tree does not fit: 110755840 bytes would do (67108864 of them promised free), and 8388608 were asked for, 102367232 too few
    hint: take something out of it, raise its size, or leave the size out to let it fit
    "#);
}

/// Subvolumes are looked for before store paths are read: here one of them is not even what it is registered as, which only
/// reading shows.
#[test]
fn subvolumes_that_make_no_sense() {
    let refused = |subvolumes: &str| {
        let keys = format!("format = \"btrfs\"\nsubvolumes = {{ {subvolumes} }}");
        let world = World::with(FORMAT, &keys);
        world.write_store(LINUX, "Image", &noise(5000)[1..]);
        world.build_refused(2)
    };
    let said = [
        refused("\"/init\" = {}"),
        refused("\"/home\" = {}"),
        refused("\"/etc/of/nobody\" = {}"),
        refused("\"/init/of/nobody\" = {}"),
        refused("\"/etc\" = {}, \"//etc/\" = {}"),
        refused("\"etc\" = {}"),
        refused("\"/\" = {}"),
        refused("\"/etc/../proc\" = {}"),
        refused("\"/etc\" = { default = true }, \"/proc\" = { default = true }"),
        refused("\"/etc\" = { readonly = true }"),
    ];
    assert_snapshot!(said.join("\n"), @r#"
    error: fs.rootfs.subvolumes."/init": /init is no directory
    
    error: fs.rootfs.subvolumes."/home": there is no /home; directories = ["/home"] makes one
    
    error: fs.rootfs.subvolumes."/etc/of/nobody": there is no /etc/of; directories = ["/etc/of/nobody"] makes one
    
    error: fs.rootfs.subvolumes."/init/of/nobody": /init is no directory
    
    error: fs.rootfs.subvolumes."/etc": is "//etc/", which is a subvolume already
    
    error: fs.rootfs.subvolumes."etc": must begin with /
    
    error: fs.rootfs.subvolumes."/": is the file system itself, which is a subvolume always
    
    error: fs.rootfs.subvolumes."/etc/../proc": ".." is no name of a directory
    
    error: fs.rootfs.subvolumes."/proc": "/etc" is the default already, and only one can be
    
    error: spec.toml:10:27: unknown field `readonly`, expected `read-only` or `default`
       |
    10 | subvolumes = { "/etc" = { readonly = true } }
       |                           ^
    hint: did you mean `read-only`?
    "#);
}

/// The same for what btrfs cannot hold.
#[test]
fn what_cannot_be_is_said_first() {
    let refused = |code: i32, keys: &str| {
        let world = World::with(FORMAT, &format!("format = \"btrfs\"\n{keys}"));
        world.write_store(LINUX, "Image", &noise(5000)[1..]);
        world.build_refused(code)
    };
    let (name, value) = ("n".repeat(256), "v".repeat(16_300));
    let said = [
        refused(2, &format!("text = {{ \"/{name}\" = \"\" }}")).replace(&name, "n…"),
        refused(
            3,
            &format!("attributes = [{{ path = \"/etc\", xattrs = {{ \"user.a\" = \"{value}\" }} }}]"),
        ),
        refused(
            3,
            "attributes = [{ path = \"/etc\", xattrs = { \"system.b\" = \"\" } }]",
        ),
        refused(2, "label = \"two\\nlines\""),
        refused(2, "compression = \"zlib\"\nlevel = 10"),
        refused(2, "compression = \"gzip\""),
        refused(2, "profile = \"readonly\""),
        refused(4, "size = \"1MiB\""),
        refused(4, "size = \"32MiB\"\nfree = \"64MiB\""),
    ];
    assert_snapshot!(said.join("\n"), @r#"
    error: fs.rootfs: /n…: the name is 256 bytes long, the limit is 255
    
    error: fs.rootfs: /etc: the extended attribute user.a: the value has 16300 bytes, the limit is 16222
    hint: name those that stay with the key `xattrs` (--keep-xattr), such as "security.*"; or do not keep any
    
    error: fs.rootfs: /etc: the extended attribute system.b: the name must begin with user., trusted. or security., or be that of an access list
    hint: name those that stay with the key `xattrs` (--keep-xattr), such as "security.*"; or do not keep any
    
    error: fs.rootfs: label two\nlines: must have no zero byte, line break or slash
    
    error: fs.rootfs: zlib level 10: must be from 1 to 9
    
    error: fs.rootfs.compression: gzip: is no compressor of a btrfs: zstd, zlib, lzo or none
    
    error: fs.rootfs.profile: a btrfs has portable and modern
    
    error: fs.rootfs: the tree does not fit: 7405568 bytes would do (0 of them promised free), and 1048576 were asked for, 6356992 too few
    hint: take something out of it, raise its size, or leave the size out to let fs.rootfs fit
    
    error: fs.rootfs: the tree does not fit: 110755840 bytes would do (67108864 of them promised free), and 33554432 were asked for, 77201408 too few
    hint: take something out of it, raise its size, or leave the size out to let fs.rootfs fit
    "#);
}

#[test]
fn keys_of_another_format() {
    let said = [
        ("format = \"btrfs\"\nid = \"2178-694E\"", 2),
        ("format = \"btrfs\"\ngrow-to = \"1TiB\"", 2),
        ("format = \"btrfs\"\nfree-inodes = 5", 2),
        ("format = \"ext4\"\nsubvolumes = { \"/etc\" = {} }", 2),
        ("format = \"ext4\"\nprofile = \"modern\"", 2),
        ("format = \"squashfs\"\ncompression = \"lzo\"", 2),
    ]
    .map(|(keys, code)| World::with(FORMAT, keys).build_refused(code));
    assert_snapshot!(said.join("\n"), @r"
    error: fs.rootfs: id is no key of format btrfs, whose id is a UUID: uuid
    
    error: fs.rootfs: grow-to is no key of format btrfs, which grows without limits
    
    error: fs.rootfs: free-inodes is no key of format btrfs, which has as many as it has room for
    
    error: fs.rootfs: subvolumes is no key of format ext4
    
    error: fs.rootfs.profile: modern: an ext4 has portable, uboot-legacy and readonly
    
    error: fs.rootfs.compression: lzo: is no compressor of a squashfs: zstd, xz, gzip or none
    ");
}

#[test]
fn a_root_that_is_too_small_for_its_closure() {
    let world = World::with(FORMAT, "format = \"btrfs\"\nsize = \"8MiB\"");
    world.write_store(LINUX, "modules", &noise(7_000_000));
    world.register(&world.hashed());
    assert_snapshot!(world.build_refused(4), @r"
    error: fs.rootfs: the tree does not fit: 9175040 bytes would do (0 of them promised free), and 8388608 were asked for, 786432 too few
    hint: take something out of it, raise its size, or leave the size out to let fs.rootfs fit
    ");
    // The number would do.
    let said = world.build_refused(4);
    let size = said
        .split_whitespace()
        .find_map(|word| word.parse::<u64>().ok())
        .unwrap();
    for (size, code) in [(size, 0), (size - 4096, 4)] {
        let world = World::with(FORMAT, &format!("format = \"btrfs\"\nsize = \"{size}B\""));
        world.write_store(LINUX, "modules", &noise(7_000_000));
        world.register(&world.hashed());
        let said = world.run(&["build", "spec.toml", "--out", "out", "--only", "fs.rootfs"]);
        assert_eq!(said.code, Some(code), "{}", said.stderr);
    }
}

/// What a plan says is what is made; with a compressor, it is not more.
#[test]
fn a_plan() {
    for (keys, exact) in [
        ("", true),
        ("free = \"0B\"\nmetadata = \"single\"", true),
        ("deduplicate = false\nprofile = \"modern\"", true),
        ("size = \"200MiB\"", true),
        ("compression = \"zstd\"\nlevel = 1", false),
        ("compression = \"zlib\"\nfree = \"0B\"", false),
        ("compression = \"lzo\"\nfree = \"1GiB\"", false),
    ] {
        let world = World::with(FORMAT, &format!("format = \"btrfs\"\nuuid = \"{UUID}\"\n{keys}"));
        world.edit(
            "spec.toml",
            "offset = \"32MiB\"\nsize = \"1MiB\"",
            "offset = \"32MiB\"",
        );
        world.edit("spec.toml", "size = \"40MiB\"\nboard", "board");
        for (name, len) in [("modules", 3_000_001), ("again", 3_000_001), ("other", 12_345)] {
            world.write_store(LINUX, name, &noise(len));
        }
        world.write_store(
            LINUX,
            "hole",
            &[noise(70_000), vec![0; 900_000], noise(5)].concat(),
        );
        world.register(&world.hashed());
        let said = world.done(&["plan", "spec.toml", "--json"]);
        let planned = number(&said, "\"part\":\"fs.rootfs\"", "\"size\":");
        world.done(&["build", "spec.toml", "--out", "out"]);
        let made = fs::metadata(world.path("out/rootfs.btrfs")).unwrap().len();
        if exact {
            assert_eq!(planned, made, "{keys}: {said}");
        } else {
            // Equal files, zeros, and what bounds leave out.
            let most = made + 4_000_000 + (8 << 20);
            assert!(planned >= made && planned < most, "{keys}: {planned} {made}");
        }
        contents(&world, "out/rootfs.btrfs");
        if keys.is_empty() {
            assert_snapshot!(world.done(&["plan", "spec.toml"]), @r"
    fs.boot → boot.vfat: fat16, 16 MiB; 2 files, 15.9 MiB free (1 MiB promised), clusters of 2 KiB
    
    fs.rootfs → rootfs.btrfs: btrfs, 102.5 MiB; 64.0 MiB free (64 MiB promised), 2.9 MiB of files, 2.8 MiB shared, 144 KiB of metadata
    
    script.boot → boot.scr, boot.cmd: boot script for arm64, 110 B
    
    disk → demo-25.11.img: 135 MiB, 512-byte sectors
      first sector      sectors        size     content       slack  region
                 0            1       512 B       512 B         0 B  protective MBR
                 1            1       512 B       512 B         0 B  GPT header
                 2           32      16 KiB      16 KiB         0 B  GPT entries
                34           30      15 KiB                          free
                64            6     2.9 KiB     2.9 KiB         0 B  raw idbloader
                70        32698    15.9 MiB                          free
             32768        32768      16 MiB      16 MiB         0 B  partition boot, number 1, xbootldr
             65536       210048   102.5 MiB   102.5 MiB         0 B  partition rootfs, number 2, root-arm64
            275584          863   431.5 KiB                          free
            276447           32      16 KiB      16 KiB         0 B  backup GPT entries
            276479            1       512 B       512 B         0 B  backup GPT header
    ");
        }
        if keys.contains("lzo") {
            assert_snapshot!(world.done(&["plan", "spec.toml"]).lines().nth(2).unwrap(), @"fs.rootfs → rootfs.btrfs: btrfs, at most 1.0 GiB (files are not read)");
        }
    }
}

/// The number behind a text behind another.
fn number(text: &str, after: &str, key: &str) -> u64 {
    let compact: String = text.split_whitespace().collect();
    let (_, rest) = compact.split_once(after).unwrap();
    let (_, rest) = rest.split_once(key).unwrap();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// In a partition, as an output, and in the manifest: with one id.
#[test]
fn a_partition_and_an_output() {
    let world = World::with(
        FORMAT,
        "format = \"btrfs\"\nuuid = \"44444444-4444-4444-8888-888888888888\"\nfree = \"0B\"\ncompress = \"gzip\"",
    );
    world.edit(
        "spec.toml",
        "offset = \"32MiB\"\nsize = \"1MiB\"",
        "offset = \"32MiB\"",
    );
    world.done(&["build", "spec.toml", "--out", "out"]);
    let manifest = fs::read_to_string(world.path("out/demo-25.11.manifest.json")).unwrap();
    assert!(manifest.contains(UUID), "{manifest}");
    let file = fs::File::create(world.path("out/a")).unwrap();
    let mut gzip = Command::new("gzip");
    gzip.arg("-dc").arg(world.path("out/rootfs.btrfs.gz"));
    assert!(gzip.stdout(file).status().unwrap().success());
    let alone = fs::read(world.path("out/a")).unwrap();
    let disk = fs::read(world.path("out/demo-25.11.img")).unwrap();
    assert!(disk[32 << 20..].starts_with(&alone));
    contents(&world, "out/a");
}

/// RAUC has no type for btrfs and writes it as it is, so that it must not be called anything else.
#[test]
fn in_a_bundle_it_is_a_raw_image() {
    let world = World::with(
        FORMAT,
        "format = \"btrfs\"\nfree = \"0B\"\ncompression = \"zstd\"\nlevel = 1",
    );
    world.edit(
        "spec.toml",
        "offset = \"32MiB\"\nsize = \"1MiB\"",
        "offset = \"32MiB\"",
    );
    world.edit("spec.toml", "size = \"40MiB\"\nboard", "board");
    world.edit(
        "spec.toml",
        "[disk]\n",
        "[bundle]\ncompatible = \"x\"\n\n[bundle.image.rootfs]\ncontent = \"fs.rootfs\"\n\n[disk]\n",
    );
    let said = world.done(&["plan", "spec.toml"]);
    let line = |start: &str| said.lines().find(|line| line.trim_start().starts_with(start));
    assert_snapshot!(line("fs.rootfs").unwrap(), @"fs.rootfs → rootfs.btrfs: btrfs, at most 7.0 MiB (files are not read)");
    assert!(said.contains(" rootfs.img → slot rootfs"), "{said}");
    world.edit(
        "spec.toml",
        "content = \"fs.rootfs\"\n\n[disk]",
        "content = \"fs.rootfs\"\nfile = \"a.btrfs\"\n\n[disk]",
    );
    assert_snapshot!(world.refused(2, &["plan", "spec.toml"]), @"error: bundle: manifest: image rootfs: a.btrfs: its ending does not tell RAUC what it is; the endings are .img, .ext4, .vfat, .squashfs, .ubifs, .tar, and `type` says it to RAUC 1.15 and later");
}

/// Files have all their names in one subvolume.
#[test]
fn hard_links_do_not_cross_subvolumes() {
    let world = World::new();
    world.write("tree/a/one", b"one");
    world.write("tree/b/two", b"two");
    fs::hard_link(world.path("tree/a/one"), world.path("tree/b/three")).unwrap();
    let args = [
        "btrfs",
        "--tree",
        "tree",
        "--keep",
        "hard-links",
        "--free",
        "0B",
        "--out",
        "o",
        "--subvolume",
    ];
    assert_snapshot!(world.refused(2, &[&args[..], &["/a"]].concat()), @"error: /a/one: the file has names in two subvolumes, and hard links cannot cross their borders");
    world.done(
        &[
            &["btrfs", "--tree", "tree", "--out", "o", "--subvolume", "/a"][..],
            &["--free", "0B"],
        ]
        .concat(),
    );
}
