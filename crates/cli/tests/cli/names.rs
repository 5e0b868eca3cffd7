//! Names that the user gives: links are followed wherever a path is said, and no output is its own input.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::bundles;
use crate::world::World;

/// A world in which everything that a user can name also has a name that is a link, and one that is a link to that.
fn world() -> Option<World> {
    let world = bundles::world()?;
    world.write("tree/etc/hosts", b"127.0.0.1 localhost\n");
    fs::create_dir(world.path("links")).unwrap();
    let packed = Command::new("tar")
        .args(["-cf", "tree.tar", "tree"])
        .current_dir(world.path("."))
        .status();
    assert!(packed.unwrap().success());
    world.write("pass", b"sesame\n");
    world.write("hook.sh", b"#!/bin/sh\n");
    world.done(&["build", "spec.toml", "--out", "out", "--cache", "cache"]);
    fs::create_dir(world.path("unsigned")).unwrap();
    world.done(&["build", "spec.toml", "--out", "unsigned", "--unsigned"]);
    for (number, name) in [
        "tree",
        "tree.tar",
        "closure-info",
        "closure-info/registration",
        "closure-info/store-paths",
        "store",
        "spec.toml",
        "boot.cmd",
        "hook.sh",
        "idbloader.img",
        "out",
        "out/demo-25.11.raucb",
        "unsigned/demo-25.11.raucb.unsigned",
        "cache",
        "keys/leaf.key",
        "keys/locked.key",
        "keys/leaf.pem",
        "keys/root.pem",
        "pass",
    ]
    .iter()
    .enumerate()
    {
        let real = world.path(name);
        let link = world.path(&format!("links/{number}"));
        symlink(real, &link).unwrap();
        // The same, from beside it and through another link.
        let name = Path::new(name).file_name().unwrap();
        symlink(format!("{number}"), world.path("links").join(name)).unwrap();
    }
    Some(world)
}

/// Every place on the command line that takes a path. What comes first and last is compared: the output of both.
#[test]
fn links_on_the_command_line_are_followed() {
    let Some(world) = world() else { return };
    let squashfs = ["squashfs", "--level", "1"];
    let signed = ["--signing-time", "1900000000"];
    for (args, paths) in [
        (&squashfs[..], &["--tree tree"][..]),
        (&squashfs, &["--tree tree.tar"]),
        (&squashfs, &["--closure closure-info", "--store-root store"]),
        (
            &squashfs,
            &["--closure closure-info/registration", "--store-root store"],
        ),
        (
            &squashfs,
            &["--closure closure-info/store-paths", "--store-root store"],
        ),
        (&squashfs, &["--tree tree", "--cache cache"]),
        (
            &squashfs,
            &[
                "--closure closure-info",
                "--store-root store",
                "--reuse out/demo-25.11.raucb",
            ],
        ),
        (&["ext4"], &["--tree tree"]),
        (&["fat"], &["--tree tree"]),
        (&["fat", "--file"], &["/a= boot.cmd"]),
        (&["script"], &["boot.cmd"]),
        (
            &["bundle", "sign", "--purpose", "any"],
            &[
                "unsigned/demo-25.11.raucb.unsigned",
                "--certificate keys/leaf.pem",
                "--key keys/leaf.key",
                "--keyring keys/root.pem",
            ],
        ),
        (
            &["bundle", "sign"],
            &[
                "unsigned/demo-25.11.raucb.unsigned",
                "--certificate keys/leaf.pem",
                "--key keys/locked.key",
                "--keyring keys/root.pem",
                "--passphrase-file pass",
            ],
        ),
        (
            &["bundle", "resign"],
            &[
                "out/demo-25.11.raucb",
                "--certificate keys/leaf.pem",
                "--key keys/leaf.key",
                "--keyring keys/root.pem",
            ],
        ),
    ] {
        let made = |linked: bool| {
            let mut words: Vec<String> = args.iter().map(ToString::to_string).collect();
            for path in paths {
                let (option, path) = path.rsplit_once(' ').unwrap_or(("", path));
                let name = Path::new(path).file_name().unwrap().to_str().unwrap();
                let path = if linked {
                    format!("links/{name}")
                } else {
                    path.to_string()
                };
                match option.strip_suffix('=') {
                    Some(_) => words.push(format!("{option}{path}")),
                    None if option.is_empty() => words.push(path),
                    None => words.extend([option.to_string(), path]),
                }
            }
            if args[0] == "bundle" {
                words.extend(signed.map(ToString::to_string));
            }
            words.extend(["--out".to_string(), "made".to_string()]);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            world.done(&words);
            fs::read(world.path("made")).unwrap()
        };
        assert!(made(false) == made(true), "{args:?} {paths:?}");
    }
    world.done(&[
        "bundle",
        "verify",
        "links/demo-25.11.raucb",
        "--keyring",
        "links/root.pem",
    ]);
    world.done(&["bundle", "info", "links/demo-25.11.raucb", "--no-verify"]);
    world.done(&["cache", "verify", "--cache", "links/cache"]);
    world.done(&["plan", "links/spec.toml"]);
}

