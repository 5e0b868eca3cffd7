//! Outputs that are compressed, and those that come with block maps.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;

use crate::world::{Said, World, missing, noise, sha256sum, without_digests};

const BUILD: [&str; 4] = ["build", "spec.toml", "--out", "out"];

/// A specification whose disk has more keys.
fn disk(keys: &str) -> World {
    World::with("[disk]\n", &format!("[disk]\n{keys}\n"))
}

fn manifest(world: &World) -> serde_json::Value {
    let text = fs::read(world.path("out/demo-25.11.manifest.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// What a manifest says of a file.
fn entry(manifest: &serde_json::Value, file: &str) -> serde_json::Value {
    let files = manifest["files"].as_array().unwrap();
    files.iter().find(|entry| entry["file"] == file).unwrap().clone()
}

/// What a tool says of an output.
fn decompressed(world: &World, tool: &str, file: &str) -> Option<Vec<u8>> {
    let mut command = Command::new(tool);
    let Ok(output) = command.arg("-dc").arg(world.path(file)).output() else {
        missing(tool);
        return None;
    };
    assert!(output.status.success());
    Some(output.stdout)
}

/// Where a Rockchip's boot ROM looks for copies of its loader, 512 KiB apart, zeros are written.
#[test]
fn a_block_map_leaves_no_older_loader() {
    let world = disk("bmap = true");
    world.done(&BUILD);
    let map = fs::read_to_string(world.path("out/demo-25.11.img.bmap")).unwrap();
    let ranges: Vec<(u64, u64)> = map
        .split("</Range>")
        .filter_map(|line| {
            let range = line.rsplit_once('>')?.1.trim();
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
        })
        .collect();
    for block in [8, 136, 264, 392, 520] {
        let mapped = |range: &(u64, u64)| (range.0..=range.1).contains(&block);
        assert!(ranges.iter().any(mapped), "{block}: {map}");
    }
    assert!(
        !ranges.iter().any(|range| (range.0..=range.1).contains(&200)),
        "{map}"
    );
}

#[test]
fn a_compressed_disk_with_a_block_map() {
    let world = disk("compress = \"zstd\"\nbmap = true");
    world.edit(
        "spec.toml",
        "format = \"fat\"",
        "format = \"fat\"\ncompress = \"xz\"\ncompress-level = 0",
    );
    let stdout = world.done(&BUILD);
    assert_snapshot!(without_digests(&stdout), @r"
    boot.vfat.xz             9.1 KiB  sha256 [digest]
    rootfs.squashfs           12 KiB  fsverity [digest]
    boot.scr                   110 B  fsverity [digest]
    boot.cmd                    38 B  fsverity [digest]
    demo-25.11.img.zst      15.5 KiB  sha256 [digest]
    demo-25.11.img.bmap      1.3 KiB  fsverity [digest]
    demo-25.11.manifest.json

    fs.boot         16 MiB  15.9 MiB free, 1 MiB promised
    fs.rootfs       12 KiB  1 % of 1 MiB (region rootfs)

    next:
      sudo kiln flash out/demo-25.11.img.zst /dev/DEVICE    # `kiln flash` lists devices
    ");
    assert_eq!(
        world.outputs().len(),
        8,
        "no uncompressed file, and the one of before: {:?}",
        world.outputs()
    );
    let made = manifest(&world);
    assert_snapshot!(without_digests(&serde_json::to_string_pretty(&made["files"]).unwrap()), @r#"
    [
      {
        "file": "boot.vfat.xz",
        "fsverity": "[digest]",
        "id": "93AA-6107",
        "part": "fs.boot",
        "sha256": "[digest]",
        "size": 9372,
        "uncompressed": {
          "fsverity": "[digest]",
          "size": 16777216
        }
      },
      {
        "file": "rootfs.squashfs",
        "fsverity": "[digest]",
        "part": "fs.rootfs",
        "size": 12288
      },
      {
        "file": "boot.scr",
        "fsverity": "[digest]",
        "part": "script.boot",
        "size": 110
      },
      {
        "file": "boot.cmd",
        "fsverity": "[digest]",
        "part": "script.boot",
        "size": 38
      },
      {
        "file": "demo-25.11.img.zst",
        "fsverity": "[digest]",
        "id": "[digest]",
        "part": "disk",
        "sha256": "[digest]",
        "size": 15950,
        "uncompressed": {
          "fsverity": "[digest]",
          "size": 41943040
        }
      },
      {
        "file": "demo-25.11.img.bmap",
        "fsverity": "[digest]",
        "part": "disk",
        "size": 1355
      }
    ]
    "#);
    let plain = World::new();
    plain.done(&BUILD);
    let plainly_made = manifest(&plain);
    for (tool, file, plain_file) in [
        ("zstd", "demo-25.11.img.zst", "demo-25.11.img"),
        ("xz", "boot.vfat.xz", "boot.vfat"),
    ] {
        let (stored, image) = (entry(&made, file), entry(&plainly_made, plain_file));
        assert_eq!(stored["sha256"], sha256sum(&world.path(&format!("out/{file}"))));
        assert_eq!(stored["uncompressed"]["fsverity"], image["fsverity"]);
        assert_eq!(stored["uncompressed"]["size"], image["size"]);
        if let Some(bytes) = decompressed(&world, tool, &format!("out/{file}")) {
            assert!(
                bytes == fs::read(plain.path(&format!("out/{plain_file}"))).unwrap(),
                "{file}"
            );
        }
    }
}

#[test]
fn threads_change_no_byte() {
    let world = disk("compress = \"zstd\"\nbmap = true");
    let made = || fs::read_to_string(world.path("out/demo-25.11.manifest.json")).unwrap();
    world.done(&BUILD);
    let two = made();
    for jobs in ["1", "8"] {
        let output = world.kiln(&[]).get_program().to_owned();
        let args = [&BUILD[..], &["--json", "--jobs", jobs]].concat();
        let output = Command::new(output)
            .args(args)
            .current_dir(world.path(""))
            .output()
            .unwrap();
        assert_eq!(Said::from(output).code, Some(0), "{jobs} threads");
        assert_eq!(made(), two, "{jobs} threads");
    }
}

#[test]
fn an_ending_is_not_said_twice() {
    let world = disk("file = \"sd.img.gz\"\ncompress = \"gzip\"\nbmap = true");
    world.done(&[&BUILD[..], &["--only", "disk"]].concat());
    assert_eq!(world.outputs(), ["demo-25.11.img", "sd.img.bmap", "sd.img.gz"]);
}

#[test]
fn wrong_keys() {
    let refused = |keys: &str| disk(keys).build_refused(2);
    assert_snapshot!(refused("compress = \"zstd\"\ncompress-level = 23"), @"error: disk.compress-level: zstd has levels 1 to 22, not 23");
    assert_snapshot!(refused("compress = \"xz\"\ncompress-level = 10"), @"error: disk.compress-level: xz has levels 0 to 9, not 10");
    assert_snapshot!(refused("compress-level = 3"), @"error: disk.compress-level: 3: means nothing without compress");
    assert_snapshot!(refused("compress = \"bzip2\""), @r#"
    error: spec.toml:31:12: unknown variant `bzip2`, expected one of `zstd`, `xz`, `gzip`
       |
    31 | compress = "bzip2"
       |            ^
    hint: did you mean `gzip`?
    "#);
    assert_snapshot!(refused("compress = \"gzip\"\ncompress-level = -1"), @r"
    error: spec.toml:32:18: invalid value: integer `-1`, expected u32
       |
    32 | compress-level = -1
       |                  ^
    ");
    let world = disk("file = \"boot.img\"\nbmap = true");
    world.edit(
        "spec.toml",
        "format = \"fat\"",
        "format = \"fat\"\nfile = \"boot.img.bmap\"",
    );
    assert_snapshot!(world.build_refused(2), @r"
    error: boot.img.bmap: fs.boot and disk (its block map) both make a file of this name
    hint: give one of them another name with the key `file`
    ");
}

/// A disk whose raw content does not become smaller.
fn large(keys: &str) -> World {
    let world = disk(keys);
    world.write("noise", &noise(12 << 20));
    let region = "[[disk.region]]\nname = \"noise\"\nraw = \"noise\"\n\n[[disk.region]]\nname = \"rootfs\"";
    world.edit(
        "spec.toml",
        "[[disk.region]]\nname = \"rootfs\"\n",
        &format!("{region}\n"),
    );
    world.edit("spec.toml", "offset = \"32MiB\"\n", "");
    world.edit("spec.toml", "size = \"40MiB\"\n", "");
    world
}

#[test]
fn a_compressed_file_larger_than_the_shell_allows() {
    let world = large("compress = \"zstd\"\nbmap = true");
    let kiln = world.kiln(&[&BUILD[..], &["--only", "disk"]].concat());
    let mut command = Command::new("sh");
    // In blocks of 512 bytes, or of 1024: less than twelve MiB either way.
    command.args(["-c", "ulimit -f 8000; \"$@\"", "sh"]);
    command.arg(kiln.get_program()).args(kiln.get_args());
    let before = world.files();
    let said: Said = command.current_dir(world.path("")).output().unwrap().into();
    assert_snapshot!(world.check_refusal(5, &before, said), @r"
    error: out/demo-25.11.img.zst: cannot be written: File too large (os error 27)
    hint: nothing was left behind; that disk's file system, or the limit that `ulimit -f` shows, allows no file this large
    ");
}

#[test]
fn one_part_without_a_specification() {
    let world = World::new();
    let fat = ["fat", "--file", "/boot.cmd=boot.cmd", "--size", "16MiB"];
    let zst = ["--compress", "zstd", "--out", "out/boot.vfat.zst", "--json"];
    let made: serde_json::Value = serde_json::from_str(&world.done(&[&fat[..], &zst].concat())).unwrap();
    assert_eq!(made["sha256"], sha256sum(&world.path("out/boot.vfat.zst")));
    assert_eq!(made["uncompressed"]["size"], 16 << 20);
    let plain = world.done(&[&fat[..], &["--out", "out/boot.vfat", "--sha256", "--json"]].concat());
    let plain: serde_json::Value = serde_json::from_str(&plain).unwrap();
    assert_eq!(made["uncompressed"]["fsverity"], plain["fsverity"]);
    assert_eq!(plain["sha256"], sha256sum(&world.path("out/boot.vfat")));
    let image = fs::read(world.path("out/boot.vfat")).unwrap();
    if let Some(bytes) = decompressed(&world, "zstd", "out/boot.vfat.zst") {
        assert!(bytes == image);
    }
    let wrong = ["--compress", "xz", "--compress-level", "10", "--out", "out/other"];
    assert_snapshot!(world.refused(2, &[&fat[..], &wrong].concat()), @"error: fs.image.compress-level: xz has levels 0 to 9, not 10");
    let ext4 = [
        "ext4",
        "--tree",
        "store",
        "--compress",
        "gzip",
        "--out",
        "out/root.ext4.gz",
    ];
    world.done(&ext4);
    assert!(
        fs::read(world.path("out/root.ext4.gz"))
            .unwrap()
            .starts_with(&[0x1F, 0x8B])
    );
}
