//! ext4, as a verb and as a format of a specification.

use std::fs;
use std::sync::Arc;

use insta::assert_snapshot;

use crate::world::{LINUX, SYSTEM, World, noise, without_digests};

const FORMAT: &str = "format = \"squashfs\"\nlevel = 3";

#[test]
fn a_closure() {
    let world = World::new();
    let args = [
        "ext4",
        "--closure",
        "closure-info",
        "--store-root",
        "store",
        "--tree",
        "closure-info",
        "--symlink",
        "/init={toplevel}/init",
        "--label",
        "NIXOS_SD",
        "--uuid",
        "44444444-4444-4444-8888-888888888888",
        "--database",
        "--out",
        "out/a.ext4",
    ];
    assert_snapshot!(without_digests(&world.done(&args)), @"out/a.ext4  72.1 MiB  fsverity [digest]");
    let bytes = image::Content::from(fs::read(world.path("out/a.ext4")).unwrap());
    let len = bytes.len();
    let fs = ext4::read::FileSystem::open(Arc::new(bytes), len).unwrap();
    let tree = fs.tree().unwrap();
    for path in [
        "/init",
        "/nix-path-registration",
        "/nix/var/nix/db/db.sqlite",
        "/store-paths",
        SYSTEM,
    ] {
        assert!(tree.lookup(path.as_bytes()).is_some(), "{path}");
    }
}

