//! Any single byte that is changed, and that changes what a reader sees, is found where the format has checksums; the
//! manifest beside a file finds every one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use disk::{PartitionType, Region};
use image::{Content, FsVerity, Image, Kind, Node, ReadAt, Seed, Silent, Spool, Tree};
use inspect::{Check, Error, Inside, Item, Last, Manifest, Outcome, Reach, Work};

/// As many changes that can be seen are made in each format.
const FLIPS: usize = 200;

fn work() -> Work<'static> {
    Work {
        folder: Path::new("/tmp"),
        threads: 2,
        progress: &Silent,
    }
}

/// Numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Noise and text in folders, small files and large ones, links, attributes, a hole.
fn tree() -> Tree {
    let mut numbers = Numbers(1);
    let mut tree = Tree::default();
    for number in 0..60_usize {
        let path = format!("/folder-{}/file number {number}", number % 7);
        let bytes: Vec<u8> = match number % 3 {
            0 => (0..number * 97)
                .map(|_| u8::try_from(numbers.below(256)).unwrap())
                .collect(),
            1 => b"many words ".repeat(number * 30),
            _ => Vec::new(),
        };
        let node = Node::file(bytes).mode(0o640 + u16::try_from(number % 8).unwrap());
        tree.add_at(path.as_bytes(), node).unwrap();
    }
    tree
}

/// The same with what FAT does not have.
fn rich_tree() -> Tree {
    let mut tree = tree();
    tree.add_at(b"/link", Node::symlink("folder-1/file number 1"))
        .unwrap();
    let mut sparse = vec![0; 300_000];
    sparse[250_000] = 1;
    tree.add_at(b"/sparse", Node::file(sparse)).unwrap();
    tree
}

fn spool() -> Spool {
    Spool::create(Path::new("/tmp")).unwrap()
}

fn bytes(image: &Image) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
    image.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn open(bytes: &Arc<[u8]>) -> Result<Inside, Error> {
    inspect::open(Content::Bytes(Arc::clone(bytes)), &work())
}

/// All that a reader sees, with or without the bytes of files.
fn view(bytes: &Arc<[u8]>, contents: bool) -> Result<Vec<String>, Error> {
    let inside = open(bytes)?;
    let found = inside.find(b"/", Last::Followed, Reach::All, &work())?;
    let mut lines = Vec::new();
    found.list(true, &work(), &mut |item: Item| -> Result<(), Error> {
        let mut line = image::show(item.path);
        if let Some(node) = item.node {
            line += &format!(" {:?}", node.meta);
            match &node.kind {
                Kind::File(content) if contents => line += &format!(" {:?}", content.to_vec()?),
                Kind::File(content) => line += &format!(" {}", content.len()),
                Kind::Directory(_) => {}
                other => line += &format!(" {other:?}"),
            }
        }
        if let Some(part) = item.part {
            if let Some(problem) = part.problem {
                return Err(problem);
            }
            line += &format!(" {:?} {} {:?}", part.format, part.size, part.partition);
        }
        lines.push(line);
        Ok(())
    })?;
    Ok(lines)
}

/// Whether a check finds something.
fn is_found(bytes: &Arc<[u8]>) -> bool {
    let Ok(inside) = open(bytes) else { return true };
    let mut damaged = false;
    let checked = inside.check(None, &work(), &mut |check: Check| -> Result<(), Error> {
        damaged |= matches!(check.outcome, Outcome::Damaged(_));
        Ok(())
    });
    damaged || checked.is_err()
}

/// Changes bytes at random until enough changes could be seen, in these parts of an image. Answers those that no check has
/// found, and how many were seen.
fn missed(sound: &[u8], parts: &[Range<u64>], contents: bool) -> (Vec<u64>, usize) {
    let whole: Arc<[u8]> = sound.into();
    let wanted = view(&whole, contents).unwrap();
    assert!(!is_found(&whole), "a sound image is damaged");
    let len: u64 = parts.iter().map(|part| part.end - part.start).sum();
    let (mut numbers, mut missed, mut seen) = (Numbers(7), Vec::new(), 0);
    for _ in 0..FLIPS * 40 {
        let mut place = numbers.below(len);
        let part = parts.iter().find(|part| {
            let len = part.end - part.start;
            let here = place < len;
            place -= if here { 0 } else { len };
            here
        });
        let place = part.unwrap().start + place;
        let mut flipped = sound.to_vec();
        flipped[usize::try_from(place).unwrap()] ^= 1 << numbers.below(8);
        let flipped: Arc<[u8]> = flipped.into();
        if view(&flipped, contents).is_ok_and(|view| view == wanted) {
            continue;
        }
        seen += 1;
        if !is_found(&flipped) {
            missed.push(place);
        }
        if seen == FLIPS {
            break;
        }
    }
    (missed, seen)
}

