//! The cache of compressed segments: many processes, killed processes, damaged entries, and earlier outputs.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use insta::assert_snapshot;

use crate::world::{LIB, World, noise};

/// How many builds are killed, unless the variable `KILN_KILLS` says it.
const KILLS: u64 = 20;

/// A world with a store of this many paths, none of which compresses at once.
pub(crate) fn large(count: usize) -> World {
    let world = World::new();
    let mut list = String::new();
    for number in 0..count {
        let path = store_path(number);
        list.extend([path.as_str(), "\n"]);
        fill(&world, &path, number);
    }
    world.write("list", list.as_bytes());
    world
}

pub(crate) fn store_path(number: usize) -> String {
    format!("/nix/store/{number:032}-path-{number}")
}

/// Gives a store path files that depend on a number: a large one, and small ones.
fn fill(world: &World, path: &str, seed: usize) {
    let words = noise(4096);
    let text = |len: usize, step: usize| -> Vec<u8> {
        let word = |at: usize| &words[(at * step * 31 + seed * 977) % 4000..][..5 + (at * seed) % 40];
        (0..).flat_map(|at| word(at).to_vec()).take(len).collect()
    };
    world.write_store(path, "bin/large", &text(150_000 + seed * 1000, 7));
    for file in 0..6 {
        world.write_store(
            path,
            &format!("share/{file}"),
            &text(3000 + 1000 * file, 3 + file),
        );
    }
}

pub(crate) const SQUASHFS: [&str; 10] = [
    "squashfs",
    "--closure",
    "list",
    "--store-root",
    "store",
    "--block-size",
    "64KiB",
    "--level",
    "12",
    "--out",
];

fn squashfs(world: &World, out: &str, more: &[&str]) -> Command {
    world.kiln(&[&SQUASHFS[..], &[out], more].concat())
}

pub(crate) fn build(world: &World, out: &str, more: &[&str]) -> String {
    let output = squashfs(world, out, more).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    stderr
}

pub(crate) fn bytes(world: &World, path: &str) -> Vec<u8> {
    fs::read(world.path(path)).unwrap()
}

/// All entries of a cache.
pub(crate) fn entries(cache: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let tree = image::scan(cache, image::Keep::default()).unwrap();
    for entry in tree.walk() {
        let path = String::from_utf8(entry.path).unwrap();
        if path.len() > "/segments/00/".len() {
            found.push(cache.join(&path[1..]));
        }
    }
    found
}

fn verified(world: &World) {
    let said = world.run(&["cache", "verify", "--cache", "cache"]);
    assert_eq!(
        (said.code, said.stderr.contains("damaged")),
        (Some(0), false),
        "{}",
        said.stderr
    );
}

#[test]
fn a_warm_build_compresses_what_has_changed() {
    let world = large(12);
    build(&world, "cold", &[]);
    let first = build(&world, "first", &["--cache", "cache"]);
    let second = build(&world, "second", &["--cache", "cache"]);
    assert!(
        first.contains("compressing:") && !second.contains("compressing:"),
        "{second}"
    );
    let cold = bytes(&world, "cold");
    assert!(bytes(&world, "first") == cold && bytes(&world, "second") == cold);
    // One path of twelve is another one; the cold build and the warm one agree on it.
    fill(&world, &store_path(3), 40);
    build(&world, "cold", &["--no-cache"]);
    let warm = build(&world, "warm", &["--cache", "cache"]);
    assert!(bytes(&world, "warm") == bytes(&world, "cold"));
    assert!(warm.contains("compressing: 217.7 KiB"), "{warm}");
    // The same paths compressed otherwise have nothing in common with them.
    let other = build(&world, "other", &["--cache", "cache", "--profile", "dev"]);
    assert!(other.contains("compressing:"));
    build(&world, "cold", &["--profile", "dev"]);
    assert!(bytes(&world, "other") == bytes(&world, "cold"));
    verified(&world);
}

