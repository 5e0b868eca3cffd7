//! What the encoder makes does not depend on how, and failures leave nothing.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::Arc;

use image::{
    Cancelled, Content, Digests, Encode, Error, FsVerity, Image, Layout, Piece, Progress, Silent, Target,
    Through,
};
use insta::assert_snapshot;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use transport::{Encoder, Method, Options};

use crate::images::{METHODS, bytes, compress, hex, noise, options, zoo};

fn encode(pieces: &[Piece], options: Options, threads: usize) -> Vec<u8> {
    let (mut encoder, mut out) = (Encoder::new(options, threads).unwrap(), Vec::new());
    for piece in pieces {
        encoder.put(piece, &mut out).unwrap();
    }
    encoder.finish(&mut out).unwrap();
    out
}

fn one_piece(bytes: Vec<u8>) -> Vec<Piece> {
    vec![Piece::Bytes(Arc::new(bytes))]
}

#[test]
fn threads_change_no_byte() {
    for method in METHODS {
        let whole = one_piece(bytes(&zoo()));
        let one = encode(&whole, options(method), 1);
        for threads in [3, 8] {
            assert!(
                encode(&whole, options(method), threads) == one,
                "{method:?}, {threads} threads"
            );
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        compress(&path, &zoo(), options(method), None).keep().unwrap();
        assert!(
            std::fs::read(&path).unwrap() == one,
            "{method:?}: gathered bytes, zeros and holes"
        );
    }
}

/// Compressors are pinned, so that an image made again is the same file.
#[test]
fn digests_are_pinned() {
    let mut text = String::new();
    for method in METHODS {
        for level in [method.levels().start(), &method.default_level(), &9] {
            let encoded = encode(
                &one_piece(noise(1 << 20, 5)),
                Options::new(method, Some(*level)).unwrap(),
                2,
            );
            let digest = Sha256::digest(&encoded);
            let (name, len, digest) = (method.name(), encoded.len(), hex(&digest[..8]));
            let _ = writeln!(text, "{name} {level}: {len} bytes, {digest}");
        }
    }
    assert_snapshot!(text, @r"
    zstd 1: 663127 bytes, 897054b2a710245b
    zstd 3: 493519 bytes, 5d82a2277e0a0407
    zstd 9: 401879 bytes, 9b814819b5db8a7d
    xz 0: 533372 bytes, 686cdcee6f3fcb3c
    xz 6: 367572 bytes, 870324edfcbc2528
    xz 9: 367572 bytes, 667d7e6aec5bce77
    gzip 1: 666871 bytes, cf4f383f129668d7
    gzip 6: 645481 bytes, 68ad9ebf3776d382
    gzip 9: 641815 bytes, 2c99619d9bab4a19
    ");
}

#[test]
fn both_sides_are_counted_and_hashed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    for method in METHODS {
        let written = compress(&path, &zoo(), options(method), None);
        let (size, digests, inside) = (written.size, written.digests, written.image);
        let digests_of = |bytes: &[u8]| {
            let mut tree = FsVerity::default();
            tree.update(bytes, None);
            Digests {
                fsverity: tree.finish(),
                sha256: Some(Sha256::digest(bytes).into()),
            }
        };
        let image = bytes(&zoo());
        assert_eq!(inside, Some((image.len() as u64, digests_of(&image))));
        written.keep().unwrap();
        let file = std::fs::read(&path).unwrap();
        assert_eq!((size, digests), (file.len() as u64, digests_of(&file)));
    }
}

/// More bytes than could be compressed while a test runs.
#[test]
fn holes_cost_next_to_nothing() {
    for method in METHODS {
        let encoded = encode(&[Piece::Hole(1 << 36)], options(method), 1);
        let most = match method {
            Method::Zstd => 4 << 20,
            Method::Xz => 16 << 20,
            Method::Gzip => 80 << 20,
        };
        assert!(encoded.len() < most, "{method:?}: {} bytes", encoded.len());
    }
}

#[test]
fn an_empty_image_is_a_file_of_the_format() {
    for method in METHODS {
        let encoded = encode(&[], options(method), 1);
        assert!(!encoded.is_empty(), "{method:?}");
    }
}

#[test]
fn levels_are_checked() {
    let error = |method, level| Options::new(method, Some(level)).unwrap_err().to_string();
    assert_eq!(error(Method::Zstd, 23), "zstd has levels 1 to 22, not 23");
    assert_eq!(error(Method::Xz, 10), "xz has levels 0 to 9, not 10");
    assert_eq!(error(Method::Gzip, 0), "gzip has levels 1 to 12, not 0");
    let unchecked = Options {
        method: Method::Zstd,
        level: 0,
    };
    assert!(Encoder::new(unchecked, 1).is_err());
}

/// Stops after so many bytes.
struct StopAfter(std::sync::atomic::AtomicU64);

impl Progress for StopAfter {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, bytes: u64) -> Result<(), Cancelled> {
        let left = self.0.load(std::sync::atomic::Ordering::Relaxed);
        self.0.store(
            left.checked_sub(bytes).ok_or(Cancelled)?,
            std::sync::atomic::Ordering::Relaxed,
        );
        Ok(())
    }
}

