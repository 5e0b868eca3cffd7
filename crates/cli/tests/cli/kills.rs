//! Builds that are killed at each system call that changes names: what is there is all of an earlier build or all of the
//! new one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use serde_json::Value;

use crate::oracle::installed;
use crate::world::World;

const BUILD: [&str; 4] = ["build", "spec.toml", "--out", "out"];
const MANIFEST: &str = "demo-25.11.manifest.json";

/// The calls that change what has which name, mode or owner, or wait until that is on the disk.
const CALLS: &str = "link,linkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,unlink,unlinkat,fsync,fdatasync,chmod,\
    fchmod,fchmodat,chown,lchown,fchown,fchownat,symlink,symlinkat,flock,ftruncate";

/// The kernel writes many lines for a call that is never made.
const CALLS_MAX: usize = 400;

type Set = BTreeMap<String, Vec<u8>>;

/// A world with an earlier build, and what a build now makes of it.
fn world(more: &[&str]) -> (World, Set, Set) {
    let world = World::new();
    fs::remove_file(world.path("out/demo-25.11.img")).unwrap();
    for folder in more {
        fs::create_dir(world.path(folder)).unwrap();
    }
    world.done(&BUILD);
    world.write("out/notes.txt", b"the user's own");
    let old = set(&world, "out");
    world.write("boot.cmd", b"echo the new one: @buildId@\n");
    copy(&world, "out", "new");
    world.done(&["build", "spec.toml", "--out", "new"]);
    let new = set(&world, "new");
    assert!(old != new);
    copy(&world, "out", "old");
    (world, old, new)
}

fn set(world: &World, folder: &str) -> Set {
    let folder = format!("/{folder}/");
    let files = world.files().into_iter();
    files
        .filter_map(|(path, bytes)| Some((path.strip_prefix(&folder)?.to_string(), bytes)))
        .collect()
}

fn copy(world: &World, from: &str, to: &str) {
    let copied = Command::new("cp")
        .arg("-a")
        .args([world.path(from), world.path(to)])
        .status()
        .unwrap();
    assert!(copied.success());
}

/// Builds, and is killed at the beginning of the call of this number. Whether it was.
fn is_killed(world: &World, number: usize) -> bool {
    let kiln = world.kiln(&BUILD);
    let mut traced = Command::new("strace");
    traced.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        &format!("trace={CALLS}"),
        "-e",
    ]);
    traced.arg(format!("inject={CALLS}:signal=KILL:when={number}"));
    traced
        .arg(kiln.get_program())
        .args(kiln.get_args())
        .current_dir(world.path("."));
    let output = traced.output().unwrap();
    match (output.status.code(), output.status.signal()) {
        (Some(0), _) => false,
        (Some(137), _) | (_, Some(9)) => true,
        _ => panic!("{output:?}"),
    }
}

/// Builds over the earlier build until it is not killed any more, with a look after each. Answers how many were.
fn each(world: &World, look: &dyn Fn(usize)) -> usize {
    for number in 1..CALLS_MAX {
        fs::remove_dir_all(world.path("out")).unwrap();
        copy(world, "old", "out");
        let killed = is_killed(world, number);
        look(number);
        if !killed {
            return number - 1;
        }
    }
    panic!("killed {CALLS_MAX} times");
}

#[test]
fn leave_all_of_one_build() {
    if !installed("strace") {
        return;
    }
    let (world, old, new) = world(&[]);
    let counts = std::cell::RefCell::new((0, 0, 0));
    let killed = each(&world, &|number| {
        let found = set(&world, "out");
        let mut counts = counts.borrow_mut();
        if found == old {
            counts.0 += 1;
        } else {
            assert!(found == new, "killed at call {number}: {:?}", found.keys());
            counts.1 += 1;
        }
        // What is left beside it, the next build takes away.
        if !set(&world, ".out.kiln-new").is_empty() {
            counts.2 += 1;
            world.done(&BUILD);
            assert!(set(&world, "out") == new, "after call {number}");
        }
        assert!(set(&world, "out").keys().all(|name| !name.starts_with('.')));
    });
    let (olds, news, leftovers) = counts.into_inner();
    assert_eq!(olds + news, killed + 1);
    assert!(
        olds >= 20 && news >= 5 && leftovers >= 5,
        "{olds} {news} {leftovers}"
    );
    assert!(!world.path(".out.kiln-new").exists());
}

/// Where the folder cannot be exchanged, a manifest is there only with all that it lists.
#[test]
fn leave_no_manifest_beside_other_files() {
    if !installed("strace") {
        return;
    }
    let (world, old, new) = world(&["out/folder"]);
    let mixed = std::cell::Cell::new(0);
    each(&world, &|number| {
        let found = set(&world, "out");
        if found == old || found == new {
            return;
        }
        assert!(!found.contains_key(MANIFEST), "killed at call {number}");
        mixed.set(mixed.get() + 1);
        if number % 4 == 0 {
            world.done(&BUILD);
            assert!(set(&world, "out") == new, "after call {number}");
        }
    });
    assert!(mixed.get() >= 5);
    let manifest: Value =
        serde_json::from_slice(&fs::read(world.path("out").join(MANIFEST)).unwrap()).unwrap();
    assert!(manifest["files"].as_array().unwrap().len() >= 4);
}
