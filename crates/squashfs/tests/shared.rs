//! Segments out of shared caches: they save work, and whatever is wrong with them or with the way to them changes no
//! byte and costs no more than seconds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/segments.rs"]
mod segments;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cache::{Cache, Checksum, Key, Places, Shared, Uploads};
use image::Tree;
use remote::Options as Remote;
use segments::{bytes, cold, entries, plan, plan_with, tree};
use squashfs::{Compression, Options};
use support::options;

const ZSTD: Compression = Compression::Zstd { level: 5 };

/// As a build asks: not for long.
fn impatient() -> Remote {
    Remote {
        tries: 2,
        pause: Duration::from_millis(50),
        stall: Duration::from_millis(500),
        ..Remote::default()
    }
}

fn shared(address: &str) -> Shared {
    Shared::open(address, &impatient()).unwrap()
}

fn address(dir: &Path) -> String {
    format!("file://{}", dir.display())
}

/// A folder that has all segments, and what a build from nothing makes.
fn filled(tree: &Tree, options: &Options) -> (tempfile::TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    plan(tree, options, 2, &[&Cache::open(dir.path(), 1 << 30).unwrap()]);
    (dir, cold(tree, options))
}

/// A build with these shared caches, and a near one that may keep what comes from them.
fn fetched(
    tree: &Tree,
    options: &Options,
    threads: usize,
    shared: &[Shared],
    near: Option<&Cache>,
) -> Vec<u8> {
    let near: Vec<&dyn cache::Segments> = near.iter().map(|near| *near as _).collect();
    bytes(&plan_with(tree, options, threads, Places { near: &near, shared }))
}

#[test]
fn what_is_fetched_is_what_would_be_made() {
    let tree = tree();
    for compression in [Compression::Gzip { level: 6 }, Compression::Xz { level: 3 }, ZSTD] {
        let options = options(compression, 4096);
        let (dir, wanted) = filled(&tree, &options);
        for threads in [1, 8] {
            // The first one has nothing, and the one behind it is asked too.
            let nothing = tempfile::tempdir().unwrap();
            let places = [shared(&address(nothing.path())), shared(&address(dir.path()))];
            let near = tempfile::tempdir().unwrap();
            let cache = Cache::open(near.path(), 1 << 30).unwrap();
            assert!(fetched(&tree, &options, threads, &places, Some(&cache)) == wanted);
            assert!(places[1].fetched() > 0);
            assert_eq!(places[1].warnings(), Vec::<String>::new());
            // Whether fetched or made, it is kept near, and the same.
            let (here, there) = (entries(near.path()), entries(dir.path()));
            assert_eq!(here.len(), there.len());
            for (here, there) in here.iter().zip(&there) {
                assert!(fs::read(here).unwrap() == fs::read(there).unwrap());
            }
        }
    }
}

/// What is done to an entry of these bytes.
type Harm = fn(&Path, &[u8]);

/// An entry with other bytes at one place, and with a digest that vouches for them.
fn forge(path: &Path, place: usize) {
    let mut bytes = fs::read(path).unwrap();
    let end = bytes.len() - 88;
    let number =
        |at: usize| usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap();
    let (count, len) = (number(end + 8), number(end + 16));
    assert_eq!(len + 4 * count, end);
    let key: Key = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
    bytes[place % len.max(1)] ^= 0x04;
    let mut checksum = Checksum::new(&key);
    checksum.add(&bytes[..len]);
    let words = bytes[len..end].chunks_exact(4);
    let sizes: Vec<u32> = words
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect();
    let digest = checksum.finish(&sizes);
    let at = bytes.len() - 32;
    bytes[at..].copy_from_slice(&digest);
    fs::write(path, bytes).unwrap();
}

#[test]
fn nobody_who_writes_there_is_believed() {
    let (tree, options) = (tree(), options(ZSTD, 4096));
    let (dir, wanted) = filled(&tree, &options);
    let paths: Vec<PathBuf> = entries(dir.path());
    let sound: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    let harms: [(&str, Harm); 6] = [
        ("forged at its start", |path, _| forge(path, 0)),
        ("forged in the middle", |path, bytes| forge(path, bytes.len() / 2)),
        ("cut", |path, bytes| {
            fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
        }),
        ("empty", |path, _| fs::write(path, b"").unwrap()),
        ("much too long", |path, _| {
            fs::write(path, vec![7; 1 << 20]).unwrap();
        }),
        ("flipped", |path, bytes| {
            let mut bytes = bytes.to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path, bytes).unwrap();
        }),
    ];
    for (what, harm) in harms {
        for (path, bytes) in paths.iter().zip(&sound) {
            fs::write(path, bytes).unwrap();
            harm(path, bytes);
        }
        let places = [shared(&address(dir.path()))];
        let near = tempfile::tempdir().unwrap();
        let cache = Cache::open(near.path(), 1 << 30).unwrap();
        assert!(
            fetched(&tree, &options, 2, &places, Some(&cache)) == wanted,
            "{what}"
        );
        let warnings = places[0].warnings();
        assert!(!warnings.is_empty(), "{what}");
        let told = warnings
            .iter()
            .all(|warning| warning.contains("damaged, and made anew"));
        assert!(told, "{what}: {warnings:?}");
        for (here, bytes) in entries(near.path()).iter().zip(&sound) {
            assert!(
                &fs::read(here).unwrap() == bytes,
                "{what}: only what is right is kept"
            );
        }
    }
}

