//! How many bytes builds write, as the kernel is asked to: nothing is written twice.

use std::fs;
use std::process::Command;

use crate::oracle::installed;
use crate::world::{LIB, World, noise};

/// A build with these words, under strace: the bytes that its calls have written, in percent of its output's.
fn written(world: &World, args: &[&str], output: &str) -> u64 {
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
    let made = fs::metadata(world.path(output)).unwrap().len();
    counts.sum::<u64>() * 100 / made
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
    let cold = written(&world, &[&squashfs[..], &["--no-cache"]].concat(), "out/a");
    assert!((100..110).contains(&cold), "{cold} %");
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
    let alone = written(&world, &only, image);
    assert!((100..110).contains(&alone), "{alone} %");
    let both = written(&world, &build, image);
    assert!((200..240).contains(&both), "{both} %");
    assert!(fs::read(world.path(image)).unwrap() == first);
}
