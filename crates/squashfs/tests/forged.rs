//! Blocks that others may have made: what Linux does not read is refused, wherever it comes from.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "support/compressors.rs"]
mod compressors;
#[path = "support/forgeries.rs"]
mod forgeries;
#[path = "support/mount.rs"]
mod mount;
#[expect(dead_code, reason = "each test file uses its own part")]
#[path = "support/segments.rs"]
mod segments;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;
#[path = "support/tiny.rs"]
mod tiny;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cache::{Cache, Checksum, Found, Key, Places, Shared, Shelf};
use compressors::{Zstd, zstd};
use forgeries::{Forgery, Verdict, forgeries};
use image::{Content, Kind, Node, Tree};
use segments::{bytes, cold, entries, plan, plan_with};
use squashfs::read::Archive;
use squashfs::{Compression, Options};
use support::options;
use tiny::Tiny;

/// An image with the block in it.
fn image(forgery: &Forgery) -> Vec<u8> {
    let tiny = Tiny {
        compressor: forgery.compressor,
        block_size: forgery.block_size,
        options: &forgery.options,
        block: &forgery.block,
        len: forgery.content.len(),
        start: forgery.start,
    };
    tiny.image("file")
}

/// What reading a file of an image comes to.
fn verdict(found: Result<Vec<u8>, String>, forgery: &Forgery) -> Verdict {
    match found {
        Ok(bytes) if bytes == forgery.content => Verdict::Read,
        // Linux gives other bytes where a match reaches behind what it has kept.
        Ok(_) | Err(_) => Verdict::Refused,
    }
}

fn read(image: Vec<u8>) -> Result<Vec<u8>, String> {
    let text = |error: squashfs::Error| error.to_string();
    let size = image.len() as u64;
    let archive = Archive::open(Arc::new(Content::from(image)), size).map_err(text)?;
    let tree = archive.tree().map_err(text)?;
    match &tree.node(tree.lookup(b"/file").unwrap()).kind {
        Kind::File(content) => content.to_vec().map_err(|error| error.to_string()),
        _ => panic!("no file"),
    }
}

