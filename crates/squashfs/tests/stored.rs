//! Files that are stored as they are: nothing copies them, and everybody reads them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use image::{Content, Image, Keep, Kind, Layout, Node, NodeId, ReadAt, Silent, Spool, Tree};
use squashfs::read::Archive;
use squashfs::{Compression, Options, Planned, Work};
use support::oracle::installed;
use support::{add_units, assert_same, bytes, run, write, zoo};

/// Bytes with holes: data for each `true`, zeros for each `false`, `unit` bytes long, and a tail.
fn holes(unit: usize, pattern: &[bool], tail: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    for (step, data) in (1..).zip(pattern) {
        all.extend(if *data { bytes(unit, step) } else { vec![0; unit] });
    }
    all.extend(tail);
    all
}

/// Every length near a block's end, and holes at every place.
fn files(block: usize) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for (number, len) in [0, 1, 4095, 4096, 4097, block - 1, block, block + 1, 3 * block + 5]
        .into_iter()
        .enumerate()
    {
        files.push((format!("{number}-{len}"), bytes(len, 77)));
    }
    let unit = (2 * block).max(128 << 10);
    for (name, pattern, tail) in [
        ("head", &[false, true][..], &b""[..]),
        ("middle", &[true, false, true, false, true], b"tail"),
        ("tail", &[true, false], b""),
        ("zeros", &[false, false], b"\0\0\0"),
        ("nearly-zeros", &[false, false], b"\0\0x"),
    ] {
        files.push((name.into(), holes(unit, pattern, tail)));
    }
    files
}

/// The files, stored, in a tree with others that are not: some have the same bytes.
fn mixed(block: usize) -> (Tree, BTreeSet<NodeId>) {
    let mut tree = zoo(block);
    let mut stored = BTreeSet::new();
    for (name, bytes) in files(block) {
        let path = format!("/images/{name}");
        stored.insert(tree.add_at(path.as_bytes(), Node::file(bytes.clone())).unwrap());
        let path = format!("/packed/{name}");
        tree.add_at(path.as_bytes(), Node::file(bytes)).unwrap();
    }
    (tree, stored)
}

fn options(compression: Compression, block_size: usize, stored: &BTreeSet<NodeId>) -> Options {
    Options {
        block_size: u32::try_from(block_size).unwrap(),
        compression,
        time: 1,
        stored: stored.clone(),
    }
}

fn plan_into(spool: &Spool, tree: &Tree, options: &Options) -> Planned {
    let work = Work {
        spool,
        threads: 2,
        digests: &[],
        progress: &Silent,
        reuse: None,
    };
    squashfs::plan(tree, options, &work).unwrap()
}

fn plan(tree: &Tree, options: &Options) -> Planned {
    plan_into(&Spool::create(&std::env::temp_dir()).unwrap(), tree, options)
}

fn read(image: Image) -> Tree {
    let size = image.size();
    Archive::open(Arc::new(image), size).unwrap().tree().unwrap()
}

#[test]
fn stored_files_come_back() {
    for block in [4096, 16 << 10, 1 << 20] {
        for compression in [Compression::None, Compression::Zstd { level: 3 }] {
            let (tree, stored) = mixed(block);
            let planned = plan(&tree, &options(compression, block, &stored));
            assert_same(&read(planned.image), &tree);
        }
    }
}

/// Each file's data lie in the image as they are, in order, from a multiple of 4 KiB on, and blocks of zeros nowhere.
#[test]
fn stored_bytes_are_unchanged_and_aligned() {
    for block in [4096, 64 << 10] {
        let (tree, stored) = mixed(block);
        let planned = plan(&tree, &options(Compression::Xz { level: 0 }, block, &stored));
        let map = planned.image.map();
        for (name, bytes) in files(block) {
            let label = format!("stored /images/{name}");
            let mut found = Vec::new();
            for line in map.iter().filter(|line| line.label == label) {
                assert_eq!(line.start % 4096, 0, "{label}");
                if let Some((_, end)) = found.last() {
                    assert_eq!(line.start, *end, "{label} is in one run");
                }
                found.push((line.start, line.end));
            }
            let mut wanted = bytes
                .chunks(block)
                .filter(|chunk| chunk.iter().any(|byte| *byte != 0))
                .collect::<Vec<_>>()
                .concat();
            if bytes.len() < 4096 && wanted.is_empty() {
                wanted = bytes;
            }
            let (start, end) = (
                found.first().map_or(0, |run| run.0),
                found.last().map_or(0, |run| run.1),
            );
            let mut there = vec![0; usize::try_from(end - start).unwrap()];
            planned.image.read_exact_at(&mut there, start).unwrap();
            assert!(
                there == wanted,
                "{label}: {} bytes, not {}",
                there.len(),
                wanted.len()
            );
        }
    }
}

