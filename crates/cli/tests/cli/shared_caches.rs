//! Caches that machines share: pushing, taking, and what is said of addresses that are none.

use std::fs;
use std::path::Path;

use cache::{Checksum, Key};
use insta::assert_snapshot;

use crate::cache::{SQUASHFS, build, bytes, entries, large};
use crate::world::World;

#[test]
fn a_cache_is_pushed_and_another_machine_takes_from_it() {
    let world = large(6);
    build(&world, "cold", &["--cache", "cache"]);
    let to = format!("file://{}", world.path("team").display());
    let pushed = world.done(&["cache", "push", "--cache", "cache", "--to", &to]);
    let count = entries(&world.path("cache")).len();
    let (first, second) = pushed.split_once("; ").unwrap();
    assert!(
        first.starts_with(&format!("cache: pushed {count} segments, "))
            && second == "were there already: 0 segments, 0 B\n",
        "{pushed}"
    );
    let again = world.done(&["cache", "push", "--cache", "cache", "--to", &to, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!(json["present"]["segments"], count, "{again}");
    assert_eq!(json["sent"]["segments"], 0, "{again}");
    build(&world, "other", &["--cache", "new", "--cache-from", &to]);
    assert!(bytes(&world, "other") == bytes(&world, "cold"));
    assert_eq!(entries(&world.path("new")).len(), count);
    // What is built is sent; nothing else stands in that folder.
    let to = format!("file://{}", world.path("more").display());
    build(&world, "third", &["--no-cache", "--cache-to", &to]);
    assert!(bytes(&world, "third") == bytes(&world, "cold"));
    assert_eq!(entries(&world.path("more")).len(), count);
    assert_eq!(entries(&world.path("team")).len(), count);
}

/// Adds an empty frame behind the last block of a segment, and vouches for it. Every decompressor but the strictest one
/// reads the files as they are.
fn lengthen(path: &Path) {
    let bytes = fs::read(path).unwrap();
    let key: Key = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let (body, trailer) = bytes.split_at(bytes.len() - 88);
    let number = |at: usize| u64::from_le_bytes(trailer[at..at + 8].try_into().unwrap());
    let (blocks, words) = body.split_at(usize::try_from(number(16)).unwrap());
    // One that is skipped, of no bytes.
    let frame = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
    let blocks = [blocks, &frame].concat();
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    let mut words: Vec<u32> = words.chunks_exact(4).map(word).collect();
    *words.last_mut().unwrap() += 8;
    let mut checksum = Checksum::new(&key);
    checksum.add(&blocks);
    let forged = [
        blocks.clone(),
        words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        trailer[..16].to_vec(),
        (blocks.len() as u64).to_le_bytes().to_vec(),
        key.0.to_vec(),
        checksum.finish(&words).to_vec(),
    ];
    fs::write(path, forged.concat()).unwrap();
}

#[test]
fn segments_that_linux_does_not_read_go_nowhere() {
    let world = large(3);
    build(&world, "cold", &["--cache", "forged"]);
    let forged = entries(&world.path("forged"));
    let all = || forged.iter().for_each(|path| lengthen(path));
    all();
    let problem = ": a block that Linux does not read: 8 bytes follow the zstd frame";
    let from = format!("file://{}", world.path("forged").display());
    for words in [
        &["--cache", "taken", "--cache-from", &from][..],
        &["--no-cache", "--reuse", "forged"],
        &["--cache", "forged"],
    ] {
        let stderr = build(&world, "warm", words);
        assert_eq!(stderr.matches(problem).count(), forged.len(), "{stderr}");
        assert!(stderr.contains("made anew"), "{stderr}");
        assert!(bytes(&world, "warm") == bytes(&world, "cold"), "{words:?}");
    }
    world.done(&["cache", "verify", "--cache", "taken"]);
    // The last build has replaced them.
    world.done(&["cache", "verify", "--cache", "forged"]);
    all();
    let to = format!("file://{}", world.path("team").display());
    let said = world.run(&["cache", "push", "--cache", "forged", "--to", &to]);
    assert_eq!(
        said.stderr.matches("damaged, and not pushed").count(),
        forged.len()
    );
    let said = world.run(&["cache", "verify", "--cache", "forged"]);
    assert_eq!(said.code, Some(6));
    assert_eq!(said.stderr.matches(problem).count(), forged.len());
    assert_eq!(entries(&world.path("forged")).len(), 0);
}

/// Builds believe what they kept themselves, so what was kept when caches of others were read less strictly has names that
/// nobody asks for.
#[test]
fn what_was_kept_less_strictly_is_not_used() {
    let world = World::new();
    world.write("tree/file", &b"abc\n".repeat(1000));
    // The name of that one segment then.
    let key = "85e5dfff88a376be836e8347a77c95380bc48a066ff37b583d17bd360198b831";
    world.write(&format!("cache/segments/85/{key}"), b"whatever was let in");
    let args = [
        "squashfs", "--tree", "tree", "--level", "3", "--cache", "cache", "--out", "o",
    ];
    let said = world.run(&args);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(!said.stderr.contains("damaged"), "{}", said.stderr);
    assert_eq!(entries(&world.path("cache")).len(), 2);
    // It is found all the same.
    let said = world.run(&["cache", "verify", "--cache", "cache"]);
    assert_eq!(said.code, Some(6), "{}", said.stderr);
    assert_eq!(entries(&world.path("cache")).len(), 1);
}

#[test]
fn shared_caches_that_are_none() {
    let world = large(2);
    let refused =
        |code: i32, words: &[&str]| world.refused(code, &[&SQUASHFS[..], &["out-1"], words].concat());
    let must = "must start with file://, http://, https:// or s3://";
    assert_snapshot!(
        refused(2, &["--cache-from", "/srv/cache"]).replace(must, "[…]"),
        @"error: /srv/cache: not an address: it […]"
    );
    assert_snapshot!(
        refused(2, &["--cache-to", "ftp://host/cache"]).replace(must, "[…]"),
        @"error: ftp://host/cache: not an address: it […]"
    );
    fs::write(world.path("file"), b"").unwrap();
    build(&world, "out-1", &["--cache", "cache"]);
    let to = format!("file://{}", world.path("file").display());
    let stderr = world.refused(5, &["cache", "push", "--cache", "cache", "--to", &to]);
    assert!(
        stderr.contains("error: file/segments/") && stderr.contains(": Not a directory"),
        "{stderr}"
    );
    assert!(
        stderr.contains("hint: what was sent is there, and the next push sends what is left"),
        "{stderr}"
    );
    // A build goes on without them.
    build(&world, "cold", &["--no-cache"]);
    let stderr = build(
        &world,
        "warm",
        &[
            "--no-cache",
            "--cache-from",
            "http://127.0.0.1:1",
            "--cache-to",
            &to,
        ],
    );
    let warnings: Vec<&str> = stderr
        .lines()
        .filter(|line| line.starts_with("warning"))
        .collect();
    assert_eq!(warnings.len(), 2, "{stderr}");
    assert!(
        stderr.contains("this shared cache is not asked any more"),
        "{stderr}"
    );
    assert!(
        stderr.contains("nothing more is sent to this shared cache"),
        "{stderr}"
    );
    assert!(bytes(&world, "warm") == bytes(&world, "cold"));
}

#[test]
fn passwords_of_shared_caches_are_not_shown() {
    let world = large(2);
    // Hears, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("http://me:hush@127.0.0.1:{port}/cache");
    let stderr = build(&world, "out-1", &["--cache", "cache", "--cache-to", &url]);
    assert!(stderr.contains(&format!("127.0.0.1:{port}/cache")), "{stderr}");
    assert!(!stderr.contains("hush"), "{stderr}");
    let to = "http://me:hush@127.0.0.1:1/cache";
    let stderr = world.refused(5, &["cache", "push", "--cache", "cache", "--to", to]);
    assert!(!stderr.contains("hush"), "{stderr}");
    fs::remove_dir_all(world.path("cache")).unwrap();
    let report = world.done(&["cache", "push", "--cache", "cache", "--to", to, "--json"]);
    assert!(
        report.contains("127.0.0.1:1/cache") && !report.contains("hush"),
        "{report}"
    );
}
