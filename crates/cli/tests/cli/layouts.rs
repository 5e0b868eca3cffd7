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
    assert_snapshot!(said.stderr[warnings..warnings + rest], @"");
    let json = world.done(&[&args[..], &["--json"]].concat());
    assert_snapshot!(without_digests(&json), @"");
}

#[test]
fn layouts_that_make_no_sense() {
    let world = world();
    let edited = |keys: &str| {
        let text = crate::world::SPEC.replace("closure = true\n", keys);
        world.write("spec.toml", text.as_bytes());
        world.build_refused(2)
    };
    assert_snapshot!(edited("layout = 'fhs'\nclosure = true\n"), @"");
    assert_snapshot!(edited("layout = 'fhs'\ndatabase = true\n"), @"");
    assert_snapshot!(edited("layout = 'fhs'\nregistration = '/r'\n"), @"");
    assert_snapshot!(edited("layout = 'links'\nmerge-usr = true\n"), @"");
    assert_snapshot!(edited("env = '{toplevel}'\n"), @"");
    assert_snapshot!(edited("layout = 'fhs'\nenv = '{toplevel}/none'\n"), @"");
    assert_snapshot!(edited("layout = 'fhs'\nenv = '{toplevel}/init'\n"), @"");
    assert_snapshot!(edited("layout = 'merged'\n"), @"");
    let fat = crate::world::SPEC.replace("label = \"BOOT\"\n", "label = \"BOOT\"\nlayout = 'links'\n");
    world.write("spec.toml", fat.as_bytes());
    assert_snapshot!(world.build_refused(2), @"");
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
    assert_snapshot!(world.refused(3, &[&from[..], &["idbloader.img"]].concat()), @"");
    world.write("cut.tar.gz", b"\x1f\x8b\x08\0\0\0\0\0");
    assert_snapshot!(world.refused(3, &[&from[..], &["cut.tar.gz"]].concat()), @"");
    assert_snapshot!(world.refused(3, &[&from[..], &["missing.tar"]].concat()), @"");
}
