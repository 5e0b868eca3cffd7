//! The tools that everybody has read what we compress.

use transport::Method;

use crate::images::{METHODS, bytes, compressed, run, zoo};
use crate::oracle::installed;

#[test]
fn tools_test_and_decompress() {
    let image = bytes(&zoo());
    for method in METHODS {
        let tool = method.name();
        if !installed(tool) {
            continue;
        }
        let (_dir, path) = compressed(method);
        assert_eq!(run(tool, &["-t"], &path).status.code(), Some(0), "{tool}");
        let output = run(tool, &["-d", "-c"], &path);
        assert!(output.stdout == image, "{tool} makes other bytes");
        // The oracle can say no.
        let mut damaged = std::fs::read(&path).unwrap();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        assert_ne!(run(tool, &["-t"], &path).status.code(), Some(0), "{tool}");
    }
}

#[test]
fn xz_finds_one_stream_of_blocks_with_sizes() {
    if !installed("xz") {
        return;
    }
    let (_dir, path) = compressed(Method::Xz);
    let output = run("xz", &["--list", "--robot", "--verbose", "--verbose"], &path);
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |kind: &str| {
        text.lines()
            .find(|line| line.starts_with(kind))
            .unwrap()
            .to_string()
    };
    let totals: Vec<_> = line("totals").split('\t').map(str::to_string).collect();
    let size = ((34 << 20) + 123).to_string();
    assert_eq!((&*totals[1], &*totals[2], &*totals[4]), ("1", "35", &*size));
    // With both sizes in its header, a block can be given to a thread.
    let blocks: Vec<_> = text.lines().filter(|line| line.starts_with("block")).collect();
    assert_eq!(blocks.len(), 35);
    assert!(
        blocks.iter().all(|block| block.split('\t').nth(12) == Some("cu")),
        "{blocks:?}"
    );
    let threads = run("xz", &["-d", "-c", "-T4"], &path);
    assert!(threads.stdout == bytes(&zoo()));
}

#[test]
fn zstd_finds_frames_with_checksums() {
    if !installed("zstd") {
        return;
    }
    let (_dir, path) = compressed(Method::Zstd);
    let text = String::from_utf8(run("zstd", &["--list", "-v"], &path).stdout).unwrap();
    let said = |what: &str| text.lines().any(|line| line.starts_with(what));
    assert!(said("# Zstandard Frames: 9"), "{text}");
    assert!(said("# Skippable Frames: 1"), "{text}");
    assert!(said("Check: XXH64"), "{text}");
}

#[test]
fn gzip_members_have_no_time_and_no_name() {
    let (_dir, path) = compressed(Method::Gzip);
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(bytes[..8], [0x1F, 0x8B, 8, 0, 0, 0, 0, 0]);
}