fn fails(path: &Path, image: &Image, encoder: Encoder, progress: &dyn Progress) -> Error {
    let through = Through {
        encode: Some(Box::new(encoder)),
        ..Through::default()
    };
    let error = Target::claim(path)
        .unwrap()
        .write_through(image, through, progress)
        .unwrap_err();
    let left = image::scan(path.parent().unwrap(), image::Keep::default()).unwrap();
    assert_eq!(left.len(), 1, "nothing is left");
    error
}

#[test]
fn failures_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let encoder = |method| Encoder::new(options(method), 2).unwrap();
    for method in METHODS {
        for bytes in [0, 1 << 20, 10 << 20] {
            let stop = StopAfter(bytes.into());
            let error = fails(&path, &zoo(), encoder(method), &stop);
            assert!(matches!(error, Error::Cancelled), "{error}");
        }
        let source = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(source.path(), noise(5 << 20, 6)).unwrap();
        let mut layout = Layout::new();
        layout.put(0, "file", Content::host_file(source.path()).unwrap());
        let image = layout.finish(9 << 20).unwrap();
        source.as_file().set_len(3 << 20).unwrap();
        let error = fails(&path, &image, encoder(method), &Silent);
        assert!(matches!(error, Error::Changed { .. }), "{error}");
    }
}

/// A disk with room for some bytes.
struct Disk(usize);

impl io::Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_wherever_it_is_full() {
    for method in METHODS {
        let whole = one_piece(noise(3 << 20, 7));
        let len = encode(&whole, options(method), 2).len();
        for room in [0, len / 2, len - 1] {
            let (mut encoder, mut disk) = (Encoder::new(options(method), 2).unwrap(), Disk(room));
            let put = encoder.put(&whole[0], &mut disk);
            let done = put.and_then(|()| encoder.finish(&mut disk));
            assert_eq!(
                done.unwrap_err().kind(),
                io::ErrorKind::StorageFull,
                "{method:?}, {room}"
            );
        }
    }
}

fn piece() -> impl Strategy<Value = Piece> {
    let len = prop_oneof![1..10_000usize, 1..2_500_000usize];
    (len, 0..4u64, any::<u64>()).prop_map(|(len, kind, seed)| match kind {
        0 => Piece::Zeros(len as u64),
        1 => Piece::Hole(len as u64),
        2 => Piece::Bytes(Arc::new(vec![0; len])),
        _ => Piece::Bytes(Arc::new(noise(len, seed))),
    })
}

fn content(pieces: &[Piece]) -> Vec<u8> {
    let mut content = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => content.extend_from_slice(bytes),
            Piece::Zeros(len) | Piece::Hole(len) => {
                content.resize(content.len() + usize::try_from(*len).unwrap(), 0);
            }
        }
    }
    content
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    /// However bytes come, the same bytes become the same file.
    #[test]
    fn pieces_change_no_byte(pieces in prop::collection::vec(piece(), 1..6)) {
        for method in METHODS {
            let whole = one_piece(content(&pieces));
            prop_assert!(encode(&pieces, options(method), 2) == encode(&whole, options(method), 2));
        }
    }
}
