//! How many bytes builds write, as the kernel is asked to: nothing is written twice.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use crate::bundles;
use crate::cache::{SQUASHFS, build, bytes, entries, large, store_path};
use crate::oracle::installed;
use crate::world::{LIB, World, noise};

/// A build with these words, under strace: the bytes that its calls have written, in percent of the bytes that its outputs
/// take on the disk.
fn written(world: &World, args: &[&str], outputs: &[&str]) -> u64 {
    let trace = world.path("trace");
    let kiln = world.kiln(args);
    let mut traced = Command::new("strace");
    traced
        .args([
            "--follow-forks",
            "--quiet=all",
            "--signal=none",
            "--string-limit=0",
            "--trace=pwrite64,copy_file_range,write",
            "--output",
        ])
        .arg(&trace)
        .arg(kiln.get_program())
        .args(kiln.get_args())
        .current_dir(world.path(""));
    let done = traced.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // Such as `123 pwrite64(5, ""..., 4096, 0) = 4096`.
    let trace = fs::read_to_string(trace).unwrap();
    let counts = trace
        .lines()
        .filter_map(|line| line.rsplit_once(" = ")?.1.parse::<u64>().ok());
    let made = |output: &&str| {
        let meta = fs::metadata(world.path(output)).unwrap();
        meta.len().min(meta.blocks() * 512)
    };
    counts.sum::<u64>() * 100 / outputs.iter().map(made).sum::<u64>()
}

#[test]
fn a_squashfs_is_written_once() {
    if !installed("strace") {
        return;
    }
    let world = World::new();
    for number in 0..40 {
        let path = format!("tree/{number}");
        world.write(&path, &[noise(90_000), vec![number; 90_000]].concat());
    }
    let squashfs = [
        "squashfs",
        "--tree",
        "tree",
        "--block-size",
        "64KiB",
        "--level",
        "1",
        "--out",
        "out/a",
    ];
    let cold = written(&world, &[&squashfs[..], &["--no-cache"]].concat(), &["out/a"]);
    assert!((90..110).contains(&cold), "{cold} %");
}

/// The same out of a cache, beside a disk that has the squashfs too.
#[test]
fn what_comes_out_of_a_cache_is_written_once_for_each_output() {
    if !installed("strace") {
        return;
    }
    let world = World::new();
    world.write_store(LIB, "large", &noise(900_000));
    world.register(&world.hashed());
    let build = ["build", "spec.toml", "--cache", "cache", "--out", "out"];
    world.done(&build);
    let first = fs::read(world.path("out/rootfs.squashfs")).unwrap();
    let image = "out/rootfs.squashfs";
    let only = [
        "build",
        "spec.toml",
        "--cache",
        "cache",
        "--only",
        "fs.rootfs",
        "--out",
        "out",
    ];
    let alone = written(&world, &only, &[image]);
    assert!((90..110).contains(&alone), "{alone} %");
    let both = written(&world, &build, &[image, "out/demo-25.11.img"]);
    assert!((90..110).contains(&both), "{both} %");
    assert!(fs::read(world.path(image)).unwrap() == first);
}

/// A btrfs, whose files are equal in part, and which is so large that a superblock lies among its files; what a cache gets is
/// written once, too, and images are the same with a cache and without.
#[test]
fn a_compressed_btrfs_is_written_once() {
    if !installed("strace") {
        return;
    }
    let world = World::new();
    let mut list = String::new();
    for number in 0..9_u8 {
        let path = store_path(number.into());
        list.extend([path.as_str(), "\n"]);
        let some = [&[number][..], &noise(90_000), &vec![number; 30_000]].concat();
        world.write_store(&path, "share/most", &some.repeat(80));
        let equal = [noise(90_000), vec![0x55; 30_000]].concat();
        world.write_store(&path, "share/equal", &equal.repeat(2 + usize::from(number) % 3));
        world.write_store(&path, "share/plain", &noise(300_000 + usize::from(number)));
    }
    world.write("list", list.as_bytes());
    let btrfs = |out: &str, more: &[&str]| {
        let closure = ["--closure", "list", "--store-root", "store", "--registration", ""];
        let zstd = ["--compression", "zstd", "--level", "1", "--out", out];
        [&["btrfs"], &closure[..], &zstd, more]
            .concat()
            .into_iter()
            .map(str::to_string)
            .collect::<Vec<_>>()
    };
    // With a cache that is filled, everything has to be there twice.
    for (out, more, times) in [
        ("cold", &["--no-cache"][..], 1),
        ("first", &["--cache", "cache"], 2),
        ("warm", &["--no-cache", "--reuse", "cache"], 1),
    ] {
        let args = btrfs(out, more);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let share = written(&world, &args, &[out]);
        assert!((90 * times..110 * times).contains(&share), "{more:?}: {share} %");
        assert!(bytes(&world, out) == bytes(&world, "cold"), "{out}");
    }
    assert!(fs::metadata(world.path("cold")).unwrap().len() > 70 << 20);
}

/// Of some segments, the first, the last or others are near or far away; the others are made.
#[test]
fn a_mixture_is_written_once() {
    if !installed("strace") {
        return;
    }
    let world = large(16);
    build(&world, "cold", &["--cache", "whole"]);
    let whole = entries(&world.path("whole"));
    let address = |folder: &str| format!("file://{}", world.path(folder).display());
    let (all, some) = (address("whole"), address("some"));
    let missing: [fn(usize) -> bool; 4] = [|_| false, |at| at % 3 == 0, |at| at % 3 == 1, |at| at % 4 != 2];
    for (number, missing) in missing.into_iter().enumerate() {
        let _ = fs::remove_dir_all(world.path("some"));
        for (at, path) in whole.iter().enumerate().filter(|(at, _)| !missing(*at)) {
            let name = path.strip_prefix(world.path("whole")).unwrap();
            let to = world.path("some").join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(path, to).unwrap_or_else(|error| panic!("{at}: {error}"));
        }
        for from in [
            &["--reuse", "some"][..],
            &["--cache-from", &some],
            &["--reuse", "some", "--cache-from", &all],
        ] {
            let args = [&SQUASHFS[..], &["mixed", "--no-cache"], from].concat();
            let share = written(&world, &args, &["mixed"]);
            assert!((90..110).contains(&share), "{number}, {from:?}: {share} %");
            assert!(bytes(&world, "mixed") == bytes(&world, "cold"), "{from:?}");
        }
    }
}

/// Every output of a whole build is written once: what it has of others, too.
#[test]
fn a_squashfs_a_disk_and_a_bundle_are_written_once_each() {
    if !installed("strace") {
        return;
    }
    let Some(world) = bundles::world() else {
        return;
    };
    world.write_store(LIB, "large", &noise(900_000));
    world.register(&world.hashed());
    let outputs = [
        "out/rootfs.squashfs",
        "out/boot.vfat",
        "out/demo-25.11.img",
        "out/demo-25.11.raucb",
    ];
    let build = ["build", "spec.toml", "--no-cache", "--out", "out"];
    let cold = written(&world, &build, &outputs);
    assert!((90..110).contains(&cold), "{cold} %");
    world.done(&["build", "spec.toml", "--cache", "cache", "--out", "out"]);
    let build = [
        "build",
        "spec.toml",
        "--no-cache",
        "--reuse",
        "cache",
        "--out",
        "out",
    ];
    let warm = written(&world, &build, &outputs);
    assert!((90..110).contains(&warm), "{warm} %");
}
