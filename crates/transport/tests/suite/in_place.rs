//! Compressed images, read where they lie: what is read is what was compressed, whoever has compressed it.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use image::{Content, ReadAt};
use proptest::prelude::*;
use transport::{Coding, Method, decode, in_place};

use crate::images::{bytes, compressed, noise, zoo};
use crate::oracle::installed;

/// Bytes that count how many of them are read.
#[derive(Debug)]
struct Counted {
    bytes: Content,
    read: Arc<AtomicU64>,
}

impl ReadAt for Counted {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> std::io::Result<()> {
        self.read.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.bytes.read_exact_at(buffer, start)
    }
}

fn counted(file: Vec<u8>) -> (Content, Arc<AtomicU64>) {
    let (len, read) = (file.len() as u64, Arc::default());
    let source = Arc::new(Counted {
        bytes: file.into(),
        read: Arc::clone(&read),
    });
    let content = Content::Span {
        source,
        start: 0,
        len,
    };
    (content, read)
}

fn piped(program: &str, arguments: &str, bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let feeder = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// Compares all of it, and pieces that lie across chunks.
fn assert_reads(file: &[u8], coding: Coding, plain: &[u8], what: &str) {
    let Some(content) = in_place(&Content::from(file), coding).unwrap() else {
        panic!("{what} is not read in place");
    };
    assert_eq!(content.len(), plain.len() as u64, "{what}");
    for start in (0..plain.len()).rev().step_by(plain.len() / 7 + 1) {
        let end = plain.len().min(start + 300_000);
        let mut buffer = vec![0; end - start];
        content.read_exact_at(&mut buffer, start as u64).unwrap();
        assert!(buffer == plain[start..end], "{what} from {start}");
    }
    assert!(content.to_vec().unwrap() == plain, "{what}");
    let mut one = [0];
    assert!(content.read_exact_at(&mut one, plain.len() as u64).is_err());
}

#[test]
fn what_is_compressed_here_is_read_in_place() {
    let plain = bytes(&zoo());
    for (method, coding) in [(Method::Zstd, Coding::Zstd), (Method::Xz, Coding::Xz)] {
        let (_dir, path) = compressed(method);
        let file = std::fs::read(path).unwrap();
        assert_reads(&file, coding, &plain, method.name());
        let size = file.len() as u64;
        let (content, read) = counted(file);
        let content = in_place(&content, coding).unwrap().unwrap();
        content.read_exact_at(&mut [0; 100], 5 << 20).unwrap();
        let first = read.load(Ordering::Relaxed);
        assert!(first < size, "{first} of {size} bytes for a hundred");
        content.read_exact_at(&mut [0; 4096], (5 << 20) + 100).unwrap();
        assert_eq!(read.load(Ordering::Relaxed), first, "a chunk is kept");
    }
    let (_dir, path) = compressed(Method::Gzip);
    let file = std::fs::read(path).unwrap();
    assert!(in_place(&file.into(), Coding::Gzip).unwrap().is_none());
}

#[test]
fn what_the_tools_compress_is_read_in_place() {
    let plain = [noise(700_000, 3), vec![0; 3 << 20], noise(123_457, 4)].concat();
    let (first, second) = plain.split_at(1_000_001);
    if installed("xz") {
        let xz = |arguments: &str, bytes: &[u8]| piped("xz", arguments, bytes);
        for arguments in [
            "-c",
            "-T2 -c",
            "-1 -T1 --block-size=100000 -c",
            "--check=sha256 --block-size=262144 -c",
            "--check=none -T2 --block-size=65536 -c",
            "--x86 --lzma2=preset=3 --block-size=300000 -c",
        ] {
            assert_reads(&xz(arguments, &plain), Coding::Xz, &plain, arguments);
        }
        let (a, b) = (xz("-c", first), xz("--check=crc32 --block-size=99999 -c", second));
        let several = [&a[..], &[0; 8], &b, &[0; 4]].concat();
        assert_reads(&several, Coding::Xz, &plain, "two streams");
        assert_reads(&xz("-c", b""), Coding::Xz, b"", "an empty stream");
    }
    if installed("zstd") {
        let zstd = |arguments: &str, bytes: &[u8]| piped("zstd", arguments, bytes);
        let stream_size = format!("-q -c --stream-size={}", first.len());
        let (a, b) = (zstd(&stream_size, first), zstd("-q -c", second));
        // Nobody knows how long a stream is that comes out of a pipe.
        assert!(in_place(&b.clone().into(), Coding::Zstd).unwrap().is_none());
        assert_reads(&a, Coding::Zstd, first, "a frame with its size");
        let skipped = [&0x184D_2A53_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), b"abc"].concat();
        let both = [first, first].concat();
        let several = [&a[..], &skipped, &a].concat();
        assert_reads(&several, Coding::Zstd, &both, "frames");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plain");
        std::fs::write(&path, &plain).unwrap();
        for level in ["-1", "-3", "-19"] {
            let name = path.to_str().unwrap();
            let file = piped("zstd", &format!("-q -c {level} --no-check {name}"), b"");
            assert_reads(&file, Coding::Zstd, &plain, level);
        }
    }
}

