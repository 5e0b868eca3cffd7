//! Closures as roots, and archives as trees, from the command line.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use insta::assert_snapshot;

use crate::oracle::installed;
use crate::world::{LIB, LINUX, SYSTEM, World, without_digests};

/// A system whose programs are links and name their library, and what two of its paths have both.
fn world() -> World {
    let world = World::new();
    let write = |path: &str, name: &str, text: String| world.write_store(path, name, text.as_bytes());
    write(LINUX, "bin/tool", format!("#!{LIB}/lib/ld.so\n"));
    write(LINUX, "share/doc", "of linux".into());
    write(LIB, "share/doc", "of lib".into());
    write(
        LIB,
        "share/other",
        "/nix/store/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn-not-here/x".into(),
    );
    fs::create_dir(world.store(SYSTEM).join("bin")).unwrap();
    symlink(format!("{LINUX}/bin/tool"), world.store(SYSTEM).join("bin/tool")).unwrap();
    world.register(&world.hashed());
    world
}

const FROM: [&str; 5] = ["squashfs", "--closure", "closure-info", "--store-root", "store"];

fn made(world: &World, more: &[&str]) -> image::Tree {
    world.done(&[&FROM[..], &["--out", "out/a"], more].concat());
    let bytes = image::Content::from(fs::read(world.path("out/a")).unwrap());
    let len = bytes.len();
    squashfs::read::Archive::open(Arc::new(bytes), len)
        .unwrap()
        .tree()
        .unwrap()
}

fn shown(tree: &image::Tree, path: &str) -> String {
    match tree.lookup(path.as_bytes()).map(|id| &tree.node(id).kind) {
        None => "nothing".into(),
        Some(image::Kind::Symlink(target)) => format!("-> {}", image::show(target)),
        Some(image::Kind::File(content)) => image::show(&content.to_vec().unwrap()),
        Some(_) => "something".into(),
    }
}

#[test]
fn layouts() {
    let world = world();
    let tool = format!("#!{LIB}/lib/ld.so\\n");
    let short = format!("#!{}/lib/ld.so\\n", "/".repeat(LIB.len()));
    for (layout, found, library) in [
        ("links", format!("-> {LINUX}/bin/tool"), "nothing"),
        ("hardlinks", tool.clone(), "nothing"),
        ("copies", tool, "nothing"),
        ("fhs", short, "something"),
    ] {
        let tree = made(&world, &["--layout", layout]);
        assert_eq!(shown(&tree, "/bin/tool"), found, "{layout}");
        assert_eq!(shown(&tree, "/lib"), library, "{layout}");
        assert_eq!(tree.lookup(LIB.as_bytes()).is_some(), layout != "fhs", "{layout}");
        assert_eq!(shown(&tree, "/nix") == "nothing", layout == "fhs", "{layout}");
        let same = tree.lookup(b"/bin/tool") == tree.lookup(format!("{LINUX}/bin/tool").as_bytes());
        assert_eq!(same, layout == "hardlinks", "{layout}");
    }
    let tree = made(&world, &["--layout", "fhs", "--merge-usr"]);
    assert_eq!(shown(&tree, "/lib"), "-> usr/lib");
    assert_eq!(shown(&tree, "/usr/share/doc"), "of linux");
}