/// Compares verdicts, and says of all that differ what was found.
fn compare(found: impl Fn(&Forgery) -> Result<Vec<u8>, String>, wanted: fn(&Forgery) -> Verdict) {
    let mut wrong = String::new();
    for forgery in forgeries() {
        let found = found(&forgery);
        let said = format!("{:?}", found.as_ref().map(Vec::len));
        let (wanted, found) = (wanted(&forgery), verdict(found, &forgery));
        if wanted != Verdict::Depends && found != wanted {
            writeln!(wrong, "{}: {wanted:?} is wanted: {said}", forgery.what).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn images_are_read_as_far_as_linux_reads_them() {
    compare(
        |forgery| read(image(forgery)),
        |forgery| {
            let is_read = forgery.kiln == Verdict::Read;
            assert!(!is_read || forgery.linux != Verdict::Refused, "{}", forgery.what);
            forgery.kiln
        },
    );
}

#[test]
fn segments_are_checked_as_strictly() {
    let check = |forgery: &Forgery| {
        let segment = Found {
            start: 0,
            len: forgery.block.len() as u64,
            sizes: vec![u32::try_from(forgery.block.len()).unwrap()],
            digest: [0; 32],
            source: Arc::new(Content::from(forgery.block.clone())),
        };
        squashfs::check_segment(&segment).map(|()| forgery.content.clone())
    };
    compare(check, |forgery| {
        if forgery.needs_block_size || !forgery.options.is_empty() {
            Verdict::Depends
        } else {
            forgery.in_segments
        }
    });
}

/// A zstd frame without a length, whose window is as large as its window's byte says.
fn with_window(frame: &[u8], byte: u8) -> Vec<u8> {
    assert_eq!(frame[4], 0);
    [&frame[..5], &[byte], &frame[6..]].concat()
}

fn decompresses(block: &[u8], content: &[u8]) -> bool {
    let tiny = Tiny {
        compressor: forgeries::ZSTD,
        block_size: 128 << 10,
        options: &[],
        block,
        len: content.len(),
        start: 0,
    };
    read(tiny.image("file")).is_ok_and(|bytes| bytes == content)
}

#[test]
fn honest_frames_with_small_windows_are_read() {
    // Random words, runs and noise, so that blocks have all kinds of literals, tables and distances.
    let words = forgeries::words(60_000);
    let mixed: Vec<u8> = [
        &words[..20_000],
        &[7; 9000],
        &forgeries::echo(8000),
        &words[..30_000],
    ]
    .concat();
    let binary = std::fs::read(std::env::current_exe().unwrap()).unwrap()[..100_000].to_vec();
    for content in [words, mixed, binary] {
        for level in [-5, 1, 2, 3, 6, 9, 13, 16, 19] {
            for window in [10, 11, 13, 15, 16] {
                let parameters = [Zstd::Level(level), Zstd::Window(window), Zstd::Streamed];
                let frame = zstd(&content, &parameters);
                assert!(decompresses(&frame, &content), "level {level}, window {window}");
            }
        }
    }
}

#[test]
fn the_farthest_match_is_what_the_window_has_to_have() {
    for distance in [1100, 2049, 3000, 5121, 20_000, 30_000, 40_000] {
        let content = forgeries::echo(distance);
        let frame = zstd(&content, &[Zstd::Streamed, Zstd::Window(17), Zstd::Blocks(1024)]);
        let window = |byte: u8| {
            let base = 1_usize << (10 + (byte >> 3));
            base + base / 8 * usize::from(byte & 7)
        };
        let large_enough = (0..=56).find(|byte| window(*byte) >= distance).unwrap();
        let with_window = |byte| decompresses(&with_window(&frame, byte), &content);
        assert!(with_window(large_enough), "{distance}");
        assert!(!with_window(large_enough - 1), "{distance}");
    }
}

/// A tree with a file of these bytes, and how it is packed.
fn packing(forgery: &Forgery) -> (Tree, Options) {
    let mut tree = Tree::default();
    tree.add_at(b"/file", Node::file(forgery.content.clone()))
        .unwrap();
    let compression = match forgery.compressor {
        forgeries::GZIP => Compression::Gzip { level: 9 },
        forgeries::XZ => Compression::Xz { level: 6 },
        _ => Compression::Zstd { level: 3 },
    };
    (tree, options(compression, forgery.block_size))
}

/// A folder of segments with the forged block in place of the honest one.
fn forged_segments(forgery: &Forgery, dir: &Path) -> PathBuf {
    let (tree, options) = packing(forgery);
    plan(&tree, &options, 1, &[&Cache::open(dir, 1 << 30).unwrap()]);
    let [path] = &entries(dir)[..] else {
        panic!("{}: not one segment", forgery.what)
    };
    let key: Key = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let (len, word) = (
        forgery.block.len() as u64,
        u32::try_from(forgery.block.len()).unwrap(),
    );
    let mut checksum = Checksum::new(&key);
    checksum.add(&forgery.block);
    let digest = checksum.finish(&[word]);
    let parts: [&[u8]; 7] = [
        &forgery.block,
        &word.to_le_bytes(),
        b"kilnseg1",
        &1_u64.to_le_bytes(),
        &len.to_le_bytes(),
        &key.0,
        &digest,
    ];
    std::fs::write(path, parts.concat()).unwrap();
    path.clone()
}

/// Builds with a folder of segments that has a forged one, and checks that it is used only when it may be.
fn build(forgery: &Forgery, is_used: bool, places: Places, warnings: &dyn Fn() -> Vec<String>) {
    let (tree, options) = packing(forgery);
    let built = bytes(&plan_with(&tree, &options, 1, places));
    let warnings = warnings();
    let what = forgery.what;
    let told = warnings.iter().any(|warning| warning.contains("made anew"));
    assert_eq!(told, !is_used, "{what}: {warnings:?}");
    assert!(is_used || built == cold(&tree, &options), "{what}: other bytes");
    assert_eq!(read(built).unwrap(), forgery.content, "{what}");
}

#[test]
fn nothing_forged_comes_out_of_segments_of_others() {
    for forgery in forgeries().iter().filter(|forgery| forgery.options.is_empty()) {
        let is_used = forgery.in_segments == Verdict::Read;
        let dir = tempfile::tempdir().unwrap();
        let path = forged_segments(forgery, dir.path());
        let address = format!("file://{}", dir.path().display());
        let shared = [Shared::open(&address, &remote::Options::default()).unwrap()];
        let near = tempfile::tempdir().unwrap();
        let cache = Cache::open(near.path(), 1 << 30).unwrap();
        let places = Places {
            near: &[&cache],
            shared: &shared,
        };
        build(forgery, is_used, places, &|| shared[0].warnings());
        // What is kept here is what can be used.
        let verified = cache.verify(&squashfs::check_segment, &mut |_| true).unwrap();
        assert_eq!(
            (verified.sound.entries, verified.damaged),
            (1, Vec::new()),
            "{}",
            forgery.what
        );
        let kept = std::fs::read(&entries(near.path())[0]).unwrap();
        assert_eq!(kept == std::fs::read(path).unwrap(), is_used, "{}", forgery.what);

        let shelf = Shelf::open(dir.path()).unwrap();
        let places = Places {
            near: &[&shelf],
            shared: &[],
        };
        build(forgery, is_used, places, &|| shelf.warnings());
    }
}

#[test]
fn what_was_let_in_once_is_found_and_goes_no_further() {
    for forgery in forgeries().iter().filter(|forgery| forgery.options.is_empty()) {
        let is_sound = forgery.in_segments == Verdict::Read;
        let dir = tempfile::tempdir().unwrap();
        forged_segments(forgery, dir.path());
        let cache = Cache::open(dir.path(), 1 << 30).unwrap();
        // Builds believe what is in their own cache, as far as it does not speak against itself.
        if is_sound || !forgery.inside {
            let places = Places {
                near: &[&cache],
                shared: &[],
            };
            build(forgery, is_sound, places, &|| cache.warnings());
            forged_segments(forgery, dir.path());
        }
        if forgery.needs_block_size {
            continue;
        }
        let to = tempfile::tempdir().unwrap();
        let address = format!("file://{}", to.path().display());
        let look = &squashfs::check_segment;
        let pushed = cache
            .push(&address, &remote::Options::default(), look, &|_| true)
            .unwrap();
        assert_eq!(pushed.damaged.is_empty(), is_sound, "{}", forgery.what);
        assert_eq!(pushed.sent.entries, u64::from(is_sound), "{}", forgery.what);
        let verified = cache.verify(look, &mut |_| true).unwrap();
        assert_eq!(verified.damaged.is_empty(), is_sound, "{}", forgery.what);
        assert_eq!(
            entries(dir.path()).len(),
            usize::from(is_sound),
            "{}",
            forgery.what
        );
    }
}

#[test]
fn linux_agrees() {
    if !mount::is_possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let read = |folder: &Path| std::fs::read(folder.join("file"));
    compare(
        |forgery| mount::with(&image(forgery), dir.path(), read),
        |forgery| forgery.linux,
    );
}