/// What has large chunks takes memory when it is read in place, so it is not.
#[test]
fn chunks_have_a_limit() {
    let plain = vec![0; (32 << 20) + 1];
    if installed("xz") {
        let file = piped("xz", "-0 -c", &plain);
        assert!(in_place(&file.into(), Coding::Xz).unwrap().is_none());
    }
    if installed("zstd") {
        let file = piped("zstd", &format!("-q -c --stream-size={}", plain.len()), &plain);
        assert!(in_place(&file.into(), Coding::Zstd).unwrap().is_none());
    }
}

/// A file has a stream or a frame, nothing before the first one, and none that is said to hold nothing, which nobody would
/// look at.
#[test]
fn what_is_no_file_is_not_read_in_place() {
    let magic = 0xFD2F_B528_u32.to_le_bytes();
    let damaged = [&magic[..], &[0x20, 0, 0xfd, 0, 0], &[7; 31]].concat();
    let stream = if installed("xz") {
        piped("xz", "-c", b"plain")
    } else {
        Vec::new()
    };
    let padded = [&[0; 4][..], &stream].concat();
    for (coding, file) in [
        (Coding::Zstd, &[][..]),
        (Coding::Zstd, &damaged),
        (Coding::Xz, &[]),
        (Coding::Xz, &[0; 4]),
        (Coding::Xz, &[0; 43]),
        (Coding::Xz, &padded),
    ] {
        assert!(
            in_place(&file.into(), coding).unwrap().is_none(),
            "{coding:?}: {file:?}"
        );
    }
}

/// A compressed file.
struct Sample {
    coding: Coding,
    file: Vec<u8>,
}

/// Files with indices.
fn samples() -> &'static [Sample] {
    static SAMPLES: std::sync::OnceLock<Vec<Sample>> = std::sync::OnceLock::new();
    SAMPLES.get_or_init(|| {
        let plain = [noise(5000, 1), vec![7; 90_000], noise(3000, 2)].concat();
        let frame = |part: &[u8]| {
            let mut bytes = Vec::with_capacity(zstd_safe::compress_bound(part.len()));
            zstd_safe::compress(&mut bytes, part, 3).unwrap();
            bytes
        };
        let (_dir, path) = compressed(Method::Zstd);
        let sample = |coding, file| Sample { coding, file };
        vec![
            sample(Coding::Zstd, plain.chunks(20_000).flat_map(frame).collect()),
            sample(Coding::Xz, piped("xz", "--block-size=20000 -c", &plain)),
            sample(Coding::Zstd, std::fs::read(path).unwrap()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    /// Whatever is changed: what is read is what reading the whole stream gives.
    #[test]
    fn changed_files_are_read_as_streams_are(
        which in 0usize..3,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), any::<u8>()), 1..3),
    ) {
        let Sample { coding, file } = &samples()[which];
        let mut file = file.clone();
        for (at, is_at_end, value) in changes {
            // The index is small, and worth more tries.
            let at = if is_at_end { file.len() - 1 - at.index(file.len().min(150)) } else { at.index(file.len()) };
            file[at] = value;
        }
        if let Some(found) = in_place(&Content::from(&file[..]), *coding).unwrap()
            && let Ok(found) = found.to_vec()
        {
            let mut whole = Vec::new();
            decode(*coding, &file[..]).unwrap().read_to_end(&mut whole).unwrap();
            prop_assert!(found == whole);
        }
    }
}
