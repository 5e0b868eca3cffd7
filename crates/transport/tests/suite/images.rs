//! Images for tests, and ways to write them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{Content, Image, Layout, Listen, ReadAt, Silent, Sums, Target, Through, Written};
use transport::{Encoder, Method, Options};

pub(crate) const METHODS: [Method; 3] = [Method::Zstd, Method::Xz, Method::Gzip];

/// Bytes that compress as programs do: things that were there before, and things that were not.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let (mut state, mut bytes) = (seed, Vec::with_capacity(len + 24));
    while bytes.len() < len {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let back = usize::try_from(state >> 40).unwrap() % (bytes.len() + 1);
        let long = usize::try_from(state >> 32 & 15).unwrap() + 4;
        if state >> 36 & 3 > 0 && back >= long {
            let start = bytes.len() - back;
            bytes.extend_from_within(start..start + long);
        } else {
            bytes.extend((state >> 24).to_le_bytes());
        }
    }
    bytes.truncate(len);
    bytes
}

/// Everything that an image can have: extents of all sizes that begin anywhere, zeros that matter, holes, an image
/// in the image, and an end that is no block's.
pub(crate) fn zoo() -> Image {
    let mut inner = Layout::new();
    inner.put(100, "table", Content::Zeros(5000));
    inner.put(10_000, "data", noise(70_000, 1));
    let mut layout = Layout::new();
    layout.put(0, "boot", noise(440, 2));
    layout.put(1000, "zeros", Content::Zeros(20));
    for number in 0..400 {
        layout.put((1 << 20) + number * 4500, "small file", noise(3000, number));
    }
    layout.put(4 << 20, "file", noise((1 << 20) + 5, 3));
    layout.put(6 << 20, "many zeros", Content::Zeros(9 << 20));
    layout.put((15 << 20) + 4095, "one byte", &b"x"[..]);
    layout.put((15 << 20) + 8192, "the next block", &b"y"[..]);
    layout.put((15 << 20) + 20_480, "sparse file", vec![0; 50_000]);
    layout.put(30 << 20, "partition", inner.finish(200_000).unwrap());
    layout.put((33 << 20) + 1, "last", noise(10, 4));
    layout.finish((34 << 20) + 123).unwrap()
}

pub(crate) fn bytes(image: &Image) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
    image.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// The level that makes the smallest chunks.
pub(crate) fn options(method: Method) -> Options {
    Options::new(method, Some(*method.levels().start())).unwrap()
}

pub(crate) fn hex(digest: &[u8]) -> String {
    let digits = |text: String, byte: &u8| text + &format!("{byte:02x}");
    digest.iter().fold(String::new(), digits)
}

/// Writes an image compressed.
pub(crate) fn compress(
    path: &Path,
    image: &Image,
    options: Options,
    listen: Option<&mut dyn Listen>,
) -> Written {
    let encoder = Encoder::new(options, 2).unwrap();
    let through = Through {
        encode: Some(Box::new(encoder)),
        listen,
        sha256: Sums::All,
        threads: 2,
    };
    Target::claim(path)
        .unwrap()
        .write_through(image, through, &Silent)
        .unwrap()
}

/// A folder with the zoo in it, compressed.
pub(crate) fn compressed(method: Method) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(format!("zoo.img{}", method.ending()));
    compress(&path, &zoo(), options(method), None).keep().unwrap();
    (dir, path)
}

/// What a tool says of a file.
pub(crate) fn run(tool: &str, arguments: &[&str], path: &Path) -> Output {
    Command::new(tool).args(arguments).arg(path).output().unwrap()
}
