//! One part without a specification, and what the tool says of itself.

use std::fs;
use std::sync::Arc;

use insta::assert_snapshot;

use crate::world::{SYSTEM, World, without_digests};

#[test]
fn a_squashfs() {
    let world = World::new();
    let link = ["--symlink", "/init={toplevel}/init", "--directory", "/proc"];
    let from = [
        "squashfs",
        "--closure",
        "closure-info",
        "--store-root",
        "store",
        "--out",
        "out/a.squashfs",
    ];
    assert_snapshot!(without_digests(&world.done(&[&from[..], &link[..]].concat())), @"out/a.squashfs  12 KiB  sha256 [digest]");
    let bytes = image::Content::from(fs::read(world.path("out/a.squashfs")).unwrap());
    let len = bytes.len();
    let tree = squashfs::read::Archive::open(Arc::new(bytes), len)
        .unwrap()
        .tree()
        .unwrap();
    let target = |path: &[u8]| match &tree.node(tree.lookup(path).unwrap()).kind {
        image::Kind::Symlink(target) => String::from_utf8(target.to_vec()).unwrap(),
        _ => String::new(),
    };
    assert_eq!(target(b"/init"), format!("{SYSTEM}/init"));
    assert!(tree.lookup(b"/proc").is_some());
}

#[test]
fn a_fat() {
    let world = World::new();
    let args = [
        "fat",
        "--file",
        "/boot/Image=idbloader.img",
        "--label",
        "BOOT",
        "--out",
        "out/a.vfat",
    ];
    assert_snapshot!(without_digests(&world.done(&args)), @"out/a.vfat  3 MiB  sha256 [digest]");
}

#[test]
fn a_script() {
    let world = World::new();
    let args = [
        "script",
        "boot.cmd",
        "--set",
        "buildId=one",
        "--out",
        "out/boot.scr",
    ];
    assert_snapshot!(without_digests(&world.done(&args)), @"out/boot.scr  81 B  sha256 [digest]");
    let bytes = fs::read(world.path("out/boot.scr")).unwrap();
    assert_eq!(&bytes[72..], b"echo one\n");
}

#[test]
fn one_part_for_machines() {
    let world = World::new();
    let args = ["script", "boot.cmd", "--json", "--out", "out/boot.scr"];
    assert_snapshot!(without_digests(&world.done(&args)), @r#"
    {
      "file": "out/boot.scr",
      "size": 87,
      "sha256": "[digest]"
    }
    "#);
}

#[test]
fn help() {
    let world = World::new();
    assert_snapshot!(world.done(&["--help"]), @r"
    Turns Nix closures and plain trees into flashable disk images: no root, no VM, the same bytes on any
    host

    Usage: kiln [OPTIONS] <COMMAND>

    Commands:
      build        Make everything that a specification describes
      plan         Show what a build would make, and write nothing
      squashfs     Make a squashfs of a closure or a folder, without a specification
      ext4         Make an ext4 of a closure or a folder, without a specification
      fat          Make a FAT of a folder or files, without a specification
      script       Make a boot script for U-Boot, without a specification
      completions  Print completions for a shell
      man          Print the manual page
      help         Print this message or the help of the given subcommand(s)

    Options:
      -j, --jobs <N>  How many threads work; all cores when not given. Never changes a byte
          --json      Print results and errors as JSON
      -h, --help      Print help
      -V, --version   Print version

    Exit codes:
        0  done
        2  the command line or the specification makes no sense
        3  an input is missing, unreadable, or not what it claims to be
        4  something does not fit where it shall go
        5  the output cannot be written
        6  an image that was read is damaged
        7  a signature is not trusted
      130  stopped by the user
    ");
    assert_snapshot!(world.done(&["build", "--help"]), @r"
    Make everything that a specification describes

    Usage: kiln build [OPTIONS] --out <DIR> <SPEC>

    Arguments:
      <SPEC>  The specification, TOML or JSON

    Options:
          --out <DIR>    The folder that receives the outputs
          --only <PART>  Make only this part (fs.NAME, script.NAME or disk), and no manifest; can be
                         repeated
          --seed <SEED>  What all ids derive from, in place of the specification's seed
          --rehash       Where a store path is not what it is registered as, take it as it is
      -j, --jobs <N>     How many threads work; all cores when not given. Never changes a byte
          --json         Print results and errors as JSON
      -h, --help         Print help
    ");
}

#[test]
fn completions_and_the_manual_page() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            world.done(&["completions", shell]).contains("squashfs"),
            "{shell}"
        );
    }
    assert!(world.done(&["man"]).starts_with(".ie"));
}

#[test]
fn no_command() {
    let world = World::new();
    let said = world.run(&["bild", "spec.toml"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""));
    assert_snapshot!(said.stderr, @r"
    error: unrecognized subcommand 'bild'

      tip: a similar subcommand exists: 'build'

    Usage: kiln [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}