/// The same of a specification, and of where outputs go.
#[test]
fn links_in_a_specification_are_followed() {
    let Some(world) = world() else { return };
    let built = |out: &str| {
        world.done(&["build", "spec.toml", "--out", out]);
        let read = |name: &String| (name.clone(), fs::read(world.path(out).join(name)).unwrap());
        let names = ["img", "raucb", "rootfs.squashfs", "boot.img", "boot.scr"];
        names
            .map(|end| format!("demo-25.11.{end}"))
            .iter()
            .filter(|name| world.path(out).join(name).exists())
            .map(read)
            .collect::<Vec<_>>()
    };
    world.edit("spec.toml", "[fs.rootfs]\n", "[fs.rootfs]\ntree = \"tree\"\n");
    world.edit("spec.toml", "[disk]\n", "[disk]\nboot-code = \"boot.cmd\"\n");
    let programs = "[bundle.image.own]\nraw = \"idbloader.img\"\n[bundle.hooks]\nsource = \"hook.sh\"\n\
        hooks = [\"install-check\"]\n[bundle.extra.notes]\nsource = \"pass\"\n\n[bundle.sign]\n";
    world.edit("spec.toml", "[bundle.sign]\n", programs);
    let direct = built("out");
    assert!(direct.len() >= 2);
    for (from, to) in [
        ("tree = \"tree\"", "tree = \"links/tree\""),
        ("from = \"closure-info\"", "from = \"links/closure-info\""),
        ("store-root = \"store\"", "store-root = \"links/store\""),
        ("source = \"boot.cmd\"", "source = \"links/boot.cmd\""),
        ("boot-code = \"boot.cmd\"", "boot-code = \"links/boot.cmd\""),
        ("source = \"hook.sh\"", "source = \"links/hook.sh\""),
        ("source = \"pass\"", "source = \"links/pass\""),
        (
            "[bundle.image.own]\nraw = \"idbloader.img\"",
            "[bundle.image.own]\nraw = \"links/idbloader.img\"",
        ),
        (
            "name = \"idbloader\"\nraw = \"idbloader.img\"",
            "name = \"idbloader\"\nraw = \"links/idbloader.img\"",
        ),
        ("key = \"keys/leaf.key\"", "key = \"links/leaf.key\""),
        (
            "certificate = \"keys/leaf.pem\"",
            "certificate = \"links/leaf.pem\"",
        ),
        ("keyring = \"keys/root.pem\"", "keyring = \"links/root.pem\""),
    ] {
        world.edit("spec.toml", from, to);
    }
    fs::create_dir(world.path("elsewhere")).unwrap();
    symlink("../elsewhere", world.path("links/elsewhere")).unwrap();
    assert!(built("links/elsewhere") == direct);
    assert!(
        fs::symlink_metadata(world.path("links/elsewhere"))
            .unwrap()
            .is_symlink()
    );
    assert!(world.path("elsewhere/demo-25.11.img").is_file());
    // A file that is an output: what the link leads to is written, and the link stays. Also when nothing is there yet.
    for there in [true, false] {
        let _ = fs::remove_file(world.path("real.sqfs"));
        let _ = fs::remove_file(world.path("links/out.sqfs"));
        if there {
            world.write("real.sqfs", b"old");
        }
        symlink("../real.sqfs", world.path("links/out.sqfs")).unwrap();
        world.done(&[
            "squashfs",
            "--tree",
            "tree",
            "--level",
            "1",
            "--out",
            "links/out.sqfs",
        ]);
        assert!(
            fs::symlink_metadata(world.path("links/out.sqfs"))
                .unwrap()
                .is_symlink()
        );
        assert_eq!(fs::read(world.path("real.sqfs")).unwrap()[..4], *b"hsqs");
    }
}