/// What an image has, by its map: without what `leaves_out` says.
fn parts(image: &Image, leaves_out: impl Fn(&str) -> bool) -> Vec<Range<u64>> {
    let lines = image.map().into_iter().filter(|line| !leaves_out(&line.label));
    lines.map(|line| line.start..line.end).collect()
}

#[test]
fn ext4_but_for_contents() {
    let id = uuid::Uuid::from_u128(1);
    let image = ext4::plan(&rich_tree(), &ext4::Options::new(id, id))
        .unwrap()
        .image;
    let labels: BTreeMap<String, ()> = image.map().into_iter().map(|line| (line.label, ())).collect();
    let parts = parts(&image, |label| {
        label.starts_with('/') || label.contains("journal")
    });
    let (missed, seen) = missed(&bytes(&image), &parts, false);
    assert_eq!((missed, seen), (Vec::new(), FLIPS), "{labels:?}");
}

#[test]
fn btrfs_in_all() {
    let options = btrfs::Options::new(uuid::Uuid::from_u128(1), Seed::new(b"flips"));
    let spool = spool();
    let work = btrfs::Work {
        spool: &spool,
        threads: 2,
        digests: &[],
        progress: &Silent,
    };
    let image = btrfs::plan(&rich_tree(), &options, &work).unwrap().image;
    let (missed, seen) = missed(&bytes(&image), &parts(&image, |_| false), true);
    assert_eq!((missed, seen), (Vec::new(), FLIPS));
}

#[test]
fn a_fat_s_tables() {
    let image = fat::plan(&tree(), &fat::Options::default()).unwrap().image;
    let parts = parts(&image, |label| {
        !label.contains("allocation") && !label.contains("table")
    });
    let (missed, seen) = missed(&bytes(&image), &parts, true);
    assert_eq!(missed, Vec::<u64>::new(), "{:?}", image.map());
    assert!(seen >= FLIPS / 4, "{seen}");
}

#[test]
fn a_gpt() {
    let mut data = vec![0; 1 << 20];
    data[..5].copy_from_slice(b"bytes");
    let region = |name: &str| Region {
        name: name.into(),
        place: None,
        size: None,
        content: Some(data.clone().into()),
        partition: Some(disk::Partition::new(PartitionType::parse("linux").unwrap())),
    };
    let options = disk::Options::new(Seed::new(b"flips"));
    let image = disk::plan(&options, &[region("one"), region("two")])
        .unwrap()
        .image;
    let parts = parts(&image, |label| label.contains("one") || label.contains("two"));
    let (missed, seen) = missed(&bytes(&image), &parts, false);
    assert_eq!(missed, Vec::<u64>::new(), "{:?}", image.map());
    assert!(seen > 0);
}

#[test]
fn a_boot_script() {
    let options = uboot::ScriptOptions {
        name: String::new(),
        arch: "arm64".parse().unwrap(),
        time: 1,
    };
    let script = uboot::script(&b"echo hello\n".repeat(40), &options).unwrap();
    let (missed, seen) = missed(&script, &[0..script.len() as u64], true);
    assert_eq!((missed, seen), (Vec::new(), FLIPS));
}

/// Of a squashfs and of FAT's names and contents, only what stands beside them tells.
#[test]
fn anything_by_its_manifest() {
    let spool = spool();
    let squashing = squashfs::Work {
        spool: &spool,
        threads: 2,
        digests: &[],
        progress: &Silent,
        reuse: None,
    };
    let squashfs = squashfs::plan(&rich_tree(), &squashfs::Options::default(), &squashing)
        .unwrap()
        .image;
    let fat = fat::plan(&tree(), &fat::Options::default()).unwrap().image;
    for image in [squashfs, fat] {
        let sound = bytes(&image);
        let mut digest = FsVerity::default();
        digest.update(&sound, None);
        let manifest = Manifest {
            size: image.size(),
            fsverity: Some(digest.finish()),
            sha256: None,
        };
        let outcome = |bytes: Vec<u8>| {
            inspect::check_manifest(&bytes.into(), &manifest, &work())
                .unwrap()
                .outcome
        };
        assert!(matches!(outcome(sound.clone()), Outcome::Sound));
        let mut numbers = Numbers(3);
        for _ in 0..FLIPS {
            let place = usize::try_from(numbers.below(image.size())).unwrap();
            let mut flipped = sound.clone();
            flipped[place] ^= 1 << numbers.below(8);
            // Whatever a reader makes of it, it ends.
            let _ = is_found(&flipped.clone().into());
            assert!(matches!(outcome(flipped), Outcome::Damaged(_)), "{place}");
        }
    }
}