/// A server that does this with each connection.
fn server(act: fn(std::net::TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || act(stream));
        }
    });
    address
}

fn hear(stream: &mut std::net::TcpStream) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request);
}

#[test]
fn a_place_that_is_dead_silent_or_slow_costs_no_more_than_seconds() {
    let (tree, options) = (tree(), options(ZSTD, 4096));
    let wanted = cold(&tree, &options);
    let silent = server(|mut stream| {
        hear(&mut stream);
        std::thread::sleep(Duration::from_mins(1));
    });
    let slow = server(|mut stream| {
        hear(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    let broken = server(|mut stream| {
        hear(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    let forbidden = server(|mut stream| {
        hear(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    for (address, problem) in [
        ("http://127.0.0.1:1", "refused"),
        (silent.as_str(), "silent"),
        (slow.as_str(), ""),
        (broken.as_str(), "500"),
        (forbidden.as_str(), "403"),
        ("file:///nowhere/at/all", "No such file"),
    ] {
        let places = [shared(address)];
        let begun = Instant::now();
        assert!(fetched(&tree, &options, 2, &places, None) == wanted, "{address}");
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{address}: {:?}",
            begun.elapsed()
        );
        let warnings = places[0].warnings();
        if problem.is_empty() {
            continue;
        }
        assert_eq!(warnings.len(), 1, "{address}: {warnings:?}");
        let told = warnings[0].contains(problem) && warnings[0].contains("not asked any more");
        assert!(told, "{warnings:?}");
    }
}

#[test]
fn uploads_are_what_a_cache_has() {
    let (tree, options) = (tree(), options(ZSTD, 4096));
    let (dir, wanted) = filled(&tree, &options);
    let to = tempfile::tempdir().unwrap();
    let there = to.path().join("new");
    // What is made is sent, and what was found somewhere, but not what is there already.
    for (round, near) in [(1, None), (2, Some(dir.path()))] {
        if round == 2 {
            fs::remove_file(&entries(&there)[0]).unwrap();
        }
        let uploads = Uploads::open(&address(&there), &impatient()).unwrap();
        let cache = near.map(|near| Cache::open(near, 1 << 30).unwrap());
        let mut near: Vec<&dyn cache::Segments> = vec![&uploads];
        near.extend(cache.iter().map(|cache| cache as &dyn cache::Segments));
        assert!(bytes(&plan(&tree, &options, 2, &near)) == wanted);
        let sent = uploads.close(Duration::from_secs(30));
        assert_eq!((sent.unsent, sent.problem), (0, None));
        let all = entries(dir.path());
        assert_eq!(sent.segments, if round == 1 { all.len() as u64 } else { 1 });
        let here = entries(&there);
        assert_eq!(here.len(), all.len());
        for (one, other) in here.iter().zip(&all) {
            assert!(fs::read(one).unwrap() == fs::read(other).unwrap());
        }
    }
    // The same with all entries of a cache, as far as they are sound.
    let pushed_to = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path(), 1 << 30).unwrap();
    let all = entries(dir.path());
    fs::write(&all[1], b"damaged").unwrap();
    let push = || {
        cache
            .push(
                &address(pushed_to.path()),
                &impatient(),
                &squashfs::check_segment,
                &|_| true,
            )
            .unwrap()
    };
    let pushed = push();
    assert_eq!(
        (pushed.sent.entries, pushed.damaged.len()),
        (all.len() as u64 - 1, 1)
    );
    let again = push();
    assert_eq!(
        (again.sent.entries, again.present.entries),
        (0, all.len() as u64 - 1)
    );
}

#[test]
fn uploads_wait_for_nobody() {
    let (tree, options) = (tree(), options(ZSTD, 4096));
    let wanted = cold(&tree, &options);
    let silent = server(|mut stream| {
        hear(&mut stream);
        std::thread::sleep(Duration::from_mins(1));
    });
    let uploads = Uploads::open(&silent, &Remote::default()).unwrap();
    let begun = Instant::now();
    assert!(bytes(&plan(&tree, &options, 2, &[&uploads])) == wanted);
    let sent = uploads.close(Duration::from_millis(300));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(sent.unsent > 0 && sent.segments == 0, "{sent:?}");
    let refused = Uploads::open("http://127.0.0.1:1", &impatient()).unwrap();
    plan(&tree, &options, 2, &[&refused]);
    let sent = refused.close(Duration::from_secs(30));
    assert!(sent.problem.is_some_and(|problem| problem.contains("refused")));
}
