//! How many bytes builds read, as the kernel is asked to, and what plans do not open at all.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;

use crate::oracle::installed;
use crate::world::{LIB, LINUX, SYSTEM, World, noise};

/// What strace heard of a run with these words: its calls, one a line.
fn traced(world: &World, calls: &str, args: &[&str]) -> String {
    fs::create_dir(world.path("traces")).unwrap();
    let trace = world.path("traces/thread");
    let kiln = world.kiln(args);
    let mut traced = Command::new("strace");
    traced
        .args([
            "--follow-forks",
            "--output-separately",
            "--quiet=all",
            "--signal=none",
            "--string-limit=0",
        ])
        .arg(format!("--trace={calls}"))
        .arg("--decode-fds=path")
        .arg("--output")
        .arg(&trace)
        .arg(kiln.get_program())
        .args(kiln.get_args())
        .current_dir(world.path(""));
    let done = traced.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // A file for each thread: in one for all, calls are torn apart by those of others.
    let folder = image::scan(&world.path("traces"), image::Keep::default()).unwrap();
    let files = folder.walk().filter(|entry| entry.path.len() > 1);
    let text = |entry: image::Entry| {
        let name = String::from_utf8(entry.path).unwrap();
        fs::read(world.path(&format!("traces{name}"))).unwrap()
    };
    let traces: Vec<u8> = files.flat_map(text).collect();
    fs::remove_dir_all(world.path("traces")).unwrap();
    String::from_utf8_lossy(&traces).into_owned()
}

/// How many bytes of the store a run reads, in percent of what its store paths hold.
fn read(world: &World, args: &[&str]) -> u64 {
    let trace = traced(world, "read,pread64,copy_file_range,sendfile", args);
    // Such as `123 pread64(5</…/store/nix/store/…>, "…", 4096, 0) = 4096`.
    let of_store = trace.lines().filter(|line| line.contains("/store/nix/store/"));
    let counts = of_store.filter_map(|line| line.rsplit_once(" = ")?.1.parse::<u64>().ok());
    let tree = image::scan(&world.path("store/nix/store"), image::Keep::default()).unwrap();
    counts.sum::<u64>() * 100 / tree.content_len()
}

/// A store of some large files and many small ones, and specifications of an ext4 that compare all of it, or sizes.
fn world() -> World {
    let world = World::new();
    for number in 0..30 {
        world.write_store(LIB, &format!("small/{number}"), &noise(3000 + number));
    }
    world.write_store(LINUX, "Image", &noise(3_000_000));
    world.write_store(
        LIB,
        "large",
        &[noise(900_000), vec![0; 300_000], noise(900_000)].concat(),
    );
    world.register(&world.hashed());
    for check in ["full", "sizes"] {
        let spec = format!(
            "schema = 1\nname = \"x\"\nseed = \"s\"\n[closure]\nfrom = \"closure-info\"\nstore-root = \"store\"\n\
             check = \"{check}\"\n[fs.root]\nformat = \"ext4\"\nclosure = true\n"
        );
        world.write(&format!("{check}.toml"), spec.as_bytes());
    }
    world
}

#[test]
fn an_ext4_reads_what_it_hashes_and_what_it_copies() {
    if !installed("strace") {
        return;
    }
    let world = world();
    let full = read(&world, &["build", "full.toml", "--out", "made"]);
    assert!((190..205).contains(&full), "{full} %");
    let first = fs::read(world.path("made/root.ext4")).unwrap();
    // Where nothing is hashed, holes are found by a block in sixteen.
    let sizes = read(&world, &["build", "sizes.toml", "--out", "made"]);
    assert!((100..120).contains(&sizes), "{sizes} %");
    assert!(fs::read(world.path("made/root.ext4")).unwrap() == first);
}

