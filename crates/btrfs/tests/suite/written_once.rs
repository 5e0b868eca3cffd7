//! What is compressed lies in the spool where the image has it, and the spool becomes the image.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use btrfs::{Metadata, Options, Profile, Work};
use cache::{Checksum, Found, Key, Made, Part, Places, Reuse, Segments};
use image::{Image, Node, Silent, Spool, Target};

use crate::reuse::{self, ZSTD, cold, unit_hashes};
use crate::support::oracle::installed;
use crate::support::{
    EVERYTHING, METADATA, Mounted, assert_same, check, is_possible, noise, odd, options, plan, plan_into,
    words, write,
};

/// What the spool becomes, or is copied to, in its folder.
fn completed(image: &Image, spool: &Spool, folder: &Path) -> Vec<u8> {
    let path = folder.join("completed");
    let target = Target::claim(&path).unwrap().complete(image, spool);
    target.write(image, &Silent).unwrap().keep().unwrap();
    fs::read(&path).unwrap()
}

/// A file that shrinks to its half, wherever it is cut.
fn half(number: u8) -> Vec<u8> {
    let noise = noise(900_000 + u64::from(number)).to_vec().unwrap();
    let with_words = |part: &[u8]| [part, &vec![b'7'; 60_000]].concat();
    noise.chunks(60_000).flat_map(with_words).collect()
}

/// Compressed extents that reach beyond the second superblock's place.
#[test]
fn extents_make_way_for_a_superblock() {
    if !installed("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let mut tree = odd();
    for number in 0..90_u8 {
        let name = format!("/half-{number}");
        tree.add_at(name.as_bytes(), Node::file(half(number))).unwrap();
        // A block of 128 KiB that shrinks, over and over.
        let some = [&[number][..], &words(700_000)].concat();
        let name = format!("/words-{number}");
        tree.add_at(name.as_bytes(), Node::file(some)).unwrap();
    }
    let options = Options {
        compression: ZSTD,
        ..options(Profile::Portable, Metadata::Dup)
    };
    let spool = Spool::create(dir.path()).unwrap();
    let planned = plan_into(&tree, &options, &spool);
    assert!(planned.usage.data > 80 << 20, "{:?}", planned.usage);
    write(&planned.image, &path);
    check(&path);
    assert!(fs::read(&path).unwrap() == completed(&planned.image, &spool, dir.path()));
    if is_possible("btrfs") {
        let folder = dir.path().join("mounted");
        let mounted = Mounted::new("btrfs", &path, &folder, "loop,ro");
        assert_same(&image::scan(mounted.0, EVERYTHING).unwrap(), &tree);
    }
}

/// Nodes that come where data ends before the second superblock's place, and behind it.
#[test]
fn nodes_make_way_for_a_superblock() {
    if !installed("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    for room in [0, 1, 5] {
        let mut tree = odd();
        let bytes = noise(
            (63 << 20) - room * (64 << 10) - plan(&tree, &options(Profile::Modern, Metadata::Dup)).usage.data,
        );
        tree.add_at(b"/noise", Node::file(bytes)).unwrap();
        for metadata in METADATA {
            let options = options(Profile::Modern, metadata);
            let spool = Spool::create(dir.path()).unwrap();
            let planned = plan_into(&tree, &options, &spool);
            write(&planned.image, &path);
            check(&path);
            assert!(fs::read(&path).unwrap() == completed(&planned.image, &spool, dir.path()));
        }
    }
}

/// Keeps what was made as others do that send it somewhere meanwhile.
#[derive(Default)]
struct Late(Mutex<Vec<Kept>>);

struct Kept {
    key: Key,
    parts: Vec<Part>,
    sizes: Vec<u32>,
    digest: [u8; 32],
}

impl Segments for Late {
    fn find(&self, _: &Key) -> Option<Found> {
        None
    }
    fn reject(&self, _: &Key, _: &str) {}
    fn reads_later(&self) -> bool {
        true
    }
    fn keep(&self, key: &Key, made: &Made) {
        self.0.lock().unwrap().push(Kept {
            key: *key,
            parts: made.parts.to_vec(),
            sizes: made.sizes.to_vec(),
            digest: made.digest,
        });
    }
}

/// What is kept can be read when the image is there, also where extents made way for a superblock.
#[test]
fn what_was_kept_stays_as_it_was() {
    let mut tree = reuse::tree();
    for number in 0..90_u8 {
        let name = format!("/u{}/half-{number}", number % 8);
        tree.add_at(name.as_bytes(), Node::file(half(number))).unwrap();
    }
    let options = reuse::options(ZSTD);
    let late = Late::default();
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::create(dir.path()).unwrap();
    let units = unit_hashes(&tree);
    let near: [&dyn Segments; 1] = [&late];
    let planned = btrfs::plan(
        &tree,
        &options,
        &Work {
            spool: &spool,
            threads: 2,
            digests: &[],
            progress: &Silent,
            reuse: Some(Reuse {
                units: &units,
                places: Places {
                    near: &near,
                    shared: &[],
                },
                confirm: None,
            }),
        },
    );
    let planned = planned.unwrap();
    assert!(planned.usage.data > 80 << 20, "{:?}", planned.usage);
    assert!(completed(&planned.image, &spool, dir.path()) == cold(&tree, &options));
    let kept = late.0.into_inner().unwrap();
    assert!(kept.len() > 8);
    for segment in kept {
        let mut checksum = Checksum::new(&segment.key);
        for part in &segment.parts {
            checksum.add(&part.content().to_vec().unwrap());
        }
        assert_eq!(checksum.finish(&segment.sizes), segment.digest);
    }
}