#[test]
fn damaged_entries_are_found_told_and_made_anew() {
    let world = large(3);
    build(&world, "cold", &["--cache", "cache"]);
    let paths = entries(&world.path("cache"));
    for (number, path) in paths.iter().enumerate() {
        let mut bytes = fs::read(path).unwrap();
        let place = bytes.len() * (number + 1) / (paths.len() + 2);
        bytes[place] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let stderr = build(&world, "warm", &["--cache", "cache"]);
    assert_eq!(
        stderr.matches("warning: cache/segments/").count(),
        paths.len(),
        "{stderr}"
    );
    assert_eq!(
        stderr.matches(": damaged, and made anew: ").count(),
        paths.len(),
        "{stderr}"
    );
    assert!(bytes(&world, "warm") == bytes(&world, "cold"));
    verified(&world);
    // `verify` finds them too.
    fs::write(&paths[0], b"short").unwrap();
    fs::write(world.path("cache/segments/stranger"), b"").unwrap();
    let said = world.run(&["cache", "verify", "--cache", "cache"]);
    assert_eq!(said.code, Some(6), "{}", said.stderr);
    let key = paths[0].file_name().unwrap().to_str().unwrap();
    let text = said
        .stderr
        .replace(key, "[key]")
        .replace(&format!("segments/{}/", &key[..2]), "segments/[..]/");
    let text = text.split_once('\n').unwrap().1;
    assert_snapshot!(text, @r"
    warning: cache/segments/[..]/[key]: damaged, and removed: 5 bytes are too few
    warning: cache/segments/stranger: damaged, and removed: its name is no key
    error: cache: 2 segments were damaged
    hint: nothing is lost: what was damaged is removed, and made anew when it is needed; a disk or memory may be failing, or a shared cache had it
    ");
    verified(&world);
    build(&world, "warm", &["--cache", "cache"]);
    assert!(bytes(&world, "warm") == bytes(&world, "cold"));
}

#[test]
fn eight_builds_share_a_cache() {
    let world = large(10);
    build(&world, "cold", &[]);
    let cold = bytes(&world, "cold");
    for _ in ["cold", "warm"] {
        let builds: Vec<(String, Child)> = (0..8)
            .map(|number| {
                let out = format!("out-{number}");
                // Half of them have room for some of the segments only, and remove what others need.
                let size = if number % 2 == 0 { "20GiB" } else { "300KiB" };
                let child = squashfs(&world, &out, &["--cache", "cache", "--cache-size", size])
                    .spawn()
                    .unwrap();
                (out, child)
            })
            .collect();
        for (out, child) in builds {
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(
                output.status.success() && !stderr.contains("warning:"),
                "{stderr}"
            );
            assert!(bytes(&world, &out) == cold);
        }
        verified(&world);
    }
}

/// Kills builds at moments that a seed decides; what they leave is no wrong entry, and no wrong output.
#[test]
fn killed_builds_leave_nothing_wrong() {
    #[expect(clippy::disallowed_methods, reason = "a test's own switch, not the tool's")]
    let kills = std::env::var("KILN_KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok())
        .unwrap_or(KILLS);
    let world = large(10);
    // The machine may be busy now and not later: the faster of two builds says how long one takes.
    let timed = |()| {
        let begun = std::time::Instant::now();
        build(&world, "cold", &[]);
        begun.elapsed()
    };
    let whole = [(); 2].map(timed).into_iter().min().unwrap();
    let mut cold = bytes(&world, "cold");
    let (mut state, mut killed) = (7u64, 0);
    for round in 0..kills {
        // Most builds have everything before them, some find what others have left.
        if round % 3 != 0 {
            world.done(&["cache", "prune", "--cache", "cache", "--cache-size", "0B"]);
        }
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let moment = whole * u32::try_from(state >> 44).unwrap() / 1_000_000;
        let mut child = squashfs(&world, "out-killed", &["--cache", "cache"])
            .spawn()
            .unwrap();
        std::thread::sleep(moment);
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        killed += u64::from(!output.status.success());
        // An output has its name only when it is complete.
        if world.path("out-killed").exists() {
            assert!(bytes(&world, "out-killed") == cold, "round {round}");
            fs::remove_file(world.path("out-killed")).unwrap();
        }
        verified(&world);
        // Now and then something changes, and what is there is used.
        if round % 4 == 3 {
            fill(
                &world,
                &store_path(usize::try_from(round).unwrap() % 10),
                50 + usize::try_from(round).unwrap(),
            );
            build(&world, "cold", &[]);
            cold = bytes(&world, "cold");
            build(&world, "warm", &["--cache", "cache"]);
            assert!(bytes(&world, "warm") == cold, "round {round}");
        }
    }
    assert!(
        killed * 3 > kills,
        "only {killed} of {kills} builds were killed before they were done"
    );
    let pruned = world.done(&["cache", "prune", "--cache", "cache"]);
    assert_eq!(
        image::scan(&world.path("cache/growing"), image::Keep::default())
            .unwrap()
            .len(),
        1,
        "{pruned}"
    );
    verified(&world);
    let _ = writeln!(
        std::io::stderr(),
        "{killed} of {kills} builds were killed in the middle; {pruned}"
    );
}

#[test]
fn the_cache_tells_and_shrinks() {
    let world = large(8);
    assert_snapshot!(world.done(&["cache", "info", "--cache", "cache"]), @"cache: 0 segments, 0 B");
    build(&world, "out-1", &["--cache", "cache"]);
    let json: serde_json::Value =
        serde_json::from_str(&world.done(&["cache", "info", "--cache", "cache", "--json"])).unwrap();
    let (segments, bytes) = (
        json["segments"].as_u64().unwrap(),
        json["bytes"].as_u64().unwrap(),
    );
    let files = entries(&world.path("cache"));
    let sum: u64 = files.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!((segments, bytes), (files.len() as u64, sum));
    // The two that were used last stay.
    let old = std::time::UNIX_EPOCH + Duration::from_secs(1000);
    for (number, path) in files
        .iter()
        .enumerate()
        .filter(|(number, _)| *number != 1 && *number != 4)
    {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(old + Duration::from_secs(number as u64))
            .unwrap();
    }
    let room = [1, 4]
        .map(|number: usize| fs::metadata(&files[number]).unwrap().len())
        .iter()
        .sum::<u64>();
    fs::write(world.path("cache/growing/left"), b"by a killed build").unwrap();
    let size = format!("{room}B");
    let pruned = world.done(&[
        "cache",
        "prune",
        "--cache",
        "cache",
        "--cache-size",
        &size,
        "--json",
    ]);
    let json: serde_json::Value = serde_json::from_str(&pruned).unwrap();
    assert_eq!(json["left"]["segments"], 2, "{pruned}");
    assert_eq!(json["leftovers"]["segments"], 1, "{pruned}");
    assert_eq!(json["removed"]["bytes"], sum - room, "{pruned}");
    assert_eq!(
        entries(&world.path("cache")),
        [files[1].clone(), files[4].clone()]
    );
    // A build keeps the cache as small as it shall be, and counts what it uses as used.
    build(&world, "out-2", &["--cache", "cache", "--cache-size", &size]);
    let left: u64 = entries(&world.path("cache"))
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .sum();
    assert!(left <= room, "{left} of {room}");
    assert!(self::bytes(&world, "out-1") == self::bytes(&world, "out-2"));
    let all = world.done(&["cache", "prune", "--cache", "cache", "--cache-size", "0B"]);
    assert!(all.ends_with("; left 0 segments, 0 B\n"), "{all}");
}

#[test]
fn the_usual_folder_is_the_users_and_none_in_the_sandbox() {
    let world = large(2);
    let run = |variables: &[(&str, &str)], more: &[&str]| {
        let mut command = squashfs(&world, "out-1", more);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        stderr
    };
    let home = world.path("home").display().to_string();
    let caches = world.path("caches").display().to_string();
    run(&[], &[]);
    run(&[("HOME", &home), ("NIX_BUILD_TOP", "/build")], &[]);
    run(&[("HOME", "/homeless-shelter")], &[]);
    run(&[("HOME", &home)], &["--no-cache"]);
    run(&[("HOME", "relative")], &[]);
    assert!(!world.path("home").exists() && !world.path("relative").exists());
    run(&[("HOME", &home)], &[]);
    assert!(!entries(&world.path("home/.cache/kiln")).is_empty());
    run(&[("HOME", &home), ("XDG_CACHE_HOME", &caches)], &[]);
    assert!(!entries(&world.path("caches/kiln")).is_empty());
    // One that cannot be made is told, and no failure unless it was asked for.
    world.write("file", b"");
    let file = world.path("file").display().to_string();
    assert!(run(&[("HOME", &file)], &[]).contains("warning: no cache: "));
    let refused = world.refused(5, &[&SQUASHFS[..], &["out-2", "--cache", "file"]].concat());
    assert_snapshot!(refused, @"error: file/segments: Not a directory (os error 20)");
    let refused = world.refused(2, &["cache", "info"]);
    assert_snapshot!(refused, @r"
    error: there is no usual cache folder here: HOME is not set, or this is Nix's sandbox
    hint: say which one with --cache
    ");
}

/// What a plan packs was not compared with its registration, so it neither fills the cache nor uses it.
#[test]
fn an_exact_plan_leaves_the_cache_alone() {
    let world = World::new();
    let home = world.path("home").display().to_string();
    let output = world
        .kiln(&["plan", "spec.toml", "--exact"])
        .env("HOME", home)
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(!world.path("home").exists());
}

#[test]
fn segments_are_lifted_out_of_earlier_outputs() {
    let world = World::new();
    world.write_store(LIB, "lib/large", &noise(300_000));
    world.register(&world.hashed());
    world.edit(
        "spec.toml",
        "size = \"1MiB\"\ncontent = \"fs.rootfs\"",
        "size = \"2MiB\"\ncontent = \"fs.rootfs\"",
    );
    world.edit("spec.toml", "level = 3", "level = 3\nblock-size = \"64KiB\"");
    fs::remove_file(world.path("out/demo-25.11.img")).unwrap();
    fs::create_dir(world.path("next")).unwrap();
    world.done(&["build", "spec.toml", "--out", "out"]);
    let old = bytes(&world, "out/rootfs.squashfs");
    let next = |more: &[&str]| {
        let said = world.run(&[&["build", "spec.toml", "--out", "next"], more].concat());
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        said.stderr
    };
    for file in ["rootfs.squashfs", "demo-25.11.img", "demo-25.11.manifest.json"] {
        let stderr = next(&["--reuse", &format!("out/{file}")]);
        assert!(
            !stderr.contains("compressing:") && !stderr.contains("warning:"),
            "{file}: {stderr}"
        );
        assert!(bytes(&world, "next/rootfs.squashfs") == old);
    }
    // Another init: only its segment is made anew, and nothing differs from a cold build.
    world.write_store(crate::world::SYSTEM, "init", b"#!/bin/false\n");
    world.register(&world.hashed());
    next(&[]);
    let cold = bytes(&world, "next/demo-25.11.img");
    let stderr = next(&["--reuse", "out/demo-25.11.img"]);
    assert!(
        stderr.contains("compressing: ") && !stderr.contains("compressing: 31"),
        "{stderr}"
    );
    assert!(bytes(&world, "next/demo-25.11.img") == cold);
    // An image that is not what its manifest says.
    let mut bytes = fs::read(world.path("out/rootfs.squashfs")).unwrap();
    bytes[5000] ^= 1;
    fs::write(world.path("out/rootfs.squashfs"), &bytes).unwrap();
    let stderr = next(&["--reuse", "out/rootfs.squashfs"]);
    assert!(
        stderr.contains("warning: out/rootfs.squashfs: the segment at byte 4096 is made anew: "),
        "{stderr}"
    );
    assert!(self::bytes(&world, "next/demo-25.11.img") == cold);
    // Nothing says what is in it.
    fs::create_dir(world.path("bare")).unwrap();
    world.write("bare/rootfs.squashfs", &old);
    let refused = world.refused(
        3,
        &[
            "build",
            "spec.toml",
            "--out",
            "next",
            "--reuse",
            "bare/rootfs.squashfs",
        ],
    );
    assert_snapshot!(refused, @r"
    error: bare/rootfs.squashfs: nothing beside it says which segments are in it
    hint: beside it, there has to be the manifest of its build, NAME.manifest.json, or bare/rootfs.squashfs.segments.json, which `kiln squashfs`, `kiln btrfs` and `kiln erofs` write with --segments
    ");
}

#[test]
fn one_squashfs_is_reused_by_its_description() {
    let world = large(8);
    build(
        &world,
        "old.squashfs",
        &["--segments", "old.squashfs.segments.json"],
    );
    let stderr = build(&world, "out-1", &["--reuse", "old.squashfs"]);
    assert!(!stderr.contains("compressing:"), "{stderr}");
    assert!(bytes(&world, "out-1") == bytes(&world, "old.squashfs"));
    fill(&world, &store_path(5), 60);
    build(&world, "cold", &[]);
    // What is lifted is kept.
    build(&world, "out-2", &["--reuse", "old.squashfs", "--cache", "cache"]);
    assert!(bytes(&world, "out-2") == bytes(&world, "cold"));
    let stderr = build(&world, "out-3", &["--cache", "cache"]);
    assert!(!stderr.contains("compressing:"), "{stderr}");
    assert!(bytes(&world, "out-3") == bytes(&world, "cold"));
    // A description full of lies.
    let text = fs::read_to_string(world.path("old.squashfs.segments.json")).unwrap();
    let lie = text
        .replace("\"start\": 4096,", "\"start\": 18446744073709551615,")
        .replace("\"blocks\": \"", "\"blocks\": \"x ");
    world.write("old.squashfs.segments.json", lie.as_bytes());
    build(&world, "out-4", &["--reuse", "old.squashfs"]);
    assert!(bytes(&world, "out-4") == bytes(&world, "cold"));
}