#[test]
fn a_plan_opens_no_file_that_it_need_not_read() {
    if !installed("strace") {
        return;
    }
    let world = world();
    let opened = |args: &[&str]| {
        let trace = traced(&world, "openat", args);
        let files = trace.lines().filter(|line| {
            line.contains("/store/nix/store/") && !line.contains("O_DIRECTORY") && line.contains("O_RDONLY")
        });
        files.count()
    };
    assert_eq!(opened(&["plan", "full.toml"]), 0);
    assert!(opened(&["plan", "full.toml", "--exact"]) > 30);
}

/// What a plan that reads nothing says is a bound, and the exact one keeps it.
#[test]
fn plans_say_what_is_a_bound() {
    let world = world();
    let disk = "[disk]\n[[disk.region]]\nname = \"root\"\ntype = \"linux\"\ncontent = \"fs.root\"\n";
    let spec = fs::read_to_string(world.path("full.toml")).unwrap();
    let uuid = "format = \"ext4\"\nuuid = \"44444444-4444-4444-8888-888888888888\"";
    world.write(
        "disk.toml",
        (spec.replace("format = \"ext4\"", uuid) + disk).as_bytes(),
    );
    assert_snapshot!(world.done(&["plan", "disk.toml"]), @r"
    fs.root → root.ext4: ext4, at most 77.1 MiB; at least 64 MiB free (64 MiB promised), 54 inodes used, journal at most 4 MiB
    
    disk → x.img: at most 79 MiB, 512-byte sectors; no region is larger, or lies farther
      first sector      sectors        size     content       slack  region
                 0            1       512 B       512 B         0 B  protective MBR
                 1            1       512 B       512 B         0 B  GPT header
                 2           32      16 KiB      16 KiB         0 B  GPT entries
                34         2014    1007 KiB                          free
              2048       158088    77.1 MiB                          partition root, number 1, linux
            160136         1623   811.5 KiB                          free
            161759           32      16 KiB      16 KiB         0 B  backup GPT entries
            161791            1       512 B       512 B         0 B  backup GPT header
    ");
    assert_snapshot!(world.done(&["plan", "disk.toml", "--exact"]), @r"
    fs.root → root.ext4: ext4, 76.9 MiB; 65.6 MiB free (64 MiB promised), 54 of 6144 inodes used, journal 4 MiB
    
    disk → x.img: 78 MiB, 512-byte sectors
      first sector      sectors        size     content       slack  region
                 0            1       512 B       512 B         0 B  protective MBR
                 1            1       512 B       512 B         0 B  GPT header
                 2           32      16 KiB      16 KiB         0 B  GPT entries
                34         2014    1007 KiB                          free
              2048       157496    76.9 MiB    76.9 MiB         0 B  partition root, number 1, linux
            159544          167    83.5 KiB                          free
            159711           32      16 KiB      16 KiB         0 B  backup GPT entries
            159743            1       512 B       512 B         0 B  backup GPT header
    ");
    // With a size of its own, what is free is a bound.
    world.edit("disk.toml", "closure = true", "closure = true\nsize = \"100MiB\"");
    let plan = world.done(&["plan", "disk.toml"]);
    assert_snapshot!(plan.lines().next().unwrap(), @"fs.root → root.ext4: ext4, 100 MiB; at least 88.4 MiB free (0 B promised), 54 inodes used, journal 4 MiB");
    let plan = world.done(&["plan", "disk.toml", "--exact"]);
    assert_snapshot!(plan.lines().next().unwrap(), @"fs.root → root.ext4: ext4, 100 MiB; 88.7 MiB free (0 B promised), 54 of 6144 inodes used, journal 4 MiB");
    // A file that fits for its holes alone is read.
    let hollow = fs::File::create(world.store(SYSTEM).join("hollow")).unwrap();
    hollow.set_len(200 << 20).unwrap();
    world.register(&world.hashed());
    let plan = world.done(&["plan", "disk.toml"]);
    assert_snapshot!(plan.lines().next().unwrap(), @"fs.root → root.ext4: ext4, 100 MiB; 88.7 MiB free (0 B promised), 55 of 6144 inodes used, journal 4 MiB");
}