#[test]
fn what_conflicts_and_what_stays_is_told() {
    let world = world();
    let args = [&FROM[..], &["--layout", "fhs", "--out", "out/a"]].concat();
    let said = world.run(&args);
    let warnings = said.stderr.find("warning:").unwrap();
    let rest = said.stderr[warnings..].find("compressing").unwrap();
    assert_snapshot!(said.stderr[warnings..warnings + rest], @r#"
    warning: fs.image: one path is in several store paths, with different things there:
      /share/doc is of llllllllllllllllllllllllllllllll-linux-6.1; dropped that of bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0
    warning: fs.image: one thing may still need the store:
      /share/other names /nix/store/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn-not-here, which is not in the closure
    "#);
    let json = world.done(&[&args[..], &["--json"]].concat());
    assert_snapshot!(without_digests(&json), @r#"
    {
      "file": "out/a",
      "size": 12288,
      "fsverity": "[digest]",
      "layouts": [
        {
          "part": "fs.image",
          "rewritten_files": 1,
          "rewritten_references": 1,
          "rewritten_links": 1,
          "conflicts": [
            {
              "path": "/share/doc",
              "kept": "/nix/store/llllllllllllllllllllllllllllllll-linux-6.1",
              "dropped": [
                "/nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0"
              ]
            }
          ],
          "leftovers": [
            {
              "path": "/share/other",
              "store_path": "/nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0",
              "kind": "outside-closure",
              "problem": "names /nix/store/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn-not-here, which is not in the closure"
            }
          ]
        }
      ]
    }
    "#);
}

#[test]
fn layouts_that_make_no_sense() {
    let world = world();
    let edited = |keys: &str| {
        let text = crate::world::SPEC.replace("closure = true\n", keys);
        world.write("spec.toml", text.as_bytes());
        world.build_refused(2)
    };
    assert_snapshot!(edited("layout = 'fhs'\nclosure = true\n"), @r#"error: fs.rootfs: closure = true needs a store, and a root of layout = "fhs" has none; links, hardlinks and copies have"#);
    assert_snapshot!(edited("layout = 'fhs'\ndatabase = true\n"), @r#"error: fs.rootfs: database = true needs a store, and a root of layout = "fhs" has none; links, hardlinks and copies have"#);
    assert_snapshot!(edited("layout = 'fhs'\nregistration = '/r'\n"), @r#"error: fs.rootfs: registration needs a store, and a root of layout = "fhs" has none; links, hardlinks and copies have"#);
    assert_snapshot!(edited("layout = 'links'\nmerge-usr = true\n"), @r#"error: fs.rootfs: merge-usr belongs to layout = "fhs""#);
    assert_snapshot!(edited("env = '{toplevel}'\n"), @"error: fs.rootfs: env and merge-usr belong to a layout");
    assert_snapshot!(edited("layout = 'fhs'\nenv = '{toplevel}/none'\n"), @"error: fs.rootfs: /nix/store/ssssssssssssssssssssssssssssssss-system/none: is not in the closure");
    assert_snapshot!(edited("layout = 'fhs'\nenv = '{toplevel}/init'\n"), @"error: fs.rootfs: /nix/store/ssssssssssssssssssssssssssssssss-system/init: is no folder, so it cannot become a root");
    assert_snapshot!(edited("layout = 'merged'\n"), @r#"
    error: spec.toml:11:10: unknown variant `merged`, expected one of `links`, `hardlinks`, `copies`, `fhs`
       |
    11 | layout = 'merged'
       |          ^
    "#);
    let fat = crate::world::SPEC.replace("label = \"BOOT\"\n", "label = \"BOOT\"\nlayout = 'links'\n");
    world.write("spec.toml", fat.as_bytes());
    assert_snapshot!(world.build_refused(2), @"error: fs.boot: layout is no key of format fat, which has no links");
}

#[test]
fn archives_are_what_they_have_packed() {
    if !installed("tar") {
        return;
    }
    let world = World::new();
    world.write("tree/bin/tool", b"tool");
    world.write("tree/share/text", &b"text ".repeat(5000));
    symlink("tool", world.path("tree/bin/link")).unwrap();
    fs::hard_link(world.path("tree/bin/tool"), world.path("tree/bin/second")).unwrap();
    let made = |tree: &str, format: &str, keep: &str| {
        let (out, keep) = ("out/a", ["--keep", keep]);
        world.done(&[&[format, "--tree", tree, "--out", out], &keep[..]].concat());
        fs::read(world.path(out)).unwrap()
    };
    for format in ["squashfs", "ext4"] {
        for keep in ["modes,times,hard-links", "modes"] {
            let folder = made("tree", format, keep);
            for (name, option) in [
                ("a.tar", "--format=gnu"),
                ("a.tar.gz", "--gzip"),
                ("a.tar.zst", "--zstd"),
                ("a.tar.xz", "--xz"),
            ] {
                let mut tar = std::process::Command::new("tar");
                tar.arg("-C")
                    .arg(world.path("tree"))
                    .arg("-cf")
                    .arg(world.path(name));
                assert!(tar.args([option, "."]).status().unwrap().success());
                assert!(made(name, format, keep) == folder, "{format} of {name}, {keep}");
            }
        }
    }
}

#[test]
fn files_that_are_no_archives() {
    let world = World::new();
    let from = ["squashfs", "--out", "out/a.squashfs", "--tree"];
    assert_snapshot!(world.refused(3, &[&from[..], &["idbloader.img"]].concat()), @"error: idbloader.img: is no tar archive; tar is read as it is, or compressed with gzip, bzip2, xz or zstd");
    world.write("cut.tar.gz", b"\x1f\x8b\x08\0\0\0\0\0");
    assert_snapshot!(world.refused(3, &[&from[..], &["cut.tar.gz"]].concat()), @"error: cut.tar.gz: cannot be read: unexpected end of file");
    assert_snapshot!(world.refused(3, &[&from[..], &["missing.tar"]].concat()), @"error: missing.tar: cannot be read: No such file or directory (os error 2)");
}
