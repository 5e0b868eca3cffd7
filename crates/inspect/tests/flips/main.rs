//! Any single byte that is changed, and that changes what a reader sees, is found where the format has checksums; the
//! manifest beside a file finds every one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bundles;

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use disk::{PartitionType, Region};
use image::{Content, FsVerity, Image, Kind, Node, ReadAt, Seed, Silent, Spool, Tree};
use inspect::{Check, Error, Inside, Item, Last, Manifest, Outcome, Reach, Work};
use sha2::{Digest, Sha256};
use signature::Trust;

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

/// An image, and what is changed in it.
#[derive(Clone, Debug)]
struct Flipped {
    sound: Arc<[u8]>,
    place: u64,
    bits: u8,
}

impl Flipped {
    fn new(sound: &Arc<[u8]>) -> Flipped {
        let sound = Arc::clone(sound);
        Flipped {
            sound,
            place: 0,
            bits: 0,
        }
    }

    fn content(&self) -> Content {
        let len = self.sound.len() as u64;
        let source = Arc::new(self.clone());
        Content::Span {
            source,
            start: 0,
            len,
        }
    }
}

impl ReadAt for Flipped {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> std::io::Result<()> {
        let end = start.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.sound.len() as u64) {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let first = usize::try_from(start).unwrap();
        buffer.copy_from_slice(&self.sound[first..first + buffer.len()]);
        let at = self
            .place
            .checked_sub(start)
            .and_then(|at| usize::try_from(at).ok());
        if let Some(byte) = at.and_then(|at| buffer.get_mut(at)) {
            *byte ^= self.bits;
        }
        Ok(())
    }
}

fn open(image: &Flipped) -> Result<Inside, Error> {
    inspect::open(image.content(), &work())
}

/// All that a reader sees, with or without the bytes of files.
fn view(image: &Flipped, contents: bool) -> Result<Vec<String>, Error> {
    let inside = open(image)?;
    let found = inside.find(b"/", Last::Followed, Reach::All, &work())?;
    let mut lines = Vec::new();
    found.list(true, &work(), &mut |item: Item| -> Result<(), Error> {
        let mut line = image::show(item.path);
        if let Some(node) = item.node {
            write!(line, " {:?}", node.meta).unwrap();
            match &node.kind {
                Kind::File(content) if contents => {
                    let digest = Sha256::digest(content.to_vec()?);
                    write!(line, " {} {digest:?}", content.len()).unwrap();
                }
                Kind::File(content) => write!(line, " {}", content.len()).unwrap(),
                Kind::Directory(_) => {}
                other => write!(line, " {other:?}").unwrap(),
            }
        }
        if let Some(part) = item.part {
            if let Some(problem) = part.problem {
                return Err(problem);
            }
            write!(line, " {:?} {} {:?}", part.format, part.size, part.partition).unwrap();
        }
        lines.push(line);
        Ok(())
    })?;
    Ok(lines)
}

/// Whether a check finds something.
fn is_found(image: &Flipped, trust: Option<&Trust>) -> bool {
    let Ok(inside) = open(image) else { return true };
    let mut damaged = false;
    let checked = inside.check(trust, &work(), &mut |check: Check| -> Result<(), Error> {
        // What nobody knows any more was known before.
        damaged |= match check.outcome {
            Outcome::Sound => false,
            Outcome::Unknown(_) => check.path.is_empty(),
            Outcome::Damaged(_) => true,
        };
        Ok(())
    });
    damaged || checked.is_err()
}

/// What a change has to do to count.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    /// A reader sees other names, or something else of files than their bytes.
    Names,
    /// A reader sees something else.
    Anything,
    /// It counts whatever is seen.
    Always,
}

/// Changes bytes at random until enough changes count, in these parts of an image. Answers those that no check has found,
/// and how many counted.
fn missed(sound: &[u8], parts: &[Range<u64>], seen: Seen) -> (Vec<u64>, usize) {
    missed_by(sound, parts, seen, None)
}