/// Nothing of stored files goes into the spool: with other files, it ends where their blocks end.
#[test]
fn the_spool_gets_nothing_of_them() {
    let ends_at = |spool: &Spool, end: u64| {
        assert!(spool.span(end, 1).to_vec().is_err(), "the spool goes on at {end}");
    };
    let mut alone = Tree::default();
    let mut stored = BTreeSet::new();
    for (name, bytes) in files(4096) {
        stored.insert(
            alone
                .add(NodeId::ROOT, name.as_bytes(), Node::file(bytes))
                .unwrap(),
        );
    }
    let spool = Spool::create(&std::env::temp_dir()).unwrap();
    plan_into(&spool, &alone, &options(Compression::None, 4096, &stored));
    ends_at(&spool, 0);
    let (tree, stored) = mixed(1 << 17);
    let spool = Spool::create(&std::env::temp_dir()).unwrap();
    let planned = plan_into(
        &spool,
        &tree,
        &options(Compression::Gzip { level: 1 }, 1 << 17, &stored),
    );
    let lines = planned.image.map();
    let segments = lines.iter().filter(|line| line.label.starts_with("segment "));
    ends_at(&spool, segments.map(|line| line.end).max().unwrap());
}

/// Other files lie where they lie without stored ones, which come behind them.
#[test]
fn stored_files_move_no_other() {
    let places = |planned: &Planned| {
        let lines = planned.image.map().into_iter();
        let segments = lines.filter(|line| line.label.starts_with("segment "));
        segments
            .map(|line| (line.start, line.end, line.label))
            .collect::<Vec<_>>()
    };
    let mut tree = zoo(1 << 17);
    add_units(&mut tree);
    let without = plan(
        &tree,
        &options(Compression::Zstd { level: 3 }, 1 << 17, &BTreeSet::new()),
    );
    let content = bytes(300_000, 9);
    let id = tree.add_at(b"/a/image", Node::file(content.clone())).unwrap();
    tree.add_at(b"/a/image-2", Node::file(content)).unwrap();
    let stored = BTreeSet::from([id]);
    let (with, both) = (
        places(&without),
        options(Compression::Zstd { level: 3 }, 1 << 17, &stored),
    );
    let found = places(&plan(&tree, &both));
    assert_eq!(found[..with.len() - 1], with[..with.len() - 1]);
    assert!(
        found.last().unwrap().1 >= with.last().unwrap().1 + 100_000,
        "the one that is not stored is here"
    );
}

/// Bytes that count how often they are read.
#[derive(Debug)]
struct Counted(Vec<u8>, AtomicU64);

impl ReadAt for Counted {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> std::io::Result<()> {
        self.1.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        Content::from(&self.0[..]).read_exact_at(buffer, start)
    }
}

/// Files of the host, parts of something open, images with gaps: all in one tree, read at most once to plan.
#[test]
fn every_kind_of_content_can_be_stored() {
    let dir = tempfile::tempdir().unwrap();
    let host = dir.path().join("host");
    std::fs::write(&host, holes(200_000, &[true, false, true], b"x")).unwrap();
    let counted = Arc::new(Counted(
        holes(128 << 10, &[true, true, false], b""),
        AtomicU64::new(0),
    ));
    let len = counted.0.len() as u64;
    let mut inner = Layout::new();
    inner.put(5000, "part", bytes(100, 3));
    inner.put(700_000, "zeros", Content::Zeros(10));
    let contents = [
        ("host", Content::host_file(&host).unwrap()),
        (
            "whole",
            Content::Span {
                source: Arc::clone(&counted) as _,
                start: 0,
                len,
            },
        ),
        (
            "twin",
            Content::Span {
                source: Arc::clone(&counted) as _,
                start: 0,
                len,
            },
        ),
        (
            "part",
            Content::Span {
                source: Arc::clone(&counted) as _,
                start: 1000,
                len: len - 1001,
            },
        ),
        ("image", inner.finish(800_000).unwrap().into()),
        ("zeros", Content::Zeros(1 << 20)),
        ("few-zeros", Content::Zeros(17)),
    ];
    let (mut tree, mut plain, mut stored) = (Tree::default(), Tree::default(), BTreeSet::new());
    for (name, content) in contents {
        let bytes = content.to_vec().unwrap();
        plain
            .add(NodeId::ROOT, name.as_bytes(), Node::file(bytes))
            .unwrap();
        stored.insert(
            tree.add(NodeId::ROOT, name.as_bytes(), Node::file(content))
                .unwrap(),
        );
    }
    stored.insert(NodeId::ROOT);
    counted.1.store(0, Ordering::Relaxed);
    let planned = plan(&tree, &options(Compression::Zstd { level: 3 }, 16 << 10, &stored));
    assert_eq!(
        counted.1.load(Ordering::Relaxed),
        3 * len - 1001,
        "each read once, also two with one length"
    );
    assert_same(&read(planned.image), &plain);
}

/// What a gap of an image holds is zeros for whoever reads the file, so it is no gap any more.
#[test]
fn gaps_of_images_become_bytes() {
    let mut inner = Layout::new();
    inner.put(0, "a", bytes(4096, 1));
    inner.put(20_480, "b", bytes(4096, 2));
    let (mut tree, content) = (Tree::default(), Content::from(inner.finish(24_576).unwrap()));
    let id = tree.add(NodeId::ROOT, b"image", Node::file(content)).unwrap();
    let planned = plan(&tree, &options(Compression::None, 8192, &BTreeSet::from([id])));
    let stored = planned
        .image
        .map()
        .into_iter()
        .find(|line| line.label == "stored /image");
    assert_eq!(stored.map(|line| line.end - line.start), Some(24_576));
}

