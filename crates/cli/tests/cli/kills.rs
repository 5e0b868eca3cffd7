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
const CALLS: [&str; 21] = [
    "link",
    "linkat",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "rmdir",
    "unlink",
    "unlinkat",
    "fsync",
    "fdatasync",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "fchownat",
    "symlinkat",
    "flock",
    "ftruncate",
];

/// More of one kind than any build here makes.
const CALLS_MAX: usize = 100;

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

/// Builds, and is killed at the beginning of the call of this name and number. Whether it was.
fn is_killed(world: &World, call: &str, number: usize) -> bool {
    let kiln = world.kiln(&BUILD);
    let mut traced = Command::new("strace");
    traced.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        &format!("trace={call}"),
        "-e",
    ]);
    traced.arg(format!("inject={call}:signal=KILL:when={number}"));
    traced
        .arg(kiln.get_program())
        .args(kiln.get_args())
        .current_dir(world.path("."));
    let output = traced.output().unwrap();
    let killed = output.status.code() == Some(137) || output.status.signal() == Some(9);
    assert!(killed || output.status.success(), "{output:?}");
    killed
}

/// Builds over the earlier build, killed at each call, with a look after each. Answers how many were killed.
fn each(world: &World, look: &mut dyn FnMut(&str)) -> usize {
    let mut killed = 0;
    for call in CALLS {
        for number in 1..=CALLS_MAX {
            fs::remove_dir_all(world.path("out")).unwrap();
            copy(world, "old", "out");
            if !is_killed(world, call, number) {
                break;
            }
            assert!(number < CALLS_MAX, "{call}");
            killed += 1;
            look(&format!("killed at {call} {number}"));
        }
    }
    killed
}

#[test]
fn leave_all_of_one_build() {
    if !installed("strace") {
        return;
    }
    let (world, old, new) = world(&[]);
    let (mut olds, mut news, mut leftovers) = (0, 0, 0);
    let killed = each(&world, &mut |case| {
        let found = set(&world, "out");
        if found == old {
            olds += 1;
        } else {
            assert!(found == new, "{case}: {:?}", found.keys());
            news += 1;
        }
        // What is left beside it, the next build takes away.
        if world.path(".out.kiln-new").exists() {
            leftovers += 1;
            world.done(&BUILD);
            assert!(set(&world, "out") == new, "{case}");
            assert!(!world.path(".out.kiln-new").exists(), "{case}");
        }
    });
    assert_eq!(olds + news, killed);
    assert!(
        olds >= 20 && news >= 5 && leftovers >= 5,
        "{olds} {news} {leftovers}"
    );
}

/// Where the folder cannot be exchanged, a manifest is there only with all that it lists.
#[test]
fn leave_no_manifest_beside_other_files() {
    if !installed("strace") {
        return;
    }
    let (world, old, new) = world(&["out/folder"]);
    let mut mixed = 0;
    each(&world, &mut |case| {
        let found = set(&world, "out");
        if found == old || found == new {
            return;
        }
        assert!(!found.contains_key(MANIFEST), "{case}");
        mixed += 1;
        world.done(&BUILD);
        assert!(set(&world, "out") == new, "{case}");
    });
    assert!(mixed >= 5, "{mixed}");
    let manifest = fs::read(world.path("new").join(MANIFEST)).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert!(manifest["files"].as_array().unwrap().len() >= 4);
}
