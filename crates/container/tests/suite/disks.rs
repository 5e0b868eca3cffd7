//! Disks that tests put into containers.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use container::{Error, Format, Options, Planned, Work};
use image::{Content, Image, Layout, Seed, Silent};

pub(crate) const KIB: u64 = 1 << 10;
pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const GIB: u64 = 1 << 30;

/// Bytes that no compressor makes smaller, other ones for each number.
pub(crate) fn noise(number: u64, len: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(len).collect()
}

/// Bytes that compressors like.
pub(crate) fn text(number: u64, len: usize) -> Vec<u8> {
    let line = |line: u64| format!("{number}: the line {line} of a text that repeats itself\n").into_bytes();
    (0..).flat_map(line).take(len).collect()
}

/// A disk of a size with something at its begin, at its end, at these places, and in a nested image.
pub(crate) fn disk(size: u64, places: &[u64]) -> Image {
    let mut layout = Layout::new();
    layout.put(0, "table", text(0, 1000));
    for (number, place) in (0..).zip(places) {
        let bytes = if number % 2 == 0 {
            noise(number, 70_000)
        } else {
            text(number, 200_000)
        };
        layout.put(*place, "file", bytes);
    }
    layout.put(size - 512, "table (copy)", noise(99, 512));
    layout.finish(size).unwrap()
}

/// Disks of the sizes at which tables and their entries begin to be others.
pub(crate) fn corners(dir: &Path) -> Vec<(String, Image)> {
    let mut corners: Vec<(String, Image)> = Vec::new();
    for size in [
        MIB,
        31 * MIB,
        32 * MIB,
        33 * MIB,
        511 * MIB,
        512 * MIB,
        513 * MIB,
        4 * GIB,
        128 * GIB,
        129 * GIB,
    ] {
        let mut places = vec![8 * KIB];
        if size > 30 * MIB {
            places.extend([9 * MIB - 10, 20 * MIB + 64 * KIB, 30 * MIB - 100 * KIB]);
        }
        if size > GIB {
            places.extend([GIB / 2 - 35_000, 4 * GIB - 4 * MIB]);
        }
        corners.push((format!("{} MiB", size / MIB), disk(size, &places)));
    }
    corners.push(("holes".into(), Layout::new().finish(64 * MIB).unwrap()));
    corners.push(("kinds".into(), kinds(dir)));
    corners
}

/// A disk with contents of all kinds, and an image in it.
pub(crate) fn kinds(dir: &Path) -> Image {
    let path = dir.join("file");
    let mut bytes = noise(7, 3_000_000);
    bytes[500_000..2_500_000].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let file = Content::host_file(&path).unwrap();
    let open: Arc<File> = Arc::new(File::open(&path).unwrap());
    let mut inner = Layout::new();
    inner.put(4096, "inode table", text(3, 100_000));
    inner.put(3 * MIB, "file", file.clone());
    let mut layout = Layout::new();
    layout.put(0, "mbr", text(1, 512));
    layout.put(MIB, "loader", file);
    layout.put(5 * MIB, "zeros", Content::Zeros(2 * MIB));
    layout.put(8 * MIB, "root", inner.finish(16 * MIB).unwrap());
    let part = Content::Span {
        source: open,
        start: 4096,
        len: 400_000,
    };
    layout.put(30 * MIB, "span", part);
    layout.finish(48 * MIB).unwrap()
}

pub(crate) fn options(format: Format, file: &str) -> Options<'_> {
    Options::new(format, file, Seed::new(b"containers"))
}

/// Puts a disk into a container; what is compressed goes into the folder.
pub(crate) fn contained(
    disk: &Image,
    options: &Options,
    folder: &Path,
    threads: usize,
) -> Result<Planned, Error> {
    let work = Work {
        folder,
        threads,
        progress: &Silent,
    };
    container::plan(disk, options, &work)
}

/// Puts an image into a file: its extents, without looking at what lies between them.
pub(crate) fn store(image: &Image, path: &Path) {
    let file = File::create(path).unwrap();
    file.set_len(image.size()).unwrap();
    put(image, 0, &file);
}

fn put(image: &Image, base: u64, file: &File) {
    for extent in image.extents() {
        let place = base + extent.start;
        match &extent.content {
            Content::Image(inner) => put(inner, place, file),
            Content::Zeros(_) => {}
            content if content.len() > GIB => {}
            content => file.write_all_at(&content.to_vec().unwrap(), place).unwrap(),
        }
    }
}