/// The same, where somebody is trusted.
fn missed_by(sound: &[u8], parts: &[Range<u64>], seen: Seen, trust: Option<&Trust>) -> (Vec<u64>, usize) {
    let whole = Flipped::new(&sound.into());
    let contents = seen == Seen::Anything;
    let wanted = view(&whole, contents).unwrap();
    assert!(!is_found(&whole, trust), "a sound image is damaged");
    let len: u64 = parts.iter().map(|part| part.end - part.start).sum();
    let (mut numbers, mut missed, mut count) = (Numbers(7), Vec::new(), 0);
    for _ in 0..FLIPS * 40 {
        let mut place = numbers.below(len);
        let part = parts.iter().find(|part| {
            let len = part.end - part.start;
            let here = place < len;
            place -= if here { 0 } else { len };
            here
        });
        let flipped = Flipped {
            place: part.unwrap().start + place,
            bits: 1 << numbers.below(8),
            ..whole.clone()
        };
        if seen != Seen::Always && view(&flipped, contents).is_ok_and(|view| view == wanted) {
            continue;
        }
        count += 1;
        if !is_found(&flipped, trust) {
            missed.push(flipped.place);
        }
        if count == FLIPS {
            break;
        }
    }
    (missed, count)
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
    let labels: Vec<String> = image.map().into_iter().map(|line| line.label).collect();
    let parts = parts(&image, |label| {
        label.starts_with('/') || label.contains("journal")
    });
    let (missed, seen) = missed(&bytes(&image), &parts, Seen::Names);
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
        reuse: None,
    };
    let image = btrfs::plan(&rich_tree(), &options, &work).unwrap().image;
    let (missed, seen) = missed(&bytes(&image), &parts(&image, |_| false), Seen::Anything);
    assert_eq!((missed, seen), (Vec::new(), FLIPS));
}

#[test]
fn a_fat_s_tables() {
    let image = fat::plan(&tree(), &fat::Options::default()).unwrap().image;
    let parts = parts(&image, |label| {
        !label.contains("allocation") && !label.contains("table")
    });
    let (missed, seen) = missed(&bytes(&image), &parts, Seen::Anything);
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
    // One copy is read when the other is damaged, so that nothing else is seen; behind the header's 92 bytes is nothing.
    let is_table = |label: &str| label.contains("header") || label.contains("entries");
    let parts: Vec<Range<u64>> = parts(&image, |label| !is_table(label))
        .into_iter()
        .map(|part| {
            part.start..part.end.min(if part.end - part.start == 512 {
                part.start + 92
            } else {
                part.end
            })
        })
        .collect();
    assert_eq!(parts.len(), 4, "{:?}", image.map());
    let (missed, seen) = missed(&bytes(&image), &parts, Seen::Always);
    assert_eq!((missed, seen), (Vec::new(), FLIPS));
}

#[test]
fn a_boot_script() {
    let options = uboot::ScriptOptions {
        name: String::new(),
        arch: "arm64".parse().unwrap(),
        time: 1,
    };
    let script = uboot::script(&b"echo hello\n".repeat(40), &options).unwrap();
    let (missed, seen) = missed(
        &script,
        std::slice::from_ref(&(0..script.len() as u64)),
        Seen::Anything,
    );
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
    let spool = self::spool();
    let compressing = erofs::Work {
        spool: &spool,
        threads: 2,
        digests: &[],
        progress: &Silent,
        reuse: None,
    };
    let options = erofs::Options {
        compression: erofs::Compression::Zstd { level: 3 },
        ..erofs::Options::new(uuid::Uuid::nil())
    };
    let erofs = erofs::plan(&rich_tree(), &options, &compressing).unwrap().image;
    for image in [squashfs, fat, erofs] {
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
            let _ = is_found(&Flipped::new(&flipped.clone().into()), None);
            assert!(matches!(outcome(flipped), Outcome::Damaged(_)), "{place}");
        }
    }
}