#[test]
fn no_output_is_its_own_input() {
    let world = World::new();
    world.write("tree/a", b"a");
    fs::create_dir(world.path("tree/sub")).unwrap();
    symlink("../tree/sub", world.path("store/link")).unwrap();
    // Nothing is there yet.
    symlink("tree/new.sqfs", world.path("dangling")).unwrap();
    for args in [
        &["squashfs", "--tree", "tree", "--out", "dangling"][..],
        &[
            "squashfs",
            "--tree",
            "tree",
            "--out",
            "o",
            "--segments",
            "dangling",
        ],
        &["squashfs", "--tree", "tree", "--out", "tree/o.sqfs"],
        &["squashfs", "--tree", "tree/", "--out", "tree/sub/o.sqfs"],
        &["squashfs", "--tree", "tree", "--out", "store/link/o.sqfs"],
        &["squashfs", "--tree", ".", "--out", "o.sqfs"],
        &[
            "squashfs",
            "--tree",
            "tree",
            "--out",
            "o",
            "--cache",
            "tree/cache",
        ],
        &[
            "squashfs",
            "--tree",
            "tree",
            "--out",
            "o",
            "--cache-to",
            "file://tree/cache",
        ],
        &[
            "squashfs",
            "--tree",
            "tree",
            "--out",
            "o",
            "--segments",
            "tree/o.json",
        ],
        &[
            "squashfs",
            "--tree",
            "tree",
            "--out",
            "o",
            "--download-dir",
            "tree/d",
        ],
        &["ext4", "--tree", ".", "--out", "o"],
        &["fat", "--tree", ".", "--out", "o"],
        &["fat", "--file", "/a=tree", "--out", "tree/o"],
    ] {
        let said = world.refused(2, args);
        assert!(
            said.contains("whose files go into what is made"),
            "{args:?}: {said}"
        );
    }
    world.edit("spec.toml", "[fs.rootfs]\n", "[fs.rootfs]\ntree = \".\"\n");
    let said = world.build_refused(2);
    insta::assert_snapshot!(said, @r"
    error: out: would be written into ., whose files go into what is made
    hint: write it elsewhere, or leave it out with `exclude`
    ");
    // What is left out may be written.
    world.edit(
        "spec.toml",
        "tree = \".\"\n",
        "tree = \".\"\nexclude = [\"/out\", \"/store\", \"/closure-info\"]\n",
    );
    world.done(&["build", "spec.toml", "--out", "out"]);
    let first = fs::read(world.path("out/demo-25.11.img")).unwrap();
    world.done(&["build", "spec.toml", "--out", "out"]);
    assert!(fs::read(world.path("out/demo-25.11.img")).unwrap() == first);
    world.done(&[
        "squashfs",
        "--tree",
        "tree",
        "--exclude",
        "/sub",
        "--out",
        "tree/sub/o.sqfs",
    ]);
}