/// Every way of getting an argument wrong.
#[test]
fn arguments_that_make_no_sense() {
    let world = World::new();
    let refused = |code: i32, args: &[&str]| {
        world.refused(
            code,
            &[&["ext4", "--tree", "store", "--out", "out/a.ext4"], args].concat(),
        )
    };
    let said = [
        refused(2, &["--label", "seventeen-bytes-l"]),
        refused(2, &["--uuid", "44444444-4444-4444-8888-88888888888"]),
        refused(2, &["--size", "5000B"]),
        refused(2, &["--journal", "1MiB"]),
        refused(2, &["--journal", "16M"]),
        refused(2, &["--profile", "readonly", "--journal", "4MiB"]),
        refused(2, &["--grow-to", "1000TiB"]),
        refused(4, &["--size", "8MiB", "--free", "64MiB"]),
        refused(4, &["--free-inodes", "4294967296"]),
    ];
    assert_snapshot!(said.join("\n"), @r#"
    error: label "seventeen-bytes-l": has 17 bytes, the limit is 16
    
    error: fs.image.uuid: "44444444-4444-4444-8888-88888888888": must be a UUID, such as 44444444-4444-4444-8888-888888888888
    
    error: size 5000: is no multiple of 4096
    
    error: journal 1048576: must be a multiple of 4096 from 4194304 to 41943040000
    
    error: invalid value '16M' for '--journal <SIZE>': "16M": M alone means different things to different tools: say 16MiB or 16MB; or "none"
    
    For more information, try '--help'.
    
    error: journal 4194304: the profile readonly has no journal
    
    error: grow-to 1099511627776000: this profile has room for growing to 8796093022208 bytes
    
    error: the tree does not fit: 71245824 bytes would do (67108864 of them promised free), and 8388608 were asked for, 62857216 too few; the largest are /nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0/lib/libc.so (16384 bytes), /nix/store/llllllllllllllllllllllllllllllll-linux-6.1/Image (8192 bytes), /nix/store/ssssssssssssssssssssssssssssssss-system/init (4096 bytes), /nix/store/ssssssssssssssssssssssssssssssss-system/nixos-version (4096 bytes)
    hint: take something out of it, raise its size, or leave the size out to let it fit
    
    error: 4294967318 inodes are needed (4294967296 of them promised free), ext4's limit is 4294967295
    "#);
}

#[test]
fn keys_of_another_format() {
    let world = World::with("level = 3", "uuid = \"44444444-4444-4444-8888-888888888888\"");
    assert_snapshot!(world.build_refused(2), @"error: fs.rootfs: uuid is no key of format squashfs");
    let world = World::with(FORMAT, "format = \"ext4\"\nid = \"2178-694E\"");
    assert_snapshot!(world.build_refused(2), @"error: fs.rootfs: id is no key of format ext4, whose id is a UUID: uuid");
}

#[test]
fn a_root_that_is_too_small_for_its_closure() {
    let world = World::with(FORMAT, "format = \"ext4\"\nsize = \"8MiB\"");
    world.write_store(LINUX, "modules", &noise(4_000_000));
    world.register(&world.hashed());
    assert_snapshot!(world.build_refused(4), @r"
    error: fs.rootfs: the tree does not fit: 10919936 bytes would do (0 of them promised free), and 8388608 were asked for, 2531328 too few; the largest are llllllllllllllllllllllllllllllll-linux-6.1 (4014080 bytes), bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0 (24576 bytes), ssssssssssssssssssssssssssssssss-system (12288 bytes)
    hint: take something out of it, raise its size, or leave the size out to let fs.rootfs fit
    ");
}

/// A kernel that does not fit is told before gigabytes of store paths are read: here one of them is not even what it
/// is registered as, which only reading shows.
#[test]
fn what_does_not_fit_is_said_first() {
    let world = World::with("size = \"16MiB\"", "size = \"4MiB\"");
    world.write_store(LINUX, "Image", &noise(5_000_000));
    assert_snapshot!(world.build_refused(4), @r"
    error: fs.boot: the tree does not fit: 6049280 bytes are needed in clusters (1048576 of them promised free), and fat16 of 4194304 bytes has 4141056, 1908224 too few; the largest files are /Image (5000000 bytes), /boot.scr (110 bytes)
    hint: take something out of it, raise its size, or leave the size out to let fs.boot fit
    ");
}

#[test]
fn a_plan() {
    let world = World::with(
        FORMAT,
        "format = \"ext4\"\nuuid = \"44444444-4444-4444-8888-888888888888\"",
    );
    world.edit(
        "spec.toml",
        "offset = \"32MiB\"\nsize = \"1MiB\"",
        "offset = \"32MiB\"",
    );
    world.edit("spec.toml", "size = \"40MiB\"\nboard", "board");
    assert_snapshot!(world.done(&["plan", "spec.toml"]), @r"
    fs.boot → boot.vfat: fat16, 16 MiB; 2 files, 15.9 MiB free (1 MiB promised), clusters of 2 KiB
    
    fs.rootfs → rootfs.ext4: ext4, at most 72.1 MiB; at least 64 MiB free (64 MiB promised), 25 inodes used, journal at most 4 MiB
    
    script.boot → boot.scr, boot.cmd: boot script for arm64, 110 B
    
    disk → demo-25.11.img: at most 105 MiB, 512-byte sectors; no region is larger, or lies farther
      first sector      sectors        size     content       slack  region
                 0            1       512 B       512 B         0 B  protective MBR
                 1            1       512 B       512 B         0 B  GPT header
                 2           32      16 KiB      16 KiB         0 B  GPT entries
                34           30      15 KiB                          free
                64            6     2.9 KiB     2.9 KiB         0 B  raw idbloader
                70        32698    15.9 MiB                          free
             32768        32768      16 MiB      16 MiB         0 B  partition boot, number 1, xbootldr
             65536       147696    72.1 MiB                          partition rootfs, number 2, root-arm64
            213232         1775   887.5 KiB                          free
            215007           32      16 KiB      16 KiB         0 B  backup GPT entries
            215039            1       512 B       512 B         0 B  backup GPT header
    ");
}

#[test]
fn a_directory_alone_is_no_source() {
    let world = World::new();
    let said = world.refused(2, &["ext4", "--directory", "/proc", "--out", "out/a.ext4"]);
    assert!(said.contains("--closure <SOURCE>"), "{said}");
}