#[test]
fn nothing_passes_the_bound() {
    for block in [4096, 1 << 20] {
        let (tree, stored) = mixed(block);
        let mut only = Tree::default();
        let ids = (0..50).map(|number| {
            let name = format!("{number}");
            only.add(NodeId::ROOT, name.as_bytes(), Node::file(bytes(1, number + 1)))
                .unwrap()
        });
        let ids: BTreeSet<NodeId> = ids.collect();
        for (tree, stored) in [(&tree, &stored), (&only, &ids)] {
            let options = options(Compression::None, block, stored);
            let size = plan(tree, &options).image.size();
            let bound = squashfs::at_most(tree, &options).unwrap();
            assert!(size <= bound, "{size} and {bound}");
            assert!(bound < size * 3 + (8 << 20), "{bound} is far above {size}");
        }
    }
}

#[test]
fn too_many_blocks_are_refused() {
    let mut tree = Tree::default();
    let id = tree
        .add(NodeId::ROOT, b"huge", Node::file(Content::Zeros(1 << 50)))
        .unwrap();
    let error = squashfs::at_most(&tree, &options(Compression::None, 4096, &BTreeSet::from([id])));
    assert_eq!(
        error.unwrap_err().to_string(),
        "stored blocks: 274877906944 is more than the format can count (4294967295)"
    );
}

fn plain(tree: &Tree) -> Vec<String> {
    let strip = |line: String| {
        let (name, rest) = line.split_once(" #").unwrap();
        format!("{name} {}", rest.split_once("] ").unwrap().1)
    };
    support::dump(tree).into_iter().map(strip).collect()
}

fn unpacked(tree: &Tree, stored: &BTreeSet<NodeId>, block: usize, unpack: impl Fn(&Path, &Path)) {
    let dir = tempfile::tempdir().unwrap();
    let (image, folder) = (dir.path().join("image"), dir.path().join("x"));
    write(
        &plan(tree, &options(Compression::Gzip { level: 6 }, block, stored)),
        &image,
    );
    unpack(&image, &folder);
    let found = image::scan(&folder, Keep::default()).unwrap();
    assert_eq!(plain(&found), plain(tree));
}

#[test]
fn outside_tools_read_stored_files() {
    for block in [4096, 16 << 10, 1 << 20] {
        let (tree, stored) = mixed(block);
        if installed("unsquashfs") {
            unpacked(&tree, &stored, block, |image, folder| {
                let quiet = ["-no-progress", "-quiet", "-d"];
                run(Command::new("unsquashfs").args(quiet).arg(folder).arg(image));
            });
        }
        if installed("rdsquashfs") {
            unpacked(&tree, &stored, block, |image, folder| {
                let quiet = ["-q", "-T", "-u", "/", "-p"];
                run(Command::new("rdsquashfs").args(quiet).arg(folder).arg(image));
            });
        }
    }
}

/// More than four gigabytes, nearly all of them zeros.
#[test]
fn giants_are_stored() {
    if !installed("unsquashfs") {
        return;
    }
    let mut layout = Layout::new();
    layout.put((4 << 30) + 123, "end", bytes(10_000, 5));
    let content = Content::from(layout.finish((4 << 30) + 20_000).unwrap());
    let mut tree = Tree::default();
    let id = tree.add(NodeId::ROOT, b"giant", Node::file(content)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let planned = plan(&tree, &options(Compression::None, 1 << 20, &BTreeSet::from([id])));
    assert!(planned.image.size() < 1 << 20, "{} bytes", planned.image.size());
    write(&planned, &dir.path().join("image"));
    let tail = "unsquashfs -cat image giant | tail -c 20000 >tail && unsquashfs -lln image";
    let listing = run(Command::new("sh").args(["-c", tail]).current_dir(dir.path()));
    assert!(listing.contains(" 4294987296 "), "{listing}");
    let mut wanted = vec![0; 123];
    wanted.extend(bytes(10_000, 5));
    wanted.resize(20_000, 0);
    assert!(std::fs::read(dir.path().join("tail")).unwrap() == wanted);
}

/// A stored file with two names has one inode, and its path is the first of them.
#[test]
fn hard_links_are_stored_once() {
    let mut tree = Tree::default();
    let id = tree.add(NodeId::ROOT, b"b", Node::file(bytes(9000, 4))).unwrap();
    tree.link(NodeId::ROOT, b"a", id).unwrap();
    assert!(matches!(tree.node(id).kind, Kind::File(_)));
    let planned = plan(&tree, &options(Compression::None, 4096, &BTreeSet::from([id])));
    let stored: Vec<_> = planned
        .image
        .map()
        .into_iter()
        .filter(|line| line.label.starts_with("stored"))
        .collect();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].label, "stored /a");
    assert_same(&read(planned.image), &tree);
}
