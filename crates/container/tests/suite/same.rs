//! What decides a container's bytes, and what does not.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use container::{Compression, Format, Options};
use image::{Content, Layout, ReadAt};
use sha2::{Digest, Sha256};

use crate::disks::{MIB, contained, disk, kinds, options, text};

/// The digest of an image's bytes, at most 64 MiB of them.
fn digest(image: &image::Image) -> String {
    let mut bytes = vec![0; usize::try_from(image.size().min(64 * MIB)).unwrap()];
    image.read_exact_at(&mut bytes, 0).unwrap();
    let digest = Sha256::digest(&bytes);
    let digest: String = digest
        .iter()
        .take(8)
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    format!("{} {digest}", image.size())
}

fn all() -> Vec<Options<'static>> {
    let mut all: Vec<Options> = Format::ALL.map(|format| options(format, "disk")).to_vec();
    for compression in [Compression::Zstd, Compression::Zlib] {
        all.push(Options {
            compression: Some(compression),
            ..options(Format::Qcow2, "disk")
        });
    }
    all
}

#[test]
fn digests_are_pinned_and_threads_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let image = disk(
        33 * MIB,
        &[8192, 9 * MIB - 10, 20 * MIB + 65_536, 30 * MIB - 102_400],
    );
    let mut digests = BTreeMap::new();
    for options in all().into_iter().filter(|options| options.format != Format::Gce) {
        let one = digest(&contained(&image, &options, dir.path(), 1).unwrap().image);
        let eight = digest(&contained(&image, &options, dir.path(), 8).unwrap().image);
        assert_eq!(one, eight, "{}", options.format);
        digests.insert(format!("{} {:?}", options.format, options.compression), one);
    }
    let gce = contained(
        &image.slice(0..1 << 30),
        &options(Format::Gce, "disk"),
        dir.path(),
        1,
    );
    digests.insert("gce".into(), digest(&gce.unwrap().image));
    insta::assert_debug_snapshot!(digests);
}

/// Whether a file lies on a host's disk with holes or in memory: the bytes are the same.
#[test]
fn where_bytes_come_from_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let kinds = kinds(dir.path());
    let mut copy = Layout::new();
    for line in kinds.map() {
        let mut bytes = vec![0; usize::try_from(line.end - line.start).unwrap()];
        kinds.read_exact_at(&mut bytes, line.start).unwrap();
        let content = if line.label == "zeros" {
            Content::Zeros(line.end - line.start)
        } else {
            Content::from(bytes)
        };
        copy.put(line.start, line.label, content);
    }
    let copy = copy.finish(kinds.size()).unwrap();
    for options in all().into_iter().filter(|options| options.format != Format::Gce) {
        let [one, other] =
            [&kinds, &copy].map(|image| contained(image, &options, dir.path(), 2).unwrap().image);
        assert_eq!(digest(&one), digest(&other), "{}", options.format);
    }
}

/// Every place is known from the map: tables first, then the disk's own extents.
#[test]
fn a_plan_is_tables_and_slices() {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = Layout::new();
    layout.put(0, "mbr", text(0, 512));
    layout.put(3 * MIB, "root", text(1, 100_000));
    let image = layout.finish(8 * MIB).unwrap();
    let mut maps = String::new();
    for options in all().into_iter().filter(|options| options.format != Format::Gce) {
        let planned = contained(&image, &options, dir.path(), 1).unwrap().image;
        let _ = writeln!(
            maps,
            "{} {:?}: {}",
            options.format,
            options.compression,
            planned.size()
        );
        for line in planned.map() {
            let _ = writeln!(maps, "  {:>9} {:>9}  {}", line.start, line.end, line.label);
        }
    }
    insta::assert_snapshot!(maps);
}
