//! Images for a machine of another architecture: this one makes them, with nothing that the other would have to run.

use std::fs;

use serde_json::Value;

use crate::caches::{BUCKET, cache};
use crate::demo::is_made;
use crate::nix_world::{names, world};
use crate::tools::{installed, run, sha256, tool};

/// What a part of `tests/nix/builders.nix` says: a derivation's name, the system that it asks for, and that of its Kiln.
fn asked(answer: &Value) -> Vec<(&str, &str, &str)> {
    let entries = answer.as_object().unwrap().iter();
    entries
        .map(|(name, entry)| {
            let [kiln] = &entry["kiln"].as_array().unwrap()[..] else {
                panic!("{name}: {entry}")
            };
            (&**name, entry["image"].as_str().unwrap(), kiln.as_str().unwrap())
        })
        .collect()
}

#[test]
fn what_makes_an_image_asks_for_this_machine() {
    let Some(world) = world() else { return };
    let told = world
        .evaluated("{ inherit (t.builders) host target onThisMachine onTheTarget kilns rootTypes shell; }");
    let (host, target) = (told["host"].as_str().unwrap(), told["target"].as_str().unwrap());
    assert_eq!(host, format!("{}-linux", std::env::consts::ARCH));
    assert_ne!(host, target);
    let here = asked(&told["onThisMachine"]);
    assert!(here.len() > 20, "{here:?}");
    for (name, image, kiln) in here {
        assert_eq!((image, kiln), (host, host), "{name}");
    }
    assert_eq!(told["shell"], host);
    // Where nobody said so, the target makes its own.
    for (name, image, kiln) in asked(&told["onTheTarget"]) {
        assert_eq!((image, kiln), (target, target), "{name}");
    }
    for (name, is_right) in told["kilns"].as_object().unwrap() {
        assert_eq!(is_right, true, "{name}");
    }
    let root = |system: &str| match system {
        "aarch64-linux" => "root-arm64",
        _ => "root-x86-64",
    };
    let types = serde_json::json!({
        "functions": [root(target)],
        "argument": [root(target)],
        "host": [root(host)],
    });
    assert_eq!(told["rootTypes"], types);
}

/// The closure comes from a binary cache, and Kiln runs here.
#[test]
fn an_image_of_another_machine_is_built_inside_the_sandbox() {
    if !cfg!(target_arch = "x86_64") || !is_made() || !installed(&["e2fsck", "debugfs", "partx"]) {
        return;
    }
    let Some(world) = world() else { return };
    let cache = cache();
    let source = format!("file://{}", cache.path.join(BUCKET).display());
    let key = fs::read_to_string(cache.path.join("key")).unwrap();
    let from_cache = [
        "--option",
        "substituters",
        &source,
        "--option",
        "trusted-public-keys",
        key.trim(),
    ];
    let (paths, _) = world.built_with_log(&["builders.image"], &from_cache);
    let recipe = world.evaluated("t.builders.image.drvPath");
    let mut needs = world.nix("nix-store");
    let needs = run(needs.args(["--query", "--references", recipe.as_str().unwrap()]));
    // It is built for this machine, or was, for another test.
    assert!(needs.contains("-kiln-"), "{needs}");
    let [made] = &paths[..] else { panic!("{paths:?}") };
    assert_eq!(names(made), ["board.img", "nix-support"]);
    let image = made.join("board.img");

    let dir = tempfile::tempdir().unwrap();
    let alone = world.without_nix(
        "builders.image",
        "[t.builders.image.specification.closure.toplevel]",
        dir.path(),
    );
    assert_eq!(sha256(&image), sha256(&alone.join("board.img")));

    let start = run(tool("partx").args(["-g", "-o", "START", "--nr", "2"]).arg(&image));
    let start = start.trim().parse::<u64>().unwrap() * 512;
    let root = format!("{}?offset={start}", image.display());
    run(tool("e2fsck").arg("-fn").arg(&root));
    // Its programs are those of the other machine.
    let toplevel = crate::demo::toplevel();
    let init = dir.path().join("init");
    let busybox = crate::demo::host_path(&format!("{toplevel}/init"));
    let inside = busybox.to_str().unwrap();
    let inside = &inside[inside.find("/nix/store/").unwrap()..];
    run(tool("debugfs").args(["-R", &format!("dump {inside} {}", init.display()), &root]));
    let program = fs::read(&init).unwrap();
    assert_eq!(program, fs::read(&busybox).unwrap());
}
