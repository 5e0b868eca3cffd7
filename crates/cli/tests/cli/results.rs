//! What plans and builds say and make.

use std::fs;
use std::sync::Arc;

use image::{Kind, ReadAt, Tree};
use insta::assert_snapshot;

use crate::world::{LIB, LINUX, SPEC, SYSTEM, World, noise, without_digests};

const BUILD: [&str; 4] = ["build", "spec.toml", "--out", "out"];

#[test]
fn a_plan_for_people() {
    let world = World::new();
    let before = world.files();
    assert_snapshot!(world.done(&["plan", "spec.toml"]), @r"
    fs.boot → boot.vfat: fat16, 16 MiB; 2 files, 15.9 MiB free (1 MiB promised), clusters of 2 KiB

    fs.rootfs → rootfs.squashfs: squashfs, at most 28 KiB (before compression); 15 entries, 18.5 KiB
      the largest store paths, uncompressed:
          13.6 KiB  bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0
           4.8 KiB  llllllllllllllllllllllllllllllll-linux-6.1
              32 B  ssssssssssssssssssssssssssssssss-system

    script.boot → boot.scr, boot.cmd: boot script for arm64, 110 B

    disk → demo-25.11.img: 40 MiB, 512-byte sectors
      first sector      sectors        size     content       slack  region
                 0            1       512 B       512 B         0 B  protective MBR
                 1            1       512 B       512 B         0 B  GPT header
                 2           32      16 KiB      16 KiB         0 B  GPT entries
                34           30      15 KiB                          free
                64            6     2.9 KiB     2.9 KiB         0 B  raw idbloader
                70        32698    15.9 MiB                          free
             32768        32768      16 MiB      16 MiB         0 B  partition boot, number 1, xbootldr
             65536         2048       1 MiB                          partition rootfs, number 2, root-arm64
             67584        14303     6.9 MiB                          free
             81887           32      16 KiB      16 KiB         0 B  backup GPT entries
             81919            1       512 B       512 B         0 B  backup GPT header
    ");
    assert_eq!(world.files(), before);
}

#[test]
fn an_exact_plan() {
    let world = World::new();
    let before = world.files();
    let plan = world.done(&["plan", "spec.toml", "--exact"]);
    let rootfs: Vec<&str> = plan
        .lines()
        .skip_while(|line| !line.starts_with("fs.rootfs"))
        .collect();
    assert_snapshot!(rootfs[..6].join("\n"), @r"
    fs.rootfs → rootfs.squashfs: squashfs, 12 KiB; 15 entries, 18.5 KiB
      the largest store paths, in the image:
           3.6 KiB  bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0
           1.2 KiB  llllllllllllllllllllllllllllllll-linux-6.1
               7 B  ssssssssssssssssssssssssssssssss-system
    ");
    assert_eq!(world.files(), before);
}

#[test]
fn a_plan_for_machines() {
    let world = World::new();
    assert_snapshot!(without_digests(&world.done(&["plan", "spec.toml", "--json"])));
}

#[test]
fn a_build() {
    let world = World::new();
    let said = world.run(&BUILD);
    assert_eq!(said.code, Some(0));
    assert_snapshot!(without_digests(&said.stdout), @r"
    boot.vfat             16 MiB  fsverity [digest]
    rootfs.squashfs       12 KiB  fsverity [digest]
    boot.scr               110 B  fsverity [digest]
    boot.cmd                38 B  fsverity [digest]
    demo-25.11.img        40 MiB  fsverity [digest]
    demo-25.11.manifest.json

    fs.boot         16 MiB  15.9 MiB free, 1 MiB promised
    fs.rootfs       12 KiB  1 % of 1 MiB (region rootfs)

    next:
      sudo kiln flash out/demo-25.11.img /dev/DEVICE    # `kiln flash` lists devices
    ");
    // Plain lines, because stderr is no terminal.
    assert_snapshot!(said.stderr, @r"
    checking store paths: 18.5 KiB
    compressing: 18.5 KiB
    writing boot.vfat: 56.9 KiB
    writing rootfs.squashfs: 8.0 KiB
    writing boot.scr: 110 B
    writing boot.cmd: 38 B
    writing demo-25.11.img: 103.5 KiB
    ");
    assert_snapshot!(world.outputs().join("\n"), @r"
    boot.cmd
    boot.scr
    boot.vfat
    demo-25.11.img
    demo-25.11.manifest.json
    rootfs.squashfs
    ");
    let manifest = fs::read_to_string(world.path("out/demo-25.11.manifest.json")).unwrap();
    assert_snapshot!(without_digests(&manifest));
}

#[test]
fn a_build_for_machines() {
    let world = World::new();
    let said = world.run(&[&BUILD[..], &["--json"]].concat());
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    let manifest = fs::read_to_string(world.path("out/demo-25.11.manifest.json")).unwrap();
    let mut printed: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let build = printed.as_object_mut().unwrap().remove("build").unwrap();
    assert_eq!(
        printed,
        serde_json::from_str::<serde_json::Value>(&manifest).unwrap()
    );
    assert_snapshot!(serde_json::to_string_pretty(&build).unwrap(), @r#"
    {
      "next": [
        "sudo kiln flash out/demo-25.11.img /dev/DEVICE    # `kiln flash` lists devices"
      ],
      "room": [
        {
          "free": 16715776,
          "part": "fs.boot",
          "promised": 1048576,
          "size": 16777216
        },
        {
          "limit": 1048576,
          "limited_by": "region rootfs",
          "part": "fs.rootfs",
          "size": 12288
        }
      ]
    }
    "#);
}

/// What was said below the list of files.
fn ending(stdout: &str) -> String {
    let (_, ending) = stdout.split_once("manifest.json\n\n").unwrap();
    ending.to_owned()
}

#[test]
fn what_changed_since_the_last_build() {
    let world = World::new();
    world.done(&BUILD);
    let said = ending(&world.done(&BUILD));
    assert!(
        said.contains("since the last build in this folder: nothing has changed\n"),
        "{said}"
    );
    // The library is another one, a file system is new, and one has a limit that is nearer than its region.
    let newer = LIB.replace("lib-1.0", "lib-1.1");
    world.write_store(LIB, "lib/libc.so", &noise(20_000));
    let registration = world.hashed().replace(LIB, &newer);
    fs::rename(world.store(LIB), world.store(&newer)).unwrap();
    world.register(&registration);
    world.edit("spec.toml", "level = 3", "level = 3\nmax-size = \"64KiB\"");
    world.edit(
        "spec.toml",
        "[script.boot]",
        "[fs.data]\nformat = \"ext4\"\nfree = \"1MiB\"\ndirectories = [\"/log\"]\n\n[script.boot]",
    );
    assert_snapshot!(ending(&world.done(&BUILD)), @r"
    fs.boot         16 MiB  15.9 MiB free, 1 MiB promised
    fs.data        7.7 MiB  1.2 MiB free, 1 MiB promised
    fs.rootfs       28 KiB  43 % of 64 KiB (max-size)

    since the last build in this folder:
      boot.vfat        other bytes, as many
      data.ext4        new, 7.7 MiB
      rootfs.squashfs  +16 KiB (12 KiB before)
      boot.scr         other bytes, as many
      boot.cmd         other bytes, as many
      demo-25.11.img   other bytes, as many
      + bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.1  19.9 KiB
      - bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0  14.1 KiB

    next:
      sudo kiln flash out/demo-25.11.img /dev/DEVICE    # `kiln flash` lists devices
    ");
    let json = world.done(&[&BUILD[..], &["--json", "--only", "script.boot"]].concat());
    let printed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(printed["build"]["changes"]["files"].is_array(), "{json}");
}

#[test]
fn profiles_choose_levels() {
    let world = World::new();
    let build = |more: &[&str]| {
        world.done(&[&BUILD[..], more].concat());
        fs::read(world.path("out/rootfs.squashfs")).unwrap()
    };
    let third = build(&[]);
    world.edit("spec.toml", "level = 3", "level = 12");
    let twelfth = build(&[]);
    assert!(third != twelfth && build(&["--profile", "dev"]) == third);
    world.edit("spec.toml", "schema = 1", "schema = 1\nprofile = \"dev\"");
    assert!(build(&[]) == third && build(&["--profile", "release"]) == twelfth);
    world.edit("spec.toml", "level = 12", "level = 40");
    assert_snapshot!(world.build_refused(2), @"error: fs.rootfs: zstd level 40: must be from 1 to 22");
}

#[test]
fn an_error_for_machines() {
    let world = World::with("level = 3", "level = 3\nmax-size = \"8KiB\"");
    let said = world.run(&[&BUILD[..], &["--json"]].concat());
    assert_eq!(said.code, Some(4));
    assert_snapshot!(said.stdout, @r#"
    {
      "error": "fs.rootfs: has 12288 bytes, 4096 more than the 8192 of max-size; the largest store paths, with their bytes in it:\n          3721  bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0\n          1329  llllllllllllllllllllllllllllllll-linux-6.1\n             7  ssssssssssssssssssssssssssssssss-system",
      "exit_code": 4,
      "hint": "take something out of it, or raise max-size"
    }
    "#);
    assert_snapshot!(said.stderr, @r"
    error: fs.rootfs: has 12288 bytes, 4096 more than the 8192 of max-size; the largest store paths, with their bytes in it:
              3721  bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0
              1329  llllllllllllllllllllllllllllllll-linux-6.1
                 7  ssssssssssssssssssssssssssssssss-system
    hint: take something out of it, or raise max-size
    ");
}

/// Through all layers: the table leads to the file systems, and they hold the files.
#[test]
fn what_was_built_reads_back() {
    let world = World::new();
    world.done(&BUILD);
    let file = fs::File::open(world.path("out/demo-25.11.img")).unwrap();
    let source: Arc<dyn ReadAt> = Arc::new(file);
    let disk = disk::read::Disk::open(source.as_ref(), 40 << 20).unwrap();
    let content = |name| Arc::new(disk.partition_named(name).unwrap().content(Arc::clone(&source)));
    let boot = content("boot");
    let boot = fat::read::FileSystem::open(boot.clone(), boot.len())
        .unwrap()
        .tree()
        .unwrap();
    assert_eq!(
        file_in(&boot, "/Image"),
        fs::read(world.store(LINUX).join("Image")).unwrap()
    );
    assert_eq!(
        file_in(&boot, "/boot.scr"),
        fs::read(world.path("out/boot.scr")).unwrap()
    );
    let root = content("rootfs");
    let root = squashfs::read::Archive::open(root.clone(), root.len())
        .unwrap()
        .tree()
        .unwrap();
    let library = format!("{LIB}/lib/libc.so");
    assert_eq!(file_in(&root, &library), fs::read(world.store(&library)).unwrap());
    let loader = fs::read(world.path("out/demo-25.11.img")).unwrap()[64 * 512..][..3000].to_vec();
    assert_eq!(loader, fs::read(world.path("idbloader.img")).unwrap());
}

fn file_in(tree: &Tree, path: &str) -> Vec<u8> {
    match &tree.node(tree.lookup(path.as_bytes()).unwrap()).kind {
        Kind::File(content) => content.to_vec().unwrap(),
        _ => Vec::new(),
    }
}

#[test]
fn one_part_only() {
    let world = World::new();
    let summary = world.done(&[&BUILD[..], &["--only", "script.boot"]].concat());
    assert_snapshot!(without_digests(&summary), @r"
    boot.scr        110 B  fsverity [digest]
    boot.cmd         38 B  fsverity [digest]
    ");
    assert_snapshot!(world.outputs().join("\n"), @r"
    boot.cmd
    boot.scr
    demo-25.11.img
    ");
}

#[test]
fn the_disk_only() {
    let world = World::new();
    world.done(&[&BUILD[..], &["--only", "disk"]].concat());
    assert_eq!(world.outputs(), ["demo-25.11.img"]);
    let alone = fs::read(world.path("out/demo-25.11.img")).unwrap();
    world.done(&BUILD);
    assert!(fs::read(world.path("out/demo-25.11.img")).unwrap() == alone);
}

/// Outputs of a build, by name.
fn built(world: &World, args: &[&str]) -> Vec<(String, Vec<u8>)> {
    world.done(args);
    let read = |name: String| (name.clone(), fs::read(world.path("out").join(name)).unwrap());
    world.outputs().into_iter().map(read).collect()
}

#[test]
fn a_second_build_replaces_the_first_by_the_same() {
    let world = World::new();
    let first = built(&world, &BUILD);
    fs::write(world.path("out/boot.vfat"), b"damaged").unwrap();
    assert!(built(&world, &BUILD) == first);
}

#[test]
fn neither_threads_nor_folder_change_a_byte() {
    let (one, other) = (World::new(), World::new());
    let four = [&BUILD[..], &["--jobs", "4"]].concat();
    let kiln = std::process::Command::new(env!("CARGO_BIN_EXE_kiln"))
        .args(&four)
        .current_dir(other.path(""))
        .output();
    assert!(kiln.unwrap().status.success());
    let read = |name: &String| fs::read(other.path("out").join(name)).unwrap();
    for (name, bytes) in built(&one, &BUILD) {
        assert!(read(&name) == bytes, "{name}");
    }
}

#[test]
fn json_says_the_same() {
    let world = World::new();
    let toml = built(&world, &BUILD);
    world.write("spec.json", JSON.as_bytes());
    assert!(built(&world, &["build", "spec.json", "--out", "out"]) == toml);
}

/// `SPEC`, as a machine would write it.
const JSON: &str = r#"{
  "schema": 1, "name": "demo-{series}",
  "closure": { "from": "closure-info", "store-root": "store" },
  "fs": {
    "rootfs": {
      "format": "squashfs", "level": 3, "closure": true,
      "symlinks": { "/init": "{toplevel}/init" }, "directories": ["/proc", "/etc"]
    },
    "boot": {
      "format": "fat", "label": "BOOT", "size": "16MiB", "free": "1MiB",
      "files": { "/Image": "{kernel}", "/boot.scr": "{script.boot}" }
    }
  },
  "script": {
    "boot": { "source": "boot.cmd", "arch": "arm64", "substitute": { "buildId": "{fs.rootfs.id}" } }
  },
  "disk": {
    "size": "40MiB", "board": "rockchip",
    "region": [
      { "name": "idbloader", "raw": "idbloader.img" },
      { "name": "boot", "type": "xbootldr", "offset": "16MiB", "content": "fs.boot" },
      { "name": "rootfs", "type": "root-arm64", "offset": "32MiB", "size": "1MiB", "content": "fs.rootfs" }
    ]
  }
}"#;

#[test]
fn a_text_has_values() {
    let world = World::with(
        "[fs.boot.files]",
        "text = { \"/loader.conf\" = \"{{}} {toplevel}/init {kernel-params} {version}\\n\" }\n[fs.boot.files]",
    );
    world.write_store(SYSTEM, "kernel-params", b"quiet panic=-1");
    world.register(&world.hashed());
    let outputs = built(&world, &BUILD);
    let (_, fat) = outputs.iter().find(|(name, _)| name == "boot.vfat").unwrap();
    let wanted = format!("{{}} {SYSTEM}/init quiet panic=-1 25.11.20261121.abcdef0\n\0");
    assert!(fat.windows(wanted.len()).any(|bytes| bytes == wanted.as_bytes()));
}

#[test]
fn another_seed_gives_other_ids() {
    let world = World::new();
    let one = built(&world, &[&BUILD[..], &["--seed", "one"]].concat());
    let other = built(&world, &[&BUILD[..], &["--seed", "other"]].concat());
    for ((name, one), (_, other)) in one.into_iter().zip(other) {
        let has_ids = ["boot.vfat", "demo-25.11.img", "demo-25.11.manifest.json"].contains(&name.as_str());
        assert_eq!(one != other, has_ids, "{name}");
    }
    world.write("seeded.toml", format!("seed = \"one\"\n{SPEC}").as_bytes());
    let said = built(&world, &["build", "seeded.toml", "--out", "out"]);
    assert!(said == built(&world, &[&BUILD[..], &["--seed", "one"]].concat()));
}

#[test]
fn a_path_that_was_built_twice_is_taken_when_asked() {
    let world = World::new();
    world.write_store(LIB, "lib/libc.so", &b"SHARED ".repeat(2000));
    let said = world.run(&[&BUILD[..], &["--rehash"]].concat());
    assert_eq!(said.code, Some(0));
    let warning: Vec<&str> = said
        .stderr
        .lines()
        .filter(|line| line.starts_with("warning:"))
        .collect();
    assert_snapshot!(warning.join("\n"), @"warning: taken as found: /nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0: registered as sha256:0l9pkmpiwg31ql173lvvd9rds8bcnmf81nf5n73pgcn9faghyhvw (14448 bytes), found sha256:13015rjmgjymb8axnyhnb45gc3xis10mcfilxd6flx4xp1ipz227 (14448 bytes)");
}
